"""A plan made both ways: of all that was observed, and with what could be said of certificates beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.observed import ObservedState
from pkiplan.model.site import Site
from pkiplan.plan.beforehand import Beforehand, Foresight
from pkiplan.plan.changes import Plan
from pkiplan.plan.planner import NOTHING_KNOWN, no_older_cnf, plan_site


def planned_both_ways(
    site: Site,
    observed: ObservedState,
    now: datetime,
    *,
    cnf_digests: Mapping[str, str] = NOTHING_KNOWN,
    lint: Mapping[str, tuple[Diagnostic, ...]] = NOTHING_KNOWN,
    older_cnf_digests: Callable[[Site, str], Iterable[str]] = no_older_cnf,
    **others: Any,
) -> Plan:
    """Make a plan as if each certificate were seen by another process than the rest: it is the same."""
    asked: dict[str, Any] = {"cnf_digests": cnf_digests, "lint": lint, "older_cnf_digests": older_cnf_digests}
    whole = plan_site(site, observed, now, **asked, **others)

    beforehand = said_beforehand(site, observed, now, **asked)
    assert plan_site(site, observed, now, beforehand=beforehand, **asked, **others) == whole
    return whole


def said_beforehand(site: Site, observed: ObservedState, now: datetime, **asked: Any) -> Beforehand:
    """Say of each certificate what can be said when the authorities alone were seen before it."""
    authorities = {one.address: observed.of(one.address) for one in site if one.is_authority}
    foresight = Foresight(site, replace(observed, resources=authorities), now, **asked)
    certificates = (resource for resource in site if not resource.is_authority)
    said = ((one.address, foresight.of(one, observed.of(one.address))) for one in certificates)
    return Beforehand({address: unchanged for address, unchanged in said if unchanged}, foresight.outlooks)
