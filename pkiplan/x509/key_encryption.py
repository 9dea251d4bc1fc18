"""How a private key in PKCS#8 is encrypted, told without opening it (RFC 8018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError
from pkiplan.model.keys import KeyEncryption
from pkiplan.x509 import der

# Memory of scrypt is 128 * N * r bytes (RFC 7914, section 6).
MOST_SCRYPT_MEMORY = 1 << 30

PBES2_OID = "1.2.840.113549.1.5.13"
PBKDF2_OID = "1.2.840.113549.1.5.12"
SCRYPT_OID = "1.3.6.1.4.1.11591.4.11"


@dataclass(frozen=True, slots=True)
class AesCbc:
    """AES in CBC mode by key length."""

    oid: str
    key_length: int


CIPHERS: dict[str, AesCbc] = {
    "aes-128-cbc": AesCbc("2.16.840.1.101.3.4.1.2", 16),
    "aes-192-cbc": AesCbc("2.16.840.1.101.3.4.1.22", 24),
    "aes-256-cbc": AesCbc("2.16.840.1.101.3.4.1.42", 32),
}
KDFS: dict[str, tuple[str, str]] = {
    "pbkdf2-hmac-sha256": ("sha256", "1.2.840.113549.2.9"),
    "pbkdf2-hmac-sha384": ("sha384", "1.2.840.113549.2.10"),
    "pbkdf2-hmac-sha512": ("sha512", "1.2.840.113549.2.11"),
}

_CIPHER_NAMES: dict[str, str] = {cipher.oid: name for name, cipher in CIPHERS.items()} | {
    "1.2.840.113549.3.7": "3des-cbc",
    "1.2.840.113549.3.2": "rc2-cbc",
    "1.3.14.3.2.7": "des-cbc",
}
_PRF_NAMES: dict[str, str] = {oid: name for name, (_, oid) in KDFS.items()} | {
    "1.2.840.113549.2.7": "pbkdf2-hmac-sha1",
    "1.2.840.113549.2.8": "pbkdf2-hmac-sha224",
}
# RFC 8018, 5.2, says so where the function is left out.
_DEFAULT_PRF = "pbkdf2-hmac-sha1"
# RFC 8018, appendix A.3, and RFC 7292, appendix C.
_PBES1_NAMES: dict[str, tuple[str, str]] = {
    "1.2.840.113549.1.5.3": ("des-cbc", "pbkdf1-md5"),
    "1.2.840.113549.1.5.6": ("rc2-cbc", "pbkdf1-md5"),
    "1.2.840.113549.1.5.10": ("des-cbc", "pbkdf1-sha1"),
    "1.2.840.113549.1.5.11": ("rc2-cbc", "pbkdf1-sha1"),
    "1.2.840.113549.1.12.1.1": ("rc4-128", "pkcs12-sha1"),
    "1.2.840.113549.1.12.1.2": ("rc4-40", "pkcs12-sha1"),
    "1.2.840.113549.1.12.1.3": ("3des-cbc", "pkcs12-sha1"),
    "1.2.840.113549.1.12.1.4": ("2des-cbc", "pkcs12-sha1"),
    "1.2.840.113549.1.12.1.5": ("rc2-128-cbc", "pkcs12-sha1"),
    "1.2.840.113549.1.12.1.6": ("rc2-40-cbc", "pkcs12-sha1"),
}


def encryption_of(encoded: bytes) -> KeyEncryption:
    """Tell how a DER EncryptedPrivateKeyInfo is encrypted; `ValueError` or `IndexError` for what does not parse."""
    algorithm = der.single(encoded).expect(der.SEQUENCE).children()[0].expect(der.SEQUENCE)
    oid, parameters = _algorithm(algorithm)
    if oid != PBES2_OID:
        cipher, kdf = _PBES1_NAMES.get(oid, (f"algorithm {oid}", "unknown"))
        return KeyEncryption(cipher=cipher, kdf=kdf, rounds=_last_integer(parameters))
    derivation, scheme = parameters[0].expect(der.SEQUENCE).children()
    cipher_oid, _ = _algorithm(scheme)
    kdf, rounds = _derivation(*_algorithm(derivation))
    return KeyEncryption(cipher=_CIPHER_NAMES.get(cipher_oid, f"algorithm {cipher_oid}"), kdf=kdf, rounds=rounds)


def _derivation(oid: str, parameters: Sequence[der.Tlv]) -> tuple[str, int]:
    fields = parameters[0].expect(der.SEQUENCE).children() if parameters else []
    if oid == PBKDF2_OID:
        prf = next((field for field in fields if field.tag == der.SEQUENCE), None)
        name = _DEFAULT_PRF if prf is None else _prf_name(prf)
        return name, _integer(fields[1])
    if oid == SCRYPT_OID:
        cost, block_size = _integer(fields[1]), _integer(fields[2])
        if 128 * cost * block_size > MOST_SCRYPT_MEMORY:
            summary = "the key asks for more memory than opening a key may take"
            raise KeyMaterialError(Diagnostic(summary=summary, code="damaged"))
        return "scrypt", cost
    return f"algorithm {oid}", 0


def _prf_name(prf: der.Tlv) -> str:
    oid, _ = _algorithm(prf)
    return _PRF_NAMES.get(oid, f"pbkdf2-algorithm {oid}")


def _algorithm(algorithm: der.Tlv) -> tuple[str, list[der.Tlv]]:
    oid, *parameters = algorithm.expect(der.SEQUENCE).children()
    return der.decode_oid(oid.expect(der.OBJECT_IDENTIFIER).content), parameters


def _last_integer(parameters: Sequence[der.Tlv]) -> int:
    integers = list(_integers(parameters))
    return integers[-1] if integers else 0


def _integers(elements: Sequence[der.Tlv]) -> Iterator[int]:
    for element in elements:
        if element.tag == der.INTEGER:
            yield _integer(element)
        elif element.tag == der.SEQUENCE:
            yield from _integers(element.children())


def _integer(element: der.Tlv) -> int:
    value = int.from_bytes(element.expect(der.INTEGER).content[:16], "big", signed=True)
    if value < 0:
        raise der.DerError("a negative number")
    return value
