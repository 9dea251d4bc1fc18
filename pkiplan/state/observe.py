"""Look at a whole site: every declared file is read and described; nothing is written and no secret is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pkiplan.cache import Cache
from pkiplan.cache.memory import Learnt, Memory
from pkiplan.errors import PkiplanError
from pkiplan.model.observed import (
    Found,
    Missing,
    Observation,
    ObservedCertificate,
    ObservedFile,
    ObservedKey,
    ObservedResource,
    ObservedState,
    Unreadable,
)
from pkiplan.model.resource import CERTIFICATE_FILE, CNF_FILE, FULLCHAIN_FILE, Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import ARCHIVE_DIRECTORY, DATA_LINK, INDEX_FILE, LARGEST_INDEX, LARGEST_PEM, archive_path
from pkiplan.plan.files import file_attributes
from pkiplan.state.inspect import (
    Candidate,
    Declared,
    OpenWith,
    candidate_of_certificate,
    candidate_of_key,
    inspect_certificate,
    inspect_chain,
    inspect_key,
    inspect_output,
    inspect_text,
)
from pkiplan.state.interrupted import read_journal
from pkiplan.state.read import Reader, ResourceDirectory
from pkiplan.state.regular_files import FileBytes, called_as_declared
from pkiplan.state.side_by_side import parts_of, side_by_side
from pkiplan.state.unmanaged import find_unmanaged

if TYPE_CHECKING:
    from pkiplan.render.ca_database import IndexEntry
    from pkiplan.x509.as_declared import AsDeclared

# A running apply switches an authority in milliseconds; who is unlucky so often in a row meets a crashed one.
MOST_ATTEMPTS = 5

# In a site of so many resources all facts are remembered; in a larger one those that take longer to find out.
SMALL_SITE = 200


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed, and the digest of each file it was observed in: SHA-256, `missing` or `unreadable`."""

    state: ObservedState
    digests: Mapping[str, str]


def observe_site(site: Site, *, cache: Cache | None, open_with: OpenWith | None = None) -> Observed:
    """Look at everything a site declares.

    `open_with` resolves references to passphrases so that encrypted files can be checked; without it they are only
    described, or remembered. Needs no lock: each resource is seen as it was before or after a change, never between.
    """
    memory = Memory(cache, keeps_all=len(site.resources) <= SMALL_SITE)
    resources: dict[str, ObservedResource] = {}
    digests: dict[str, str] = {}
    look = _Look(site, memory, open_with)
    for looked_at, seen in look.at_all():
        resources[looked_at.address] = seen.resource
        digests.update(zip(_paths(site, looked_at), seen.digests, strict=True))
    journal = read_journal(site)
    reader = Reader(site, journal.staged)
    indexes = {
        address: entries
        for address, entries in _indexes(site, reader).items()
        if not (site.resources[address].directory in journal.begun and _is_gone(resources[address]))
    }
    return Observed(
        state=ObservedState(
            resources=resources,
            unmanaged=find_unmanaged(site, reader),
            issued_serials={
                address: frozenset(entry.serial for entry in entries) for address, entries in indexes.items()
            },
            earlier_ends=_earlier_ends(site, reader, memory, indexes, resources),
            interrupted=journal.interrupted,
        ),
        digests=digests,
    )


