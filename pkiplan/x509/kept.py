"""What was worked out once for values that many certificates share, found again by the values themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Worked = TypeVar("Worked")

# A site has some profiles and authorities; who has more forgets them all now and then.
_MOST = 1024


class Kept(Generic[Worked]):
    """Results by the identity of what they were made from: large values are slow to hash, shared ones are one object.

    What a key names by `id` is kept with the result, so that no other object can come to have it.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[object, Worked]] = {}

    def get(self, key: Hashable, named: object, make: Callable[[], Worked]) -> Worked:
        """Return what was made for a key before, else make it; `named` is everything that the key names by `id`."""
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[key] = (named, make())
        return known[1]
