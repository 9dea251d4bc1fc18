"""What an authority of which nothing is left had issued: what shows that it is lost, rather than new."""

from __future__ import annotations

from functools import cached_property

from pkiplan.model.observed import Found, Missing, ObservedResource, ObservedState, Unreadable
from pkiplan.model.resource import CHAIN_FILE, FULLCHAIN_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.plan.comparable import is_same_name


class LostAuthorities:
    """Tells of each authority what it had issued; what is needed for all of them is looked up once."""

    def __init__(self, site: Site, observed: ObservedState) -> None:
        self._site = site
        self._observed = observed

    def issued_by(self, authority: Resource) -> tuple[str, ...]:
        """List what an authority, of which nothing is left, had issued; nothing where something of it is left.

        One that cannot be read any more is not taken for none.
        """
        found = self._observed.of(authority.address)
        if not (isinstance(found.key, Missing) and isinstance(found.certificate, Missing)):
            return ()
        issued: list[str] = []
        chained: list[str] = []
        unread: list[str] = []
        for resource in self._issued.get(authority.address, ()):
            match self._observed.of(resource.address).certificate:
                case Found(value=certificate) if is_same_name(certificate.issuer, authority.subject):
                    issued.append(resource.address)
                case Missing() if resource.address in self._witnesses:
                    chained.append(f"{resource.address} (in the chain of {self._witnesses[resource.address]})")
                case Unreadable(is_directory=False):
                    unread.append(f"{resource.address} (perhaps: its certificate cannot be read)")
        serials = sorted(self._observed.issued_serials.get(authority.address, ()))
        return tuple(issued or [f"serial {serial:x}" for serial in serials] or chained or unread)

    @cached_property
    def _issued(self) -> dict[str, list[Resource]]:
        issued: dict[str, list[Resource]] = {}
        for resource in self._site:
            if resource.issuer is not None:
                issued.setdefault(resource.issuer, []).append(resource)
        return issued

    @cached_property
    def _witnesses(self) -> dict[str, str]:
        """Name, for each authority that stands in a chain, a certificate with that chain.

        No root stands in a chain (RFC 8446, 4.4.2), so each of these had an issuer.
        """
        witnesses: dict[str, str] = {}
        for resource in self._site:
            below = resource
            for _ in range(_chain_length(self._observed.of(resource.address))):
                above = self._site.issuer_of(below)
                if above is None or self._is_from_another(below, above):
                    break
                witnesses.setdefault(above.address, resource.address)
                below = above
        return witnesses

    def _is_from_another(self, resource: Resource, issuer: Resource) -> bool:
        """Tell whether a certificate that is there was issued by another authority than is declared now.

        Then what stands in the chains beneath it is not what is declared either.
        """
        found = self._observed.of(resource.address).certificate
        return isinstance(found, Found) and not is_same_name(found.value.issuer, issuer.subject)


def _chain_length(found: ObservedResource) -> int:
    chain, fullchain = found.files.get(CHAIN_FILE), found.files.get(FULLCHAIN_FILE)
    if isinstance(chain, Found):
        return len(chain.value.contents.certificates)
    return len(fullchain.value.contents.certificates) - 1 if isinstance(fullchain, Found) else 0
