"""Run a command line; the only place that decides how an error looks and with which status pkiplan exits."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from pkiplan.cli import statuses
from pkiplan.cli.commands import PROGRAM, application
from pkiplan.cli.global_options import first
from pkiplan.cli.interrupts import terminated_like_ctrl_c
from pkiplan.cli.session import NOT_WRITTEN, Session, point_at_nothing
from pkiplan.cli.usage import usage_error
from pkiplan.diagnostics import Diagnostic, in_order
from pkiplan.errors import InterruptedByUserError, ManifestError, PkiplanError


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    _open_what_is_closed()
    _write_what_the_encoding_lacks_as_escapes()
    session = Session()
    status = _run(session, first(arguments) or ["--help"])
    # Without a command the help is the answer, and still the call was wrong.
    return _flushed(session, status if arguments else statuses.FAILED)


def _run(session: Session, arguments: Sequence[str]) -> int:
    from typer import TyperException

    try:
        with terminated_like_ctrl_c():
            status = application().main(list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=session)
    except TyperException as error:
        return _failed(session, usage_error(error, arguments))
    except InterruptedByUserError as error:
        _failed(session, error)
        return statuses.INTERRUPTED
    except PkiplanError as error:
        return _failed(session, error)
    except KeyboardInterrupt:
        return _interrupted(session)
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as error:
        # typer answers a closed pipe so
        return error.code if isinstance(error.code, int) else statuses.DONE
    except Exception as error:  # noqa: BLE001 - the boundary: whatever happens is told in one line
        return _crashed(session, error)
    if status == statuses.INTERRUPTED:
        return _interrupted(session)
    return status if isinstance(status, int) else statuses.DONE


def _failed(session: Session, error: PkiplanError) -> int:
    """Tell an error as it is wanted; where standard output takes nothing, on standard error."""
    diagnostics = in_order(error.diagnostics) if isinstance(error, ManifestError) else error.diagnostics
    session.is_loss_told = any(found.code == NOT_WRITTEN for found in diagnostics)
    try:
        if session.is_loss_told:
            session.diagnose(diagnostics)
        else:
            _tell(session, diagnostics)
            session.flush()
    except PkiplanError as unwritten:
        session.is_loss_told = True
        session.diagnose((*diagnostics, *unwritten.diagnostics))
    except BrokenPipeError:
        return _pipe_closed()
    return statuses.FAILED


def _tell(session: Session, diagnostics: Sequence[Diagnostic]) -> None:
    if session.is_stream:
        from pkiplan.report.diagnostics import diagnostic_json

        if not session.is_stream_begun:
            from pkiplan.report.apply import stream_version

            session.line(stream_version())
        for diagnostic in diagnostics:
            session.line({"type": "diagnostic", "diagnostic": diagnostic_json(diagnostic)})
    elif session.is_json:
        from pkiplan.report.diagnostics import diagnostics_json

        session.document(diagnostics_json(diagnostics))
    else:
        session.diagnose(diagnostics)


def _interrupted(session: Session) -> int:
    session.tell("\ninterrupted\n")
    return statuses.INTERRUPTED


def _crashed(session: Session, error: Exception) -> int:
    """Tell a fault of pkiplan's own; a traceback only on request, without values: they could hold a secret."""
    if session.is_debugging:
        sys.stderr.write(_traceback(error))
    else:
        told = f"pkiplan failed: {type(error).__name__} at {_where(error)}"
        session.diagnose(PkiplanError.of(told, hint="run it again with `--debug` and report what it says").diagnostics)
    return statuses.FAILED


def _traceback(error: BaseException) -> str:
    """Write where an error came from, and what led to it; types and lines, no text of the errors' own."""
    import traceback

    led_to_it = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    earlier = "" if led_to_it is None else _traceback(led_to_it) + "\nwhich led to:\n\n"
    lines = "".join(traceback.format_tb(error.__traceback__))
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return (
        f"{earlier}Traceback (most recent call last):\n{lines}{kind} (its text is not shown: it could hold a secret)\n"
    )


def tell_no_texts() -> None:
    """Let errors that nobody catches be told without their texts too: at the very end, in threads, in callbacks."""
    import threading

    def told(error: BaseException | None) -> None:
        if error is not None and sys.stderr is not None:
            sys.stderr.write(_traceback(error))

    sys.excepthook = lambda _kind, error, _trace: told(error)
    threading.excepthook = lambda found: told(found.exc_value)
    sys.unraisablehook = lambda found: told(found.exc_value)


def _where(error: Exception) -> str:
    """Name the innermost line of pkiplan's; the error's own text could hold a secret."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}pkiplan{os.sep}" in frame.filename] or list(frames)
    if not own:
        return "an unknown place"
    package = own[-1].filename.rpartition(f"{os.sep}pkiplan{os.sep}")[2]
    return f"{package}:{own[-1].lineno}"


def _flushed(session: Session, status: int) -> int:
    """Write out what is left; a result that could not be written is a failure."""
    try:
        session.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except PkiplanError as error:
        point_at_nothing(sys.stdout)
        session.is_json = session.is_stream = False
        # An error that was told as JSON is lost, too: of a failure in silence nobody learns anything.
        return statuses.FAILED if session.is_loss_told else _failed(session, error)
    return status


def _pipe_closed() -> int:
    """Say nothing to a reader that has gone (`pkiplan status | head`)."""
    point_at_nothing(sys.stdout)
    return statuses.FAILED


def _open_what_is_closed() -> None:
    """Let a standard stream that is closed (`>&-`) lead nowhere.

    Else the next file that is opened, a private key perhaps, has its number, and gets what was meant for the stream.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _write_what_the_encoding_lacks_as_escapes() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
