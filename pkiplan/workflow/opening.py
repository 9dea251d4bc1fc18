"""Which secrets a plan that will be applied may ask for: what its changes need, and what tells how things stand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pkiplan.errors import SecretError
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found, ObservedResource, ObservedState
from pkiplan.model.secret_references import EnvSecret, FileSecret, SystemdSecret
from pkiplan.plan.changes import Plan, PlanOptions
from pkiplan.plan.key import is_unchecked, is_under_any_of_several
from pkiplan.plan.selection import select

if TYPE_CHECKING:
    from pkiplan.model.resource import Resource
    from pkiplan.model.secret_references import SecretReference
    from pkiplan.model.site import Site
    from pkiplan.secrets import SecretResolver
    from pkiplan.state.observe import Observed

# Secrets that are simply there or not: looking for one asks no person and runs nothing.
AT_HAND = EnvSecret | FileSecret | SystemdSecret


def opener(
    site: Site, needed: frozenset[SecretReference], resolver: SecretResolver
) -> Callable[[Sequence[SecretReference]], tuple[bytes, ...]]:
    """Open what is needed and nothing else: a renewal must not ask for an offline root's passphrase."""

    def open_with(references: Sequence[SecretReference]) -> tuple[bytes, ...]:
        secrets = []
        for reference in references:
            if reference in needed:
                # What cannot be resolved is told by apply before its first write, for all references at once.
                with contextlib.suppress(SecretError):
                    secrets.append(resolver.resolve(reference, base=site.base))
        return tuple(secrets)

    return open_with


def needed_secrets(site: Site, observed: Observed, plan: Plan) -> Iterator[SecretReference]:
    """List what the plan's changes need, and what opens a file that nobody looked into, without asking anybody."""
    # Of what is unchanged everything is known.
    others = [resource for resource in site if resource.address not in observed.beforehand.unchanged]
    yield from _several_passphrases(site, others, observed.state, plan.options)
    for resource in others:
        found = observed.state.of(resource.address)
        for references in _unopened(resource, found):
            yield from (reference for reference in references if isinstance(reference, AT_HAND))
    for change in plan.pending:
        if (changed := site.resources.get(change.address)) is None:
            continue
        signer = site.issuer_of(changed) if change.signs else None
        for holder in (changed, signer):
            if holder is not None and isinstance(holder.key, ManagedKey):
                yield from holder.key.passphrases
        for output in changed.outputs:
            yield from output.passphrases


def _several_passphrases(
    site: Site, resources: Iterable[Resource], observed: ObservedState, options: PlanOptions
) -> Iterator[SecretReference]:
    """List what tells whether a key lies under an older one of its passphrases; declaring several asks for that."""
    selection = select(site, observed, options)
    for resource in resources:
        if not isinstance(resource.key, ManagedKey) or not selection.holds(resource.address):
            continue
        if is_under_any_of_several(resource, observed.of(resource.address)):
            yield from resource.key.passphrases


def _unopened(resource: Resource, found: ObservedResource) -> Iterator[tuple[SecretReference, ...]]:
    if is_unchecked(resource, found) and isinstance(resource.key, ManagedKey):
        yield resource.key.passphrases
    for output in resource.outputs:
        file = found.files.get(output.path)
        if isinstance(file, Found) and file.value.contents.not_checked is not None:
            yield output.passphrases
