"""One digest of everything in a site's tree that a plan can depend on.

It is of names, links, modes, owners and contents, never of times. What no plan looks at is left out: generations that
are not the current one, OpenSSL's copies of issued certificates, archived leaves, the lock.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pkiplan.model.observed import FileFacts

# A file larger than this is none of pkiplan's; a tree that holds one has no digest.
LARGEST_FILE = 256 * 1024 * 1024

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_DATA_LINK = "..data"
_DIGEST_LENGTH = 64
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


class Met:
    """What a walk met beside what it digested.

    `newest` is the latest change time of any file or directory, in nanoseconds; `known` counts the files whose digest
    was known before, `others` are the paths of those that were read.
    """

    __slots__ = ("known", "newest", "others")

    def __init__(self) -> None:
        self.newest = 0
        self.known = 0
        self.others: list[str] = []

    def add(self, other: Met) -> None:
        """Take in what another walk met."""
        self.newest = max(self.newest, other.newest)
        self.known += other.known
        self.others += other.others


# The directory of a certificate that was read a moment ago: its digest, and how many files that is of.
KnownDirectory = tuple[str, int]

# A directory beneath one that is walked: its name, its path, and the path by which its files are known.
_Below = tuple[str, str, str]

# Does work on parts of a list; the answers come in order, and the open file that is given stays open meanwhile.
Spread = Callable[[Callable[[Sequence[Any]], Any], Sequence[Any], int], Iterator[Any]]


def at_once(work: Callable[[Sequence[Any]], Any], items: Sequence[Any], _: int) -> Iterator[Any]:
    """Do work on the whole list."""
    yield work(items)


class TreeDigest:
    """A walk through a tree; afterwards it holds the digest (of names, facts, contents), and what the walk met."""

    __slots__ = ("_known", "_known_directories", "_names", "_root", "_spread", "hex", "met")

    def __init__(
        self,
        root: str,
        tops: Collection[str] | None,
        *,
        known: Mapping[str, str] | None = None,
        known_directories: Mapping[str, KnownDirectory] | None = None,
        spread: Spread = at_once,
    ) -> None:
        """Walk; of the first level only the names in `tops`, where they are given.

        What is `known` are the SHA-256 of files by path that were read a moment ago: they are not read again; nor are
        `known_directories`, by path beneath the root, even looked into. If one of them is not right, the digest is
        that of another tree. `spread` may walk directories beside each other.
        """
        self._root = root
        self._known = known or {}
        self._known_directories = known_directories or {}
        self._spread = spread
        # Two files of one name, one in the current generation and one beside it: which one counts is not said here.
        self._names: set[str] = set()
        self.met = Met()
        try:
            descriptor = os.open(root, _DIRECTORY)
            try:
                self.hex = self._walk(descriptor, "", "", 0, tops)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NoDigestError(str(error)) from None

    def _walk(self, directory: int, path: str, public: str, depth: int, tops: Collection[str] | None) -> str:
        """Digest a directory; `public` is the path by which its files are known, for a generation that above it."""
        texts = [self._described("directory", path, os.fstat(directory))]
        below: list[_Below] = []
        with os.scandir(directory) as entries:
            found = sorted([(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries])
        for name, is_link, is_directory in found:
            if tops is not None and name not in tops:
                continue
            if is_link:
                target = os.readlink(name, dir_fd=directory)
                texts.append(_link(f"{path}/{name}", target))
                if name == _DATA_LINK:
                    if "/" in target or target[:2] != ".." or target == "..":
                        raise NoDigestError(path)
                    below.append((target, f"{path}/{target}", public))
                elif not _leads_to_data(target, depth):
                    raise NoDigestError(path)
            elif name[:2] == "..":
                # A generation that is read through `..data`, or what waits for its switch.
                continue
            elif is_directory:
                below.append((name, f"{path}/{name}", f"{public}/{name}"))
            elif path != _CONTROL or name == _JOURNAL:
                texts.append(self._file(directory, name, f"{path}/{name}", f"{self._root}{public}/{name}"))
        texts += self._directories(directory, below, depth)
        return _summed_up(texts)

    def _directories(self, parent: int, below: Sequence[_Below], depth: int) -> Iterator[str]:
        """Digest directories that lie beside each other."""
        known = [self._known_directory(name, path) for name, path, _ in below]
        walked = self._walked(
            parent, [one for one, known_one in zip(below, known, strict=True) if known_one is None], depth
        )
        for (_, path, _), known_one in zip(below, known, strict=True):
            if known_one is None:
                yield next(walked)
            else:
                digest, files = known_one
                self.met.known += files
                yield _directory(digest, path)

    def _known_directory(self, name: str, path: str) -> KnownDirectory | None:
        return None if _is_not_looked_into(name, path) else self._known_directories.get(path.removeprefix("/"))

    def _walked(self, parent: int, below: Sequence[_Below], depth: int) -> Iterator[str]:
        """Walk directories that lie beside each other."""

        def work(part: Sequence[_Below]) -> tuple[list[str] | None, Met]:
            before, self.met = self.met, Met()
            try:
                return [self._directory(parent, one, depth) for one in part], self.met
            except (OSError, NoDigestError):
                return None, self.met
            finally:
                self.met = before

        for digests, met in self._spread(work, below, parent) if below else ():
            if digests is None:
                raise NoDigestError(self._root)
            self.met.add(met)
            yield from digests

    def _directory(self, parent: int, one: _Below, depth: int) -> str:
        name, path, public = one
        if _is_not_looked_into(name, path):
            return f"directory {path}"
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            return _directory(self._walk(descriptor, path, public, depth + 1, None), path)
        finally:
            os.close(descriptor)

    def _file(self, parent: int, name: str, path: str, known_as: str) -> str:
        if known_as in self._names:
            raise NoDigestError(path)
        self._names.add(known_as)
        digest = self._known.get(known_as)
        if digest is None or len(digest) != _DIGEST_LENGTH:
            facts, digest = _read(parent, name, path)
            self.met.others.append(known_as)
        else:
            facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISREG(facts.st_mode):
                raise NoDigestError(path)
            self.met.known += 1
        return self._described(f"file {digest}", path, facts)

    def _described(self, what: str, path: str, facts: os.stat_result) -> str:
        if facts.st_ctime_ns > self.met.newest:
            self.met.newest = facts.st_ctime_ns
        return _described(what, path, facts.st_mode, facts.st_uid, facts.st_gid)


def certificate_directory(
    path: str, itself: os.stat_result, generation: str, inside: os.stat_result, files: Mapping[str, FileFacts]
) -> KnownDirectory:
    """Give what a walk makes of a certificate's directory in which nothing lies but its generations and their links.

    `generation` is what `..data` names, `inside` tells of that directory, and `files` are all that lie in it.
    """
    path_inside = f"{path}/{generation}"
    links = {_DATA_LINK: generation, **{name: f"{_DATA_LINK}/{name}" for name in files}}
    texts_inside = [_described("directory", path_inside, inside.st_mode, inside.st_uid, inside.st_gid)]
    for name, file in sorted(files.items()):
        what = f"file {file.sha256}"
        texts_inside.append(_described(what, f"{path_inside}/{name}", stat.S_IFREG | file.mode, file.uid, file.gid))
    texts = [
        _described("directory", path, itself.st_mode, itself.st_uid, itself.st_gid),
        *(_link(f"{path}/{name}", target) for name, target in sorted(links.items())),
        _directory(_summed_up(texts_inside), path_inside),
    ]
    return _summed_up(texts), len(files)


def _described(what: str, path: str, mode: int, owner: int, group: int) -> str:
    return f"{what} {mode:o} {owner} {group} {path}"


def _link(path: str, target: str) -> str:
    return f"link {path}\0{target}"


def _directory(digest: str, path: str) -> str:
    return f"directory {digest} {path}"


def _summed_up(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join((*texts, "")).encode("utf-8", "surrogateescape")).hexdigest()


def _is_not_looked_into(name: str, path: str) -> bool:
    return name in _NOT_LOOKED_INTO or path in _NOT_LOOKED_INTO


def _leads_to_data(target: str, depth: int) -> bool:
    """Tell whether a link is into a generation: `..data/cert.pem`, or in a directory `../..data/sub/cert.pem`."""
    inside = target
    while inside.startswith("../") and depth > 0:
        inside, depth = inside[3:], depth - 1
    return inside.startswith(f"{_DATA_LINK}/") and "/../" not in inside and not inside.endswith("/..")


def _read(parent: int, name: str, path: str) -> tuple[os.stat_result, str]:
    """Return the facts of a file and its SHA-256."""
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
    return facts, hashlib.sha256(content).hexdigest()
