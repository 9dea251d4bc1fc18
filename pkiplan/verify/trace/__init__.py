"""One handshake told step by step, read off the messages that the TLS library itself reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.verify.trace.story import HandshakeTrace as Trace
from pkiplan.verify.trace.story import KeyExchange

if TYPE_CHECKING:
    from pkiplan.verify.credentials import Credential

__all__ = ["KeyExchange", "Trace", "trace_handshake"]


def trace_handshake(
    site: Site,
    *,
    now: datetime,
    load: Callable[[Resource], Credential],
    server: Resource,
    client: Resource | None = None,
    demands_client: bool = False,
    version: str = "1.3",
    key_exchange: KeyExchange = KeyExchange.ECDHE,
    host: str | None = None,
) -> Trace:
    """Trace a handshake between two certificates of the site; each side trusts its own root alone.

    The server demands a client certificate where there is a `client`, or `demands_client` tells it to.
    RSA key exchange exists in TLS 1.2 only. `host` of None is the server's first name. Raises PkiplanError when
    the handshake cannot even begin.
    """
    from pkiplan.verify.trace.handshake import trace

    return trace(
        site,
        now=now,
        load=load,
        server=server,
        client=client,
        demands_client=demands_client,
        version=version,
        key_exchange=key_exchange,
        host=host,
    )
