"""In which order changes are worked on: what is issued comes after its issuer."""

from __future__ import annotations

from collections.abc import Iterable

from pkiplan.apply.work import Work
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change


def levels(site: Site, changes: Iterable[Change]) -> list[list[Change]]:
    """Group changes so that each group only needs those before it: what is issued comes after its issuer."""
    grouped: list[list[Change]] = []
    for change in changes:
        depth = len(site.chain_of(site.resources[change.address]))
        while len(grouped) <= depth:
            grouped.append([])
        grouped[depth].append(change)
    return [level for level in grouped if level]


def waiting_for(work: Work) -> dict[str, int]:
    """Count, by authority, the changes that wait for it."""
    counts: dict[str, int] = {}
    for change in work.changes.values():
        resource = work.site.resources.get(change.address)
        if resource is not None and change.action is not Action.REMOVE:
            issuer = resource.issuer or resource.address
            counts[issuer] = counts.get(issuer, 0) + 1
    return counts
