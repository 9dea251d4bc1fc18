"""The chain file as it would be served: the certificate first, each next one certifying the one before, no root.

OpenSSL builds a path from certificates in any order, so no handshake of ours would show a wrong order; stricter peers
refuse it (RFC 5246, 7.4.2: "Each following certificate MUST directly certify the one preceding it").
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from pkiplan.model.observed import Missing, Unreadable
from pkiplan.model.resource import CHAIN_FILE
from pkiplan.verify.credentials import Subject
from pkiplan.verify.reasons import CHAIN_FILE_FAULT, CHAIN_ORDER
from pkiplan.verify.results import ACCEPTED, CheckResult, Expected, Outcome, Reason
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session


def chain(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:  # noqa: ARG001 - a Probe
    """Check the order of the served chain, and that the file without the certificate itself holds the same."""
    if subject.resource.is_authority:
        return
    fault = chain_fault(subject.certificate, subject.served, subject.anchor)
    reason = Reason(CHAIN_ORDER, fault) if fault is not None else _chain_file_fault(subject)
    yield CheckResult(
        check="chain-order",
        subject=subject.address,
        server=subject.address,
        stack="cryptography",
        expected=Expected.ACCEPTED,
        outcome=Outcome.ACCEPTED if reason is None else Outcome.REFUSED,
        reason=reason or ACCEPTED,
    )


def _chain_file_fault(subject: Subject) -> Reason | None:
    """Say what is wrong with `chain.pem`, which no handshake here uses but a server may, in the words of a plan."""
    match subject.chain_file():
        case Missing():
            return Reason(CHAIN_FILE_FAULT, f"{CHAIN_FILE} is missing")
        case Unreadable(why=why):
            return Reason(CHAIN_FILE_FAULT, f"{CHAIN_FILE}: {why}")
        case tuple() as held if held != subject.served[1:]:
            return Reason(CHAIN_FILE_FAULT, f"{CHAIN_FILE} does not hold the certificates as they are")
    return None


def chain_fault(
    certificate: x509.Certificate, served: tuple[x509.Certificate, ...], anchor: x509.Certificate
) -> str | None:
    """Say what is wrong with a served chain, or None."""
    if not served or served[0] != certificate:
        return "the first certificate of the chain is not the certificate itself"
    is_lone = certificate == anchor
    if not is_lone and anchor in served:
        return "the chain holds the root, which a peer must have already (RFC 8446, 4.4.2)"
    if len(set(served)) != len(served):
        return "the chain holds a certificate twice"
    above = served[1:] if is_lone else (*served[1:], anchor)
    for position, (below, issuer) in enumerate(zip(served, above, strict=False), start=1):
        if not _directly_issued(below, issuer):
            what = "the root" if issuer == anchor else f"certificate {position + 1} of the chain"
            name = issuer.subject.rfc4514_string() or "(empty)"
            return f"{what} ({name}) did not issue certificate {position} ({below.subject.rfc4514_string()})"
    return None


# What stands between authorities is the same for every certificate beneath them.
@lru_cache(maxsize=256)
def _directly_issued(below: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
