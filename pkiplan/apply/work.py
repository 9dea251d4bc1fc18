"""What one apply works with: the site, what was observed, secrets, the tree, and the authorities' keys while needed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from pkiplan.apply.ca_database import CaDatabase, database_of
from pkiplan.apply.filesystem import Placement
from pkiplan.apply.generations import Generation
from pkiplan.apply.ownership import placement_of
from pkiplan.apply.staging import Stage
from pkiplan.apply.tree import Tree
from pkiplan.cache.memory import Memory
from pkiplan.errors import WRONG_PASSPHRASE, PkiplanError, SecretError
from pkiplan.model.keys import FileAttributes, ManagedKey, ObservedKeySpec
from pkiplan.model.observed import Found, ObservedState
from pkiplan.model.resource import Resource
from pkiplan.model.secret_references import SecretReference
from pkiplan.model.site import Site
from pkiplan.plan.attributes import directory_attributes
from pkiplan.plan.changes import Change, KeyStep
from pkiplan.secrets import SecretResolver

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from pkiplan.key_backends.base import ExportsKey
    from pkiplan.x509.keys import PrivateKey, PublicKey


@dataclass(slots=True)
class Work:
    """The tools and the memory of one apply; every method may be called from several threads."""

    site: Site
    observed: ObservedState
    now: datetime
    resolver: SecretResolver
    cnf_text: Callable[[Resource], str]
    tree: Tree
    generation: Generation
    changes: dict[str, Change]
    memory: Memory
    _stages: dict[str, Stage] = field(default_factory=dict)
    _certificates: dict[str, Certificate] = field(default_factory=dict)
    _signing_keys: dict[str, PrivateKey] = field(default_factory=dict)
    _signing_specs: dict[str, ObservedKeySpec] = field(default_factory=dict)
    _databases: dict[str, CaDatabase] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _opening: dict[str, threading.Lock] = field(default_factory=dict)

    def stage_of(self, address: str) -> Stage:
        """Return where the new files of a resource wait."""
        with self._lock:
            if address not in self._stages:
                resource = self.site.resources[address]
                placement = placement_of(directory_attributes(resource), resource.place)
                self._stages[address] = Stage(self.tree, resource, self.generation, placement)
            return self._stages[address]

    def forget_stage(self, address: str) -> None:
        """Drop what is remembered of a resource that is finished."""
        with self._lock:
            self._stages.pop(address, None)

    def secrets(self, references: Sequence[SecretReference]) -> tuple[bytes, ...]:
        """Resolve references; each is asked for once in a run."""
        return self.resolver.resolve_all(references, base=self.site.base)

    def first_secret(self, references: Sequence[SecretReference]) -> bytes | None:
        """Resolve the reference that is used for writing, or return None where there is none."""
        return self.secrets(references[:1])[0] if references else None

    def placement(self, attributes: FileAttributes, resource: Resource) -> Placement:
        """Turn declared attributes into numbers."""
        return placement_of(attributes, resource.place)

    def key_path(self, resource: Resource) -> str:
        """Return the absolute path where a resource's key lies now: waiting for its switch, or in its place."""
        change = self.changes.get(resource.address)
        stage = self._stages.get(resource.address)
        if change is not None and change.key is not KeyStep.KEEP and stage and stage.has_new(resource.key.path):
            return stage.path_of_new(resource.key.path)
        # Where observation found it: the links on the way are pkiplan's own, or inside of the site.
        return os.path.realpath(self.site.path(resource, resource.key.path))

    def remember_public_key(self, resource: Resource, public_key: PublicKey) -> None:
        """Keep the public half of a new key until its certificate is made for it."""
        from pkiplan.x509.keys import spki_der

        self.stage_of(resource.address).public_key = spki_der(public_key)

    def public_key(self, resource: Resource) -> PublicKey:
        """Return the public key that a resource's certificate is made for: the one just made, else as it lies there."""
        key = resource.key
        stage = self._stages.get(resource.address)
        if stage is not None and stage.public_key is not None:
            from pkiplan.x509.keys import public_key_of_spki

            made, stage.public_key = stage.public_key, None
            return public_key_of_spki(made)
        if isinstance(key, ManagedKey):
            from pkiplan.key_backends import KEY_BACKENDS

            with naming_passphrases(key):
                return KEY_BACKENDS[key.backend].public_key(self.key_path(resource), self.passphrases(resource))
        from pkiplan.x509.parse import load_public_key, load_request

        data = read_absolute(self.site.path(resource, key.path))
        return load_request(data) if key.is_request else load_public_key(data)

    def passphrases(self, resource: Resource) -> tuple[bytes, ...]:
        """Resolve what may open a resource's key, if anything is needed for that."""
        key = resource.key
        if not isinstance(key, ManagedKey) or not self.is_encrypted(resource):
            return ()
        return self.secrets(key.passphrases)

    def is_encrypted(self, resource: Resource) -> bool:
        """Tell whether a resource's key file, as it lies now, needs a passphrase."""
        key = resource.key
        assert isinstance(key, ManagedKey)
        change = self.changes.get(resource.address)
        stage = self._stages.get(resource.address)
        if change is not None and change.key is not KeyStep.KEEP and stage and stage.has_new(key.path):
            return key.is_encrypted
        observed = self.observed.of(resource.address).key
        return isinstance(observed, Found) and observed.value.encryption is not None

    def private_key(self, resource: Resource) -> PrivateKey:
        """Open a resource's private key to sign with it."""
        from pkiplan.key_backends import KEY_BACKENDS

        key = _key_here(resource)
        with naming_passphrases(key):
            return KEY_BACKENDS[key.backend].signing_key(self.key_path(resource), self.passphrases(resource))

    def key_to_export(self, resource: Resource) -> PrivateKey:
        """Open a resource's private key to write it into another file."""
        key = _key_here(resource)
        with naming_passphrases(key):
            return exporting(key).key_to_export(self.key_path(resource), self.passphrases(resource))

    def signing_key(self, authority: Resource) -> PrivateKey:
        """Open an authority's key, once for everything it signs in this run."""
        with self._lock:
            opening = self._opening.setdefault(authority.address, threading.Lock())
        # Opening takes a third of a second by design (PBKDF2); others must not open it a second time meanwhile.
        with opening:
            if authority.address not in self._signing_keys:
                self._signing_keys[authority.address] = self.private_key(authority)
            return self._signing_keys[authority.address]

    def signing_spec(self, authority: Resource) -> ObservedKeySpec:
        """Describe the key that an authority signs with in this run."""
        if authority.address not in self._signing_specs:
            from pkiplan.x509.keys import key_spec

            self._signing_specs[authority.address] = key_spec(self.signing_key(authority).public_key())
        return self._signing_specs[authority.address]

    def forget_signing_key(self, address: str) -> None:
        """Drop an authority's key: nothing waits for its signature any more."""
        self._signing_keys.pop(address, None)
        self._signing_specs.pop(address, None)

    def forget_everything(self) -> None:
        """Drop all keys."""
        self._signing_keys.clear()
        self._signing_specs.clear()

    def remember_certificate(self, resource: Resource, certificate: Certificate) -> None:
        """Keep a new certificate of an authority, for what is signed and served beneath it."""
        if resource.is_authority:
            self._certificates[resource.address] = certificate

    def certificate_of(self, resource: Resource) -> Certificate:
        """Return a resource's certificate: the new one, or the one in its place."""
        known = self._certificates.get(resource.address)
        if known is not None:
            return known
        from pkiplan.x509.parse import load_pem_certificates

        certificate = load_pem_certificates(read_absolute(self.site.certificate_path(resource)))[0]
        self.remember_certificate(resource, certificate)
        return certificate

    def database_of(self, authority: Resource) -> CaDatabase:
        """Return an authority's CA database."""
        with self._lock:
            if authority.address not in self._databases:
                known = self.observed.issued_serials.get(authority.address, frozenset())
                self._databases[authority.address] = database_of(self.tree, authority, self.generation.run, known)
            return self._databases[authority.address]

    def withdraw_databases(self) -> None:
        """Remove the databases that this run began, because nothing of it will be published."""
        for database in list(self._databases.values()):
            database.withdraw()

    def databases(self) -> list[CaDatabase]:
        """List the databases that something was entered into."""
        return list(self._databases.values())


