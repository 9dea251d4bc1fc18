"""Certificates and public keys out of files' bytes; whatever the bytes are, the worst is a `KeyMaterialError`."""

from __future__ import annotations

import binascii
import hashlib
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError, UnusableKeyError
from pkiplan.model.keys import ObservedKeySpec, OtherKey
from pkiplan.model.observed import FileFacts, ObservedCertificate
from pkiplan.model.tree import LARGEST_PEM
from pkiplan.x509 import der
from pkiplan.x509.extensions import CertificateExtensions
from pkiplan.x509.keys import (
    PUBLIC_KEYS,
    PublicKey,
    is_signed_with,
    key_identifier_of_spki,
    key_spec,
    spki_der,
    spki_sha256,
)
from pkiplan.x509.names import parse_name
from pkiplan.x509.pss_keys import bond_of_spki
from pkiplan.x509.unsound_keys import weakness

# A verifier that reads longer chains is asked to do somebody else's work (CVE-2024-0567 in GnuTLS).
MOST_CERTIFICATES = 64

# Said again, with a place, by the lint.
warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
warnings.filterwarnings("ignore", message="Invalid ASN.1 .UTF-8 characters in a VisibleString.")

_PEM_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:X509 )?CERTIFICATE-----.*?-----END (?:X509 )?CERTIFICATE-----", re.DOTALL
)
_PEM_BEGIN_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----")

_UNPARSABLE = (ValueError, TypeError, KeyError, x509.InvalidVersion, UnsupportedAlgorithm, OverflowError)


def _damaged(summary: str) -> KeyMaterialError:
    return KeyMaterialError(Diagnostic(summary=summary, code="damaged"))


@dataclass(frozen=True, slots=True)
class PemBlock:
    """A certificate's block of a PEM file, not yet parsed, and the line it begins at."""

    line: int
    data: bytes

    def load(self) -> x509.Certificate:
        """Parse the certificate."""
        return _parsed(self.data).certificate


@dataclass(frozen=True, slots=True)
class EncodedCertificate:
    """A certificate, its DER as it was read, and the SHA-256 of that in hex."""

    certificate: x509.Certificate
    encoded: bytes
    fingerprint: str


# A certificate is met several times in a row: in its own file, in its chains, when its signature is tried.
@lru_cache(maxsize=64)
def _parsed(block: bytes) -> EncodedCertificate:
    try:
        encoded = _strict_base64(block)
        if encoded is None:
            certificate = x509.load_pem_x509_certificate(block)
            encoded = certificate.public_bytes(Encoding.DER)
        else:
            certificate = x509.load_der_x509_certificate(encoded)
    except _UNPARSABLE:
        raise _damaged("a certificate does not parse") from None
    return EncodedCertificate(certificate, encoded, hashlib.sha256(encoded).hexdigest())


def _strict_base64(block: bytes) -> bytes | None:
    """Decode a block that is base64 and nothing else (RFC 7468, section 3, strict); None where it holds more."""
    try:
        return binascii.a2b_base64(b"".join(block.split(b"-----")[2].split()), strict_mode=True)
    except ValueError:
        return None


def load_pem_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """Read every certificate of a PEM file, in order; text around the blocks and blocks of other kinds are skipped."""
    return tuple(block.load() for block in pem_blocks(data))


def read_pem_certificates(data: bytes) -> tuple[EncodedCertificate, ...]:
    """Read every certificate of a PEM file as `load_pem_certificates` does, each with its encoding."""
    return tuple(_parsed(block.data) for block in pem_blocks(data))


@lru_cache(maxsize=64)
def pem_blocks(data: bytes, most: int = MOST_CERTIFICATES) -> tuple[PemBlock, ...]:
    """Find every certificate of a PEM file, in order."""
    if len(data) > LARGEST_PEM:
        raise _damaged(f"{len(data)} bytes are too many for a certificate file (at most {LARGEST_PEM})")
    begun = len(_PEM_BEGIN_CERTIFICATE.findall(data))
    if begun > most:
        raise _damaged(f"{begun} certificates are too many for one file (at most {most})")
    if begun == 0:
        raise _damaged(_why_none(data))
    found = tuple(_PEM_CERTIFICATE.finditer(data))
    if len(found) != begun:
        raise _damaged("a certificate is cut short")
    return tuple(PemBlock(data.count(b"\n", 0, match.start()) + 1, match[0]) for match in found)


