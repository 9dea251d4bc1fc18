"""In which ways a secret could show: what to look for where no secret may be."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pkiplan.x509.keys import PrivateKey

A_LINE = "a line of its PEM"


def ways_of(key: PrivateKey) -> dict[str, bytes]:
    """Give the ways in which a private key could show."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found = {
        A_LINE: max(pem.splitlines()[1:-1], key=len),
        "its DER": der,
        "its DER in base64": base64.b64encode(der),
        "its DER in hex": der.hex().encode(),
    }
    number = None
    if isinstance(key, rsa.RSAPrivateKey):
        number = key.private_numbers().p
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        number = key.private_numbers().private_value
    if number is None:
        raw = der[-32:]
        return found | {"its seed": raw, "its seed in hex": raw.hex().encode()}
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return found | {"its number": str(number).encode(), "its number in hex": b"%x" % number, "its bytes": raw}


def opened(content: bytes, passphrases: Iterable[str]) -> PrivateKey:
    """Open a key file of a test with the passphrase that fits."""
    for passphrase in (None, *(text.encode() for text in passphrases)):
        try:
            return load_pem_private_key(content, passphrase)  # type: ignore[return-value] # pkiplan made it
        except (TypeError, ValueError):
            continue
    raise AssertionError("a key that none of the passphrases opens")