def exporting(key: ManagedKey) -> ExportsKey:
    """Return the backend of a key that is to be written into another file; raise where it never leaves its place."""
    from pkiplan.key_backends import KEY_BACKENDS
    from pkiplan.key_backends.base import ExportsKey

    backend = KEY_BACKENDS[key.backend]
    if not isinstance(backend, ExportsKey):
        raise PkiplanError.of(f"a key in `{key.backend}` cannot leave it", code="key-elsewhere")
    return backend


def _key_here(resource: Resource) -> ManagedKey:
    if not isinstance(resource.key, ManagedKey):
        raise PkiplanError.of(f"{resource.address}: its private key is not here", code="key-elsewhere")
    return resource.key


@contextlib.contextmanager
def naming_passphrases(key: ManagedKey) -> Iterator[None]:
    """Name the references, never the values, where no passphrase opens a key."""
    try:
        yield
    except SecretError as error:
        names = ", ".join(str(reference) for reference in key.passphrases)
        raise SecretError(
            *(
                replace(told, summary=f"{told.summary}: {names}") if told.code == WRONG_PASSPHRASE else told
                for told in error.diagnostics
            )
        ) from None


def read_absolute(path: str) -> bytes:
    """Read a file that observation found sound before."""
    from pkiplan.model.tree import LARGEST_PEM

    with open(path, "rb") as file:
        return file.read(LARGEST_PEM + 1)
