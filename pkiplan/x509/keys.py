"""Key pairs: made, described, identified, and asked whether a signature is theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, cast, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificateIssuerPublicKeyTypes,
    CertificatePublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, KeySpec, MlDsaKeySpec, ObservedKeySpec, OtherKey, RsaKeySpec
from pkiplan.x509 import der
from pkiplan.x509.kept import Kept

PrivateKey: TypeAlias = CertificateIssuerPrivateKeyTypes
PublicKey: TypeAlias = CertificateIssuerPublicKeyTypes
# Their kinds, as they are asked of many keys: what the types say is found out once.
PRIVATE_KEYS: tuple[Any, ...] = get_args(PrivateKey)
PUBLIC_KEYS: tuple[Any, ...] = get_args(PublicKey)

_CURVES: dict[Curve, type[ec.EllipticCurve]] = {
    Curve.P256: ec.SECP256R1,
    Curve.P384: ec.SECP384R1,
    Curve.P521: ec.SECP521R1,
}
_CURVE_NAMES: dict[str, Curve] = {curve().name: name for name, curve in _CURVES.items()}

_ED_KEYS: dict[str, Callable[[], PrivateKey]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}
_ML_DSA_KEYS: dict[int, Callable[[], PrivateKey]] = {
    44: mldsa.MLDSA44PrivateKey.generate,
    65: mldsa.MLDSA65PrivateKey.generate,
    87: mldsa.MLDSA87PrivateKey.generate,
}

# Signature algorithms that bring their own hash: RFC 8410, section 3, and RFC 9881, section 2.
_OWN_HASH_OIDS: dict[type, str] = {
    ed25519.Ed25519PublicKey: "1.3.101.112",
    ed448.Ed448PublicKey: "1.3.101.113",
    mldsa.MLDSA44PublicKey: "2.16.840.1.101.3.4.3.17",
    mldsa.MLDSA65PublicKey: "2.16.840.1.101.3.4.3.18",
    mldsa.MLDSA87PublicKey: "2.16.840.1.101.3.4.3.19",
}

# ECDSA by its hash: RFC 5758, 3.2. cryptography makes the same values, anew for each certificate.
_ECDSA: dict[str, ec.ECDSA] = {
    "1.2.840.10045.4.3.2": ec.ECDSA(hashes.SHA256()),
    "1.2.840.10045.4.3.3": ec.ECDSA(hashes.SHA384()),
    "1.2.840.10045.4.3.4": ec.ECDSA(hashes.SHA512()),
}

# Signature algorithms that cryptography knows by their hash alone: RFC 3279, 2.2.3 (ECDSA with SHA-1) and 2.2.1 (RSA
# with MD5).
_OLD_PARAMETERS: dict[str, ec.ECDSA | padding.PKCS1v15] = {
    "1.2.840.10045.4.1": ec.ECDSA(hashes.SHA1()),  # noqa: S303 - to tell whose an old signature is, not to make one
    "1.2.840.113549.1.1.4": padding.PKCS1v15(),
}

_EC_PUBLIC_KEY_OID = "1.2.840.10045.2.1"


def generate_key(spec: KeySpec) -> PrivateKey:
    """Make a new private key."""
    match spec:
        case RsaKeySpec(size):
            # 65537: BR 6.1.6 and every library agree on it.
            return rsa.generate_private_key(public_exponent=65537, key_size=size)
        case EcKeySpec(curve):
            return ec.generate_private_key(_CURVES[curve]())
        case EdKeySpec(algorithm):
            return _ED_KEYS[algorithm]()
        case MlDsaKeySpec(parameter_set):
            return _ML_DSA_KEYS[parameter_set]()


def key_spec(public_key: CertificatePublicKeyTypes) -> ObservedKeySpec:
    """Describe a public key in the words of the manifest."""
    match public_key:
        case ec.EllipticCurvePublicKey():
            curve = _CURVE_NAMES.get(public_key.curve.name)
            return OtherKey(f"ecdsa {public_key.curve.name}") if curve is None else EcKeySpec(curve)
        case rsa.RSAPublicKey():
            return RsaKeySpec(public_key.key_size)
        case ed25519.Ed25519PublicKey():
            return EdKeySpec("ed25519")
        case ed448.Ed448PublicKey():
            return EdKeySpec("ed448")
        case mldsa.MLDSA44PublicKey():
            return MlDsaKeySpec(44)
        case mldsa.MLDSA65PublicKey():
            return MlDsaKeySpec(65)
        case mldsa.MLDSA87PublicKey():
            return MlDsaKeySpec(87)
        case dsa.DSAPublicKey():
            return OtherKey(f"dsa {public_key.key_size}")
    return OtherKey(type(public_key).__name__.removesuffix("PublicKey").lower())


# Of one key that is signed for, the encoding is asked for four times in a row.
_ENCODED: Kept[bytes] = Kept(most=64)


def spki_der(public_key: CertificatePublicKeyTypes) -> bytes:
    """Encode a public key as SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""
    return _ENCODED.get(
        id(public_key), public_key, lambda: public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def public_key_of_spki(encoded: bytes) -> PublicKey:
    """Read a public key that `spki_der` encoded."""
    public_key = cast("PublicKey", load_der_public_key(encoded))
    _ENCODED.keep(id(public_key), public_key, encoded)
    return public_key


def spki_sha256(public_key: CertificatePublicKeyTypes) -> str:
    """Return the digest by which pkiplan tells keys apart."""
    return hashlib.sha256(spki_der(public_key)).hexdigest()


def public_key_facts(public_key: CertificatePublicKeyTypes) -> tuple[ObservedKeySpec, str]:
    """Describe a public key, and give the SHA-256 of its SubjectPublicKeyInfo in hex."""
    return key_spec(public_key), spki_sha256(public_key)


def key_identifier(public_key: CertificatePublicKeyTypes) -> bytes:
    """Return the key identifier: SHA-1 of the key's bits (RFC 5280, 4.2.1.2, method 1)."""
    return key_identifier_of_spki(spki_der(public_key))


# It stands in a certificate, and is compared with what stands there.
@lru_cache(maxsize=64)
def key_identifier_of_spki(subject_public_key_info: bytes) -> bytes:
    """Return the key identifier of an encoded public key."""
    return hashlib.sha1(der.key_bits(subject_public_key_info), usedforsecurity=False).digest()


def names_its_curve(subject_public_key_info: bytes) -> bool:
    """Tell whether an encoded key is none of EC, or has its curve by name, not by parameters (RFC 5480, 2.1.1)."""
    algorithm = next(der.elements(der.single(subject_public_key_info).content))
    fields = der.elements(algorithm.content)
    if der.decode_oid(next(fields).content) != _EC_PUBLIC_KEY_OID:
        return True
    parameters = next(fields, None)
    return parameters is None or parameters.tag == der.OBJECT_IDENTIFIER


def default_digest(spec: KeySpec) -> str | None:
    """Name the hash that a key signs with when the manifest names none; None where the algorithm brings its own.

    An ECDSA key takes the hash of its own strength (RFC 5758, 3.2; BR 7.1.3.2.2).
    """
    match spec:
        case RsaKeySpec() | EcKeySpec(Curve.P256):
            return "sha256"
        case EcKeySpec(Curve.P384):
            return "sha384"
        case EcKeySpec():
            return "sha512"
        case EdKeySpec() | MlDsaKeySpec():
            return None


def signature_verifies(
    certificate: x509.Certificate, public_key: CertificatePublicKeyTypes, parts: der.CertificateParts | None = None
) -> bool:
    """Tell whether a certificate is signed with a key, whatever either of them holds; `parts` save cutting it again."""
    try:
        parts = parts or der.certificate_parts(certificate.public_bytes(Encoding.DER))
        if parts.inner_signature_algorithm != parts.outer_signature_algorithm:
            return False  # RFC 5280, 4.1.1.2: both MUST name the same algorithm
        return is_signed_with(certificate, public_key, certificate.tbs_certificate_bytes)
    except (ValueError, TypeError):
        return False


def is_signed_with(certificate: x509.Certificate, public_key: CertificatePublicKeyTypes, signed: bytes) -> bool:
    """Tell whether the signature in a certificate is that of a key over what is `signed`, by its outer algorithm."""
    try:
        return _verify(certificate, public_key, signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _verify(certificate: x509.Certificate, public_key: CertificatePublicKeyTypes, signed: bytes) -> bool:
    signature, algorithm = certificate.signature, certificate.signature_algorithm_oid.dotted_string
    parameters = _ECDSA.get(algorithm) or certificate.signature_algorithm_parameters or _OLD_PARAMETERS.get(algorithm)
    match public_key:
        case rsa.RSAPublicKey():
            if not isinstance(parameters, padding.PKCS1v15 | padding.PSS):
                return False
            digest = certificate.signature_hash_algorithm
            if digest is None:
                return False
            public_key.verify(signature, signed, parameters, digest)
        case ec.EllipticCurvePublicKey():
            if not isinstance(parameters, ec.ECDSA):
                return False
            public_key.verify(signature, signed, parameters)
        case (
            ed25519.Ed25519PublicKey()
            | ed448.Ed448PublicKey()
            | mldsa.MLDSA44PublicKey()
            | mldsa.MLDSA65PublicKey()
            | mldsa.MLDSA87PublicKey()
        ):
            own = next(oid for kind, oid in _OWN_HASH_OIDS.items() if isinstance(public_key, kind))
            if algorithm != own:
                return False
            public_key.verify(signature, signed)
        case _:
            return False
    return True
