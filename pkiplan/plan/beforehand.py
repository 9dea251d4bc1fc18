"""What can be said of a certificate as soon as it is seen, before the rest of the site has been: that it is kept.

In a large site most certificates are as declared. Once the authorities were looked at, that can be found out of each
alone, by whoever reads it: nobody else needs all that was observed of it. It holds while what becomes of the
authorities is what it was taken for, and no other certificate has its serial number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.observed import Found, ObservedResource, ObservedState
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.decision import Request, decide
from pkiplan.plan.files import CnfTexts
from pkiplan.plan.graph import Graph, Holders, holders_of_serials, serials
from pkiplan.plan.notices import is_remarkable
from pkiplan.plan.outlook import Outlook
from pkiplan.plan.selection import EVERYTHING
from pkiplan.plan.turning_point import renewal_due


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A certificate of which there is nothing to do and nothing to say, and when its renewal is due."""

    serial: int
    fingerprint_sha256: str
    due: datetime


@dataclass(frozen=True, slots=True)
class Beforehand:
    """The certificates that are kept, by address, if the authorities become what is held here."""

    unchanged: Mapping[str, Unchanged] = field(default_factory=dict)
    outlooks: Mapping[str, Outlook] = field(default_factory=dict)


NOTHING_BEFOREHAND = Beforehand()


class Foresight:
    """Tells of certificates whether they are kept, when of the site the authorities alone were observed.

    `cnf_digests`, `lint` and `older_cnf_digests` are what the planner is given.
    """

    def __init__(
        self,
        site: Site,
        authorities: ObservedState,
        now: datetime,
        *,
        cnf_digests: Mapping[str, str],
        lint: Mapping[str, tuple[Diagnostic, ...]],
        older_cnf_digests: Callable[[Site, str], Iterable[str]],
    ) -> None:
        cnf = CnfTexts(today=cnf_digests, older=partial(older_cnf_digests, site))
        # What the rules say before something is signed has no part in whether it is kept.
        self._request = Request(cnf=cnf)
        above = [resource for resource in site if resource.is_authority]
        self._graph = Graph(
            site,
            authorities,
            now,
            selection=EVERYTHING,
            as_issued=site,
            ordinary=Request(cnf=cnf, lint=lint),
            holders=holders_of_serials(serials(above, authorities)),
        )
        for authority in above:
            self._graph.decide(authority)

    @property
    def outlooks(self) -> Mapping[str, Outlook]:
        """Return what becomes of the authorities, by address."""
        return self._graph.outlooks

    def of(self, certificate: Resource, found: ObservedResource) -> Unchanged | None:
        """Say that a certificate is kept, where it is for certain and nobody need be told anything of it."""
        if not isinstance(found.certificate, Found) or is_remarkable(certificate, found):
            return None
        if decide(certificate, found, self._graph.context_of(certificate), self._request) is not None:
            return None
        seen = found.certificate.value
        return Unchanged(seen.serial, seen.fingerprint_sha256, renewal_due(certificate, seen))


class Confirmed:
    """Tells, now that the whole site was observed, whether what was said beforehand holds."""

    def __init__(self, beforehand: Beforehand, graph: Graph, holders: Holders) -> None:
        self._beforehand = beforehand
        self._graph = graph
        self._holders = holders
        self._is_as_foreseen: dict[str, bool] = {}

    def holds(self, resource: Resource) -> bool:
        """Tell whether what was said beforehand of a certificate holds, once its issuer is decided."""
        unchanged = self._beforehand.unchanged.get(resource.address)
        if unchanged is None or not self._graph.is_ordinary(resource):
            return False
        issuer = resource.issuer
        if issuer is None:
            return True
        if issuer not in self._is_as_foreseen:
            outlook = self._graph.outlooks[issuer]
            self._is_as_foreseen[issuer] = outlook == self._beforehand.outlooks.get(issuer)
        holder, _ = self._holders[issuer][unchanged.serial]
        return self._is_as_foreseen[issuer] and holder == resource.address
