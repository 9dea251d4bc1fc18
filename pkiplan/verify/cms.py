"""A CMS signature (RFC 5652) made by cryptography, and checked here, because cryptography only makes them."""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from pkiplan.x509 import der

SIGNED_DATA = "1.2.840.113549.1.7.2"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SHA256 = "2.16.840.1.101.3.4.2.1"


class UnsupportedKeyError(Exception):
    """No signature of this kind is made with such a key; the message says with which ones."""


class CmsError(Exception):
    """A CMS signature does not hold; the message says what of it."""


def sign(content: bytes, certificate: x509.Certificate, key: PrivateKeyTypes) -> bytes:
    """Sign content detached; raises UnsupportedKeyError for a key that cryptography makes no CMS signature with."""
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UnsupportedKeyError("cryptography makes CMS signatures with RSA and ECDSA keys only")
    builder = PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, SHA256())
    return builder.sign(Encoding.DER, [PKCS7Options.DetachedSignature, PKCS7Options.Binary])


def check(signature: bytes, content: bytes, certificate: x509.Certificate) -> None:
    """Check a detached signature of one signer under a certificate's key (RFC 5652, 5.6); raises CmsError."""
    try:
        signer, signed_attributes = _signer(signature)
    except (der.DerError, IndexError, ValueError) as error:
        raise CmsError("the signature does not parse") from error
    attributes = _by_oid(signed_attributes)
    if MESSAGE_DIGEST not in attributes:
        raise CmsError("the signature names no digest of the content")
    digest = attributes[MESSAGE_DIGEST].children()[0].content
    if digest != hashlib.sha256(content).digest():
        raise CmsError("the content is not what was signed")
    # RFC 5652, 5.4: what is signed are the attributes as a SET, not as the [0] they are sent as.
    signed = der.encode(0x31, signed_attributes.content)
    try:
        _check_signature(certificate, signer[-1].content, signed)
    except InvalidSignature:
        raise CmsError("the signature is not by the certificate's key") from None


def attributes_of(signature: bytes) -> dict[str, der.Tlv]:
    """Give what is signed beside the content, by OID: the values of each; raises CmsError."""
    try:
        return _by_oid(_signer(signature)[1])
    except (der.DerError, IndexError, ValueError) as error:
        raise CmsError("the signature does not parse") from error


def _by_oid(signed_attributes: der.Tlv) -> dict[str, der.Tlv]:
    return {der.decode_oid(a.children()[0].content): a.children()[1] for a in signed_attributes.children()}


def _signer(signature: bytes) -> tuple[list[der.Tlv], der.Tlv]:
    """Cut out the only SignerInfo (its elements) and its signed attributes."""
    content_type, wrapped = der.single(signature).expect(der.SEQUENCE).children()
    if der.decode_oid(content_type.content) != SIGNED_DATA:
        raise ValueError("not signed data")
    signed_data = wrapped.children()[0].expect(der.SEQUENCE).children()
    (signer_info,) = signed_data[-1].children()
    parts = signer_info.children()
    digest_algorithm = der.decode_oid(parts[2].children()[0].content)
    if digest_algorithm != _SHA256:
        raise ValueError(f"digest {digest_algorithm} where SHA-256 belongs")
    return parts, parts[3].expect(der.CONTEXT_0)


def _check_signature(certificate: x509.Certificate, signature: bytes, signed: bytes) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    else:
        raise CmsError("neither an RSA nor an ECDSA key")