def _why_none(data: bytes) -> str:
    if b"-----BEGIN TRUSTED CERTIFICATE-----" in data:
        return "holds a TRUSTED CERTIFICATE, which only OpenSSL reads; `openssl x509 -in FILE` writes a plain one"
    return "holds no certificate in PEM form" if data.strip() else "is empty"


def load_der_certificate(data: bytes) -> x509.Certificate:
    """Read one certificate in DER."""
    if len(data) > LARGEST_PEM:
        raise _damaged(f"{len(data)} bytes are too many for a certificate (at most {LARGEST_PEM})")
    try:
        return x509.load_der_x509_certificate(data)
    except _UNPARSABLE:
        raise _damaged("the certificate does not parse") from None


def load_public_key(data: bytes) -> PublicKey:
    """Read a public key in PEM (SubjectPublicKeyInfo) that certificates can be signed with."""
    try:
        public_key = load_pem_public_key(data)
    except _UNPARSABLE:
        raise _damaged("the public key does not parse") from None
    return _signing(cast("CertificatePublicKeyTypes", public_key))


def load_request(data: bytes) -> PublicKey:
    """Read the key of a PKCS#10 request in PEM and check its proof of possession (RFC 2986, section 3)."""
    try:
        request = x509.load_pem_x509_csr(data)
        is_proved = request.is_signature_valid
        public_key = request.public_key()
    except _UNPARSABLE:
        raise _damaged("the request does not parse") from None
    if not is_proved:
        raise _damaged("the request is not signed with its own key")
    return _signing(public_key)


def _signing(public_key: CertificatePublicKeyTypes) -> PublicKey:
    if isinstance(key_spec(public_key), OtherKey) or not isinstance(public_key, PUBLIC_KEYS):
        summary = f"it is a key of {key_spec(public_key)}, which is not used for certificates here"
        raise UnusableKeyError(Diagnostic(summary=summary, code="key-type"))
    return cast("PublicKey", public_key)


