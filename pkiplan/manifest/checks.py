"""What no single resource can tell: path lengths along the chain, and who writes which file."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from heapq import heapify, heappop, heappush
from math import inf

from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.settings import Settings
from pkiplan.model.resource import Resource


def check_site(
    resources: dict[str, Resource], settings: MappingABC[str, Settings], problems: Problems
) -> dict[str, Resource]:
    """Report what is wrong among resources; return them issuers before what they issue, else by address."""
    ordered = _in_order(resources)
    _check_path_lengths(ordered, settings, problems)
    _check_directories(resources, settings, problems)
    _check_adopted_files(resources, settings, problems)
    return ordered


def _in_order(resources: dict[str, Resource]) -> dict[str, Resource]:
    issued: dict[str, list[str]] = {}
    ready: list[str] = []
    for address, resource in resources.items():
        if resource.issuer is None:
            ready.append(address)
        else:
            issued.setdefault(resource.issuer, []).append(address)
    heapify(ready)
    ordered: dict[str, Resource] = {}
    while ready:
        address = heappop(ready)
        ordered[address] = resources[address]
        for below in issued.get(address, ()):
            heappush(ready, below)
    return ordered


def _check_path_lengths(
    resources: dict[str, Resource], settings: MappingABC[str, Settings], problems: Problems
) -> None:
    """Check that no authority has more authorities below it than it may (RFC 5280, 4.2.1.9)."""
    room: dict[str, float] = {}  # how many authorities may follow below; issuers come before what they issue
    for resource in resources.values():
        if not resource.is_authority:
            continue
        left = room.get(resource.issuer, inf) - 1 if resource.issuer is not None else inf
        own = resource.path_length
        room[resource.address] = left if own is None else min(left, own)
        if left >= 0:
            continue
        above = resources.get(resource.issuer) if resource.issuer is not None else None
        depth = 1
        while above is not None:
            allowed = above.path_length
            if allowed is not None and depth > allowed:
                _path_too_long(resource, above, depth, settings, problems)
                break
            depth += 1
            above = resources.get(above.issuer) if above.issuer is not None else None


def _path_too_long(
    resource: Resource, above: Resource, depth: int, settings: MappingABC[str, Settings], problems: Problems
) -> None:
    limit = settings[above.address].mark_of("path_length")
    inherited = not settings[above.address].is_own("path_length")
    where = "has" if not inherited else "has, by its profile,"
    many = f"{depth} authorities" if depth > 1 else "an authority"
    problems.error(
        settings[resource.address].mark_of("issuer"),
        f"path length exceeded: `{above.id}` {where} `path_length: {above.path_length}`, "
        f"and `{resource.id}` would make {many} below it",
        code="path-length",
        hint=f"write `path_length: {depth}` at `{above.id}`, or choose another issuer",
        notes=[problems.note(limit, f"the limit of `{above.id}`")],
    )


def _check_directories(resources: dict[str, Resource], settings: MappingABC[str, Settings], problems: Problems) -> None:
    """Check that every resource has a directory to itself, also where case does not count."""
    owners = sorted((f"{resource.directory}/".casefold(), resource.address) for resource in resources.values())
    around: tuple[str, str] | None = None
    for directory, address in owners:
        if around is not None and directory.startswith(around[0]):
            first, second = sorted((around[1], address), key=lambda known: settings[known].mark_of("dir"))
            same = directory == around[0]
            what = "write the same files in" if same else "lie one within the other:"
            shown_directory = (
                shown(resources[second].directory)
                if same
                else f"{shown(resources[first].directory)}, {shown(resources[second].directory)}"
            )
            problems.error(
                settings[second].mark_of("dir"),
                f"`{first}` and `{second}` {what} {shown_directory}",
                code="two-writers",
                hint="give each a `dir:` of its own"
                + (", with `{{ each.key }}` in it" if resources[second].element else ""),
                notes=[problems.note(settings[first].mark, "the other one is here")],
            )
        else:
            around = (directory, address)


def _check_adopted_files(
    resources: dict[str, Resource], settings: MappingABC[str, Settings], problems: Problems
) -> None:
    """Check that no adopted certificate is written by two, nor lies where something else is written."""
    writers: dict[str, str] = {}
    for address, resource in resources.items():
        if resource.cert_path is None:
            continue
        first = writers.setdefault(resource.cert_path.casefold(), address)
        if first != address:
            problems.error(
                settings[address].mark_of("cert_path"),
                f"`{first}` and `{address}` write the same file {shown(resource.cert_path)}",
                code="two-writers",
                notes=[problems.note(settings[first].mark_of("cert_path"), "the other one is here")],
            )
        if resource.key.path == resource.cert_path:
            problems.error(
                settings[address].mark_of("cert_path"),
                "key and certificate are the same file",
                code="two-writers",
                hint="an `outputs:` of format `pem-combined` holds both",
            )
