"""One digest of everything in a site's tree that a plan can depend on.

It is of names, links, modes, owners and contents, never of times. What no plan looks at is left out: generations that
are not the current one, OpenSSL's copies of issued certificates, archived leaves, the lock.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Collection

# A file larger than this is none of pkiplan's; a tree that holds one has no digest.
LARGEST_FILE = 256 * 1024 * 1024

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_DATA_LINK = "..data"
# Whose contents explain nothing: their existence is in the digest, what is in them is not.
_NOT_LOOKED_INTO = frozenset({"newcerts", "/archive/certificate"})
_CONTROL = "/.pkiplan"
_JOURNAL = "journal"


def file_system_clock() -> int:
    """Return the time of the clock that marks changes of files, in nanoseconds: never later than a change made now."""
    if hasattr(time, "CLOCK_REALTIME_COARSE"):
        return time.clock_gettime_ns(time.CLOCK_REALTIME_COARSE)
    # Where there is no such clock, its longest tick before now.
    return time.time_ns() - 20_000_000


def wait_for_next_tick() -> None:
    """Wait until what is changed from now on has a later time than what was changed before."""
    before = time.time_ns()
    for _ in range(100):
        if file_system_clock() > before:
            return
        time.sleep(0.002)


class NoDigestError(Exception):
    """The tree holds what cannot be summed up: a foreign link, a pipe, a file that cannot be read."""


class TreeDigest:
    """A walk through a tree; afterwards it holds the digest, and what a witness needs.

    `newest` is the latest change time of any file or directory, in nanoseconds; `files` the SHA-256 of each file by
    path, where that was asked for.
    """

    __slots__ = ("_hash", "_root", "files", "newest")

    def __init__(self, root: str, tops: Collection[str] | None, *, with_files: bool = False) -> None:
        """Walk; of the first level only the names in `tops`, where they are given."""
        self._hash = hashlib.sha256()
        self._root = root
        self.newest = 0
        self.files: dict[str, str] | None = {} if with_files else None
        try:
            descriptor = os.open(root, _DIRECTORY)
            try:
                self._walk(descriptor, "", "", 0, tops)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NoDigestError(str(error)) from None

    @property
    def hex(self) -> str:
        """Return the digest."""
        return self._hash.hexdigest()

    def _walk(self, directory: int, path: str, public: str, depth: int, tops: Collection[str] | None) -> None:
        """Take in a directory; `public` is the path by which its files are known, for a generation that above it."""
        self._add(f"directory {path}", os.fstat(directory))
        with os.scandir(directory) as entries:
            found = sorted([(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries])
        for name, is_link, is_directory in found:
            if tops is not None and name not in tops:
                continue
            if is_link:
                self._link(directory, name, path, public, depth)
            elif name[:2] == "..":
                # A generation that is read through `..data`, or what waits for its switch.
                continue
            elif is_directory:
                self._directory(directory, name, f"{path}/{name}", f"{public}/{name}", depth)
            elif path != _CONTROL or name == _JOURNAL:
                self._file(directory, name, f"{path}/{name}", f"{public}/{name}")

    def _directory(self, parent: int, name: str, path: str, public: str, depth: int) -> None:
        if name in _NOT_LOOKED_INTO or path in _NOT_LOOKED_INTO:
            self._hash.update(f"directory {path}\0".encode("utf-8", "surrogateescape"))
            return
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            self._walk(descriptor, path, public, depth + 1, None)
        finally:
            os.close(descriptor)

    def _link(self, parent: int, name: str, path: str, public: str, depth: int) -> None:
        target = os.readlink(name, dir_fd=parent)
        self._hash.update(f"link {path}/{name} {target}\0".encode("utf-8", "surrogateescape"))
        if name == _DATA_LINK:
            if "/" in target or target[:2] != ".." or target == "..":
                raise NoDigestError(path)
            self._directory(parent, target, f"{path}/{target}", public, depth)
            return
        # `cert.pem` is a link to `..data/cert.pem`, `sub/cert.pem` one to `../..data/sub/cert.pem`.
        inside = target
        while inside.startswith("../") and depth > 0:
            inside, depth = inside[3:], depth - 1
        if not inside.startswith(f"{_DATA_LINK}/") or "/../" in inside or inside.endswith("/.."):
            raise NoDigestError(path)

    def _file(self, parent: int, name: str, path: str, public: str) -> None:
        descriptor = os.open(name, _FILE, dir_fd=parent)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST_FILE:
                raise NoDigestError(path)
            content = os.read(descriptor, facts.st_size + 1)
        finally:
            os.close(descriptor)
        if len(content) != facts.st_size:
            raise NoDigestError(path)
        self._add(f"file {path} {facts.st_size}", facts)
        self._hash.update(content)
        if self.files is not None:
            known = self._root + public
            # Two files of one name, one in the current generation and one beside it: which one counts is not said here.
            self.files[known] = "ambiguous" if known in self.files else hashlib.sha256(content).hexdigest()

    def _add(self, what: str, facts: os.stat_result) -> None:
        text = f"{what} {facts.st_mode:o} {facts.st_uid} {facts.st_gid}\0"
        self._hash.update(text.encode("utf-8", "surrogateescape"))
        if facts.st_ctime_ns > self.newest:
            self.newest = facts.st_ctime_ns
