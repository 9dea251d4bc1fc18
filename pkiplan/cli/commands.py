"""The table of commands, and the typer application made from it.

A command's module is imported when it is run, or when `--help` lists them all.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pkiplan import __version__
from pkiplan.cli.session import Session
from pkiplan.errors import PkiplanError, system_words
from pkiplan.hints import did_you_mean
from pkiplan.report.colour import ColourWish

PROGRAM = "pkiplan"

# Shells ask for completions through this variable (typer's convention).
COMPLETION_VARIABLE = "_PKIPLAN_COMPLETE"

# Name and where it lives, in the order in which a newcomer meets them.
COMMANDS: dict[str, str] = {
    "init": "pkiplan.cli.init:init",
    "validate": "pkiplan.cli.validate:validate",
    "plan": "pkiplan.cli.plan:plan",
    "apply": "pkiplan.cli.apply:apply",
    "verify": "pkiplan.cli.verify:verify",
    "status": "pkiplan.cli.status:status",
    "show": "pkiplan.cli.show:show",
    "lint": "pkiplan.cli.lint:lint",
    "schema": "pkiplan.cli.schema:schema",
    "completion": "pkiplan.cli.completion:completion",
}

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

EPILOG = """\
\b
Exit status: 0 done, 1 error, 2 changes pending (only with --detailed-exitcode),
3 verification found something unexpected, 130 interrupted.

\b
Start with:
  pkiplan init && pkiplan plan && pkiplan apply
"""


class CommandTable(TyperGroup):
    """The group of all commands, which builds a command when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """List the commands in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Build one command, or return None."""
        return _build(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is named, and help who mistyped it."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], COMMANDS, otherwise=f"there are {', '.join(COMMANDS)}")
            raise PkiplanError.of(f"no command `{args[0]}`", hint=hint, code="usage")
        return super().resolve_command(ctx, args)


def _build(name: str) -> Any:
    module_name, _, function = COMMANDS[name].partition(":")
    module = importlib.import_module(module_name)
    app = _typer()
    app.command(name, epilog=module.EPILOG, context_settings=_SETTINGS)(_evaluated(getattr(module, function)))
    return typer.main.get_command(app)


def application() -> Any:
    """Make the whole application; its commands are built on demand."""
    app = _typer(cls=CommandTable, add_completion=COMPLETION_VARIABLE in os.environ, epilog=EPILOG)
    app.callback(context_settings=_SETTINGS)(_evaluated(global_options))
    return typer.main.get_command(app)


def _evaluated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluate the annotations of a function once; typer would do so eight times."""
    function.__annotations__ = inspect.get_annotations(function, eval_str=True)
    return function


def _typer(**settings: Any) -> typer.Typer:
    settings.setdefault("add_completion", False)
    # No pretty exceptions: they can print local variables, and those can hold keys and passphrases.
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def global_options(
    ctx: typer.Context,
    *,
    chdir: Annotated[
        str | None, typer.Option("-C", "--chdir", metavar="DIR", help="Work in this directory, as if started there.")
    ] = None,
    color: Annotated[
        ColourWish | None,
        typer.Option(
            "--color",
            help="When to colour; without it PKIPLAN_COLOR, NO_COLOR and FORCE_COLOR decide, then the terminal.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but the result, warnings and errors.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show everything in full.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when pkiplan itself fails.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("-V", "--version", is_eager=True, callback=_show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Plan, apply and verify a private PKI whose state is its PEM files.

    YAML manifests say which authorities and certificates shall exist; `plan` says what must change and why;
    `apply` changes it, durably; `verify` proves with real TLS handshakes that the result works and that what must
    be refused is refused. Private keys are never in plans, logs or caches.
    """
    session = ctx.obj
    assert isinstance(session, Session)
    session.colour_wish, session.is_quiet, session.is_verbose, session.is_debugging = color, quiet, verbose, debug
    if chdir is not None:
        _change_directory(chdir)


def _change_directory(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise PkiplanError.of(f"cannot work in `{directory}` (-C): {system_words(error)}", code="usage") from None
