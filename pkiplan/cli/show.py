"""`pkiplan show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import options, statuses
from pkiplan.cli.addresses import addresses
from pkiplan.cli.session import session_of
from pkiplan.errors import PkiplanError

if TYPE_CHECKING:
    from pkiplan.plan.shown import Shown

EPILOG = """\
\b
Examples:
  pkiplan show certificate.web
  pkiplan show certificate.web --origins     where each of its fields was declared
  pkiplan show chain.pem                     any certificates, also foreign ones
  pkiplan show plan.json                     a saved plan, as `plan` printed it

\b
Exit status: 0 done, 1 error.
"""


def show(
    ctx: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|FILE|PLANFILE",
            help="A resource such as certificate.web, a PEM file, or a saved plan.",
            autocompletion=addresses,
        ),
    ],
    *,
    site: options.SiteOption = None,
    pem: Annotated[bool, typer.Option("--pem", help="Print the certificate itself, as PEM.")] = False,
    origins: Annotated[
        bool, typer.Option("--origins", help="Print each effective field with the file and line it came from.")
    ] = False,
    json: options.Json = False,
    extra_vars: options.Variables = None,
    allow_outside: options.AllowOutside = False,
) -> int:
    """Show a certificate as a person wants to read it.

    Names first, then how long it is valid, the chain up to the root with key ids, its purposes in words and its
    fingerprint; for a resource also where it differs from the manifest. Private keys are never shown.
    """
    session = session_of(ctx, is_json=json)
    if sum((pem, origins)) > 1 or (pem and json):
        raise PkiplanError.of("`--pem` stands alone", hint="choose one of --pem, --json and --origins", code="usage")
    from pkiplan import workflow
    from pkiplan.plan.shown import ShownPlan
    from pkiplan.report import show as views

    request = options.request(session, site, variables=extra_vars, allow_outside=allow_outside)
    found = workflow.show(request, subject)
    if isinstance(found, ShownPlan):
        if pem or origins:
            raise PkiplanError.of(f"{subject} is a plan; a plan holds no certificates", code="usage")
        session.diagnose(found.plan.warnings)
        if json:
            session.document(found.document)
        else:
            from pkiplan.report.plan import plan_text

            session.result(plan_text(found.plan, colour=session.paints_result, verbose=session.is_verbose))
        return statuses.DONE
    if origins and not all(shown.is_declared for shown in found.certificates):
        hint = "name what the manifest declares: `pkiplan show certificate.web --origins`"
        raise PkiplanError.of(
            f"{subject} is a file; no manifest says where its fields come from", hint=hint, code="usage"
        )
    if pem:
        session.result(_pem(found))
    elif json:
        session.document(views.origins_json(found) if origins else views.show_json(found))
    else:
        view = views.origins_text if origins else views.show_text
        session.result(view(found, colour=session.paints_result))
    return statuses.DONE


def _pem(found: Shown) -> str:
    for shown in found.certificates:
        if not shown.pem:
            raise PkiplanError.of(
                f"{shown.title} has no certificate that could be printed",
                hint="`pkiplan apply` makes it",
                code="missing",
            )
    return "".join(shown.pem for shown in found.certificates)
