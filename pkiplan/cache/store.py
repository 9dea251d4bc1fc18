"""Facts remembered by the digest of what they were read from.

A cache only saves time: it is read as if it were hostile, and what does not fit is forgotten. It lies in the user's
cache directory, never in the tree, because a pull request must not bring its own.

One file for each kind of fact: a line that names the format and the version, then lines of digest and JSON. Lines are
only decoded when asked for, so that a large cache costs little to open.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Mapping

from pkiplan import __version__

# Raise it when the shape of any remembered value changes.
FORMAT = 2
LARGEST_FILE = 256 * 1024 * 1024
# When a file holds more than this, what this run did not use is dropped.
MOST_ENTRIES = 100_000

_KIND_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz-")
_HEADER = f"pkiplan cache {FORMAT} {__version__}".encode()


class Cache:
    """Remember JSON objects by kind and content digest; every failure is silent and costs only time."""

    __slots__ = ("_directory", "_kinds", "_lock")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._kinds: dict[str, _Kind] = {}
        self._lock = threading.Lock()

    def get(self, kind: str, digest: str) -> dict[str, object] | None:
        """Return what is remembered of the content with this digest, or None."""
        with self._lock:
            return self._kind(kind).get(digest)

    def put(self, kind: str, digest: str, value: Mapping[str, object]) -> None:
        """Remember a value; nothing is written before `save`."""
        with self._lock:
            self._kind(kind).put(digest, value)

    def save(self) -> None:
        """Write what is new; a failure is silent, because nothing depends on the cache."""
        with self._lock:
            for name, kind in self._kinds.items():
                with contextlib.suppress(OSError):
                    kind.save(self._directory, name)

    def _kind(self, name: str) -> _Kind:
        if name not in self._kinds:
            if not _KIND_CHARACTERS.issuperset(name):
                raise ValueError(f"not a kind of fact: {name!r}")
            self._kinds[name] = _Kind(_read_lines(self._directory, name))
        return self._kinds[name]


class _Kind:
    """The lines of one file, by digest, as bytes until they are asked for."""

    __slots__ = ("lines", "new", "used")

    def __init__(self, lines: dict[bytes, bytes]) -> None:
        self.lines = lines
        self.new: dict[bytes, bytes] = {}
        self.used: set[bytes] = set()

    def get(self, digest: str) -> dict[str, object] | None:
        key = digest.encode()
        line = self.new.get(key) or self.lines.get(key)
        if line is None:
            return None
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        self.used.add(key)
        return value

    def put(self, digest: str, value: Mapping[str, object]) -> None:
        key = digest.encode()
        if not key.isalnum():
            raise ValueError(f"not a digest: {digest!r}")
        line = json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()
        if self.lines.get(key) != line:
            self.new[key] = line
        self.used.add(key)

    def save(self, directory: str, name: str) -> None:
        if not self.new:
            return
        # Read again: another run may have saved meanwhile, and what it learnt shall not be lost.
        entries = _read_lines(directory, name) | self.new
        if len(entries) > MOST_ENTRIES:
            entries = {key: line for key, line in entries.items() if key in self.used}
        _write_atomically(directory, name, b"\n".join((_HEADER, *(k + b" " + v for k, v in entries.items()), b"")))
        self.lines = entries
        self.new = {}


def open_cache(environment: Mapping[str, str] = os.environ) -> Cache | None:
    """Open the user's cache, or return None where there is none (`PKIPLAN_CACHE=off`, or no private directory)."""
    if environment.get("PKIPLAN_CACHE", "").lower() in ("off", "0", "no", "false"):
        return None
    home = environment.get("XDG_CACHE_HOME", "")
    # A relative path is to be ignored: XDG Base Directory Specification, "Environment variables".
    if not os.path.isabs(home):
        home = os.path.join(environment.get("HOME", ""), ".cache")
        if not os.path.isabs(home):
            return None
    directory = os.path.join(home, "pkiplan")
    try:
        os.makedirs(home, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        facts = os.lstat(directory)
    except OSError:
        return None
    is_private = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o022
    return Cache(directory) if is_private else None


def _read_lines(directory: str, name: str) -> dict[bytes, bytes]:
    try:
        descriptor = os.open(_path(directory, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return {}
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            return {}
        if facts.st_size > LARGEST_FILE:
            return {}
        with open(descriptor, "rb", closefd=False) as file:
            header, *lines = file.read(LARGEST_FILE).split(b"\n")
    except OSError:
        return {}
    finally:
        os.close(descriptor)
    if header != _HEADER:
        return {}
    entries: dict[bytes, bytes] = {}
    # What follows the last line end is empty, or was cut off.
    for line in lines[:-1]:
        digest, _, value = line.partition(b" ")
        if digest.isalnum():
            entries[digest] = value
    return entries


def _write_atomically(directory: str, name: str, content: bytes) -> None:
    temporary = f"{_path(directory, name)}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.rename(temporary, _path(directory, name))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _path(directory: str, name: str) -> str:
    return f"{directory}/{name}.facts"
