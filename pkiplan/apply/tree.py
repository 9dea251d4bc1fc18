"""The site's directory, from which everything is reached by names: no link is followed on the way, none leads out."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator

from pkiplan.apply import filesystem
from pkiplan.model.site import Site

PRIVATE_DIRECTORY = 0o700

# No open file has this number, so every use of it fails with EBADF.
_NOT_OPEN = -1


class Tree:
    """An open site directory; directories below it are opened by relative path, and made where asked.

    What was made is remembered, for `sync_new_directories` to put their names on the disk before anything is switched.
    """

    __slots__ = ("_lock", "_new_in", "_root", "path")

    def __init__(self, path: str, root: int) -> None:
        self.path = path
        self._root = root
        self._new_in: set[str] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def directory(self, relative: str) -> Iterator[int]:
        """Open a directory below the site's; raise OSError where a step is missing or a link."""
        descriptor = self._walk(relative, make=False)
        try:
            yield descriptor
        finally:
            filesystem.close(descriptor)

    @contextlib.contextmanager
    def made_directory(self, relative: str) -> Iterator[int]:
        """Open a directory below the site's, and make what is missing on the way with mode 0700."""
        descriptor = self._walk(relative, make=True)
        try:
            yield descriptor
        finally:
            filesystem.close(descriptor)

    def let_others_pass(self, relative: str) -> None:
        """Let others pass through the directories above one below the site's, without listing them (0711)."""
        names = parts_of(relative)
        for depth in range(len(names)):
            with self.directory("/".join(names[:depth])) as descriptor:
                filesystem.widen_directory(descriptor, 0o011)

    def device_of(self, relative: str) -> int:
        """Return the number of the device that a directory below the site's lies on."""
        return filesystem.device_of(self._root, relative or ".")

    def sync_file_system(self) -> bool:
        """Put everything in the site's file system on the disk; False where that cannot be done in one go."""
        return filesystem.sync_file_system(self._root)

    def sync_new_directories(self, *, are_on_disk: bool = False) -> None:
        """Put the names of directories made so far on the disk, unless a sync of the whole file system did."""
        with self._lock:
            parents, self._new_in = sorted(self._new_in), set()
        for parent in () if are_on_disk else parents:
            with self.directory(parent) as descriptor:
                filesystem.sync_directory(descriptor)

    def close(self) -> None:
        """Close the site's directory."""
        filesystem.close(self._root)

    def _walk(self, relative: str, *, make: bool) -> int:
        current = os.dup(self._root)
        try:
            done: list[str] = []
            for name in parts_of(relative):
                path = f"{self.path}/{'/'.join((*done, name))}"
                try:
                    following = _step(current, name, path)
                except FileNotFoundError:
                    if not make:
                        raise
                    if filesystem.make_directory(current, name, PRIVATE_DIRECTORY):
                        with self._lock:
                            self._new_in.add("/".join(done))
                    following = _step(current, name, path)
                filesystem.close(current)
                current = following
                done.append(name)
        except BaseException:
            filesystem.close(current)
            raise
        return current


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
            following = _step(current, name, "/".join((site.base, *names[: position + 1])))
            filesystem.close(current)
            current = following
    except BaseException:
        filesystem.close(current)
        raise
    return Tree(site.directory, current)


def unopened_tree(site: Site) -> Tree:
    """Stand for the site's directory where it may not be there yet and is not to be made: nothing can be done in it."""
    return Tree(site.directory, _NOT_OPEN)


def parts_of(relative: str) -> list[str]:
    """Split a relative path into names; `..` is refused, because it leads out."""
    names = [name for name in relative.split("/") if name not in ("", ".")]
    if ".." in names or "\0" in relative:
        raise OSError(errno.EINVAL, "a path with `..` leads out of the site", relative)
    return names


def _step(parent: int, name: str, path: str) -> int:
    try:
        return filesystem.open_directory(name, parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and filesystem.link_target(parent, name) is not None:
            raise OSError(errno.ELOOP, "is a symbolic link, which apply does not follow", path) from None
        raise OSError(error.errno, os.strerror(error.errno or 0).lower(), path) from None
