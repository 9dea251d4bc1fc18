"""What is really there, as read and parsed; three ways for anything to be: found, missing, unreadable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from pkiplan.model.extensions import EXTENSION_OIDS, BasicConstraints, Extension, ExtensionValue
from pkiplan.model.keys import KeyEncryption, KeyForm, ObservedKeySpec, PssBond
from pkiplan.model.names import DistinguishedName

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """It is there and was understood."""

    value: T


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing is there."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something is there that cannot be used; never a reason to generate a key.

    `is_damaged`: its bytes could be read, but do not parse. Else it could not even be read (permission, a
    directory, a link that dangles or leads out of the site). `is_directory`: somebody's directory has its name, which
    nothing is written over. `is_behind_link`: a directory above it is a link, through which nothing is read or written.
    `is_closed`: no passphrase that was given opens it. `is_of_another_kind`: it is sound, but no key that can be used.
    """

    why: str
    is_damaged: bool = False
    is_directory: bool = False
    is_behind_link: bool = False
    is_closed: bool = False
    is_of_another_kind: bool = False


Observation = Found[T] | Missing | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A regular file: SHA-256 of its bytes in hex, permission bits, owner and group by number and name."""

    sha256: str
    mode: int
    uid: int
    gid: int
    owner: str
    group: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedKey:
    """A private (or external public) key file.

    `spki_sha256` and `spec` are None when the file is encrypted and nothing is remembered of it: "not checked
    without its passphrase". `encryption` is None for a plain file. `form` is None for an external public key.
    `opened_by` is the declared reference whose passphrase opens the file, None where that is not known.
    `weakness` says why anybody could sign with it, where that is known. `pss_bond` is that of
    an RSA key for RSASSA-PSS alone, as far as that is seen without a passphrase.
    """

    file: FileFacts
    spki_sha256: str | None
    spec: ObservedKeySpec | None
    form: KeyForm | None
    encryption: KeyEncryption | None = None
    weakness: str | None = None
    pss_bond: PssBond | None = None
    opened_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedCertificate:
    """A certificate, parsed.

    `subject_der` and `issuer_der` are the names as encoded. `signature_digest` is the hash's name or None
    where the algorithm brings its own; `signature_is_pss` tells RSASSA-PSS. `extensions` hold neither key
    identifier: those are `subject_key_id`, `authority_key_id`; `key_id_of_key` is what RFC 5280, 4.2.1.2 (1)
    gives for the key as the certificate encodes it, `key_id_when_signed` for the key as pkiplan encodes it: another
    one where the point is compressed. `has_foreign_aki` is true when the AKI also names issuer and serial.
    `verified_by` holds the SPKI digests of those candidate keys (its own, the declared issuer's) under which
    the signature verifies. `certificates_in_file` counts; only the first is described. `key_weakness` says why
    anybody could sign with its key, where that is known. `key_pss_bond` is that of an RSA key for RSASSA-PSS alone.
    """

    file: FileFacts
    fingerprint_sha256: str
    subject: DistinguishedName
    issuer: DistinguishedName
    subject_der: bytes
    issuer_der: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    spki_sha256: str
    key_spec: ObservedKeySpec
    signature_digest: str | None
    signature_is_pss: bool = False
    extensions: tuple[Extension, ...]
    subject_key_id: bytes | None
    authority_key_id: bytes | None
    has_foreign_aki: bool = False
    key_id_of_key: bytes
    key_id_when_signed: bytes
    verified_by: frozenset[str] = frozenset()
    version: int = 3
    certificates_in_file: int = 1
    key_weakness: str | None = None
    key_pss_bond: PssBond | None = None

    def extension(self, name: str) -> ExtensionValue | None:
        """Return the value of an extension by the manifest's word, or None."""
        oid = EXTENSION_OIDS[name]
        for extension in self.extensions:
            if extension.oid == oid:
                return extension.value
        return None

    @property
    def is_authority(self) -> bool:
        """Tell whether basic constraints say that the subject is an authority."""
        value = self.extension("basic_constraints")
        return isinstance(value, BasicConstraints) and value.is_authority


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContents:
    """What an output or chain file holds: certificates by SHA-256 fingerprint in order, and the key's SPKI digest.

    `not_checked` says why the contents could not be looked at (a passphrase would be needed); then only the
    file itself is compared. `opened_by` is the reference whose passphrase opens it, None where that is not known.
    """

    certificates: tuple[str, ...] = ()
    key_spki_sha256: str | None = None
    not_checked: str | None = None
    options: tuple[tuple[str, str | int | bool], ...] = ()
    opened_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedFile:
    """A file derived from certificates: chain, fullchain or output (by contents), or cnf (by its text's digest)."""

    file: FileFacts
    contents: OutputContents = OutputContents()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedResource:
    """What was found where a resource lives; `files` are its derived files and outputs by name.

    `directory_mode` is that of its own directory, None where there is none.
    """

    key: Observation[ObservedKey]
    certificate: Observation[ObservedCertificate]
    files: Mapping[str, Observation[ObservedFile]] = field(default_factory=dict)
    directory_mode: int | None = None


NOTHING = ObservedResource(key=Missing(), certificate=Missing())


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmanagedFile:
    """A file or directory beneath the site's directory that nothing declared explains.

    `path` is relative to the site's directory. `description` says what it seems to be (`certificate CN=x`,
    `private key`). `address` is set when it was a resource of pkiplan's (`certificate.old`), so that
    `--prune` may remove it.
    """

    path: str
    description: str
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedState:
    """Everything observed of a site.

    `issued_serials` are, by authority address, the serials in its `index.txt`. `earlier_ends` are, by authority
    address, the ends of certificates it had before (from the archive, or its issuer's `index.txt`): what was
    clamped to one of them is kept. `interrupted` tells what a journal says an earlier apply left unfinished,
    one line each.
    """

    resources: Mapping[str, ObservedResource]
    unmanaged: tuple[UnmanagedFile, ...] = ()
    issued_serials: Mapping[str, frozenset[int]] = field(default_factory=dict)
    earlier_ends: Mapping[str, frozenset[datetime]] = field(default_factory=dict)
    interrupted: tuple[str, ...] = ()

    def of(self, address: str) -> ObservedResource:
        """Return what was observed of a resource; nothing at all when it was not looked at."""
        return self.resources.get(address, NOTHING)
