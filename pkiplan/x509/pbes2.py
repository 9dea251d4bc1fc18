"""PKCS#8 under a passphrase by PBES2 (RFC 8018, 6.2), with as many rounds as the manifest asks for.

cryptography writes 2,048 rounds and lets nobody choose: docs/adr/0003-encrypted-key-files.md.
"""

from __future__ import annotations

import hashlib
import os

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError
from pkiplan.model.keys import KeyEncryption
from pkiplan.x509.key_encryption import CIPHERS, KDFS, PBES2_OID, PBKDF2_OID

# NIST SP 800-132, 5.1: at least 128 bits of salt.
SALT_LENGTH = 16
BLOCK_LENGTH = 16


@asn1.sequence
class _HashAlgorithm:
    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null


@asn1.sequence
class _Pbkdf2Parameters:
    salt: bytes
    iterations: int
    prf: _HashAlgorithm


@asn1.sequence
class _KeyDerivation:
    algorithm: x509.ObjectIdentifier
    parameters: _Pbkdf2Parameters


@asn1.sequence
class _EncryptionScheme:
    algorithm: x509.ObjectIdentifier
    initialization_vector: bytes


@asn1.sequence
class _Pbes2Parameters:
    key_derivation: _KeyDerivation
    encryption_scheme: _EncryptionScheme


@asn1.sequence
class _EncryptionAlgorithm:
    algorithm: x509.ObjectIdentifier
    parameters: _Pbes2Parameters


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _EncryptionAlgorithm
    encrypted_data: bytes


def encrypt_pkcs8(pkcs8: bytes, passphrase: bytes, encryption: KeyEncryption) -> bytes:
    """Put a DER PrivateKeyInfo under a passphrase; returns a DER EncryptedPrivateKeyInfo (RFC 5958, section 3)."""
    cipher, kdf = CIPHERS.get(encryption.cipher), KDFS.get(encryption.kdf)
    if cipher is None or kdf is None or encryption.rounds < 1:
        raise KeyMaterialError(Diagnostic(summary=f"no key can be encrypted with {encryption}", code="key-encryption"))
    if not passphrase:
        raise KeyMaterialError(Diagnostic(summary="an empty passphrase protects nothing", code="empty-passphrase"))
    digest, prf = kdf
    salt, vector = os.urandom(SALT_LENGTH), os.urandom(BLOCK_LENGTH)
    secret = hashlib.pbkdf2_hmac(digest, passphrase, salt, encryption.rounds, cipher.key_length)
    padder = padding.PKCS7(BLOCK_LENGTH * 8).padder()
    encryptor = Cipher(AES(secret), modes.CBC(vector)).encryptor()
    encrypted = encryptor.update(padder.update(pkcs8) + padder.finalize()) + encryptor.finalize()
    oid = x509.ObjectIdentifier
    derivation = _KeyDerivation(
        algorithm=oid(PBKDF2_OID),
        parameters=_Pbkdf2Parameters(
            salt=salt,
            iterations=encryption.rounds,
            prf=_HashAlgorithm(algorithm=oid(prf), parameters=asn1.Null()),
        ),
    )
    scheme = _EncryptionScheme(algorithm=oid(cipher.oid), initialization_vector=vector)
    return asn1.encode_der(
        _EncryptedPrivateKeyInfo(
            algorithm=_EncryptionAlgorithm(
                algorithm=oid(PBES2_OID),
                parameters=_Pbes2Parameters(key_derivation=derivation, encryption_scheme=scheme),
            ),
            encrypted_data=encrypted,
        )
    )
