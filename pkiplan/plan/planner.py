"""From what is declared and what was observed to what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Never

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.observed import ObservedState
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.beforehand import NOTHING_BEFOREHAND, Beforehand, Confirmed
from pkiplan.plan.changes import Plan, PlanOptions
from pkiplan.plan.decision import Decision, Request
from pkiplan.plan.files import CnfTexts
from pkiplan.plan.graph import Graph, holders_of_serials, serials
from pkiplan.plan.guards import permitted, refusals, with_reach
from pkiplan.plan.notices import notices
from pkiplan.plan.older_defaults import OlderDefault
from pkiplan.plan.prune import removals, unmanaged
from pkiplan.plan.selection import select

NO_OPTIONS = PlanOptions()
NOTHING_KNOWN: Mapping[str, Never] = MappingProxyType({})

# Gives, for a site as an older version read it, the digests of what versions up to now wrote as a resource's cnf.
OlderCnfDigests = Callable[[Site, str], Iterable[str]]


def no_older_cnf(_site: Site, _address: str) -> Iterable[str]:
    """Answer as the first version would: nothing was written otherwise before."""
    return ()


def says_nothing(_address: str, _keys: Sequence[str]) -> bool:
    """Answer as for a manifest in which every value is a default."""
    return False


def plan_site(
    site: Site,
    observed: ObservedState,
    now: datetime,
    *,
    options: PlanOptions = NO_OPTIONS,
    cnf_digests: Mapping[str, str] = NOTHING_KNOWN,
    lint: Mapping[str, tuple[Diagnostic, ...]] = NOTHING_KNOWN,
    older_defaults: Sequence[OlderDefault] = (),
    older_cnf_digests: OlderCnfDigests = no_older_cnf,
    says: Callable[[str, Sequence[str]], bool] = says_nothing,
    beforehand: Beforehand = NOTHING_BEFOREHAND,
) -> Plan:
    """Decide what is done to a whole site.

    `cnf_digests` and `lint` are, by address, the digest of the rendered `openssl.cnf` and what the lint says; they are
    asked only where it matters, so they may be computed on demand. `older_cnf_digests` are those of what older
    versions wrote, given the site as they read it; `says` tells a declared value from a default. What was found out
    `beforehand`, for the same time and from the same texts and rules, is made sure of and not found out again.
    """
    selection = select(site, observed, options)
    as_issued = site
    if older_defaults:
        from pkiplan.plan.as_issued import site_as_issued

        as_issued = site_as_issued(site, observed, older_defaults, says)
    cnf = CnfTexts(today=cnf_digests, older=lambda address: older_cnf_digests(as_issued, address))
    holders = holders_of_serials(_held(site, observed, beforehand))
    graph = Graph(
        site,
        observed,
        now,
        selection=selection,
        as_issued=as_issued,
        ordinary=Request(cnf=cnf, lint=lint),
        holders=holders,
    )
    confirmed = Confirmed(beforehand, graph, holders)
    chosen = [resource for resource in site if selection.holds(resource.address)]
    looked_at, decisions = _decided(chosen, graph, confirmed)
    removed = removals(observed, selection)
    changes = with_reach(site, permitted((*(decision.change for decision in decisions), *removed), selection))
    return Plan(
        site=site.name,
        made_at=now,
        changes=changes,
        kept=len(chosen) - len(decisions),
        options=options,
        unmanaged=unmanaged(observed, removed),
        warnings=(
            *notices(site, looked_at, observed),
            *(warning for decision in decisions for warning in decision.warnings),
        ),
        refusals=refusals(site, observed, changes, selection, now),
        interrupted=observed.interrupted,
    )


def _decided(chosen: Iterable[Resource], graph: Graph, confirmed: Confirmed) -> tuple[list[Resource], list[Decision]]:
    """Decide about what is not known to be unchanged, and tell what that is."""
    looked_at: list[Resource] = []
    decisions: list[Decision] = []
    for resource in chosen:
        if not confirmed.holds(resource):
            looked_at.append(resource)
            if (decision := graph.decide(resource)) is not None:
                decisions.append(decision)
    return looked_at, decisions


def _held(site: Site, observed: ObservedState, beforehand: Beforehand) -> Iterator[tuple[Resource, int, str]]:
    """Give the serial number and the fingerprint of each certificate of the site, in order."""
    for resource in site:
        kept = beforehand.unchanged.get(resource.address)
        if kept is None:
            yield from serials([resource], observed)
        else:
            yield resource, kept.serial, kept.fingerprint_sha256
