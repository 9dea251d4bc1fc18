"""The path from any certificate to its root, authorities included, judged by OpenSSL strictly and laxly."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509

from pkiplan.model.resource import Resource
from pkiplan.verify import reasons
from pkiplan.verify.credentials import Subject
from pkiplan.verify.path_check import Purpose, path_refusal
from pkiplan.verify.probes.findings import OPENSSL, must_be_refused, must_hold
from pkiplan.verify.probes.outside_validity import moments_outside
from pkiplan.verify.purposes import is_tls_client, serves_tls
from pkiplan.verify.results import CheckResult
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session


def path(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:
    """Check the path of a certificate that no handshake judges, and that it is refused when it should be.

    A TLS peer whose key is somewhere else, or cannot be opened, is judged here too, for what it is used for.
    """
    purposes = _purposes(subject.resource)
    if purposes and subject.has_key:
        return
    certificate, above, anchor = subject.certificate, _above(session, subject), subject.anchor
    for usage, purpose in purposes.items() or [("", Purpose.ANY)]:
        for strict in (True, False) if depth is Depth.FULL else (True,):
            refusal = path_refusal(certificate, above, anchor, time=session.now, purpose=purpose, strict=strict)
            yield must_hold("path", subject, refusal, stack=OPENSSL, target=usage, strict=strict)
    if depth is not Depth.FULL:
        return
    for name, moment, reason in moments_outside(certificate):
        refusal = path_refusal(certificate, above, anchor, time=moment, strict=False)
        yield must_be_refused(f"control-path-{name}", subject, refusal, reason, stack=OPENSSL)
    stranger = session.impostors.unrelated_root().certificate
    unknown = path_refusal(certificate, above, stranger, time=session.now, strict=False)
    yield must_be_refused(
        "control-path-unrelated-authority", subject, unknown, reasons.UNKNOWN_AUTHORITY, stack=OPENSSL
    )


def _purposes(resource: Resource) -> dict[str, Purpose]:
    """List what TLS peers use a certificate for; nothing where none does."""
    purposes = {"server_auth": Purpose.TLS_SERVER} if serves_tls(resource) else {}
    return purposes | ({"client_auth": Purpose.TLS_CLIENT} if is_tls_client(resource) else {})


def _above(session: Session, subject: Subject) -> tuple[x509.Certificate, ...]:
    """List the authorities up to the root: as they are served, but nobody serves the chain of an authority itself."""
    if not subject.resource.is_authority:
        return subject.served[1:]
    between = session.site.served_chain_of(subject.resource)
    return tuple(session.subject(authority).certificate for authority in between)
