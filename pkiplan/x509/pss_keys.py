"""RSA keys that are bound to RSASSA-PSS, and to nothing else (RFC 4055, 1.2).

cryptography reads them as any RSA key, and knows nothing of the bond; OpenSSL keeps it, and takes no bound key for a
certificate that is not bound too.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import reduce

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


def is_bound_to_pss(pem: bytes) -> bool:
    """Tell whether a plain key, a public key or a request in PEM is of a bound key; an encrypted one does not tell."""
    return any(
        _is_bound(block[2], _ALGORITHM_AT[block[1]]) for block in _BLOCK.finditer(pem) if block[1] in _ALGORITHM_AT
    )


def is_bound_spki(encoded: bytes) -> bool:
    """Tell whether a SubjectPublicKeyInfo in DER is of a bound key."""
    return _is_bound_at(encoded, _ALGORITHM_AT[b"PUBLIC KEY"])


def _is_bound(body: bytes, path: tuple[int, ...]) -> bool:
    try:
        return _is_bound_at(base64.b64decode(b"".join(body.split()), validate=True), path)
    except binascii.Error:
        return False


def _is_bound_at(encoded: bytes, path: tuple[int, ...]) -> bool:
    try:
        whole = der.single(encoded)
        algorithm = reduce(lambda element, place: element.children()[place], path, whole)
        return der.decode_oid(algorithm.children()[0].expect(der.OBJECT_IDENTIFIER).content) == RSASSA_PSS_OID
    except (der.DerError, IndexError):
        return False
