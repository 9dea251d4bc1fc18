"""`pkiplan status`."""

from __future__ import annotations

from typing import Annotated

import typer

from pkiplan.cli import options, statuses
from pkiplan.cli.session import session_of
from pkiplan.errors import PkiplanError

EPILOG = """\
\b
Examples:
  pkiplan status
  pkiplan status --expiring-within 30d --detailed-exitcode    (for cron)

\b
Exit status: 0 done, 1 error, 2 something is expired, missing or expires within the
given time (only with --detailed-exitcode).
"""


def status(
    ctx: typer.Context,
    site: options.Site = None,
    *,
    expiring_within: Annotated[
        str | None,
        typer.Option("--expiring-within", metavar="TIME", help="Only what ends within this time: 30d, 12h, 8w."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="With --expiring-within: exit with 2 when there is any.")
    ] = False,
    json: options.Json = False,
    at: options.At = None,
    extra_vars: options.Variables = None,
    allow_outside: options.AllowOutside = False,
) -> int:
    """Show what exists, the most urgent first.

    Everything declared with its state and the life it has left, whatever lies beneath the directory undeclared,
    and what looks dangerous, such as keys that everyone can read. Needs no passphrase.
    """
    session = session_of(ctx, is_json=json)
    if detailed_exitcode and expiring_within is None:
        raise PkiplanError.of(
            "`--detailed-exitcode` needs `--expiring-within`", hint="for instance `--expiring-within 30d`", code="usage"
        )
    within = options.duration("--expiring-within", expiring_within) if expiring_within is not None else None
    from pkiplan import workflow
    from pkiplan.report.status import status_json, status_text

    request = options.request(session, site, variables=extra_vars, allow_outside=allow_outside, at=at)
    inventory = workflow.status(request)
    if within is not None:
        inventory = inventory.expiring_before(request.now + within)
    session.diagnose(inventory.warnings)
    if json:
        session.document(status_json(inventory))
    else:
        session.result(status_text(inventory, colour=session.paints_result, verbose=session.is_verbose))
    return statuses.CHANGES_PENDING if detailed_exitcode and inventory.entries else statuses.DONE