def _is_gone(resource: ObservedResource) -> bool:
    return isinstance(resource.key, Missing) and isinstance(resource.certificate, Missing)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One resource as seen, the digests of its files in the order of `_paths`, and what may have signed beneath it."""

    resource: ObservedResource
    digests: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()


def _paths(site: Site, resource: Resource) -> list[str]:
    names = [resource.key.path, resource.certificate_file, *site.derived_files(resource)]
    return [site.path(resource, name) for name in (*names, *(output.path for output in resource.outputs))]


class _Look:
    """Looks at the resources of a site."""

    def __init__(self, site: Site, memory: Memory, open_with: OpenWith | None) -> None:
        self._site = site
        self._memory = memory
        self._open_with = open_with
        self._signers: dict[str, tuple[Candidate, ...]] = {}
        self._as_declared: AsDeclared | None = None

    def at_all(self) -> Iterator[tuple[Resource, _Seen]]:
        """Look at everything: authorities in this process, certificates in several where they are many."""
        certificates: list[Resource] = []
        for resource in self._site:
            if resource.is_authority:
                seen = self._at_authority(resource)
                self._signers[resource.address] = seen.candidates
                yield resource, seen
            else:
                certificates.append(resource)
        # Who resolves secrets asks for each once, which several processes cannot.
        parts = parts_of(certificates) if self._open_with is None else [certificates]
        for part, (all_seen, learnt) in zip(parts, side_by_side(self._at_certificates, parts), strict=True):
            yield from zip(part, all_seen, strict=True)
            self._memory.learn(learnt)

    def _at_certificates(self, certificates: Sequence[Resource]) -> tuple[list[_Seen], Learnt]:
        """Look at certificates that mostly lie beside each other, and tell what was learnt for the next time."""
        seen: list[_Seen] = []
        with contextlib.closing(Reader(self._site, {})) as reader:
            for certificate in certificates:
                # An apply switches all of its files at once; so often in a row no other one comes.
                for _ in range(MOST_ATTEMPTS):
                    with reader.resource_beside(certificate.directory) as directory:
                        one = self._in(directory, certificate)
                        if "missing" not in one.digests or not directory.has_moved_on():
                            break
                seen.append(one)
        return seen, self._memory.learnt()

    def _at_authority(self, authority: Resource) -> _Seen:
        """Look at an authority, whose files an apply switches one by one, under the journal."""
        for _ in range(MOST_ATTEMPTS):
            journal = read_journal(self._site)
            with Reader(self._site, journal.staged).resource(authority.directory) as directory:
                seen = self._in(directory, authority)
            if journal.digest == read_journal(self._site).digest:
                break
        return seen

    def _declared(self, resource: Resource) -> Declared | None:
        """Say what a certificate shall be, where others are alike."""
        if resource.is_authority or self._memory.keeps_all:
            return None
        if self._as_declared is None:
            from pkiplan.x509.as_declared import AsDeclared

            self._as_declared = AsDeclared()
        return Declared(resource, self._as_declared)

    def _in(self, directory: ResourceDirectory, resource: Resource) -> _Seen:
        site, memory, open_with = self._site, self._memory, self._open_with
        digests: list[str] = []

        def read(name: str) -> Observation[FileBytes]:
            found = directory.read(name)
            digests.append(_digest(found))
            return called_as_declared(found, file_attributes(resource, name))

        key_bytes = read(resource.key.path)
        if isinstance(key_bytes, Missing) and not resource.is_authority:
            key_bytes = _left_behind(site, resource, directory) or key_bytes
        key = inspect_key(key_bytes, resource.key, memory, open_with)
        certificate_bytes = read(resource.certificate_file)
        candidates = self._signers.get(resource.issuer, ()) if resource.issuer is not None else ()
        certificate = inspect_certificate(certificate_bytes, candidates, memory, self._declared(resource))
        files: dict[str, Observation[ObservedFile]] = {}
        # What a full chain is put together of, as far as it has been seen.
        parts = _parts_of_chain(certificate_bytes, certificate)
        for name in site.derived_files(resource):
            found = read(name)
            if name == CNF_FILE:
                files[name] = inspect_text(found)
            else:
                files[name] = chain = inspect_chain(found, memory, parts if name == FULLCHAIN_FILE else ())
                if parts and isinstance(chain, Found):
                    parts = (*parts, (found, chain.value.contents.certificates))
        for output in resource.outputs:
            files[output.path] = inspect_output(read(output.path), output, memory, open_with)
        return _Seen(
            ObservedResource(key=key, certificate=certificate, files=files, directory_mode=directory.mode()),
            tuple(digests),
            _candidates(key_bytes, key, certificate_bytes, certificate) if resource.is_authority else (),
        )


def _parts_of_chain(
    read: Observation[FileBytes], certificate: Observation[ObservedCertificate]
) -> tuple[tuple[Observation[FileBytes], tuple[str, ...]], ...]:
    if not isinstance(certificate, Found) or certificate.value.certificates_in_file != 1:
        return ()
    return ((read, (certificate.value.fingerprint_sha256,)),)


def _left_behind(site: Site, resource: Resource, directory: ResourceDirectory) -> Unreadable | None:
    """Find a key that is there, though nothing leads to it: a tree that was copied without its links has lost none."""
    generation = directory.left_behind(resource.key.path)
    if generation is None or isinstance(generation, Unreadable):
        return generation
    run = read_journal(site).run
    if run and f"-{run}" in generation:  # made ready by an apply that runs, or that the next one tidies up after
        return None
    return Unreadable(
        f"it lies in `{generation}`, to which no link leads any more; in {resource.directory}, "
        f"`ln -sfn {generation} {DATA_LINK}; ln -sf {DATA_LINK}/* .` makes the links again"
    )


def _candidates(
    key_bytes: Observation[FileBytes],
    key: Observation[ObservedKey],
    certificate_bytes: Observation[FileBytes],
    certificate: Observation[ObservedCertificate],
) -> tuple[Candidate, ...]:
    """List the keys of an authority that may have signed what is beneath it: its certificate's, its key file's."""
    found: dict[str, Candidate] = {}
    if isinstance(certificate_bytes, Found) and isinstance(certificate, Found):
        digest = certificate.value.spki_sha256
        found[digest] = candidate_of_certificate(certificate_bytes.value.content, digest)
    if isinstance(key_bytes, Found) and isinstance(key, Found) and key.value.spki_sha256 is not None:
        candidate = candidate_of_key(key_bytes.value.content, key.value.spki_sha256)
        if candidate is not None:
            found.setdefault(candidate.spki_sha256, candidate)
    return tuple(found.values())


def _digest(found: Observation[FileBytes]) -> str:
    if isinstance(found, Found):
        return found.value.facts.sha256
    return "missing" if isinstance(found, Missing) else "unreadable"


def _indexes(site: Site, reader: Reader) -> dict[str, tuple[IndexEntry, ...]]:
    """Read OpenSSL's database of every authority that has one: what it issued."""
    from pkiplan.render.ca_database import parse_index

    indexes: dict[str, tuple[IndexEntry, ...]] = {}
    for authority in (resource for resource in site if resource.is_authority):
        read = reader.read(site.path(authority, INDEX_FILE), LARGEST_INDEX)
        if isinstance(read, Found):
            text = read.value.content.decode("utf-8", "surrogateescape")
            indexes[authority.address] = parse_index(text)
    return indexes


