"""`pkiplan validate`."""

from __future__ import annotations

from typing import Annotated

import typer

from pkiplan.cli import options, statuses
from pkiplan.cli.session import session_of
from pkiplan.diagnostics import has_errors

EPILOG = """\
\b
Examples:
  pkiplan validate
  pkiplan validate site.yaml teams/ --json

\b
Exit status: 0 everything can be planned, 1 it cannot.
"""


def validate(
    ctx: typer.Context,
    sites: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SITE]...", help="Manifests, files or directories; without any site.yaml."),
    ] = None,
    *,
    json: options.Json = False,
    extra_vars: options.Variables = None,
) -> int:
    """Check manifests, and tell every problem at once.

    Reads nothing but the manifests and what they include. Each problem names file, line and column, what is
    allowed there, and the nearest known word.
    """
    session = session_of(ctx, is_json=json)
    from pkiplan import workflow
    from pkiplan.report.diagnostics import counts_text, diagnostics_json
    from pkiplan.report.text import counted

    found = workflow.validate(sites or [], variables=extra_vars or [])
    if json:
        session.document(diagnostics_json(found.diagnostics))
    else:
        session.diagnose(found.diagnostics)
    if has_errors(found.diagnostics):
        session.tell("" if json else f"\n{counts_text(found.diagnostics)}\n")
        return statuses.FAILED
    if not json:
        declared = (
            f"{counted(found.authorities, 'authority', 'authorities')}, {counted(found.certificates, 'certificate')}"
        )
        session.result(f"Valid: {declared}.\n")
    return statuses.DONE
