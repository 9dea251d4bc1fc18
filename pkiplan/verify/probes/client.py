"""A client's certificate: servers that demand one and trust only its root let it in."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.verify.credentials import Subject
from pkiplan.verify.impostors import STAND_IN_HOST
from pkiplan.verify.probes.partner import sound_server
from pkiplan.verify.purposes import host_names, is_tls_client
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks.base import VERSIONS, HandshakeSetup


def client(session: Session, subject: Subject, depth: Depth) -> Iterator[HandshakeCheck]:
    """Yield a mutual handshake for each protocol version, strict, and at full depth also lax.

    The server is one of the site's under the same root, where there is a sound one and its key is at hand; else a
    stand-in.
    """
    if not is_tls_client(subject.resource):
        return
    partner = sound_server(session, subject)
    for version in VERSIONS:
        for strict in (True, False) if depth is Depth.FULL else (True,):
            if partner is None:
                setup = stand_in_setup(session, subject, version=version, strict=strict)
            else:
                setup = mutual_setup(session, partner, subject, version=version, strict=strict)
            yield HandshakeCheck(check="client", subject=subject.address, setup=setup, target=setup.host or "")


def stand_in_setup(session: Session, subject: Subject, *, version: str, strict: bool) -> HandshakeSetup:
    """Set a client of the site against a throw-away server that trusts the client's root."""
    return HandshakeSetup(
        server=session.impostors.stand_in_server(),
        client=subject.identity,
        client_trusts=(session.impostors.unrelated_root().certificate,),
        server_trusts=(subject.anchor,),
        host=STAND_IN_HOST,
        version=version,
        strict=strict,
        time=session.now,
        is_clock_moved=session.is_clock_moved(session.now),
        allows_weak_keys=subject.allows_weak_keys,
    )


def mutual_setup(
    session: Session, server: Subject, client: Subject, *, version: str, strict: bool, host: str | None = None
) -> HandshakeSetup:
    """Set a client of the site against a server of the site.

    The client trusts the server's root, and the server only its own: whether it lets the client in is the question.
    """
    return HandshakeSetup(
        server=server.identity,
        client=client.identity,
        client_trusts=(server.anchor,),
        server_trusts=(server.anchor,),
        host=host or host_names(server.resource)[0],
        version=version,
        strict=strict,
        time=session.now,
        is_clock_moved=session.is_clock_moved(session.now),
        allows_weak_keys=server.allows_weak_keys or client.allows_weak_keys,
    )
