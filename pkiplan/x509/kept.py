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

    __slots__ = ("_known", "_most")

    def __init__(self, most: int = _MOST) -> None:
        self._known: dict[Hashable, tuple[object, Worked]] = {}
        self._most = most

    def find(self, key: Hashable) -> Worked | None:
        """Return what was kept for a key, or None."""
        known = self._known.get(key)
        return None if known is None else known[1]

    def keep(self, key: Hashable, named: object, worked: Worked) -> None:
        """Keep a result; `named` is everything that the key names by `id`."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[key] = (named, worked)

    def get(self, key: Hashable, named: object, make: Callable[[], Worked]) -> Worked:
        """Return what was kept for a key, else make it and keep it."""
        known = self.find(key)
        if known is None:
            known = make()
            self.keep(key, named, known)
        return known
