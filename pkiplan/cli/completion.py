"""`pkiplan completion`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pkiplan.cli import statuses
from pkiplan.cli.commands import COMPLETION_VARIABLE, PROGRAM
from pkiplan.cli.session import session_of

EPILOG = """\
\b
Examples:
  source <(pkiplan completion bash)
  pkiplan completion fish > ~/.config/fish/completions/pkiplan.fish

\b
Exit status: 0.
"""


class Shell(StrEnum):
    """The shells that typer writes completions for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(ctx: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell to complete in.")]) -> int:
    """Print the completion script of a shell."""
    # Not among typer's public names; tests/cli/test_completion.py holds it to what we need.
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, shell=shell.value)
    session_of(ctx).result(script + "\n")
    return statuses.DONE
