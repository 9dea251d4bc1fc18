"""What a key backend can do. Light to import: the tables are looked at before any key is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pkiplan.model.keys import KeySpec, ManagedKey

if TYPE_CHECKING:
    from pkiplan.x509.keys import PrivateKey, PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDestination:
    """Where a new key goes, and in which form.

    `path` is the absolute path of a file that does not exist yet; with `dir_fd`, an open directory, only its last
    component counts. `passphrase` protects the file; None makes a plain one. With `sync` the file's content is on the
    disk before `generate` returns; without, the caller sees to it.
    """

    path: str
    storage: ManagedKey
    passphrase: bytes | None = field(default=None, repr=False)
    dir_fd: int | None = None
    sync: bool = True


class KeyBackend(Protocol):
    """Makes private keys where they live, and hands out objects that sign with them, never their bytes."""

    def generate(self, spec: KeySpec, destination: KeyDestination) -> PublicKey:
        """Make a new key, never over an existing one, and make sure that it is kept; return its public half."""

    def public_key(self, path: str, passphrases: Sequence[bytes]) -> PublicKey:
        """Return the public half of a key."""

    def signing_key(self, path: str, passphrases: Sequence[bytes]) -> PrivateKey:
        """Return an object that signs with a key; each passphrase is tried in turn."""


@runtime_checkable
class ExportsKey(Protocol):
    """What only some backends can: put the private key into a file of another program."""

    def key_to_export(self, path: str, passphrases: Sequence[bytes]) -> PrivateKey:
        """Return a key whose bytes are taken and which signs nothing here."""

    def private_key_pem(self, path: str, passphrases: Sequence[bytes]) -> bytes:
        """Return a key as plain PKCS#8 in PEM."""

    def reencode(self, path: str, passphrases: Sequence[bytes], destination: KeyDestination) -> None:
        """Write the same key anew, in another form or under another passphrase; the old file stays."""
