"""`pkiplan init`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pkiplan.cli import statuses
from pkiplan.cli.session import session_of
from pkiplan.errors import PkiplanError

EPILOG = """\
\b
Example:
  pkiplan init --shape mtls && pkiplan plan

\b
Exit status: 0 done, 1 error (a site.yaml that is there already is never overwritten).
"""


def init(
    ctx: typer.Context,
    directory: Annotated[
        str, typer.Argument(metavar="[DIRECTORY]", help="Where to write; it is made if missing.")
    ] = ".",
    *,
    shape: Annotated[
        str,
        typer.Option(
            "--shape", metavar="SHAPE", help="What to start from: self-signed, server, mtls, kubernetes or dev."
        ),
    ] = "server",
) -> int:
    """Write a commented site.yaml to start from.

    Also a .gitignore that keeps pkiplan's own directory out of version control. An existing site.yaml is never
    overwritten.
    """
    session = session_of(ctx)
    from pkiplan import workflow
    from pkiplan.hints import did_you_mean
    from pkiplan.manifest.starters import SHAPES

    if shape not in SHAPES:
        raise PkiplanError.of(f"no shape `{shape}`", hint=did_you_mean(shape, SHAPES), code="usage")
    for path in workflow.init(directory, shape):
        session.result(f"wrote {os.path.normpath(path)}\n")
    session.tell("Edit it, then `pkiplan plan` shows what it would make.\n")
    return statuses.DONE
