"""An apply made of values: what would be there after a plan was carried out, with made-up keys and fingerprints.

It obeys the plan and nothing else, so a plan that leaves something out shows as a second plan that is not empty.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pkiplan.model.keys import ExternalKey, FileAttributes, KeyForm, ManagedKey, ObservedKeySpec
from pkiplan.model.observed import (
    FileFacts,
    Found,
    Missing,
    Observation,
    ObservedCertificate,
    ObservedFile,
    ObservedKey,
    ObservedResource,
    ObservedState,
    OutputContents,
)
from pkiplan.model.resource import CHAIN_FILE, CNF_FILE, Output, Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change, KeyStep, Plan, PlanOptions
from pkiplan.plan.name_encoding import encode_name
from tests.plan.both_ways import planned_both_ways
from tests.plan.sites import NOW, P256

NOTHING_THERE = ObservedState(resources={})


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def cnf_digests(site: Site) -> dict[str, str]:
    """Give each resource a digest of its cnf that follows what is declared, as a rendered one does."""
    return {
        resource.address: digest("cnf", resource.subject, resource.extensions, resource.issuer) for resource in site
    }


@dataclass
class Disk:
    """What lies on an imagined disk, and which key signed which certificate.

    `closed` are the keys within encrypted files that nobody can look into.
    """

    resources: dict[str, ObservedResource] = field(default_factory=dict)
    signers: dict[str, str] = field(default_factory=dict)
    ends: dict[str, frozenset[datetime]] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def observe(self, site: Site) -> ObservedState:
        """Look at everything; each signature is tried with the certificate's own and the issuer's keys."""
        return ObservedState(
            resources={resource.address: self._verified(site, resource) for resource in site},
            earlier_ends=dict(self.ends),
        )

    def _verified(self, site: Site, resource: Resource) -> ObservedResource:
        found = self.resources.get(resource.address, ObservedResource(key=Missing(), certificate=Missing()))
        if not isinstance(found.certificate, Found):
            return found
        certificate = found.certificate.value
        candidates = {certificate.spki_sha256}
        if resource.issuer is not None:
            candidates |= keys_of(self.resources.get(resource.issuer))
        verified_by = candidates & {self.signers.get(certificate.fingerprint_sha256, "")}
        return replace(found, certificate=Found(replace(certificate, verified_by=frozenset(verified_by))))

    def apply(self, site: Site, plan: Plan, digests: Mapping[str, str] | None = None) -> None:
        """Carry out what a plan says, in its order."""
        assert not plan.refusals
        texts = cnf_digests(site) if digests is None else digests
        for change in plan.pending:
            if change.action is Action.REMOVE:
                continue
            resource = site.resources[change.address]
            self._apply_key(resource, change)
            if change.signs:
                self._sign(site, resource, change, plan.made_at)
            if change.rewrites_certificate:
                self._rewrite(resource)
            for path in change.files:
                self._write_file(site, resource, path, texts)

    def of(self, address: str) -> ObservedResource:
        return self.resources.get(address, ObservedResource(key=Missing(), certificate=Missing()))

    def _put(self, address: str, **changes: object) -> None:
        self.resources[address] = replace(self.of(address), **changes)  # type: ignore[arg-type]

    def _apply_key(self, resource: Resource, change: Change) -> None:
        if change.key is KeyStep.KEEP:
            return
        assert isinstance(resource.key, ManagedKey)
        assert not resource.key.is_adopted
        declared = resource.key
        if change.key is KeyStep.GENERATE:
            spki: str | None = digest("key", next(self.numbers))
            spec: ObservedKeySpec | None = declared.spec
        else:
            key = self.of(resource.address).key
            assert isinstance(key, Found)
            spki, spec = key.value.spki_sha256, key.value.spec
        self._put(
            resource.address,
            key=Found(
                ObservedKey(
                    file=facts(declared.attributes, spki or ""),
                    spki_sha256=spki,
                    spec=spec,
                    form=KeyForm.PKCS8 if declared.is_encrypted else declared.form,
                    encryption=declared.encryption if declared.is_encrypted else None,
                    opened_by=str(declared.passphrases[0]) if declared.is_encrypted else None,
                )
            ),
        )

    def _sign(self, site: Site, resource: Resource, change: Change, made_at: datetime) -> None:
        key = self.of(resource.address).key
        assert isinstance(key, Found), f"{resource.address} has no key to sign for"
        before = self.of(resource.address).certificate
        spki, spec = key.value.spki_sha256, key.value.spec
        if spki is None:
            assert isinstance(resource.key, ManagedKey)
            spki, spec = self.closed[resource.address], resource.key.spec
        assert spec is not None
        key_id = hashlib.sha1(spki.encode()).digest()
        subject_der = encode_name(resource.subject)
        issuer, issuer_der, signer, issuer_key_id = resource.subject, subject_der, spki, key_id
        if resource.issuer is not None:
            above = self.of(resource.issuer)
            assert isinstance(above.certificate, Found), f"{resource.issuer} has no certificate to sign with"
            assert isinstance(above.key, Found), f"{resource.issuer} has no key to sign with"
            issuer, issuer_der = above.certificate.value.subject, above.certificate.value.subject_der
            signer = above.key.value.spki_sha256 or self.closed[resource.issuer]
            issuer_key_id = above.certificate.value.subject_key_id or b""
            assert change.not_after is not None
            assert change.not_after <= above.certificate.value.not_after
        assert change.not_before is not None
        assert change.not_after is not None
        if resource.is_authority and isinstance(before, Found):
            self.ends[resource.address] = self.ends.get(resource.address, frozenset()) | {before.value.not_after}
        serial = next(self.numbers)
        fingerprint = digest("certificate", serial)
        self.signers[fingerprint] = signer
        certificate = ObservedCertificate(
            file=facts(resource.attributes, fingerprint),
            fingerprint_sha256=fingerprint,
            subject=resource.subject,
            issuer=issuer,
            subject_der=subject_der,
            issuer_der=issuer_der,
            serial=serial,
            not_before=change.not_before,
            not_after=change.not_after,
            spki_sha256=spki,
            key_spec=spec,
            signature_digest=resource.digest,
            signature_is_pss=resource.rsa_pss,
            extensions=resource.extensions,
            subject_key_id=key_id,
            authority_key_id=issuer_key_id,
            key_id_of_key=key_id,
            key_id_when_signed=key_id,
        )
        self._put(resource.address, certificate=Found(certificate))

    def _rewrite(self, resource: Resource) -> None:
        certificate = self.of(resource.address).certificate
        assert isinstance(certificate, Found)
        file = facts(resource.attributes, certificate.value.fingerprint_sha256)
        self._put(resource.address, certificate=Found(replace(certificate.value, file=file, certificates_in_file=1)))

    def _write_file(self, site: Site, resource: Resource, path: str, texts: Mapping[str, str]) -> None:
        output = next((output for output in resource.outputs if output.path == path), None)
        attributes = output.attributes if output else resource.attributes
        if path == CNF_FILE:
            file = ObservedFile(file=facts(attributes, texts.get(resource.address, "")))
        else:
            contents = self._contents(site, resource, path, output)
            file = ObservedFile(file=facts(attributes, repr(contents)), contents=contents)
        self._put(resource.address, files={**self.of(resource.address).files, path: Found(file)})

    def _contents(self, site: Site, resource: Resource, path: str, output: Output | None) -> OutputContents:
        own = _certificate(self.of(resource.address))
        chain = tuple(
            _certificate(self.of(above.address)).fingerprint_sha256 for above in site.served_chain_of(resource)
        )
        if output is None:
            mine = () if path == CHAIN_FILE else (own.fingerprint_sha256,)
            return OutputContents(certificates=mine + chain)
        match output.format:
            case "der":
                return OutputContents(certificates=(own.fingerprint_sha256,))
            case "pem-chain":
                return OutputContents(certificates=(own.fingerprint_sha256, *chain))
            case _:
                above = chain if dict(output.options).get("chain", True) else ()
                return OutputContents(
                    certificates=(own.fingerprint_sha256, *above),
                    key_spki_sha256=own.spki_sha256,
                    options=output.options,
                )


def facts(attributes: FileAttributes, sha256: str) -> FileFacts:
    owner, group = attributes.owner or "root", attributes.group or "root"
    return FileFacts(sha256=sha256, mode=attributes.mode, uid=0, gid=0, owner=owner, group=group)


def keys_of(found: ObservedResource | None) -> set[str]:
    """List the keys that are known of an authority: of its key file and of its certificate."""
    if found is None:
        return set()
    keys = {found.certificate.value.spki_sha256} if isinstance(found.certificate, Found) else set()
    if isinstance(found.key, Found) and found.key.value.spki_sha256 is not None:
        keys.add(found.key.value.spki_sha256)
    return keys


def _certificate(found: ObservedResource) -> ObservedCertificate:
    assert isinstance(found.certificate, Found)
    return found.certificate.value


@dataclass
class World:
    """A site and its disk, with the few words that a test needs."""

    site: Site
    disk: Disk = field(default_factory=Disk)
    now: datetime = NOW

    @classmethod
    def applied(cls, site: Site, now: datetime = NOW) -> World:
        """Give a site that was applied from nothing."""
        world = cls(site, now=now)
        for resource in site:
            if isinstance(resource.key, ExternalKey):
                world.give_key(resource)
        world.apply()
        return world

    def give_key(self, resource: Resource) -> None:
        """Put a public key, or a key to adopt, where a resource expects it."""
        number = next(self.disk.numbers)
        spec = resource.key.spec if isinstance(resource.key, ManagedKey) else None
        key = ObservedKey(
            file=FileFacts(sha256=digest(number), mode=0o600, uid=0, gid=0, owner="root", group="root"),
            spki_sha256=digest("key", number),
            spec=spec or P256,
            form=KeyForm.PKCS8 if spec else None,
        )
        self.disk._put(resource.address, key=Found(key))

    def plan(self, **options: object) -> Plan:
        """Plan what the world needs now."""
        return self.plan_of(self.site, **options)

    def plan_of(self, site: Site, **options: object) -> Plan:
        """Plan another site over the same disk."""
        return planned_both_ways(
            site,
            self.disk.observe(site),
            self.now,
            options=PlanOptions(**options),  # type: ignore[arg-type]
            cnf_digests=cnf_digests(site),
        )

    def apply(self, **options: object) -> Plan:
        """Plan and apply."""
        plan = self.plan(**options)
        self.disk.apply(self.site, plan)
        return plan

    def pass_days(self, number: float) -> None:
        self.now += timedelta(days=number)

    def key(self, address: str) -> ObservedKey:
        key = self.disk.of(address).key
        assert isinstance(key, Found)
        return key.value

    def certificate(self, address: str) -> ObservedCertificate:
        return _certificate(self.disk.of(address))

    def set_key(self, address: str, key: Observation[ObservedKey]) -> None:
        self.disk._put(address, key=key)

    def set_certificate(self, address: str, certificate: Observation[ObservedCertificate]) -> None:
        self.disk._put(address, certificate=certificate)

    def set_file(self, address: str, path: str, file: Observation[ObservedFile]) -> None:
        self.disk._put(address, files={**self.disk.of(address).files, path: file})

    def edit_key(self, address: str, **changes: object) -> None:
        self.set_key(address, Found(replace(self.key(address), **changes)))  # type: ignore[arg-type]

    def edit_certificate(self, address: str, **changes: object) -> None:
        """Change what the certificate says; it stays signed by the key that signed it."""
        self.set_certificate(address, Found(replace(self.certificate(address), **changes)))  # type: ignore[arg-type]

    def file(self, address: str, path: str) -> ObservedFile:
        file = self.disk.of(address).files[path]
        assert isinstance(file, Found)
        return file.value
