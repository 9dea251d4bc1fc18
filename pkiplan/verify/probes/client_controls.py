"""What a server must refuse of clients, each for its own reason; the server is a stand-in: only the client counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cryptography.x509.oid import ExtendedKeyUsageOID

from pkiplan.verify import reasons
from pkiplan.verify.credentials import Subject
from pkiplan.verify.probes.client import stand_in_setup
from pkiplan.verify.probes.mirror import Mirror, sibling_reason
from pkiplan.verify.probes.outside_validity import moments_outside
from pkiplan.verify.purposes import is_tls_client
from pkiplan.verify.results import Expected
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks.base import SERVER, VERSIONS, HandshakeSetup, Identity


def client_controls(session: Session, subject: Subject, depth: Depth) -> Iterator[HandshakeCheck]:
    """Yield the handshakes that a server must refuse."""
    if depth is not Depth.FULL or not is_tls_client(subject.resource):
        return
    for version in VERSIONS:
        yield from _controls(session, subject, version)


def _controls(session: Session, subject: Subject, version: str) -> Iterator[HandshakeCheck]:
    good = stand_in_setup(session, subject, version=version, strict=False)
    mirror = Mirror(session.impostors, subject)

    nobody = replace(good, client=None)
    yield _refused("no-certificate", subject, nobody, reasons.NO_CLIENT_CERTIFICATE)
    for name, moment, reason in moments_outside(subject.certificate):
        yield _refused(name, subject, session.at(good, moment), reason)
    if len(subject.served) > 1:
        own = subject.identity
        alone = Identity(own.name, own.certificates[:1], own.key_pem)
        yield _refused("missing-intermediate", subject, replace(good, client=alone), reasons.UNKNOWN_AUTHORITY)

    unrelated = replace(good, client=mirror.unrelated("throw-away client"))
    yield _refused("unrelated-authority", subject, unrelated, reasons.UNKNOWN_AUTHORITY)
    sibling = replace(good, client=mirror.leaf.identity("throw-away client"))
    yield _refused("sibling-root", subject, sibling, sibling_reason(subject))
    # From here on the server trusts the mirrored root, so that nothing but the fault in question is wrong.
    mirrored = replace(good, server_trusts=(mirror.leaf.root,))
    by_leaf = session.impostors.issued_by_leaf(mirror.leaf).identity("throw-away client")
    yield _refused("leaf-as-authority", subject, replace(mirrored, client=by_leaf), reasons.NOT_AN_AUTHORITY)
    for_servers = mirror.for_purpose(ExtendedKeyUsageOID.SERVER_AUTH).identity("throw-away client")
    if not mirror.is_lone:
        yield _refused("wrong-purpose", subject, replace(mirrored, client=for_servers), reasons.WRONG_PURPOSE)


def _refused(name: str, subject: Subject, setup: HandshakeSetup, reason: str) -> HandshakeCheck:
    return HandshakeCheck(
        check=f"control-client-{name}",
        subject=subject.address,
        setup=setup,
        target=setup.host or "",
        expected=Expected.REFUSED,
        expected_reason=reason,
        expected_by=SERVER,
    )
