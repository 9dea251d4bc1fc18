"""Facts remembered by the digest of what they were read from.

A cache only saves time: it is read as if it were hostile, and what does not fit is forgotten. It lies in the user's
cache directory, never in the tree, because a pull request must not bring its own.

One file for each kind of fact: a line that names the format and the version, lines of digest and JSON, and the seal.
Lines are only decoded when asked for, so that a large cache costs little to open.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Mapping

from pkiplan import __version__
from pkiplan.cache.seal import SEAL_BYTES, is_sealed, read_private, seal, sealing_key

# Raise it when the shape of any remembered value changes.
FORMAT = 9
LARGEST_FILE = 256 * 1024 * 1024
# When a file holds more than this, what this run did not use is dropped.
MOST_ENTRIES = 100_000

_KIND_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz-")
_HEADER = f"pkiplan cache {FORMAT} {__version__}".encode()


class Cache:
    """Remember JSON objects by kind and content digest; every failure is silent and costs only time."""

    __slots__ = ("_directory", "_key", "_kinds", "_lock")

    def __init__(self, directory: str, key: bytes) -> None:
        self._directory = directory
        self._key = key
        self._kinds: dict[str, _Kind] = {}
        self._lock = threading.Lock()

    def get(self, kind: str, digest: str) -> dict[str, object] | None:
        """Return what is remembered of the content with this digest, or None."""
        with self._lock:
            return self._kind(kind).get(digest)

    def put(self, kind: str, digest: str, value: Mapping[str, object]) -> None:
        """Remember a value; nothing is written before `save`."""
        self.put_line(kind, digest, line_of(value))

    def put_line(self, kind: str, digest: str, line: bytes) -> None:
        """Remember a value that `line_of` gave a line of."""
        with self._lock:
            self._kind(kind).put(digest, line)

    def new(self) -> dict[str, dict[bytes, bytes]]:
        """Give what `save` would write, by kind: lines by digest."""
        with self._lock:
            return {name: kind.new for name, kind in self._kinds.items() if kind.new}

    def add(self, lines: Mapping[str, Mapping[bytes, bytes]]) -> None:
        """Put lines as another cache, in another process of this program, gives them by `new`."""
        with self._lock:
            for name, entries in lines.items():
                self._kind(name).add(entries)

    def save(self) -> None:
        """Write what is new; a failure is silent, because nothing depends on the cache."""
        with self._lock:
            for name, kind in self._kinds.items():
                with contextlib.suppress(OSError):
                    kind.save(self._directory, name, self._key)

    def _kind(self, name: str) -> _Kind:
        if name not in self._kinds:
            if not _KIND_CHARACTERS.issuperset(name):
                raise ValueError(f"not a kind of fact: {name!r}")
            self._kinds[name] = _Kind(_read_lines(self._directory, name, self._key))
        return self._kinds[name]


def line_of(value: Mapping[str, object]) -> bytes:
    """Write a value as it stands in the cache."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


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

    def put(self, digest: str, line: bytes) -> None:
        key = digest.encode()
        if not key.isalnum():
            raise ValueError(f"not a digest: {digest!r}")
        if self.lines.get(key) != line:
            self.new[key] = line
        self.used.add(key)

    def add(self, lines: Mapping[bytes, bytes]) -> None:
        self.new.update(lines)
        self.used.update(lines)

    def save(self, directory: str, name: str, key: bytes) -> None:
        if not self.new:
            return
        # Read again: another run may have saved meanwhile, and what it learnt shall not be lost.
        entries = _read_lines(directory, name, key) | self.new
        if len(entries) > MOST_ENTRIES:
            entries = {key: line for key, line in entries.items() if key in self.used}
        content = b"\n".join((_HEADER, *(k + b" " + v for k, v in entries.items()), b""))
        write_atomically(directory, f"{name}.facts", content + seal(key, name, content))
        self.lines = entries
        self.new = {}


def open_cache(environment: Mapping[str, str] = os.environ) -> Cache | None:
    """Open the user's cache, or return None where there is none (`PKIPLAN_CACHE=off`, or no private directory)."""
    directory = cache_directory(environment)
    key = None if directory is None else sealing_key(environment)
    return None if directory is None or key is None else Cache(directory, key)


def cache_directory(environment: Mapping[str, str]) -> str | None:
    """Return the user's cache directory, made where it is missing; None where none is private or wanted."""
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
    return directory if is_private else None


def _read_lines(directory: str, name: str, key: bytes) -> dict[bytes, bytes]:
    content = read_private(_path(directory, name), largest=LARGEST_FILE)
    if content is None or not is_sealed(key, name, content[:-SEAL_BYTES], content[-SEAL_BYTES:]):
        return {}
    header, *lines = content[:-SEAL_BYTES].split(b"\n")
    if header != _HEADER:
        return {}
    entries: dict[bytes, bytes] = {}
    # What follows the last line end is empty.
    for line in lines[:-1]:
        digest, _, value = line.partition(b" ")
        if digest.isalnum():
            entries[digest] = value
    return entries


def write_atomically(directory: str, name: str, content: bytes) -> None:
    """Write a file of the cache whole or not at all; raises OSError."""
    temporary = f"{directory}/{name}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.rename(temporary, f"{directory}/{name}")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _path(directory: str, name: str) -> str:
    return f"{directory}/{name}.facts"
