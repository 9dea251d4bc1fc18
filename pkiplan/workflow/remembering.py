"""What a plan with nothing to do was made from, so that it can be remembered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pkiplan.state.side_by_side import spread
from pkiplan.workflow.loading import DEFAULT_MANIFESTS
from pkiplan.workflow.planning import PlannedSite, names_an_owner

# However far away the next renewal is: a plan older than this is made anew.
LONGEST = timedelta(days=1)


def evidence_of(planned: PlannedSite) -> tuple[Mapping[str, Any], tuple[float, float]] | None:
    """Gather what a plan was made from, and from when to when it holds; None where it is not to be remembered.

    Only a plan without changes and warnings is, of a tree that nothing outside of it takes part in.
    """
    from pkiplan.cache import remembered_plan
    from pkiplan.plan.turning_point import first_renewal

    plan, site, now = planned.plan, planned.site, planned.request.now
    if plan.changes or plan.warnings or plan.refusals or plan.interrupted:
        return None
    if any(names_an_owner(resource) for resource in site):
        return None
    if site.templates is not None:  # which of its own files a template reads shows only when it is rendered
        return None
    unchanged = planned.observed.beforehand.unchanged
    due = first_renewal(site, planned.observed.state, {address: one.due for address, one in unchanged.items()})
    if due is None or due <= now:
        return None
    evidence = remembered_plan.evidence(
        inputs=planned.inputs,
        looks=[*planned.loaded.looks, *_default_manifests(planned.request.site)],
        tree=site.directory,
        tops=_tops(planned) if site.directory == site.base else None,
        files=planned.observed.digests,
        directories=planned.observed.directories,
        begun=planned.begun,
        spread=spread,
    )
    if evidence is None:
        return None
    return evidence, (now.timestamp(), min(due, now + LONGEST).timestamp())


def _default_manifests(site: str | None) -> list[list[object]]:
    from pkiplan.cache.remembered_plan import look

    if site is not None and not os.path.isdir(site):
        return []
    return [look("exists", os.path.abspath(os.path.join(site or "", name))) for name in DEFAULT_MANIFESTS]


def _tops(planned: PlannedSite) -> list[str]:
    """List what of the manifest's own directory belongs to the tree, where they are one."""
    from pkiplan.model.tree import ARCHIVE_DIRECTORY, CONTROL_DIRECTORY, KIND_DIRECTORIES

    own = {resource.directory.partition("/")[0] for resource in planned.site}
    return sorted({*own, *KIND_DIRECTORIES.values(), ARCHIVE_DIRECTORY, CONTROL_DIRECTORY})
