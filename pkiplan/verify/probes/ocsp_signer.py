"""An OCSP signer: a response made with its key and checked as a client does (RFC 6960, 3.2 and 4.2.2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pkiplan.verify import reasons
from pkiplan.verify.credentials import Subject
from pkiplan.verify.impostors import ThrowAway
from pkiplan.verify.probes.findings import CRYPTOGRAPHY, must_be_refused, must_hold, not_run
from pkiplan.verify.probes.mirror import Mirror
from pkiplan.verify.probes.signing import private_key
from pkiplan.verify.purposes import is_for
from pkiplan.verify.results import CheckResult, Reason
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session

_CHECK = "ocsp-response"
_SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


def ocsp_signer(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:
    """Check a response about the signer's own certificate; at full depth also what a client must refuse."""
    if not is_for(subject.resource, "ocsp_signing"):
        return
    issuer = (*subject.served[1:], subject.anchor)[0]
    key = private_key(subject)
    if not isinstance(key, _SigningKey):
        reason = Reason(reasons.NOT_SUPPORTED, "cryptography makes no OCSP response with such a key")
        yield not_run(_CHECK, subject, reason, stack=CRYPTOGRAPHY)
        return
    response = _response(session, subject, issuer, subject.certificate, key)
    yield must_hold(_CHECK, subject, response_refusal(response, issuer), stack=CRYPTOGRAPHY)
    if depth is Depth.FULL:
        yield from _controls(session, subject, issuer)


def _controls(session: Session, subject: Subject, issuer: x509.Certificate) -> Iterator[CheckResult]:
    mirror = Mirror(session.impostors, subject)

    def refusal(signer: ThrowAway, asked_issuer: x509.Certificate) -> Reason | None:
        response = _response(session, subject, asked_issuer, signer.certificate, signer.key)
        return response_refusal(response, asked_issuer)

    check = "control-ocsp-unrelated-authority"
    yield must_be_refused(check, subject, refusal(mirror.leaf, issuer), reasons.UNKNOWN_AUTHORITY, stack=CRYPTOGRAPHY)
    if mirror.is_lone:
        return
    check = "control-ocsp-wrong-purpose"
    other = mirror.for_purpose(ExtendedKeyUsageOID.SERVER_AUTH)
    found = refusal(other, other.above[0].certificate)
    yield must_be_refused(check, subject, found, reasons.WRONG_PURPOSE, stack=CRYPTOGRAPHY)


def _response(
    session: Session, subject: Subject, issuer: x509.Certificate, signer: x509.Certificate, key: _SigningKey
) -> ocsp.OCSPResponse:
    # RFC 6960, 4.2.1 and 4.3: an answer good for an hour about one certificate, with the signer's own beside it.
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=subject.certificate,
        issuer=issuer,
        algorithm=SHA256(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=session.now,
        next_update=session.now + timedelta(hours=1),
        revocation_time=None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer).certificates([signer])
    has_own_digest = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    digest: HashAlgorithm | None = None if has_own_digest else SHA256()
    return builder.sign(key, digest)


def response_refusal(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> Reason | None:
    """Say why a client that asked about a certificate of `issuer` refuses a response, or None."""
    signer = response.certificates[0]
    try:
        signer.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return Reason(reasons.UNKNOWN_AUTHORITY, "the signer's certificate is not by the authority in question")
    try:
        usages = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    # RFC 6960, 4.2.2.2: the usage must be there by name; anyExtendedKeyUsage does not do.
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        return Reason(reasons.WRONG_PURPOSE, "the signer's certificate is not for OCSP signing")
    try:
        _check_signature(response, signer)
    except InvalidSignature:
        return Reason(reasons.BAD_SIGNATURE, "the response is not signed by its signer's key")
    return None


def _check_signature(response: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    key = signer.public_key()
    signature, signed = response.signature, response.tbs_response_bytes
    match key:
        case rsa.RSAPublicKey():
            key.verify(signature, signed, PKCS1v15(), SHA256())
        case ec.EllipticCurvePublicKey():
            key.verify(signature, signed, ec.ECDSA(SHA256()))
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            key.verify(signature, signed)
        case _:
            raise InvalidSignature
