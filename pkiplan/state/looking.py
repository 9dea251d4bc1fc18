"""Look at each resource of a site: its files are read together, as one apply left them, and described.

Certificates of a large site are looked at by several processes, and there, too, what can be said of one beforehand is
said: only what is not as declared need be known here in full.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pkiplan.cache.memory import Learnt, Memory
from pkiplan.cache.tree_digest import KnownDirectory
from pkiplan.model.observed import (
    Found,
    Missing,
    Observation,
    ObservedCertificate,
    ObservedFile,
    ObservedKey,
    ObservedResource,
    Unreadable,
)
from pkiplan.model.resource import CNF_FILE, FULLCHAIN_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import DATA_LINK
from pkiplan.plan.beforehand import Unchanged
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

if TYPE_CHECKING:
    from pkiplan.x509.as_declared import AsDeclared

# A running apply switches an authority in milliseconds; who is unlucky so often in a row meets a crashed one.
MOST_ATTEMPTS = 5

# Says of a certificate that it is unchanged, where that is certain.
Foresee = Callable[[Resource, ObservedResource], Unchanged | None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One resource as seen, the digests of its files in the order of `_paths`, and what may have signed beneath it.

    `directory` sums up that of a certificate, if nothing lies in it but the certificate's own files.
    """

    resource: ObservedResource
    digests: tuple[str, ...]
    directory: KnownDirectory | None = None
    candidates: tuple[Candidate, ...] = ()


class _SeenCertificate(NamedTuple):
    """What is told of a certificate that was seen: that it is `unchanged`, or else what was seen of it."""

    digests: tuple[str, ...]
    directory: KnownDirectory | None
    unchanged: Unchanged | None
    changed: ObservedResource | None


class SeenResources(Mapping[str, ObservedResource]):
    """What was seen of each resource, by address.

    Of an unchanged certificate that is not kept: hardly anybody asks for it, and who does has it looked at again.
    """

    def __init__(self, look_again: Callable[[str], ObservedResource]) -> None:
        self._at_hand: dict[str, ObservedResource] = {}
        self._unchanged: set[str] = set()
        self._look_again = look_again

    def add(self, address: str, seen: ObservedResource) -> None:
        """Add what was seen of a resource."""
        self._at_hand[address] = seen

    def add_unchanged(self, address: str) -> None:
        """Add a resource of which it is known that it is unchanged."""
        self._unchanged.add(address)

    def __getitem__(self, address: str) -> ObservedResource:
        seen = self._at_hand.get(address)
        if seen is None:
            if address not in self._unchanged:
                raise KeyError(address)
            seen = self._at_hand[address] = self._look_again(address)
        return seen

    def __iter__(self) -> Iterator[str]:
        return iter({**self._at_hand, **dict.fromkeys(self._unchanged)})

    def __len__(self) -> int:
        return len(self._at_hand.keys() | self._unchanged)


def _paths(site: Site, resource: Resource) -> list[str]:
    names = [resource.key.path, resource.certificate_file, *site.derived_files(resource)]
    return [site.path(resource, name) for name in (*names, *(output.path for output in resource.outputs))]


class Look:
    """Looks at the resources of a site: first at the authorities, then at the certificates.

    Afterwards it holds what was seen, and the digest of each file: SHA-256, `missing` or `unreadable`. `directories`
    sum up those of certificates in which nothing lies but their own files, by path beneath the site's.
    """

    def __init__(self, site: Site, memory: Memory, open_with: OpenWith | None) -> None:
        self.seen = SeenResources(self._again)
        self.digests: dict[str, str] = {}
        self.directories: dict[str, KnownDirectory] = {}
        self._site = site
        self._memory = memory
        self._open_with = open_with
        self._signers: dict[str, tuple[Candidate, ...]] = {}
        self._as_declared: AsDeclared | None = None

    def at_authorities(self) -> None:
        """Look at the authorities."""
        for authority in self._site:
            if authority.is_authority:
                seen = self._at_authority(authority)
                self._signers[authority.address] = seen.candidates
                self.seen.add(authority.address, seen.resource)
                self._add_digests(authority, seen.digests)

    def at_certificates(self, foresee: Foresee | None) -> dict[str, Unchanged]:
        """Look at the certificates, in several processes where they are many; return what is said to be unchanged."""
        certificates = [resource for resource in self._site if not resource.is_authority]
        unchanged: dict[str, Unchanged] = {}
        # Who resolves secrets asks for each once, which several processes cannot.
        parts = parts_of(certificates) if self._open_with is None else [certificates]
        for part, (told, learnt) in zip(parts, side_by_side(partial(self._at_part, foresee), parts), strict=True):
            for certificate, one in zip(part, told, strict=True):
                self._add_digests(certificate, one.digests)
                if one.directory is not None:
                    self.directories[certificate.directory] = one.directory
                if one.changed is not None:
                    self.seen.add(certificate.address, one.changed)
                elif one.unchanged is not None:
                    self.seen.add_unchanged(certificate.address)
                    unchanged[certificate.address] = one.unchanged
            self._memory.learn(learnt)
        return unchanged

    def _again(self, address: str) -> ObservedResource:
        """Look at a certificate once more."""
        with contextlib.closing(Reader(self._site, {})) as reader:
            return self._at_certificate(reader, self._site.resources[address]).resource

    def _add_digests(self, resource: Resource, digests: Sequence[str]) -> None:
        self.digests.update(zip(_paths(self._site, resource), digests, strict=True))

    def _at_part(
        self, foresee: Foresee | None, certificates: Sequence[Resource]
    ) -> tuple[list[_SeenCertificate], Learnt]:
        """Look at certificates that mostly lie beside each other, and tell what was learnt for the next time."""
        told: list[_SeenCertificate] = []
        with contextlib.closing(Reader(self._site, {})) as reader:
            for certificate in certificates:
                seen = self._at_certificate(reader, certificate)
                unchanged = None if foresee is None else foresee(certificate, seen.resource)
                changed = seen.resource if unchanged is None else None
                told.append(_SeenCertificate(seen.digests, seen.directory, unchanged, changed))
        return told, self._memory.learnt()

    def _at_certificate(self, reader: Reader, certificate: Resource) -> _Seen:
        """Look at a certificate, all of whose files an apply switches at once; so often in a row no other one comes."""
        for _ in range(MOST_ATTEMPTS):
            with reader.resource_beside(certificate.directory) as directory:
                seen = self._in(directory, certificate)
                if "missing" not in seen.digests or not directory.has_moved_on():
                    break
        return seen

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
            None if resource.is_authority else directory.summed_up(f"/{resource.directory}"),
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
