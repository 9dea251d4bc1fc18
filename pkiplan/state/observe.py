"""Look at a whole site: every declared file is read and described; nothing is written and no secret is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache as once
from typing import TYPE_CHECKING

from pkiplan.cache import Cache
from pkiplan.cache.memory import Memory
from pkiplan.cache.tree_digest import KnownDirectory
from pkiplan.errors import PkiplanError
from pkiplan.model.observed import Found, Missing, ObservedResource, ObservedState, Unreadable
from pkiplan.model.on_demand import OnDemand
from pkiplan.model.resource import CERTIFICATE_FILE, Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import ARCHIVE_DIRECTORY, INDEX_FILE, LARGEST_INDEX, LARGEST_PEM, archive_path
from pkiplan.plan.beforehand import NOTHING_BEFOREHAND, Beforehand, Foresight
from pkiplan.state.inspect import OpenWith, inspect_certificate
from pkiplan.state.interrupted import read_journal
from pkiplan.state.looking import Look
from pkiplan.state.read import Reader
from pkiplan.state.unmanaged import find_unmanaged

if TYPE_CHECKING:
    from pkiplan.render.ca_database import IndexEntry

# In a site of so many resources all facts are remembered; in a larger one those that take longer to find out.
SMALL_SITE = 200


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed, and the digest of each file it was observed in: SHA-256, `missing` or `unreadable`.

    `beforehand` is what was said of certificates as soon as they were seen; `directories` sum up those of certificates
    in which nothing lies but their own files, by path beneath the site's.
    """

    state: ObservedState
    digests: Mapping[str, str]
    beforehand: Beforehand = field(default=NOTHING_BEFOREHAND, compare=False)
    directories: Mapping[str, KnownDirectory] = field(default_factory=dict, compare=False)


def observe_site(
    site: Site,
    *,
    cache: Cache | None,
    open_with: OpenWith | None = None,
    with_foresight: Callable[[ObservedState], Foresight] | None = None,
) -> Observed:
    """Look at everything a site declares.

    `open_with` resolves references to passphrases so that encrypted files can be checked; without it they are only
    described, or remembered. `with_foresight` is given what was observed of the authorities; what it makes of that then
    says of certificates that they are unchanged. Needs no lock: each resource is seen as it was before or after a
    change, never between.
    """
    memory = Memory(cache, keeps_all=len(site.resources) <= SMALL_SITE)
    look = Look(site, memory, open_with)
    look.at_authorities()
    above = _authorities(site, look.seen, memory)
    foresight = None if with_foresight is None else with_foresight(above)
    unchanged = look.at_certificates(None if foresight is None else foresight.of)
    if not any(isinstance(look.seen[one.address].certificate, Found) for one in site if one.is_authority):
        # The archive was not looked into: only a certificate beneath them shows that anything can be seen there.
        above = _authorities(site, look.seen, memory)
    journal = read_journal(site)
    return Observed(
        state=replace(
            above,
            resources=look.seen,
            unmanaged=find_unmanaged(site, Reader(site, journal.staged), look.directories),
            interrupted=journal.interrupted,
        ),
        digests=look.digests,
        beforehand=NOTHING_BEFOREHAND if foresight is None else Beforehand(unchanged, foresight.outlooks),
        directories=look.directories,
    )


def gives_the_same_plan(one: Observed, other: Observed) -> bool:
    """Tell whether two looks at a site give the same plan; of what both call unchanged the digests are compared."""
    seen, unchanged = one.state, one.beforehand.unchanged
    return (
        one.digests == other.digests
        and one.beforehand == other.beforehand
        and replace(one.state, resources={}) == replace(other.state, resources={})
        and all(seen.of(address) == other.state.of(address) for address in seen.resources if address not in unchanged)
    )


def _authorities(site: Site, seen: Mapping[str, ObservedResource], memory: Memory) -> ObservedState:
    """Give what was observed of the authorities, with what their databases and the archive tell."""
    journal = read_journal(site)
    reader = Reader(site, journal.staged)
    indexes = {
        address: text
        for address, text in _indexes(site, reader)
        if not (site.resources[address].directory in journal.begun and _is_gone(seen[address]))
    }

    @once
    def entries(address: str) -> tuple[IndexEntry, ...]:
        from pkiplan.render.ca_database import parse_index

        return parse_index(indexes[address])

    @once
    def serials(address: str) -> frozenset[int]:
        return frozenset(entry.serial for entry in entries(address))

    return ObservedState(
        resources={one.address: seen[one.address] for one in site if one.is_authority},
        issued_serials=OnDemand(indexes, serials),
        earlier_ends=_earlier_ends(site, reader, memory, OnDemand(indexes, entries), seen),
    )


def _is_gone(resource: ObservedResource) -> bool:
    return isinstance(resource.key, Missing) and isinstance(resource.certificate, Missing)


def _indexes(site: Site, reader: Reader) -> Iterator[tuple[str, str]]:
    """Read OpenSSL's database of every authority that has one: what it issued."""
    for authority in (resource for resource in site if resource.is_authority):
        read = reader.read(site.path(authority, INDEX_FILE), LARGEST_INDEX)
        if isinstance(read, Found):
            yield authority.address, read.value.content.decode("utf-8", "surrogateescape")


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
        # One that is its own issuer stands in its own index.
        found = _ends_in_index(authority, indexes.get(authority.issuer or authority.address, ()))
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
