"""`pkiplan verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import consent, options, statuses
from pkiplan.cli.progress import verify_progress
from pkiplan.cli.session import Session, session_of
from pkiplan.errors import PkiplanError

if TYPE_CHECKING:
    from pkiplan.verify.results import VerifyReport
    from pkiplan.workflow import PlanRequest

EPILOG = """\
\b
Examples:
  pkiplan verify
  pkiplan verify --full --junit verify.xml
  pkiplan verify --at +60d                  will it still hold in two months
  pkiplan verify --trace certificate.web --client certificate.ops
  pkiplan verify --cnf                      does openssl make the same of openssl.cnf

\b
Exit status: 0 everything as expected, 1 error, 3 something unexpected.
"""


def verify(
    ctx: typer.Context,
    site: options.Site = None,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Ask every certificate everything, not only one of a kind.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Verify only N certificates, evenly spread.")
    ] = None,
    at: options.At = None,
    json: options.Json = False,
    junit: Annotated[str | None, typer.Option("--junit", metavar="FILE", help="Also write a JUnit XML report.")] = None,
    trace: Annotated[
        str | None, typer.Option("--trace", metavar="ADDRESS", help="Show one handshake of this server, step by step.")
    ] = None,
    client: Annotated[
        str | None, typer.Option("--client", metavar="ADDRESS", help="With --trace: the client's certificate.")
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="With --trace: a sequence diagram for Mermaid.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", metavar="N", min=1, help="So many certificates at once; without it one a core."),
    ] = None,
    cnf: Annotated[
        bool, typer.Option("--cnf", help="Prove that openssl makes the same certificates of each openssl.cnf.")
    ] = False,
    extra_vars: options.Variables = None,
    allow_outside: options.AllowOutside = False,
) -> int:
    """Prove with real TLS handshakes that the certificates work.

    A server and a client in this process shake hands over two independent TLS stacks: what must be accepted is
    shown to be accepted, and the wrong authority, the wrong name and the missing client certificate are shown to
    be refused. Live endpoints that the manifest names are asked too. What a stack cannot do is shown as not run.
    """
    session = session_of(ctx, is_json=json)
    if trace is None and (client is not None or mermaid):
        raise PkiplanError.of("`--client` and `--mermaid` need `--trace ADDRESS`", code="usage")
    request = options.request(session, site, variables=extra_vars, allow_outside=allow_outside, at=at)
    if trace is not None:
        return _trace(session, request, trace, client, is_mermaid=mermaid)
    from pkiplan import workflow
    from pkiplan.verify.scope import VerifyScope

    prompt = consent.passphrase_prompt(session)
    if cnf:
        report = workflow.prove_cnf(request, prompt=prompt)
    else:
        with verify_progress(session) as progress:
            report = workflow.verify(
                request, VerifyScope(full=full, sample=sample), jobs=jobs, progress=progress, prompt=prompt
            )
    _show(session, report, junit)
    return statuses.DONE if report.is_as_expected else statuses.UNEXPECTED


def _show(session: Session, report: VerifyReport, junit: str | None) -> None:
    from pkiplan.report.verify import verify_json, verify_text

    if junit is not None:
        from pkiplan.report.junit import junit_text

        _write(junit, junit_text(report))
    if session.is_json:
        session.document(verify_json(report))
    else:
        session.result(verify_text(report, colour=session.paints_result, verbose=session.is_verbose))


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PkiplanError.of(f"cannot write {path}: {error.strerror}") from None


def _trace(session: Session, request: PlanRequest, server: str, client: str | None, *, is_mermaid: bool) -> int:
    from pkiplan import workflow
    from pkiplan.report import trace as views

    traced = workflow.trace(request, server, client, prompt=consent.passphrase_prompt(session))
    if session.is_json:
        session.document(views.trace_json(traced))
    else:
        session.result(views.trace_mermaid(traced) if is_mermaid else views.trace_text(traced))
    return statuses.DONE
