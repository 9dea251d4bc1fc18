"""`pkiplan schema`."""

from __future__ import annotations

import typer

from pkiplan.cli import statuses
from pkiplan.cli.session import session_of

EPILOG = """\
\b
Example:
  pkiplan schema > site.schema.json
  # and in the manifest's first line:
  # yaml-language-server: $schema=./site.schema.json

\b
Exit status: 0.
"""


def schema(ctx: typer.Context) -> int:
    """Print the JSON Schema of the manifest, for editors."""
    session = session_of(ctx)
    from pkiplan import workflow

    session.document(workflow.schema())
    return statuses.DONE
