"""What a key shall be, and in which form its file shall hold it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pkiplan.model.secret_references import SecretReference


@dataclass(frozen=True, slots=True)
class RsaKeySpec:
    """An RSA key (RFC 8017) by modulus size in bits; the public exponent is 65537."""

    size: int

    def __str__(self) -> str:
        return f"rsa {self.size}"


@dataclass(frozen=True, slots=True)
class PssBond:
    """What binds an RSA key to RSASSA-PSS (RFC 4055, 1.2): over one `digest` alone (3.3), or over any if it is None.

    `is_usual` is false where it asks for what pkiplan does not sign with: another digest in MGF1, or a longer salt.
    """

    digest: str | None = None
    is_usual: bool = True


class Curve(StrEnum):
    """The NIST curves of FIPS 186-5 that pkiplan makes keys on."""

    P256 = "P-256"
    P384 = "P-384"
    P521 = "P-521"


@dataclass(frozen=True, slots=True)
class EcKeySpec:
    """An ECDSA key on a named curve (RFC 5480)."""

    curve: Curve

    def __str__(self) -> str:
        return f"ecdsa {self.curve.value}"


@dataclass(frozen=True, slots=True)
class EdKeySpec:
    """An Ed25519 or Ed448 key (RFC 8410); `algorithm` is `ed25519` or `ed448`."""

    algorithm: str

    def __str__(self) -> str:
        return self.algorithm


@dataclass(frozen=True, slots=True)
class MlDsaKeySpec:
    """An ML-DSA key (FIPS 204, RFC 9881) by parameter set: 44, 65 or 87."""

    parameter_set: int

    def __str__(self) -> str:
        return f"ml-dsa-{self.parameter_set}"


@dataclass(frozen=True, slots=True)
class OtherKey:
    """A key that was observed but that no manifest can declare, such as DSA or brainpool curves."""

    description: str

    def __str__(self) -> str:
        return self.description


KeySpec = RsaKeySpec | EcKeySpec | EdKeySpec | MlDsaKeySpec
ObservedKeySpec = KeySpec | OtherKey


_DIGESTS_BY_CURVE = {Curve.P256: "sha256", Curve.P384: "sha384", Curve.P521: "sha512"}


def usual_digest(signer: ObservedKeySpec | None) -> str | None:
    """Return the hash that a key signs over where none is asked for.

    None for Ed25519, Ed448 and ML-DSA, which bring their own (RFC 8410, 3; RFC 9881, 2).
    """
    match signer:
        case RsaKeySpec():
            return "sha256"
        case EcKeySpec(curve):
            return _DIGESTS_BY_CURVE[curve]
    return None


def digest_under(signer: ObservedKeySpec, digest: str | None, declared_signer: KeySpec | None) -> str | None:
    """Return the hash that a key signs over while the one that is declared in its place cannot be made yet."""
    if isinstance(signer, OtherKey):
        return digest
    usual = usual_digest(signer)
    return usual if usual is None or digest in (None, usual_digest(declared_signer)) else digest


class KeyForm(StrEnum):
    """How a private key is laid out in its PEM file (RFC 5958, RFC 8017 A.1.2, RFC 5915)."""

    PKCS8 = "pkcs8"
    PKCS1 = "pkcs1"
    SEC1 = "sec1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEncryption:
    """How an encrypted PKCS#8 file is protected (RFC 8018, PBES2)."""

    cipher: str = "aes-256-cbc"
    kdf: str = "pbkdf2-hmac-sha256"
    rounds: int = 600_000

    def __str__(self) -> str:
        return f"{self.cipher}, {self.kdf}, {self.rounds} rounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAttributes:
    """Mode and owner that a file shall have; an owner or group of None is not looked at.

    Owner and group are names or decimal numbers, as text.
    """

    mode: int
    owner: str | None = None
    group: str | None = None


PRIVATE_FILE = FileAttributes(mode=0o600)
PUBLIC_FILE = FileAttributes(mode=0o644)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedKey:
    """A private key that pkiplan generates, reads and signs with.

    `path` is relative to the resource's directory, or absolute when an existing key is adopted
    (`is_adopted`: read where it lies; never generated, rewritten or moved). `passphrases` are tried in turn
    when opening and the first is used for writing; none means a plain file.
    `plain_is_intended` records `passphrase: none`, which silences the warning about an authority; with passphrases
    beside it (`[none, {env: OLD}]`) a plain file is written, and they open the encrypted one it comes from.
    """

    spec: KeySpec
    path: str = "key.pem"
    is_adopted: bool = False
    form: KeyForm = KeyForm.PKCS8
    encryption: KeyEncryption = KeyEncryption()
    passphrases: tuple[SecretReference, ...] = ()
    plain_is_intended: bool = False
    attributes: FileAttributes = PRIVATE_FILE
    backend: str = "files"

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the file shall be encrypted."""
        return bool(self.passphrases) and not self.plain_is_intended

    @property
    def written_with(self) -> tuple[SecretReference, ...]:
        """Return the passphrase that protects the file when it is written, if any does."""
        return self.passphrases[:1] if self.is_encrypted else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalKey:
    """Only the public half is here: `path` holds a public key (SPKI PEM) or a PKCS#10 request.

    `path` is absolute, or relative to the resource's directory. A request gives nothing but its key, and
    its signature is checked as proof of possession. `spec` is None where the manifest does not say what the
    key is.
    """

    path: str
    is_request: bool
    spec: KeySpec | None = None


KeySource = ManagedKey | ExternalKey
