"""The way in: `pkiplan` and `python -m pkiplan`."""

from __future__ import annotations

import sys

from pkiplan import __version__


def main() -> None:
    """Run the command line, and exit with its status."""
    arguments = sys.argv[1:]
    # Answered before typer is imported: it is what scripts ask first and most often.
    if arguments in (["--version"], ["-V"]):
        sys.stdout.write(f"pkiplan {__version__}\n")
        return
    import gc

    # A large site is a million values that all stay; looking through them for garbage every 700 takes a fifth of a run.
    gc.set_threshold(200_000, 20, 20)

    from pkiplan.cli.boundary import run, tell_no_texts

    tell_no_texts()
    status = run(arguments)
    # The system takes all memory back at once; the interpreter would look for garbage and take every value apart first,
    # which is an eighth of a small run.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
