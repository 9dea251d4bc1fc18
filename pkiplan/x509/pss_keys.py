"""RSA keys that are bound to RSASSA-PSS, and to nothing else (RFC 4055, 1.2).

cryptography reads them as any RSA key, and knows nothing of the bond; OpenSSL keeps it, and takes no bound key for a
certificate that is not bound too.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import reduce

from pkiplan.model.keys import PssBond
from pkiplan.x509 import der

RSASSA_PSS_OID = "1.2.840.113549.1.1.10"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
# Where in each kind of file the algorithm of its key stands: RFC 5958, 2; RFC 5280, 4.1; RFC 2986, 4.1.
_ALGORITHM_AT = {
    b"PRIVATE KEY": (1,),
    b"PUBLIC KEY": (0,),
    b"CERTIFICATE REQUEST": (0, 2, 0),
    b"NEW CERTIFICATE REQUEST": (0, 2, 0),
}


# RFC 4055, 2.1: the digests and their octets. What is left out of the parameters is SHA-1, and a salt as long (3.1).
_DIGESTS = {
    "1.3.14.3.2.26": ("sha1", 20),
    "2.16.840.1.101.3.4.2.1": ("sha256", 32),
    "2.16.840.1.101.3.4.2.2": ("sha384", 48),
    "2.16.840.1.101.3.4.2.3": ("sha512", 64),
    "2.16.840.1.101.3.4.2.4": ("sha224", 28),
}
_SHA1 = "1.3.14.3.2.26"
_SHORTEST_SALT = 20
_MASK, _SALT = 0xA1, 0xA2


def bond_of(pem: bytes) -> PssBond | None:
    """Find the bond of a plain key, a public key or a request in PEM; an encrypted key does not tell."""
    blocks = (block for block in _BLOCK.finditer(pem) if block[1] in _ALGORITHM_AT)
    bonds = (_bond_of_body(block[2], _ALGORITHM_AT[block[1]]) for block in blocks)
    return next((bond for bond in bonds if bond is not None), None)


def bond_of_spki(encoded: bytes) -> PssBond | None:
    """Find the bond of a SubjectPublicKeyInfo in DER."""
    return _bond_at(encoded, _ALGORITHM_AT[b"PUBLIC KEY"])


def _bond_of_body(body: bytes, path: tuple[int, ...]) -> PssBond | None:
    try:
        return _bond_at(base64.b64decode(b"".join(body.split()), validate=True), path)
    except binascii.Error:
        return None


def _bond_at(encoded: bytes, path: tuple[int, ...]) -> PssBond | None:
    try:
        whole = der.single(encoded)
        oid, *parameters = reduce(lambda element, place: element.children()[place], path, whole).children()
        if _oid(oid) != RSASSA_PSS_OID:
            return None
        return _restricted(parameters[0]) if parameters else PssBond()
    except (ValueError, IndexError):
        return None


def _restricted(parameters: der.Tlv) -> PssBond:
    digest, mask_digest, salt = _SHA1, _SHA1, _SHORTEST_SALT
    for field in parameters.expect(der.SEQUENCE).children():
        (value,) = field.children()
        if field.tag == der.CONTEXT_0:
            digest = _oid(value.children()[0])
        elif field.tag == _MASK:
            mask_digest = _oid(value.children()[1].children()[0])
        elif field.tag == _SALT:
            salt = int.from_bytes(value.expect(der.INTEGER).content, "big")
    name, length = _DIGESTS.get(digest, (f"algorithm {digest}", 0))
    return PssBond(name, is_usual=mask_digest == digest and salt <= length)


def _oid(element: der.Tlv) -> str:
    return der.decode_oid(element.expect(der.OBJECT_IDENTIFIER).content)
