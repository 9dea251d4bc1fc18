"""Authorities that may only have got another id: under a new one they would be made anew, key and all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.observed import Missing, ObservedState, UnmanagedFile
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.plan.descriptions import several
from pkiplan.plan.key import is_generated, shown_path


def renames(site: Site, resources: Iterable[Resource], observed: ObservedState) -> Iterator[Diagnostic]:
    """Tell, where authorities are missing and others no longer declared, how one keeps its key under another id."""
    former = [file for file in observed.unmanaged if file.address and file.address.startswith(f"{Kind.AUTHORITY}.")]
    if not former:
        return
    missing = [one for one in resources if one.is_authority and is_generated(one) and _is_nowhere(one, observed)]
    if missing:
        yield Diagnostic(
            severity=Severity.WARNING,
            code="perhaps-renamed",
            summary=f"{several(one.address for one in missing)} {_are(missing)} not there, but "
            f"{several(file.address or '' for file in former)} {_are(former)}, and no longer declared",
            place=missing[0].place,
            hint=_way(site, missing, former),
        )


def _is_nowhere(resource: Resource, observed: ObservedState) -> bool:
    found = observed.of(resource.address)
    return isinstance(found.key, Missing) and isinstance(found.certificate, Missing)


def _way(site: Site, missing: list[Resource], former: list[UnmanagedFile]) -> str:
    beneath = shown_path(site, site.directory)
    if len(missing) == len(former) == 1:
        before, after = (quote(f"{beneath}/{path}") for path in (former[0].path, missing[0].directory))
        move = f"`mv {before} {after}`"
        return f"if only its id is another: {move} keeps its key and what it issued"
    return (
        f"where only the id is another, `mv` in {beneath} of the old directory to the new keeps key and what it issued"
    )


def _are(things: list[Resource] | list[UnmanagedFile]) -> str:
    return "is" if len(things) == 1 else "are"
