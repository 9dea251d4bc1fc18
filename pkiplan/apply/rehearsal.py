"""What apply is about to switch to, for somebody to try before it takes any place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pkiplan.apply.work import Work
from pkiplan.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Waiting:
    """The new files of resources that are whole and wait for the switch; `addresses` are those resources."""

    addresses: frozenset[str]
    _work: Work = field(repr=False)

    def read(self, resource: Resource, name: str) -> bytes | None:
        """Return a file as it will be, or None where no new one waits."""
        if not self._waits(resource, name):
            return None
        return self._work.stage_of(resource.address).read_new(name)

    def path(self, resource: Resource, name: str) -> str | None:
        """Return where a new file waits, or None where none does."""
        if not self._waits(resource, name):
            return None
        return self._work.stage_of(resource.address).path_of_new(name)

    def _waits(self, resource: Resource, name: str) -> bool:
        return resource.address in self.addresses and self._work.stage_of(resource.address).has_new(name)


# Says why nothing may be switched; an empty text lets everything go on.
Rehearsal = Callable[[Waiting], str]
