"""A timestamp token (RFC 3161, 2.4.2): made with a certificate's key, and checked as a client does."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify import cms
from pkiplan.verify.cms import MESSAGE_DIGEST, SIGNED_DATA, CmsError
from pkiplan.x509 import der

_SET = 0x31
_GENERALIZED_TIME = 0x18
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
# RFC 5816: which certificate it was is signed, too, so that no other with the same key can take its place.
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
_RSA_WITH_SHA256 = "1.2.840.113549.1.1.11"
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
# The policy of a token that is made to be looked at and thrown away: anyPolicy (RFC 5280, 4.2.1.4).
_POLICY = "2.5.29.32.0"

_NULL = bytes((5, 0))
_SHA256 = der.encode(der.SEQUENCE, der.encode_oid("2.16.840.1.101.3.4.2.1"), _NULL)


def make(content: bytes, certificate: x509.Certificate, key: PrivateKeyTypes, time: datetime) -> bytes:
    """Stamp content; raises UnsupportedKeyError for a key that no token is made with here."""
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise cms.UnsupportedKeyError("timestamp tokens are made with RSA and ECDSA keys only")
    info = _info(content, time)
    attributes = _attributes(info, certificate)
    # RFC 5652, 5.4: what is signed are the attributes as a SET, not as the [0] they are sent as.
    signed = der.encode(_SET, attributes)
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = der.encode(der.SEQUENCE, der.encode_oid(_RSA_WITH_SHA256), _NULL)
        signature = key.sign(signed, padding.PKCS1v15(), SHA256())
    else:
        algorithm = der.encode(der.SEQUENCE, der.encode_oid(_ECDSA_WITH_SHA256))
        signature = key.sign(signed, ec.ECDSA(SHA256()))
    encoded = certificate.public_bytes(Encoding.DER)
    issuer = der.certificate_parts(encoded).issuer
    signer = der.encode(
        der.SEQUENCE,
        der.encode_integer(1),
        der.encode(der.SEQUENCE, issuer, der.encode_integer(certificate.serial_number)),
        _SHA256,
        der.encode(der.CONTEXT_0, attributes),
        algorithm,
        der.encode(der.OCTET_STRING, signature),
    )
    signed_data = der.encode(
        der.SEQUENCE,
        der.encode_integer(3),
        der.encode(_SET, _SHA256),
        der.encode(
            der.SEQUENCE,
            der.encode_oid(_TST_INFO),
            der.encode(der.CONTEXT_0, der.encode(der.OCTET_STRING, info)),
        ),
        der.encode(der.CONTEXT_0, encoded),
        der.encode(_SET, signer),
    )
    return der.encode(der.SEQUENCE, der.encode_oid(SIGNED_DATA), der.encode(der.CONTEXT_0, signed_data))


def check(token: bytes, content: bytes, certificate: x509.Certificate) -> None:
    """Check that a token stamps this content and is by this certificate; raises CmsError."""
    try:
        info = _info_of(token)
        version, _policy, imprint = der.single(info).expect(der.SEQUENCE).children()[:3]
        stamped = imprint.expect(der.SEQUENCE).children()[1].expect(der.OCTET_STRING).content
    except (der.DerError, IndexError, ValueError) as error:
        raise CmsError("the token does not parse") from error
    if version.content != b"\x01" or stamped != hashlib.sha256(content).digest():
        raise CmsError("the token stamps something else")
    cms.check(token, info, certificate)
    signed = cms.attributes_of(token)
    if _CONTENT_TYPE not in signed or signed[_CONTENT_TYPE].content != der.encode_oid(_TST_INFO):
        raise CmsError("what is signed is no timestamp")
    if _SIGNING_CERTIFICATE not in signed or signed[_SIGNING_CERTIFICATE].content != _named(certificate):
        raise CmsError("the token does not name its signer's certificate")


def _info(content: bytes, time: datetime) -> bytes:
    imprint = der.encode(der.SEQUENCE, _SHA256, der.encode(der.OCTET_STRING, hashlib.sha256(content).digest()))
    stamp = time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    return der.encode(
        der.SEQUENCE,
        der.encode_integer(1),
        der.encode_oid(_POLICY),
        imprint,
        der.encode_integer(1),
        der.encode(_GENERALIZED_TIME, stamp),
    )


def _info_of(token: bytes) -> bytes:
    content_type, wrapped = der.single(token).expect(der.SEQUENCE).children()
    if der.decode_oid(content_type.content) != SIGNED_DATA:
        raise ValueError("not signed data")
    inside = wrapped.children()[0].expect(der.SEQUENCE).children()[2].expect(der.SEQUENCE).children()
    if der.decode_oid(inside[0].content) != _TST_INFO:
        raise ValueError("what is signed is no timestamp")
    return inside[1].expect(der.CONTEXT_0).children()[0].expect(der.OCTET_STRING).content


def _attributes(info: bytes, certificate: x509.Certificate) -> bytes:
    values = {
        _CONTENT_TYPE: der.encode_oid(_TST_INFO),
        MESSAGE_DIGEST: der.encode(der.OCTET_STRING, hashlib.sha256(info).digest()),
        _SIGNING_CERTIFICATE: _named(certificate),
    }
    encoded = (der.encode(der.SEQUENCE, der.encode_oid(o), der.encode(_SET, value)) for o, value in values.items())
    return b"".join(sorted(encoded))  # X.690, 11.6: the elements of a SET OF stand in order


def _named(certificate: x509.Certificate) -> bytes:
    """Name a certificate by its hash: ESSCertIDv2, where SHA-256 is the default and left out (RFC 5035, 4)."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    named = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, digest))
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, named))
