"""Private keys as PEM: written, opened, and described without being opened."""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import WRONG_PASSPHRASE, KeyMaterialError, SecretError, UnusableKeyError
from pkiplan.model.keys import EcKeySpec, KeyEncryption, KeyForm, RsaKeySpec
from pkiplan.model.tree import LARGEST_PEM
from pkiplan.x509.keys import PRIVATE_KEYS, PrivateKey, PublicKey, key_spec
from pkiplan.x509.pem_lines import PRIVATE_KEY_BEGIN, pem_block
from pkiplan.x509.pss_keys import bond_of

# Opening takes a third of a second at 600,000 rounds; a file that asks for more than this only wastes time.
MOST_ROUNDS = 20_000_000

# What such a key is good for here is told with its place.
warnings.filterwarnings("ignore", message="Diffie-Hellman over finite fields")

_PEM_KEY = re.compile(rb"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_DEK_INFO = re.compile(rb"^DEK-Info:[ \t]*([A-Za-z0-9-]+),", re.MULTILINE)

_FORMS: dict[bytes, KeyForm] = {
    b"PRIVATE KEY": KeyForm.PKCS8,
    b"ENCRYPTED PRIVATE KEY": KeyForm.PKCS8,
    b"RSA PRIVATE KEY": KeyForm.PKCS1,
    b"EC PRIVATE KEY": KeyForm.SEC1,
}

# OpenSSL's names of the ciphers that stand in a DEK-Info header are ours, but for one.
_DEK_CIPHERS = {"des-ede3-cbc": "3des-cbc"}


@dataclass(frozen=True, slots=True)
class KeyFileFacts:
    """What a key file tells without a passphrase; the public key only where the file is plain."""

    form: KeyForm
    encryption: KeyEncryption | None
    public_key: PublicKey | None


@dataclass(frozen=True, slots=True)
class _Block:
    """The one private key in a file; its bytes never show."""

    label: bytes
    pem: bytes = field(repr=False)
    body: bytes = field(repr=False)


def _failure(summary: str, code: str = "damaged", hint: str = "") -> KeyMaterialError:
    return KeyMaterialError(Diagnostic(summary=summary, code=code, hint=hint))


def _unusable(summary: str, code: str, hint: str = "") -> UnusableKeyError:
    return UnusableKeyError(Diagnostic(summary=summary, code=code, hint=hint))


# Writing


def encode_private_key(key: PrivateKey, form: KeyForm, encryption: KeyEncryption, passphrase: bytes | None) -> bytes:
    """Encode a private key in a form, under a passphrase if there is one."""
    if passphrase is not None:
        if form is not KeyForm.PKCS8:
            raise _failure(
                f"a key of form {form} cannot be protected well", "key-form", "leave the form out, or the passphrase"
            )
        from pkiplan.x509.pbes2 import encrypt_pkcs8

        pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return pem_block(b"ENCRYPTED PRIVATE KEY", encrypt_pkcs8(pkcs8, passphrase, encryption))
    if form is KeyForm.PKCS8:
        return plain_pkcs8(key)
    spec = key_spec(key.public_key())
    if not isinstance(spec, RsaKeySpec if form is KeyForm.PKCS1 else EcKeySpec):
        raise _failure(f"a key of type {spec} has no form {form}", "key-form")
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def plain_pkcs8(key: PrivateKey) -> bytes:
    """Encode a private key as PKCS#8 in the clear."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


# Opening


def open_private_key(data: bytes, passphrases: Sequence[bytes], *, to_sign: bool = True) -> PrivateKey:
    """Open the private key of a PEM file; passphrases are tried in turn, and not looked at for a plain file.

    Without `to_sign`, for a key that is only copied or asked for its public half, an RSA key's factors are held to
    belong together, not to be prime: that takes forty milliseconds, with 4096 bits four hundred, in which no other
    thread gets on.
    """
    block = _find_key(data)
    encryption = _encryption(block)
    if encryption is None:
        return _load(block, None, to_sign=to_sign)
    if not passphrases:
        raise _failure("the key is encrypted and no passphrase is given", "passphrase-needed", "declare `passphrase:`")
    for passphrase in passphrases:
        try:
            return _load(block, passphrase, to_sign=to_sign)
        except _WrongPassphraseError:
            continue
    what = "the passphrase does not open" if len(passphrases) == 1 else f"none of {len(passphrases)} passphrases opens"
    raise SecretError(
        Diagnostic(summary=f"{what} the key", code=WRONG_PASSPHRASE, hint="give the one that it was written with")
    )


def open_as_pkcs8(data: bytes, passphrases: Sequence[bytes]) -> bytes:
    """Open the private key of a PEM file as PKCS#8 in the clear.

    A plain RSA key that is bound to RSASSA-PSS stays so: OpenSSL takes no other for a certificate that is bound.
    """
    key = open_private_key(data, passphrases, to_sign=False)
    return _find_key(data).pem + b"\n" if bond_of(data) is not None else plain_pkcs8(key)


class _WrongPassphraseError(Exception):
    """The key did not open."""


def _load(block: _Block, passphrase: bytes | None, *, to_sign: bool) -> PrivateKey:
    # What cryptography raises may quote what it read, so nothing of it is kept.
    try:
        key = load_pem_private_key(block.pem, passphrase, unsafe_skip_rsa_key_validation=not to_sign)
    except UnsupportedAlgorithm:
        raise _unusable("the key is of a type or protection that is not supported", "key-type") from None
    except (ValueError, TypeError):
        if passphrase is not None:
            raise _WrongPassphraseError from None
        raise _failure("the private key does not parse") from None
    if not isinstance(key, PRIVATE_KEYS):
        kind = key_spec(key.public_key())  # type: ignore[arg-type] # of any other kind its name is told
        raise _unusable(f"it is a key of {kind}, which cannot sign", "key-type")
    if not to_sign and isinstance(key, rsa.RSAPrivateKey) and not _is_consistent(key.private_numbers()):
        raise _failure("the numbers of the RSA key do not belong together")
    return cast("PrivateKey", key)


# Describing


def describe_key_pem(data: bytes) -> KeyFileFacts:
    """Tell the form and protection of a key file without opening it, and the public key where nothing protects it."""
    block = _find_key(data)
    form, encryption = _FORMS[block.label], _encryption(block)
    if encryption is not None:
        return KeyFileFacts(form, encryption, None)
    return KeyFileFacts(form, None, _load(block, None, to_sign=False).public_key())


def _is_consistent(numbers: rsa.RSAPrivateNumbers) -> bool:
    """Tell whether the numbers of an RSA key fit one another (RFC 8017, 3.2)."""
    modulus, exponent, (p, q, d) = numbers.public_numbers.n, numbers.public_numbers.e, (numbers.p, numbers.q, numbers.d)
    return (
        p > 1
        and q > 1
        and p * q == modulus
        and exponent * d % (p - 1) == 1
        and exponent * d % (q - 1) == 1
        and numbers.dmp1 == d % (p - 1)
        and numbers.dmq1 == d % (q - 1)
        and numbers.iqmp * q % p == 1
    )


def _find_key(data: bytes) -> _Block:
    if len(data) > LARGEST_PEM:
        raise _failure(f"{len(data)} bytes are too many for a key file (at most {LARGEST_PEM})")
    if not data.strip():
        raise _failure("the key file is empty")
    begun = len(PRIVATE_KEY_BEGIN.findall(data))
    if begun == 0:
        raise _failure("there is no private key in PEM form")
    if begun > 1:
        raise _failure(f"there are {begun} private keys in one file")
    match = _PEM_KEY.search(data)
    if match is None:
        raise _failure("the private key is cut short")
    label, body = match.groups()
    if label == b"OPENSSH PRIVATE KEY":
        raise _unusable(
            "the key is in OpenSSH's own form",
            "key-form",
            "`ssh-keygen -p -m PKCS8 -f FILE` makes PKCS#8 of a copy of it",
        )
    if label not in _FORMS:
        raise _unusable(f"`{label.decode()}` is no form of key that is supported", "key-form")
    return _Block(label, match.group(0), body)


def _encryption(block: _Block) -> KeyEncryption | None:
    if block.label == b"ENCRYPTED PRIVATE KEY":
        from pkiplan.x509.key_encryption import encryption_of

        try:
            encryption = encryption_of(_decode_base64(block.body))
        except (ValueError, IndexError):
            raise _failure("the encrypted private key does not parse") from None
        if encryption.rounds > MOST_ROUNDS:
            raise _failure(f"the key asks for {encryption.rounds} rounds, which only wastes time")
        return encryption
    if b"Proc-Type: 4,ENCRYPTED" in block.body:
        # RFC 1421, 4.6.1.3, with OpenSSL's EVP_BytesToKey: one round of MD5.
        cipher = _DEK_INFO.search(block.body)
        name = "unknown" if cipher is None else cipher.group(1).decode().lower()
        return KeyEncryption(cipher=_DEK_CIPHERS.get(name, name), kdf="md5", rounds=1)
    return None


def _decode_base64(body: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
