"""The integrity check of a PKCS#12 file (RFC 7292, section 4 and appendix B).

cryptography derives its key with 2,048 rounds and lets nobody choose. As each passphrase can be tried against the
check alone, that would make the many rounds before the private key worth nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError
from pkiplan.x509 import der

_HASH_OIDS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1"}
_NULL = b"\x05\x00"
# Appendix B.3: "If ID=3, then the pseudorandom bits being produced are to be used as an integrity key for MACing."
_MAC_ID = b"\x03"
_SALT_LENGTH = 16
_BLOCK_LENGTH = 64  # of SHA-1 and SHA-256 alike

_ENCRYPTED_DATA_OID = "1.2.840.113549.1.7.6"
_PROTECTIONS = {"1.2.840.113549.1.5.13": "modern", "1.2.840.113549.1.12.1.3": "legacy"}


def with_mac(encoded: bytes, passphrase: bytes, digest: str, rounds: int) -> bytes:
    """Return a PKCS#12 file with its integrity check made anew, with a hash and as many rounds as asked."""
    version, content = der.single(encoded).expect(der.SEQUENCE).children()[:2]
    salt = os.urandom(_SALT_LENGTH)
    mac = hmac.digest(derive_mac_key(passphrase, salt, digest, rounds), _authenticated_safe(content), digest)
    algorithm = der.encode(der.SEQUENCE, der.encode_oid(_HASH_OIDS[digest]), _NULL)
    mac_data = der.encode(
        der.SEQUENCE,
        der.encode(der.SEQUENCE, algorithm, der.encode(der.OCTET_STRING, mac)),
        der.encode(der.OCTET_STRING, salt),
        der.encode_integer(rounds),
    )
    return der.encode(der.SEQUENCE, version.encoded, content.encoded, mac_data)


def protection(encoded: bytes) -> str:
    """Tell how the certificates in a PKCS#12 file are encrypted: modern, legacy or other; needs no passphrase."""
    try:
        content = der.single(encoded).expect(der.SEQUENCE).children()[1]
        for safe in der.single(_authenticated_safe(content)).expect(der.SEQUENCE).children():
            oid, wrapped = safe.children()[:2]
            if der.decode_oid(oid.content) == _ENCRYPTED_DATA_OID:
                encrypted = der.single(wrapped.content).children()[1].children()
                algorithm = encrypted[1].children()[0].expect(der.OBJECT_IDENTIFIER)
                return _PROTECTIONS.get(der.decode_oid(algorithm.content), "other")
    except (ValueError, IndexError):
        raise KeyMaterialError(Diagnostic(summary="the PKCS#12 file does not parse", code="damaged")) from None
    return "other"


def _authenticated_safe(content: der.Tlv) -> bytes:
    return der.single(content.expect(der.SEQUENCE).children()[1].content).expect(der.OCTET_STRING).content


def derive_mac_key(passphrase: bytes, salt: bytes, digest: str, rounds: int) -> bytes:
    """Derive the key of the integrity check (appendix B.2, for one block of output)."""
    password = passphrase.decode().encode("utf-16-be") + b"\x00\x00"
    block = hashlib.new(digest, _MAC_ID * _BLOCK_LENGTH + _filled(salt) + _filled(password)).digest()
    for _ in range(rounds - 1):
        block = hashlib.new(digest, block).digest()
    return block


def _filled(text: bytes) -> bytes:
    """Repeat a text until it fills whole blocks."""
    length = -(-len(text) // _BLOCK_LENGTH) * _BLOCK_LENGTH
    return (text * (length // len(text) + 1))[:length]
