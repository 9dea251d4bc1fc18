"""`pkiplan verify`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import consent, options, statuses
from pkiplan.cli.addresses import addresses
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
  pkiplan verify --with openssl,gnutls      do other TLS stacks agree
  pkiplan verify --trace certificate.web --client certificate.ops
  pkiplan verify --trace web --tls 1.2 --key-exchange rsa
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
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="STACKS", help="Also by these programs: openssl, gnutls, curl, node, java."),
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(
            "--trace",
            metavar="ADDRESS",
            help="Show one handshake of this server, step by step.",
            autocompletion=addresses,
        ),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            "--client", metavar="ADDRESS", help="With --trace: the client's certificate.", autocompletion=addresses
        ),
    ] = None,
    tls: Annotated[
        str | None, typer.Option("--tls", metavar="VERSION", help="With --trace: TLS 1.2 or, without it, 1.3.")
    ] = None,
    key_exchange: Annotated[
        str | None,
        typer.Option("--key-exchange", metavar="KIND", help="With --trace: ecdhe or, in TLS 1.2 only, rsa."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="NAME", help="With --trace: the name that the client asks for."),
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
    be refused; `--with` adds programs of others as further stacks. Live endpoints that the manifest names are asked
    too. What a stack cannot do is shown as not run.
    """
    session = session_of(ctx, is_json=json)
    scope = {"--with": bool(others), "--full": full, "--sample": sample is not None, "--jobs": jobs is not None}
    if trace is not None:
        _refuse_beside("--trace", {**scope, "--cnf": cnf, "--junit": junit is not None})
        _refuse_beside("--json", {"--mermaid": json and mermaid})
    if cnf:
        _refuse_beside("--cnf", scope)
    _refuse_without_trace(
        trace,
        {
            "--client": client is not None,
            "--tls": tls is not None,
            "--key-exchange": key_exchange is not None,
            "--host": host is not None,
            "--mermaid": mermaid,
        },
    )
    request = options.request(session, site, variables=extra_vars, allow_outside=allow_outside, at=at)
    if trace is not None:
        return _trace(session, request, _Handshake(trace, client, tls, key_exchange, host), is_mermaid=mermaid)
    from pkiplan import workflow
    from pkiplan.verify.scope import VerifyScope

    prompt = consent.passphrase_prompt(session)
    outside = _outside(others or ())
    if cnf:
        report = workflow.prove_cnf(request, prompt=prompt)
    else:
        with verify_progress(session) as progress:
            report = workflow.verify(
                request,
                VerifyScope(full=full, sample=sample),
                jobs=jobs,
                progress=progress,
                prompt=prompt,
                outside=outside,
            )
    _show(session, report, junit)
    return statuses.DONE if report.is_as_expected else statuses.UNEXPECTED


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
    from pkiplan.report.verify import verify_json, verify_text

    if session.is_json:
        session.document(verify_json(report))
    else:
        session.result(verify_text(report, colour=session.paints_result, verbose=session.is_verbose))
    if junit is not None:
        from pkiplan.report.junit import junit_text

        # What was found is shown even where its file cannot be written.
        session.flush()
        _write(junit, junit_text(report))


def _write(path: str, text: str) -> None:
    """Write a report; in place of an earlier one, but not of whatever else lies there: it may be a key."""
    try:
        if os.path.isfile(path) and not _is_report(path):
            raise PkiplanError.of(
                f"cannot write {path}: it holds something else than a report",
                hint="give `--junit` the name of a new file, or of an earlier report",
            )
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PkiplanError.of(f"cannot write {path}: {error.strerror}") from None


def _is_report(path: str) -> bool:
    """Tell whether a file is an earlier report, or empty."""
    with open(path, "rb") as file:
        return file.read(1) in (b"", b"<")


@dataclass(frozen=True)
class _Handshake:
    """What `--trace` and the options beside it ask for, as they were typed."""

    server: str
    client: str | None
    tls: str | None
    key_exchange: str | None
    host: str | None


def _refuse_beside(option: str, given: dict[str, bool]) -> None:
    """Refuse options that would mean nothing beside another."""
    for other, is_given in given.items():
        if is_given:
            raise PkiplanError.of(f"`{other}` does not go with `{option}`", code="usage")


def _refuse_without_trace(trace: str | None, given: dict[str, bool]) -> None:
    """Refuse options that mean something for one traced handshake only."""
    idle = [f"`{option}`" for option, is_given in given.items() if is_given]
    if trace is None and idle:
        raise PkiplanError.of(f"{' and '.join(idle)} without `--trace ADDRESS`", code="usage")


def _trace(session: Session, request: PlanRequest, asked: _Handshake, *, is_mermaid: bool) -> int:
    from pkiplan import workflow
    from pkiplan.report import trace as views
    from pkiplan.verify.stacks.base import TLS_1_2, TLS_1_3, VERSIONS
    from pkiplan.verify.trace import KeyExchange

    kind = KeyExchange(_one_of("--key-exchange", asked.key_exchange or "ecdhe", tuple(KeyExchange)))
    version = _one_of("--tls", asked.tls or TLS_1_3, VERSIONS)
    if kind is KeyExchange.RSA and version != TLS_1_2:
        raise PkiplanError.of("RSA key exchange ended with TLS 1.2", hint="add `--tls 1.2`", code="usage")
    traced = workflow.trace(
        request,
        asked.server,
        asked.client,
        version=version,
        key_exchange=kind,
        host=None if asked.host is None else options.host_name("--host", asked.host),
        prompt=consent.passphrase_prompt(session),
    )
    if session.is_json:
        session.document(views.trace_json(traced))
    else:
        session.result(views.trace_mermaid(traced) if is_mermaid else views.trace_text(traced))
    return statuses.DONE


def _one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise PkiplanError.of(f"`{option}` is {' or '.join(allowed)}, not `{value}`", code="usage")
    return value
