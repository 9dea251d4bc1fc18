"""What a client of a server must refuse, each for its own reason; lax, because what lax refuses strict does too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cryptography.x509.oid import ExtendedKeyUsageOID

from pkiplan.verify import reasons
from pkiplan.verify.credentials import Subject
from pkiplan.verify.impostors import wrong_host
from pkiplan.verify.probes.mirror import Mirror, sibling_reason
from pkiplan.verify.probes.outside_validity import moments_outside
from pkiplan.verify.probes.server import server_setup
from pkiplan.verify.purposes import host_names, serves_tls
from pkiplan.verify.results import Expected
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks.base import CLIENT, VERSIONS, HandshakeSetup, Identity


def server_controls(session: Session, subject: Subject, depth: Depth) -> Iterator[HandshakeCheck]:
    """Yield the handshakes that a client must refuse."""
    if depth is not Depth.FULL or not serves_tls(subject.resource):
        return
    for version in VERSIONS:
        yield from _controls(session, subject, version)


def _controls(session: Session, subject: Subject, version: str) -> Iterator[HandshakeCheck]:
    hosts = host_names(subject.resource)
    good = server_setup(session, subject, host=hosts[0], version=version, strict=False)
    mirror = Mirror(session.impostors, subject)

    yield _refused("wrong-name", subject, replace(good, host=wrong_host(hosts)), reasons.WRONG_NAME)
    for name, moment, reason in moments_outside(subject.certificate):
        yield _refused(name, subject, session.at(good, moment), reason)
    if len(subject.served) > 1:
        own = subject.identity
        alone = Identity(own.name, own.certificates[:1], own.key_pem)
        yield _refused("missing-intermediate", subject, replace(good, server=alone), reasons.UNKNOWN_AUTHORITY)

    unrelated = replace(good, server=mirror.unrelated("throw-away server"))
    yield _refused("unrelated-authority", subject, unrelated, reasons.UNKNOWN_AUTHORITY)
    sibling = replace(good, server=mirror.leaf.identity("throw-away server"))
    yield _refused("sibling-root", subject, sibling, sibling_reason(subject))
    # From here on the client trusts the mirrored root, so that nothing but the fault in question is wrong.
    mirrored = replace(good, client_trusts=(mirror.leaf.root,))
    by_leaf = session.impostors.issued_by_leaf(mirror.leaf).identity("throw-away server")
    yield _refused("leaf-as-authority", subject, replace(mirrored, server=by_leaf), reasons.NOT_AN_AUTHORITY)
    for_clients = mirror.for_purpose(ExtendedKeyUsageOID.CLIENT_AUTH).identity("throw-away server")
    if not mirror.is_lone:
        yield _refused("wrong-purpose", subject, replace(mirrored, server=for_clients), reasons.WRONG_PURPOSE)


def _refused(name: str, subject: Subject, setup: HandshakeSetup, reason: str) -> HandshakeCheck:
    return HandshakeCheck(
        check=f"control-server-{name}",
        subject=subject.address,
        setup=setup,
        target=setup.host or "",
        expected=Expected.REFUSED,
        expected_reason=reason,
        expected_by=CLIENT,
    )
