"""Kill this process at one of its calls to the file system, or let that call fail.

Python's `os` is replaced in the whole process: whatever pkiplan or a library of its calls is counted. That nothing
passes by uncounted is tested with strace, in `test_every_call_is_seen.py`.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Calls that change something on the disk, or decide what is on it after a loss of power.
CHANGING = (
    "write", "mkdir", "rename", "replace", "link", "symlink", "unlink", "remove", "rmdir", "fsync", "fdatasync",
    "chmod", "fchmod", "chown", "fchown", "truncate", "ftruncate", "utime",
)  # fmt: skip
# Calls that only look; killed there, the disk is as at the next that changes something, but they too can fail.
LOOKING = ("read", "listdir", "scandir", "stat", "lstat", "fstat", "readlink", "statvfs")

ERRORS_OF_CHANGING = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT)
# Looking needs no room and writes nothing.
ERRORS_OF_LOOKING = (errno.EIO, errno.EACCES)

# Where a call takes two names, the second is the one that it makes.
_TAKING_TWO = {"rename": "src_dir_fd", "replace": "src_dir_fd", "link": "src_dir_fd", "symlink": ""}

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(slots=True)
class FaultyCalls:
    """Counts the calls of one sort; at the one with the number `at` comes the end, or the error.

    `trace` holds each call's name, the path that it makes or changes, and the path that it is made from, if there is
    one. `beneath` are the directories that count.
    """

    beneath: tuple[str, ...]
    is_looking: bool = False
    at: int | None = None
    error: int | None = None
    trace: list[tuple[str, str, str]] = field(default_factory=list)
    _real: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def install(self) -> None:
        """Stand in the place of `os`, for the rest of this process."""
        self._real = {name: getattr(os, name) for name in (*CHANGING, *LOOKING, "open")}
        for name in LOOKING if self.is_looking else CHANGING:
            setattr(os, name, self._counted(name, self._real[name]))
        os.open = self._open
        if not self.is_looking:
            builtins.open = io.open = self._buffered(builtins.open)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            path, source = self._paths(name, arguments, named)
            if self._counts(path):
                if name == "write" and self.at == len(self.trace):
                    # Torn: half of it gets there.
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                self._count(name, path, source)
            return real(*arguments, **named)

        return call

    def _paths(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, str]:
        if name not in _TAKING_TWO:
            return self._path(arguments[0] if arguments else ".", named.get("dir_fd")), ""
        made = self._path(arguments[1], named.get("dst_dir_fd", named.get("dir_fd")))
        if name == "symlink":
            return made, os.fsdecode(arguments[0])
        return made, self._path(arguments[0], named.get(_TAKING_TWO[name]))

    def _open(self, path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        full = self._path(path, named.get("dir_fd"))
        if bool(flags & _WRITES) != self.is_looking and self._counts(full):
            self._count("open", full)
        return self._real["open"](path, flags, *arguments, **named)  # type: ignore[no-any-return]

    def _buffered(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Count what is written through a file object: as one call, where it reaches the kernel."""

        def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if not set(mode) & set("wax+"):
                return real(file, mode, *arguments, **named)
            path = self._path(file, None)
            if self._counts(path) and not isinstance(file, int):
                self._count("open", path)
            stream = real(file, mode, *arguments, **named)
            if self._counts(path):
                self._count("write", path)
            return stream

        return opened

    def _path(self, what: Any, directory: int | None) -> str:
        if isinstance(what, int):
            try:
                return str(self._real["readlink"](f"/proc/self/fd/{what}"))
            except OSError:
                return ""
        text = os.fsdecode(what)
        if text.startswith("/"):
            return text
        if directory is None:
            return f"{os.getcwd()}/{text}"
        return f"{self._real['readlink'](f'/proc/self/fd/{directory}')}/{text}"

    def _counts(self, path: str) -> bool:
        return path.startswith(self.beneath)

    def _count(self, name: str, path: str, source: str = "") -> None:
        number = len(self.trace)
        self.trace.append((name, path, source))
        if number != self.at:
            return
        if self.error is None:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(self.error, os.strerror(self.error or 0), path)
