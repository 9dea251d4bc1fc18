"""From what is declared and what was observed to what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Never

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.observed import Found, ObservedCertificate, ObservedState
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import Plan, PlanOptions
from pkiplan.plan.decision import Decision, Request, decide
from pkiplan.plan.files import CnfTexts
from pkiplan.plan.guards import permitted, refusals, with_reach
from pkiplan.plan.lost_authority import LostAuthorities
from pkiplan.plan.notices import notices
from pkiplan.plan.older_defaults import OlderDefault
from pkiplan.plan.outlook import Context, Holder, Outlook, look_ahead
from pkiplan.plan.prune import removals, unmanaged
from pkiplan.plan.selection import Selection, select

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
) -> Plan:
    """Decide what is done to a whole site.

    `cnf_digests` and `lint` are, by address, the digest of the rendered `openssl.cnf` and what the lint says; they are
    asked only where it matters, so they may be computed on demand. `older_cnf_digests` are those of what older
    versions wrote, given the site as they read it; `says` tells a declared value from a default.
    """
    selection = select(site, observed, options)
    as_issued = site
    if older_defaults:
        from pkiplan.plan.as_issued import site_as_issued

        as_issued = site_as_issued(site, observed, older_defaults, says)
    cnf = CnfTexts(today=cnf_digests, older=lambda address: older_cnf_digests(as_issued, address))
    chosen = [resource for resource in site if selection.holds(resource.address)]
    decisions = _Graph(site, observed, now, selection, as_issued, Request(cnf=cnf, lint=lint)).decide_all(chosen)
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
            *notices(site, chosen, observed),
            *(warning for decision in decisions for warning in decision.warnings),
        ),
        refusals=refusals(site, observed, changes, selection, now),
        interrupted=observed.interrupted,
    )


class _Graph:
    """The site while it is decided, issuers before what they issue: what is above is known when it is asked for."""

    def __init__(
        self,
        site: Site,
        observed: ObservedState,
        now: datetime,
        selection: Selection,
        as_issued: Site,
        ordinary: Request,
    ) -> None:
        self._site = site
        self._observed = observed
        self._now = now
        self._selection = selection
        self._as_issued = as_issued
        self._ordinary = ordinary
        self._lost = LostAuthorities(site, observed)
        self._holders = _serial_holders(site, observed)
        self._outlooks: dict[str, Outlook] = {}
        self._contexts: dict[tuple[str | None, Kind], Context] = {}

    def decide_all(self, chosen: Sequence[Resource]) -> list[Decision]:
        decisions: list[Decision] = []
        for resource in chosen:
            found = self._observed.of(resource.address)
            context = self._context(resource)
            decision = decide(resource, found, context, self._request(resource))
            if decision is not None:
                decisions.append(decision)
            if resource.is_authority:
                ends = self._observed.earlier_ends.get(resource.address, frozenset())
                change = decision.change if decision else None
                self._outlooks[resource.address] = look_ahead(resource, found, change, context, ends)
        return decisions

    def _context(self, resource: Resource) -> Context:
        key = (resource.issuer, resource.kind)
        if key not in self._contexts:
            self._contexts[key] = Context(
                site=self._site,
                now=self._now,
                issuer=None if resource.issuer is None else self._outlooks[resource.issuer],
                derived_files=self._site.derived_files(resource),
                holders={} if resource.issuer is None else self._holders.get(resource.issuer, {}),
            )
        return self._contexts[key]

    def _request(self, resource: Resource) -> Request:
        is_replaced = resource.address in self._selection.replaced
        issued = self._lost.issued_by(resource) if resource.is_authority else ()
        as_issued = self._as_issued.resources[resource.address]
        if not is_replaced and not issued and as_issued is resource:
            return self._ordinary
        return replace(
            self._ordinary,
            is_replaced=is_replaced,
            rekey=is_replaced and self._selection.rekey,
            as_issued=None if as_issued is resource else as_issued,
            issued=issued,
        )


def _certificate(observed: ObservedState, resource: Resource) -> ObservedCertificate | None:
    certificate = observed.of(resource.address).certificate
    return certificate.value if isinstance(certificate, Found) else None


def _serial_holders(site: Site, observed: ObservedState) -> dict[str, dict[int, Holder]]:
    """Tell, for each issuer, by serial, which certificate has it: the first in the order of the site."""
    holders: dict[str, dict[int, Holder]] = {}
    for resource in site:
        certificate = _certificate(observed, resource)
        if certificate is not None and resource.issuer is not None:
            holders.setdefault(resource.issuer, {}).setdefault(
                certificate.serial, (resource.address, certificate.fingerprint_sha256)
            )
    return holders
