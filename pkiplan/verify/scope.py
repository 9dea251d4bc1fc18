"""Which certificates are verified, and how deeply."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pkiplan.model.keys import ExternalKey
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site, VerifyRule
from pkiplan.verify.results import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyScope:
    """What to verify.

    `addresses` of None is the whole site, else these and everything issued beneath them; `without` are left out.
    Without `full` the first certificate of each issuer and profile gets every check, and the others one handshake a
    protocol version. `sample` looks at so many certificates at most. `live` asks the endpoints that `connect:` names;
    after an apply they may still serve the certificate they had.
    """

    addresses: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    full: bool = False
    sample: int | None = None
    live: bool = True


EVERYTHING = VerifyScope()


class Depth(Enum):
    """How much one certificate is asked: everything, or one handshake for each protocol version."""

    FULL = "full"
    GLANCE = "glance"


@dataclass(frozen=True, slots=True)
class Selection:
    """The resources to verify, each with its depth, in site order."""

    depths: tuple[tuple[Resource, Depth], ...]
    sample: Sample | None


def select(site: Site, scope: VerifyScope) -> Selection:
    """Choose what is verified, and which certificates stand for the others of their issuer and profile."""
    chosen = [resource for resource in site if _is_in_scope(site, resource, scope)]
    sample = None
    if scope.sample is not None and scope.sample < len(chosen):
        sample = Sample(taken=scope.sample, of=len(chosen))
        chosen = _spread(chosen, scope.sample)
    standing_in = _standing_in(chosen)
    depths = (
        (resource, Depth.FULL if scope.full or resource.address in standing_in else Depth.GLANCE) for resource in chosen
    )
    return Selection(tuple(depths), sample)


def rules_about(site: Site, selection: Selection, scope: VerifyScope) -> tuple[VerifyRule, ...]:
    """Choose the rules that speak of something selected."""
    chosen = {resource.address for resource, _ in selection.depths}
    everything = scope.addresses is None
    return tuple(
        rule
        for rule in site.verify
        if (everything or rule.server in chosen or rule.client in chosen) and (scope.live or rule.connect is None)
    )


def _standing_in(resources: list[Resource]) -> set[str]:
    """Name the certificate of each issuer and profile that gets every check: the first whose key can be at hand."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        # Every self-issued certificate is an issuer of its own.
        group = (resource.issuer or resource.address, resource.profile)
        known = found.get(group)
        if known is None or (isinstance(known.key, ExternalKey) and not isinstance(resource.key, ExternalKey)):
            found[group] = resource
    return {resource.address for resource in found.values()}


def _is_in_scope(site: Site, resource: Resource, scope: VerifyScope) -> bool:
    if resource.address in scope.without:
        return False
    if scope.addresses is None:
        return True
    return resource.address in scope.addresses or any(
        authority.address in scope.addresses for authority in site.chain_of(resource)
    )


def _spread(resources: list[Resource], count: int) -> list[Resource]:
    """Take `count` of them, evenly spread, the same ones each time."""
    step = len(resources) / count if count else 0
    return [resources[int(index * step)] for index in range(count)]
