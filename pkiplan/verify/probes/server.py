"""A server's certificate: clients that trust only the root reach it by every one of its names."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.verify.credentials import NotRunError, Subject
from pkiplan.verify.purposes import host_names, is_server_without_name, serves_tls
from pkiplan.verify.reasons import NO_NAME
from pkiplan.verify.results import Reason
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks.base import VERSIONS, HandshakeSetup


def server(session: Session, subject: Subject, depth: Depth) -> Iterator[HandshakeCheck]:
    """Yield a handshake for each name and protocol version, strict, and for the first name also lax.

    Strictness is about the chain, which no name changes. At a glance it is the first name, strictly.
    """
    if is_server_without_name(subject.resource):
        raise NotRunError(Reason(NO_NAME, "it has no DNS name and no IP address that a client could ask for"))
    if not serves_tls(subject.resource):
        return
    hosts = host_names(subject.resource)
    for version in VERSIONS:
        for host in hosts if depth is Depth.FULL else hosts[:1]:
            yield _accepted(server_setup(session, subject, host=host, version=version, strict=True), subject)
        if depth is Depth.FULL:
            yield _accepted(server_setup(session, subject, host=hosts[0], version=version, strict=False), subject)


def server_setup(session: Session, subject: Subject, *, host: str, version: str, strict: bool) -> HandshakeSetup:
    """Set a server of the site against a client that trusts only its root and shows no certificate."""
    return HandshakeSetup(
        server=subject.identity,
        client_trusts=(subject.anchor,),
        host=host,
        version=version,
        strict=strict,
        time=session.now,
        is_clock_moved=session.is_clock_moved(session.now),
        allows_weak_keys=subject.allows_weak_keys,
    )


def _accepted(setup: HandshakeSetup, subject: Subject) -> HandshakeCheck:
    return HandshakeCheck(check="server", subject=subject.address, setup=setup, target=setup.host or "")
