"""A stand-in for `os` that kills or fails apply at one of its calls that change the file system."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from pkiplan.apply import filesystem
from pkiplan.key_backends import files

CHANGES = (
    "write", "mkdir", "makedirs", "rename", "link", "symlink", "unlink", "rmdir", "fsync", "fchmod", "fchown",
    "ftruncate",
)  # fmt: skip


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class FaultyOs:
    """Counts calls that change the file system; the one with this number is the last (`kill`) or fails (`error`)."""

    def __init__(self, at: int | None = None, error: int | None = None) -> None:
        self.at = at
        self.error = error
        self.calls: list[str] = []
        self.trace: list[tuple[str, str]] = []
        self.is_dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name == "open":
            return self._open
        return self._counted(name, real) if name in CHANGES else real

    def _open(self, path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            self._count("create", path)
        return os.open(path, flags, *arguments, **named)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if name == "write" and self._is_next():
                # Torn: half of it gets there.
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            self._count(name, arguments[0])
            return real(*arguments, **named)

        return call

    def _is_next(self) -> bool:
        return self.at is not None and not self.is_dead and len(self.calls) == self.at

    def _count(self, name: str, what: object) -> None:
        if self.is_dead:
            raise Killed
        number = len(self.calls)
        self.calls.append(name)
        if isinstance(what, int):
            self.trace.append((name, os.readlink(f"/proc/self/fd/{what}")))
        else:
            self.trace.append((name, str(what)))
        if number != self.at:
            return
        if self.error is None:
            self.is_dead = True
            raise Killed
        raise OSError(self.error, os.strerror(self.error), str(what))


def install(monkeypatch: pytest.MonkeyPatch, faulty: FaultyOs) -> None:
    """Put the stand-in where apply and the key backend call `os`."""
    monkeypatch.setattr(filesystem, "os", faulty)
    monkeypatch.setattr(files, "os", faulty)