def _earlier_ends(
    site: Site,
    reader: Reader,
    memory: Memory,
    indexes: Mapping[str, tuple[IndexEntry, ...]],
    resources: Mapping[str, ObservedResource],
) -> dict[str, frozenset[datetime]]:
    """Find when earlier certificates of authorities ended: what was clamped to one of them is kept.

    They lie in the archive; the index of who issued them tells it, too, where somebody has cleared the archive.
    """
    # Where no certificate can be looked at, no end excuses one, and what hides them all hides the archive too.
    is_anything_there = any(isinstance(resource.certificate, Found) for resource in resources.values())
    archive = is_anything_there and reader.names(f"{site.directory}/{ARCHIVE_DIRECTORY}/{Kind.AUTHORITY.value}")
    ends: dict[str, frozenset[datetime]] = {}
    for authority in (resource for resource in site if resource.is_authority):
        found = _ends_in_index(authority, indexes.get(authority.issuer or "", ()))
        current = resources[authority.address].certificate
        if isinstance(current, Found):
            found.discard(current.value.not_after)
        place = f"{site.directory}/{archive_path(authority.kind, authority.id, authority.element)}"
        for entry in reader.names(place) if archive else ():
            path = f"{place}/{entry}/{CERTIFICATE_FILE}"
            read = reader.read(path, LARGEST_PEM)
            if isinstance(read, Unreadable) and not read.is_damaged:
                # Without it, what was clamped to its end would be issued anew.
                raise PkiplanError.of(f"cannot read {path}: {read.why}", code="unreadable-file")
            certificate = inspect_certificate(read, (), memory)
            if isinstance(certificate, Found):
                found.add(certificate.value.not_after)
        if found:
            ends[authority.address] = frozenset(found)
    return ends


def _ends_in_index(authority: Resource, index: tuple[IndexEntry, ...]) -> set[datetime]:
    if not index:
        return set()
    from pkiplan.render.ca_database import subject_text

    subject = subject_text(authority.subject)
    return {entry.not_after for entry in index if entry.subject == subject and entry.not_after is not None}
