"""Make a private key where it will wait for its switch: a new one, or the same one in another form."""

from __future__ import annotations

import hashlib

from cryptography.x509 import Certificate

from pkiplan.apply.file_writes import FileWrite
from pkiplan.apply.staging import Stage
from pkiplan.apply.work import Work, exporting, naming_passphrases, read_absolute
from pkiplan.cache.memory import KeyFacts
from pkiplan.errors import PkiplanError
from pkiplan.key_backends.base import KeyDestination
from pkiplan.model.keys import KeyForm, KeySpec, ManagedKey, ObservedKeySpec, RsaKeySpec
from pkiplan.model.observed import Found, ObservedKey
from pkiplan.model.resource import Resource
from pkiplan.plan.changes import Change, KeyStep
from pkiplan.x509.keys import public_key_facts

# Measured in 2026: 0.03 s in the mean; four of five take no longer than this.
RSA_2048_SECONDS = 0.06
# Of what takes less, nobody asks how long it takes.
WORTH_TELLING = 3.0


def told(resource: Resource, change: Change) -> str:
    """Say what is being made, for people who wait for it."""
    if not isinstance(resource.key, ManagedKey):
        return ""
    if change.key is not KeyStep.GENERATE:
        return f"rewriting {resource.key.spec}"
    seconds = _usual_seconds(resource.key.spec)
    return f"generating {resource.key.spec}" + (f", usually within {seconds:.0f} s" if seconds >= WORTH_TELLING else "")


def _usual_seconds(spec: KeySpec) -> float:
    """Estimate in how many seconds four of five keys are made, by what one processor of today takes.

    Finding primes of a length costs its fourth power: so many numbers to try, each tried in the third power.
    """
    return RSA_2048_SECONDS * (spec.size / 2048) ** 4 if isinstance(spec, RsaKeySpec) else 0.0


def make_key(work: Work, resource: Resource, change: Change) -> None:
    """Make the key that a change asks for; the one in use stays untouched."""
    key = resource.key
    if not isinstance(key, ManagedKey) or key.is_adopted:
        raise PkiplanError.of(f"{resource.address}: its key is not pkiplan's to make", code="key-elsewhere")
    if change.key is KeyStep.GENERATE:
        _generate(work, resource, key)
    else:
        _reencode(work, resource, key)


def remember_new_key(work: Work, resource: Resource, certificate: Certificate) -> None:
    """Remember what a new key file holds, where it is encrypted: the key that the certificate is for."""
    if isinstance(resource.key, ManagedKey) and resource.key.is_encrypted:
        remember_key(work, resource, *public_key_facts(certificate.public_key()))


def remember_key(work: Work, resource: Resource, spec: ObservedKeySpec, spki_sha256: str) -> None:
    """Remember what an encrypted key file holds, so that `plan` can check it without its passphrase."""
    key = resource.key
    if not isinstance(key, ManagedKey) or not key.is_encrypted:
        return
    content = work.stage_of(resource.address).read_new(key.path)
    work.memory.remember_key(
        hashlib.sha256(content).hexdigest(),
        "key",
        KeyFacts(
            form=KeyForm.PKCS8,
            encryption=key.encryption,
            spki_sha256=spki_sha256,
            spec=spec,
            opened_by=str(key.passphrases[0]),
            tried=tuple(str(reference) for reference in key.passphrases),
        ),
    )


def _generate(work: Work, resource: Resource, key: ManagedKey) -> None:
    from pkiplan.key_backends import KEY_BACKENDS

    passphrase = work.first_secret(key.written_with)
    stage = work.stage_of(resource.address)
    with stage.new_file(key.path) as (parent, _):
        public_key = KEY_BACKENDS[key.backend].generate(key.spec, _destination(key, passphrase, stage, parent))
    if passphrase is None:
        # One under a passphrase is opened with it before anything is signed for it.
        work.remember_public_key(resource, public_key)


def _reencode(work: Work, resource: Resource, key: ManagedKey) -> None:
    """Write the same key again; its bytes are copied where only mode or owner differ, so nothing must be opened."""
    observed = work.observed.of(resource.address).key
    if not isinstance(observed, Found):
        raise PkiplanError.of(f"{resource.address}: there is no key to rewrite", code="key-missing")
    stage = work.stage_of(resource.address)
    if is_stored_as_declared(key, observed.value):
        content = read_absolute(work.key_path(resource))
        write = FileWrite(name=key.path, content=content, attributes=key.attributes, place=resource.place)
        stage.write(write, work.placement(key.attributes, resource))
        return
    backend = exporting(key)
    path, passphrases = work.key_path(resource), work.passphrases(resource)
    passphrase = work.first_secret(key.written_with)
    with stage.new_file(key.path) as (parent, _), naming_passphrases(key):
        backend.reencode(path, passphrases, _destination(key, passphrase, stage, parent))
    if observed.value.spec is not None and observed.value.spki_sha256 is not None:
        remember_key(work, resource, observed.value.spec, observed.value.spki_sha256)


def is_stored_as_declared(key: ManagedKey, observed: ObservedKey) -> bool:
    """Tell whether a key file is as declared but for its mode and owner, so that it needs not be opened."""
    if key.is_encrypted and observed.opened_by not in (None, str(key.passphrases[0])):
        return False
    # An encrypted key is PKCS#8 whatever form is declared (RFC 5958, 3).
    form = KeyForm.PKCS8 if key.is_encrypted else key.form
    return observed.encryption == (key.encryption if key.is_encrypted else None) and observed.form == form


def _destination(key: ManagedKey, passphrase: bytes | None, stage: Stage, parent: int) -> KeyDestination:
    # It is put on the disk with everything else of its group, before anything is switched.
    path = stage.path_of_new(key.path)
    return KeyDestination(path=path, storage=key, passphrase=passphrase, dir_fd=parent, sync=False)