def certificate_facts(
    certificate: x509.Certificate,
    *,
    file: FileFacts,
    candidates: Sequence[CertificatePublicKeyTypes] = (),
) -> ObservedCertificate:
    """Describe a certificate as a value.

    Its signature is tried under each candidate key, and under its own where it is self-issued.
    """
    encoded = certificate.public_bytes(Encoding.DER)
    one = EncodedCertificate(certificate, encoded, hashlib.sha256(encoded).hexdigest())

    def verified_by(signed: Signed) -> frozenset[str]:
        keys = [*candidates]
        if signed.own_key is not None and signed.is_self_issued:
            keys.append(signed.own_key)
        return frozenset(spki_sha256(key) for key in keys if signed.is_with(key))

    return encoded_certificate_facts(one, file=file, verified_by=verified_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A certificate that is asked who signed it.

    `part` is what the signature is over; None where the certificate names two algorithms for it. `own_key` and
    `spki_sha256` are its own. `is_self_issued` tells whether issuer and subject are one, as encoded (RFC 5280, 3.2).
    """

    certificate: x509.Certificate
    part: bytes | None
    own_key: CertificatePublicKeyTypes | None
    spki_sha256: str
    is_self_issued: bool

    def is_with(self, public_key: CertificatePublicKeyTypes) -> bool:
        """Tell whether it is signed with this key."""
        return self.part is not None and is_signed_with(self.certificate, public_key, self.part)


def encoded_certificate_facts(
    one: EncodedCertificate,
    *,
    file: FileFacts,
    verified_by: Callable[[Signed], frozenset[str]],
    certificates_in_file: int = 1,
) -> ObservedCertificate:
    """Describe a certificate as a value; `verified_by` tells the digests of the keys under which it verifies."""
    try:
        return _facts(one, file, verified_by, certificates_in_file)
    except _UNPARSABLE:
        raise _damaged("a certificate parses, but what it holds does not") from None


def _facts(
    one: EncodedCertificate,
    file: FileFacts,
    verified_by: Callable[[Signed], frozenset[str]],
    certificates_in_file: int,
) -> ObservedCertificate:
    certificate = one.certificate
    parts = der.certificate_parts(one.encoded)
    extensions = CertificateExtensions(certificate, parts)
    subject_key_id = extensions.get(x509.SubjectKeyIdentifier)
    authority_key_id = extensions.get(x509.AuthorityKeyIdentifier)
    own_key = public_key_of(certificate)
    own_spki = _own_spki(own_key, parts)
    key_id = key_identifier_of_spki(parts.subject_public_key_info)
    is_as_encoded_here = own_spki == parts.subject_public_key_info
    own_digest = hashlib.sha256(own_spki).hexdigest()
    return ObservedCertificate(
        file=file,
        fingerprint_sha256=one.fingerprint,
        subject=parse_name(parts.subject),
        issuer=parse_name(parts.issuer),
        subject_der=parts.subject,
        issuer_der=parts.issuer,
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        spki_sha256=own_digest,
        key_spec=_key_spec(certificate, own_key),
        signature_digest=_signature_digest(certificate),
        signature_is_pss=isinstance(_signature_parameters(certificate), padding.PSS),
        extensions=extensions.declarable(),
        subject_key_id=None if subject_key_id is None else subject_key_id.digest,
        authority_key_id=None if authority_key_id is None else authority_key_id.key_identifier,
        has_foreign_aki=authority_key_id is not None and authority_key_id.authority_cert_serial_number is not None,
        key_id_of_key=key_id,
        key_id_when_signed=key_id if is_as_encoded_here else key_identifier_of_spki(own_spki),
        verified_by=verified_by(
            Signed(
                certificate=certificate,
                # RFC 5280, 4.1.1.2: both MUST name the same algorithm.
                part=certificate.tbs_certificate_bytes
                if parts.inner_signature_algorithm == parts.outer_signature_algorithm
                else None,
                own_key=own_key,
                spki_sha256=own_digest,
                is_self_issued=parts.issuer == parts.subject,
            )
        ),
        version=certificate.version.value + 1,
        certificates_in_file=certificates_in_file,
        key_weakness=None if own_key is None else weakness(own_key),
        key_pss_bond=None if is_as_encoded_here else bond_of_spki(parts.subject_public_key_info),
    )


def _own_spki(public_key: CertificatePublicKeyTypes | None, parts: der.CertificateParts) -> bytes:
    """Encode a certificate's key as it is encoded everywhere here, so that one key has one digest.

    Others may write it with a compressed point, a curve by its parameters, or bound to RSASSA-PSS (RFC 5480, 2.2 and
    2.1.1; RFC 4055, 1.2).
    """
    return parts.subject_public_key_info if public_key is None else spki_der(public_key)


def public_key_of(certificate: x509.Certificate) -> CertificatePublicKeyTypes | None:
    """Return a certificate's public key, or None where nobody here knows its kind."""
    try:
        return certificate.public_key()
    except _UNPARSABLE:
        return None


def _key_spec(certificate: x509.Certificate, public_key: CertificatePublicKeyTypes | None) -> ObservedKeySpec:
    if public_key is None:
        return OtherKey(f"algorithm {certificate.public_key_algorithm_oid.dotted_string}")
    return key_spec(public_key)


def _signature_digest(certificate: x509.Certificate) -> str | None:
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return f"algorithm {certificate.signature_algorithm_oid.dotted_string}"
    return None if digest is None else digest.name


def _signature_parameters(certificate: x509.Certificate) -> object:
    try:
        return certificate.signature_algorithm_parameters
    except _UNPARSABLE:
        return None
