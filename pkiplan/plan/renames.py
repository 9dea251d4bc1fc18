"""Resources that may only have got another directory or id: in a new one they would be made anew, key and all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.observed import Missing, ObservedState, UnmanagedFile
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import KIND_DIRECTORIES
from pkiplan.plan.descriptions import several
from pkiplan.plan.key import is_generated, shown_path


def renames(site: Site, resources: Iterable[Resource], observed: ObservedState) -> Iterator[Diagnostic]:
    """Tell how what is missing keeps its key: where it lies in its former directory, or perhaps under another id."""
    left = {file.address: file for file in observed.unmanaged if file.address is not None}
    if not left:
        return
    missing = [one for one in resources if is_generated(one) and _is_nowhere(one, observed)]
    yield from _moved(site, [(one, left[one.address]) for one in missing if one.address in left])
    yield from _renamed(
        site,
        [one for one in missing if one.is_authority and one.address not in left],
        [file for address, file in left.items() if _is_authority(address) and address not in site.resources],
    )


def _moved(site: Site, moved: list[tuple[Resource, UnmanagedFile]]) -> Iterator[Diagnostic]:
    if moved:
        first, file = moved[0]
        verb = _are(moved)
        yield Diagnostic(
            severity=Severity.WARNING,
            code="perhaps-moved",
            summary=f"{several(one.address for one, _ in moved)} {verb} not in the directory that is declared, "
            f"but {several(old.path for _, old in moved)} {verb} still there",
            place=first.place,
            hint=f"{_move(site, file, first)} keeps its key and what was issued with it",
        )


def _renamed(site: Site, missing: list[Resource], former: list[UnmanagedFile]) -> Iterator[Diagnostic]:
    if missing and former:
        yield Diagnostic(
            severity=Severity.WARNING,
            code="perhaps-renamed",
            summary=f"{several(one.address for one in missing)} {_are(missing)} not there, but "
            f"{several(file.address or '' for file in former)} {_are(former)}, and no longer declared",
            place=missing[0].place,
            hint=_way(site, missing, former),
        )


def _is_authority(address: str) -> bool:
    return address.startswith(f"{Kind.AUTHORITY.value}.")


def _is_nowhere(resource: Resource, observed: ObservedState) -> bool:
    found = observed.of(resource.address)
    return isinstance(found.key, Missing) and isinstance(found.certificate, Missing)


def _way(site: Site, missing: list[Resource], former: list[UnmanagedFile]) -> str:
    if len(missing) == len(former) == 1:
        return f"if only its id is another: {_move(site, former[0], missing[0])} keeps its key and what it issued"
    beneath = shown_path(site, site.directory)
    return (
        f"where only the id is another, `mv` in {beneath} of the old directory to the new keeps key and what it issued"
    )


def _move(site: Site, former: UnmanagedFile, resource: Resource) -> str:
    beneath = shown_path(site, site.directory)
    above = resource.directory.rpartition("/")[0]
    before, after, parent = (quote(f"{beneath}/{path}") for path in (former.path, resource.directory, above))
    is_there = above in ("", *KIND_DIRECTORIES.values())
    return f"`{'' if is_there else f'mkdir -p {parent} && '}mv {before} {after}`"


def _are(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"
