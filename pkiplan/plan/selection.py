"""What of a site is planned: everything, or what `--target` names with all it depends on; and what is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pkiplan.errors import PkiplanError
from pkiplan.model.observed import ObservedState
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import PlanOptions
from pkiplan.plan.descriptions import several
from pkiplan.plan.key import is_generated
from pkiplan.plan.targets import Addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The options with every pattern resolved. `targets` of None means everything; `pruned` is what is removed."""

    targets: frozenset[str] | None = None
    replaced: frozenset[str] = frozenset()
    rekey: bool = False
    allowed: frozenset[str] = frozenset()
    allows_many: bool = False
    pruned: frozenset[str] = frozenset()

    def holds(self, address: str) -> bool:
        """Tell whether a resource, or what was one, is planned."""
        return self.targets is None or address in self.targets


EVERYTHING = Selection()


def select(site: Site, observed: ObservedState, options: PlanOptions) -> Selection:
    """Resolve the options against what is there; raise `PkiplanError` for a name that nothing has."""
    if options == PlanOptions():
        return EVERYTHING
    if options.rekey and not options.replace:
        raise PkiplanError.of(
            "--rekey says how to replace, but nothing is replaced",
            hint="name it: --replace ADDRESS --rekey",
            code="rekey-without-replace",
        )
    declared = Addresses(site.resources)
    once = tuple(file.address for file in observed.unmanaged if file.address is not None)
    known = Addresses((*site.resources, *once))
    replaced = [address for pattern in options.replace for address in declared.find("--replace", pattern)]
    if options.rekey:
        _demand_generated_keys(site, replaced)
    targets = [address for pattern in options.targets for address in known.find("--target", pattern)]
    chosen = _with_issuers(site, targets) if options.targets else None
    _demand_within(chosen, replaced)
    allowed = [address for pattern in options.allow for address in known.find("--allow", pattern, globs=False)]
    return Selection(
        targets=chosen,
        replaced=frozenset(replaced),
        rekey=options.rekey,
        allowed=frozenset(allowed),
        allows_many=options.allow_many,
        pruned=_no_longer_declared(site, once, chosen) if options.prune else frozenset(),
    )


def _no_longer_declared(site: Site, once: Sequence[str], chosen: frozenset[str] | None) -> frozenset[str]:
    """List what was a resource once; what is declared to lie elsewhere now still is one."""
    return frozenset(a for a in once if a not in site.resources and (chosen is None or a in chosen))


def _with_issuers(site: Site, addresses: list[str]) -> frozenset[str]:
    chosen = set(addresses)
    for address in addresses:
        resource: Resource | None = site.resources.get(address)
        while resource is not None and resource.issuer is not None:
            chosen.add(resource.issuer)
            resource = site.resources[resource.issuer]
    return frozenset(chosen)


def _demand_within(targets: frozenset[str] | None, replaced: list[str]) -> None:
    """Refuse to replace what the targets leave out: neither leaving it nor taking more than them is what was meant."""
    beyond = [] if targets is None else [address for address in replaced if address not in targets]
    if beyond:
        raise PkiplanError.of(
            f"--replace names what --target leaves out: {several(beyond)}",
            hint=f"name it as a target too, `--target {beyond[0]}`, or leave --target out",
            code="replace-beyond-target",
        )


def _demand_generated_keys(site: Site, addresses: list[str]) -> None:
    for address in addresses:
        if not is_generated(site.resources[address]):
            raise PkiplanError.of(
                f"{address} cannot be given a new key: its key is not made by pkiplan",
                hint=f"put another key at {site.resources[address].key.path}, or declare one that pkiplan makes",
                code="rekey-of-given-key",
            )
