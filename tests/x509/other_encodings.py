"""Certificates as others write them: the same key, encoded in another way than pkiplan does."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pkiplan.x509 import der
from pkiplan.x509.keys import PrivateKey, spki_der

RSASSA_PSS = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.113549.1.1.10"))
# RFC 4055, 3.1: the hash and MGF1 with it, the salt as long as the hash.
RSASSA_PSS_SHA512 = der.encode(
    der.SEQUENCE,
    der.encode_oid("1.2.840.113549.1.1.10"),
    bytes.fromhex(
        "3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140"
    ),
)
RSA_WITHOUT_NULL = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.113549.1.1.1"))
# RFC 3279, 2.2.3 and 2.2.1.
SHA1_WITH_ECDSA = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.4.1"))
MD5_WITH_RSA = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.113549.1.1.4"), b"\x05\x00")

Written = Callable[[PrivateKey], bytes]


def compressed(key: PrivateKey) -> bytes:
    """Write an EC key with a compressed point (RFC 5480, 2.2)."""
    algorithm, _ = der.single(spki_der(key.public_key())).children()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return der.encode(der.SEQUENCE, algorithm.encoded, der.encode(der.BIT_STRING, b"\x00", point))


def spelt_out(key: PrivateKey) -> bytes:
    """Write a P-256 key with the curve's parameters in the place of its name (SEC 1, C.2)."""
    _, bits = der.single(spki_der(key.public_key())).children()
    p = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
    y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def octets(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(32, "big") for number in numbers)

    field = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.1.1"), der.encode_integer(p))
    curve = der.encode(
        der.SEQUENCE, der.encode(der.OCTET_STRING, octets(p - 3)), der.encode(der.OCTET_STRING, octets(b))
    )
    base = der.encode(der.OCTET_STRING, b"\x04", octets(x, y))
    parameters = der.encode(
        der.SEQUENCE, der.encode_integer(1), field, curve, base, der.encode_integer(n), der.encode_integer(1)
    )
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.2.1"), parameters)
    return der.encode(der.SEQUENCE, algorithm, bits.encoded)


def with_algorithm(algorithm: bytes) -> Written:
    """Write a key with another identifier of its algorithm."""

    def write(key: PrivateKey) -> bytes:
        _, bits = der.single(spki_der(key.public_key())).children()
        return der.encode(der.SEQUENCE, algorithm, bits.encoded)

    return write


def written_otherwise(certificate: x509.Certificate, key: PrivateKey, write: Written) -> x509.Certificate:
    """Write the key of a self-signed certificate in another way, and sign it again."""
    body, algorithm, _ = der.single(certificate.public_bytes(Encoding.DER)).children()
    ours = spki_der(certificate.public_key())
    signed = der.encode(
        der.SEQUENCE, *(write(key) if part.encoded == ours else part.encoded for part in body.children())
    )
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    encoded = der.encode(der.SEQUENCE, signed, algorithm.encoded, der.encode(der.BIT_STRING, b"\x00", signature))
    return x509.load_der_x509_certificate(encoded)


def signed_with_old_hash(certificate: x509.Certificate, by: PrivateKey) -> x509.Certificate:
    """Sign a certificate again as was done once: over SHA-1 with an EC key, over MD5 with an RSA key."""
    body, _, _ = der.single(certificate.public_bytes(Encoding.DER)).children()
    version, serial, _, *rest = (part.encoded for part in body.children())
    algorithm = MD5_WITH_RSA if isinstance(by, rsa.RSAPrivateKey) else SHA1_WITH_ECDSA
    signed = der.encode(der.SEQUENCE, version, serial, algorithm, *rest)
    if isinstance(by, rsa.RSAPrivateKey):
        signature = by.sign(signed, padding.PKCS1v15(), hashes.MD5())
    else:
        assert isinstance(by, ec.EllipticCurvePrivateKey)
        signature = by.sign(signed, ec.ECDSA(hashes.SHA1()))
    encoded = der.encode(der.SEQUENCE, signed, algorithm, der.encode(der.BIT_STRING, b"\x00", signature))
    return x509.load_der_x509_certificate(encoded)
