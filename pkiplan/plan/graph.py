"""The site while it is decided, issuers before what they issue: what is above is known when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from pkiplan.model.observed import Found, ObservedState
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.plan.decision import Decision, Request, decide
from pkiplan.plan.lost_authority import LostAuthorities
from pkiplan.plan.outlook import Context, Holder, Outlook, look_ahead
from pkiplan.plan.selection import Selection

# Who has a serial number of an issuer's: by the issuer's address, then by serial number.
Holders = Mapping[str, Mapping[int, Holder]]


class Graph:
    """Decides about resources in the order of the site, and keeps in mind what becomes of each authority.

    `as_issued` is the site by the defaults under which what is there was made.
    """

    def __init__(
        self,
        site: Site,
        observed: ObservedState,
        now: datetime,
        *,
        selection: Selection,
        as_issued: Site,
        ordinary: Request,
        holders: Holders,
    ) -> None:
        self._site = site
        self._observed = observed
        self._now = now
        self._selection = selection
        self._as_issued = as_issued
        self._ordinary = ordinary
        self._holders = holders
        self._lost = LostAuthorities(site, observed)
        self._outlooks: dict[str, Outlook] = {}
        self._contexts: dict[tuple[str | None, Kind], Context] = {}

    @property
    def outlooks(self) -> Mapping[str, Outlook]:
        """Return what becomes of each authority that was decided, by address."""
        return self._outlooks

    def decide(self, resource: Resource) -> Decision | None:
        """Decide about one resource, whose issuer is decided; None keeps it as it is."""
        found = self._observed.of(resource.address)
        context = self.context_of(resource)
        decision = decide(resource, found, context, self._request(resource))
        if resource.is_authority:
            ends = self._observed.earlier_ends.get(resource.address, frozenset())
            change = decision.change if decision else None
            self._outlooks[resource.address] = look_ahead(resource, found, change, context, ends)
        return decision

    def context_of(self, resource: Resource) -> Context:
        """Return what all of its kind beneath its issuer share."""
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

    def is_ordinary(self, resource: Resource) -> bool:
        """Tell whether nothing is asked of a resource but to be as it is declared today."""
        return self._request(resource) is self._ordinary

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


def holders_of_serials(held: Iterable[tuple[Resource, int, str]]) -> dict[str, dict[int, Holder]]:
    """Tell, for each issuer, which certificate has a serial number: the first, of those given with a fingerprint."""
    holders: dict[str, dict[int, Holder]] = {}
    for resource, serial, fingerprint in held:
        if resource.issuer is not None:
            holders.setdefault(resource.issuer, {}).setdefault(serial, (resource.address, fingerprint))
    return holders


def serials(resources: Iterable[Resource], observed: ObservedState) -> Iterator[tuple[Resource, int, str]]:
    """Give the serial number and the fingerprint of each certificate that is there."""
    for resource in resources:
        certificate = observed.of(resource.address).certificate
        if isinstance(certificate, Found):
            yield resource, certificate.value.serial, certificate.value.fingerprint_sha256
