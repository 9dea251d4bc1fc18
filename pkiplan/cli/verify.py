"""`pkiplan verify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import consent, junit_file, options, statuses, tracing
from pkiplan.cli.progress import verify_progress
from pkiplan.cli.session import Session, session_of
from pkiplan.errors import PkiplanError

if TYPE_CHECKING:
    from pkiplan.verify.results import VerifyReport
    from pkiplan.verify.scope import VerifyScope
    from pkiplan.workflow import PlanRequest

EPILOG = """\
\b
Examples:
  pkiplan verify
  pkiplan verify --full --junit verify.xml
  pkiplan verify --at +60d                  will it still hold in two months
  pkiplan verify --with openssl,gnutls      do other TLS stacks agree
  pkiplan verify --trace certificate.web --client certificate.ops
  pkiplan verify --trace web --tls 1.2 --key-exchange rsa
  pkiplan verify --trace web --client none  how a client without certificate is refused
  pkiplan verify --cnf                      does openssl make the same of openssl.cnf

\b
Exit status: 0 everything as expected, 1 error, 3 something unexpected; with --trace
0 where the handshake was accepted, 3 where it was refused.
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
    junit: Annotated[
        str | None,
        typer.Option("--junit", metavar="FILE", help="Also write a JUnit XML report; - prints it instead of the text."),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="STACKS", help="Also by these programs: openssl, gnutls, curl, node, java."),
    ] = None,
    trace: tracing.Server = None,
    client: tracing.Client = None,
    tls: tracing.Tls = None,
    key_exchange: tracing.KeyExchangeKind = None,
    host: tracing.Host = None,
    mermaid: tracing.Mermaid = False,
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
    be refused; `--with` adds programs of others as further stacks. Live endpoints that the manifest names are asked
    too. What a stack cannot do is shown as not run.
    """
    session = session_of(ctx, is_json=json)
    handshake = tracing.Handshake(client, tls, key_exchange, host, mermaid)
    scope = {"--with": bool(others), "--full": full, "--sample": sample is not None, "--jobs": jobs is not None}
    if trace is None:
        handshake.refuse()
    else:
        _refuse_beside("--trace", {**scope, "--cnf": cnf, "--junit": junit is not None})
    if cnf:
        _refuse_beside("--cnf", scope)
    if json:
        _refuse_beside("--json", {"--mermaid": mermaid, "--junit -": junit == junit_file.STDOUT})
    if junit is not None:
        junit_file.demand_writable(junit)
    request = options.request(session, site, variables=extra_vars, allow_outside=allow_outside, at=at)
    if trace is not None:
        return tracing.trace(session, request, trace, handshake)
    from pkiplan.verify.scope import VerifyScope

    outside = _outside(others or ())
    report = (
        _proved(session, request)
        if cnf
        else _verified(session, request, VerifyScope(full=full, sample=sample), jobs=jobs, outside=outside)
    )
    _show(session, report, junit)
    return statuses.DONE if report.is_as_expected else statuses.UNEXPECTED


def _proved(session: Session, request: PlanRequest) -> VerifyReport:
    from pkiplan import workflow

    return workflow.prove_cnf(request, prompt=consent.passphrase_prompt(session))


def _verified(
    session: Session, request: PlanRequest, scope: VerifyScope, *, jobs: int | None, outside: Sequence[str]
) -> VerifyReport:
    from pkiplan import workflow

    prompt = consent.passphrase_prompt(session)
    with verify_progress(session) as progress:
        return workflow.verify(request, scope, jobs=jobs, progress=progress, prompt=prompt, outside=outside)


def _outside(texts: Sequence[str]) -> tuple[str, ...]:
    """Read `--with openssl,gnutls`, which may be given more than once."""
    names = tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))
    if not texts:
        return ()
    from pkiplan.verify.outside import OUTSIDE

    if not names:
        raise PkiplanError.of(f"`--with` names no stack: there are {', '.join(OUTSIDE)}", code="usage")

    for name in names:
        if name not in OUTSIDE:
            known = ", ".join(f"`{known}`" for known in OUTSIDE)
            raise PkiplanError.of(f"`--with` knows no stack `{name}`", hint=f"there are {known}", code="usage")
    return names


def _show(session: Session, report: VerifyReport, junit: str | None) -> None:
    from pkiplan.report.junit import junit_text
    from pkiplan.report.verify import verify_json, verify_text

    if junit == junit_file.STDOUT:
        session.result(junit_text(report))
        return
    if session.is_json:
        session.document(verify_json(report))
    else:
        session.result(verify_text(report, colour=session.paints_result, verbose=session.is_verbose))
    if junit is not None:
        # What was found is shown even where its file can no longer be written.
        session.flush()
        junit_file.write(junit, junit_text(report))


def _refuse_beside(option: str, given: dict[str, bool]) -> None:
    """Refuse options that would mean nothing beside another."""
    for other, is_given in given.items():
        if is_given:
            raise PkiplanError.of(f"`{other}` does not go with `{option}`", code="usage")
