"""`pkiplan verify --trace`: its options, and one handshake shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import consent, options, statuses
from pkiplan.cli.addresses import addresses
from pkiplan.cli.session import Session
from pkiplan.errors import PkiplanError

if TYPE_CHECKING:
    from pkiplan.workflow import PlanRequest

Server = Annotated[
    str | None,
    typer.Option(
        "--trace", metavar="ADDRESS", help="Show one handshake of this server, step by step.", autocompletion=addresses
    ),
]
Client = Annotated[
    str | None,
    typer.Option(
        "--client",
        metavar="ADDRESS|none",
        help="With --trace: the client's certificate; none where the server demands one in vain.",
        autocompletion=addresses,
    ),
]
Tls = Annotated[str | None, typer.Option("--tls", metavar="VERSION", help="With --trace: TLS 1.2 or, without it, 1.3.")]
KeyExchangeKind = Annotated[
    str | None,
    typer.Option("--key-exchange", metavar="KIND", help="With --trace: ecdhe or, in TLS 1.2 only, rsa."),
]
Host = Annotated[
    str | None, typer.Option("--host", metavar="NAME", help="With --trace: the name that the client asks for.")
]
Mermaid = Annotated[bool, typer.Option("--mermaid", help="With --trace: a sequence diagram for Mermaid.")]


@dataclass(frozen=True)
class Handshake:
    """What the options beside `--trace` ask for, as they were typed."""

    client: str | None
    tls: str | None
    key_exchange: str | None
    host: str | None
    mermaid: bool

    def refuse(self) -> None:
        """Refuse what means something for one traced handshake only."""
        idle = [f"`--{field.name.replace('_', '-')}`" for field in fields(self) if getattr(self, field.name)]
        if idle:
            raise PkiplanError.of(f"{' and '.join(idle)} without `--trace ADDRESS`", code="usage")


def trace(session: Session, request: PlanRequest, server: str, asked: Handshake) -> int:
    """Show one handshake; like any other that is asked for, it is expected to be accepted."""
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
        server,
        asked.client,
        version=version,
        key_exchange=kind,
        host=None if asked.host is None else options.host_name("--host", asked.host),
        prompt=consent.passphrase_prompt(session),
    )
    if session.is_json:
        session.document(views.trace_json(traced))
    else:
        session.result(views.trace_mermaid(traced) if asked.mermaid else views.trace_text(traced))
    return statuses.DONE if traced.accepted else statuses.UNEXPECTED


def _one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise PkiplanError.of(f"`{option}` is {' or '.join(allowed)}, not `{value}`", code="usage")
    return value
