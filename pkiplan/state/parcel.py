"""A value on its way from one process to another, unpacked only where somebody looks into it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Parcel(Generic[T]):
    """Holds a value as it is, or as it came from another process of this very program."""

    __slots__ = ("_packed", "_value")

    def __init__(self, value: T) -> None:
        self._value: T = value
        self._packed: bytes | None = None

    @property
    def value(self) -> T:
        """Return what is in it."""
        # Several threads of an apply may ask at once: then each unpacks it.
        if (packed := self._packed) is not None:
            self._value = pickle.loads(packed)  # noqa: S301 - from this very program
            self._packed = None
        return self._value

    def __reduce__(self) -> tuple[Callable[[bytes], Parcel[T]], tuple[bytes]]:
        return _arrived, (self._packed or pickle.dumps(self._value, pickle.HIGHEST_PROTOCOL),)


def _arrived(packed: bytes) -> Parcel[T]:
    parcel: Parcel[T] = Parcel.__new__(Parcel)
    parcel._packed = packed  # noqa: SLF001 - of this very class
    return parcel
