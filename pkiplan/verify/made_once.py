"""What is made at most once in a run and then shared by all threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar, cast

V = TypeVar("V")


class MadeOnce:
    """Values by key, for as long as the run."""

    def __init__(self) -> None:
        self._made: dict[Hashable, object] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key; where two threads make one at a time, both get the first."""
        with self._lock:
            if key in self._made:
                return cast("V", self._made[key])
        made = make()
        with self._lock:
            return cast("V", self._made.setdefault(key, made))
