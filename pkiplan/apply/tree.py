"""The site's directory, from which everything is reached by names: no link is followed on the way, none leads out."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Sequence
from functools import lru_cache

from pkiplan.apply import filesystem
from pkiplan.model.site import Site

PRIVATE_DIRECTORY = 0o700

# No open file has this number, so every use of it fails with EBADF.
_NOT_OPEN = -1

# Most sites have two: those of the authorities and of the certificates. A process may have a thousand files open.
_MOST_PASSED = 32


class Tree:
    """An open site directory; directories below it are opened by relative path, and made where asked.

    What was made is remembered, for `sync_new_directories` to put their names on the disk before anything is switched.
    """

    __slots__ = ("_lock", "_new_in", "_passed", "_root", "path")

    def __init__(self, path: str, root: int) -> None:
        self.path = path
        self._root = OpenDirectory(root)
        # Directories that others lie in are passed again and again.
        self._passed: dict[tuple[str, ...], OpenDirectory] = {}
        self._new_in: set[str] = set()
        self._lock = threading.Lock()

    def directory(self, relative: str) -> contextlib.AbstractContextManager[int]:
        """Open a directory below the site's; raise OSError where a step is missing or a link."""
        return self._walk(relative, make=False)

    def made_directory(self, relative: str) -> contextlib.AbstractContextManager[int]:
        """Open a directory below the site's, and make what is missing on the way with mode 0700."""
        return self._walk(relative, make=True)

    def passed_directory(self, relative: str) -> OpenDirectory:
        """Open a directory below the site's that is needed again soon: it stays open while anybody holds it."""
        return self._pass(parts_of(relative), make=False)

    def make_directory(self, relative: str) -> bool:
        """Make a directory below the site's, and what is missing on the way; return whether it was not there before."""
        *above, name = parts_of(relative)
        parent = self._pass(tuple(above), make=True)
        if self._make(parent, above, name):
            return True
        self._step(parent, above, name).close()
        return False

    def let_others_pass(self, relative: str) -> None:
        """Let others pass through the directories above one below the site's, without listing them (0711)."""
        names = parts_of(relative)
        for depth in range(len(names)):
            with self.directory("/".join(names[:depth])) as descriptor:
                filesystem.widen_directory(descriptor, 0o011)

    def device_of(self, relative: str) -> int:
        """Return the number of the device that a directory below the site's lies on."""
        return filesystem.device_of(self._root.descriptor, relative or ".")

    def sync_file_system(self) -> bool:
        """Put everything in the site's file system on the disk; False where that cannot be done in one go."""
        return filesystem.sync_file_system(self._root.descriptor)

    def sync_new_directories(self, *, are_on_disk: bool = False) -> None:
        """Put the names of directories made so far on the disk, unless a sync of the whole file system did."""
        with self._lock:
            parents, self._new_in = sorted(self._new_in), set()
        for parent in () if are_on_disk else parents:
            with self.directory(parent) as descriptor:
                filesystem.sync_directory(descriptor)

    def forget_passed(self) -> None:
        """Forget which directories were passed, because one of them may have been moved or removed."""
        with self._lock:
            self._passed = {}

    def close(self) -> None:
        """Close the site's directory."""
        self.forget_passed()
        self._root.close()

    def _walk(self, relative: str, *, make: bool) -> OpenDirectory:
        names = parts_of(relative)
        if not names:
            return OpenDirectory(os.dup(self._root.descriptor))
        *above, name = names
        return self._enter(self._pass(tuple(above), make=make), above, name, make=make)

    def _pass(self, names: tuple[str, ...], *, make: bool) -> OpenDirectory:
        """Open a directory to reach others in it; it stays open for the next."""
        if not names:
            return self._root
        known = self._passed.get(names)
        if known is not None:
            return known
        *above, name = names
        entered = self._enter(self._pass(tuple(above), make=make), above, name, make=make)
        with self._lock:
            if len(self._passed) >= _MOST_PASSED:
                self._passed = {}
            self._passed[names] = entered
        return entered

    def _enter(self, parent: OpenDirectory, above: list[str], name: str, *, make: bool) -> OpenDirectory:
        try:
            return self._step(parent, above, name)
        except FileNotFoundError:
            if not make:
                raise
        self._make(parent, above, name)
        return self._step(parent, above, name)

    def _step(self, parent: OpenDirectory, above: list[str], name: str) -> OpenDirectory:
        return OpenDirectory(_step(parent.descriptor, name, (self.path, *above)))

    def _make(self, parent: OpenDirectory, above: list[str], name: str) -> bool:
        is_new = filesystem.make_directory(parent.descriptor, name, PRIVATE_DIRECTORY)
        if is_new:
            with self._lock:
                self._new_in.add("/".join(above))
        return is_new


class OpenDirectory:
    """An open directory; closed on leaving it, or when nobody holds it any more."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close it, if it is still open."""
        if self.descriptor != _NOT_OPEN:
            descriptor, self.descriptor = self.descriptor, _NOT_OPEN
            filesystem.close(descriptor)


def open_tree(site: Site, *, make: bool = True) -> Tree:
    """Open the site's directory; where it lies beneath the manifest's, no step from there may be a link."""
    beneath = site.directory == site.base or site.directory.startswith(site.base.rstrip("/") + "/")
    if not beneath:
        if make:
            filesystem.make_path(site.directory, PRIVATE_DIRECTORY)
        return Tree(site.directory, filesystem.open_root(site.directory))
    current = filesystem.open_root(site.base)
    names = parts_of(site.directory[len(site.base) :])
    try:
        for position, name in enumerate(names):
            if make:
                is_last = position == len(names) - 1
                if filesystem.make_directory(current, name, PRIVATE_DIRECTORY if is_last else 0o755):
                    filesystem.sync_directory(current)
            following = _step(current, name, (site.base, *names[:position]))
            filesystem.close(current)
            current = following
    except BaseException:
        filesystem.close(current)
        raise
    return Tree(site.directory, current)


def unopened_tree(site: Site) -> Tree:
    """Stand for the site's directory where it may not be there yet and is not to be made: nothing can be done in it."""
    return Tree(site.directory, _NOT_OPEN)


# One path is opened several times in a row, and files have the same names everywhere.
@lru_cache(maxsize=256)
def parts_of(relative: str) -> tuple[str, ...]:
    """Split a relative path into names; `..` is refused, because it leads out."""
    names = tuple([name for name in relative.split("/") if name not in ("", ".")])
    if ".." in names or "\0" in relative:
        raise OSError(errno.EINVAL, "a path with `..` leads out of the site", relative)
    return names


def _step(parent: int, name: str, above: Sequence[str]) -> int:
    """Enter a directory; `above` are the steps that led to it, for what is told of it."""
    try:
        return filesystem.enter(parent, name)
    except OSError as error:
        path = "/".join((*above, name))
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and filesystem.link_target(parent, name) is not None:
            raise OSError(errno.ELOOP, "is a symbolic link, which apply does not follow", path) from None
        raise OSError(error.errno, os.strerror(error.errno or 0).lower(), path) from None
