"""One regular file, read whole and bounded from an open directory, with the facts that `stat` tells of it."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import stat
from dataclasses import dataclass, replace

from pkiplan.errors import system_words
from pkiplan.model.keys import FileAttributes
from pkiplan.model.observed import FileFacts, Found, Missing, Observation, Unreadable

# O_NONBLOCK: a named pipe in the place of a file must not make `plan` wait for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file that was read: its facts and its content."""

    facts: FileFacts
    content: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A link that lies where a file was looked for, and what it holds."""

    target: str


def read_name(parent: int, name: str, limit: int) -> Observation[FileBytes] | Link:
    """Read a file by its name; a link is not followed."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=parent)
    except FileNotFoundError:
        return Missing()
    except OSError as error:
        if error.errno == errno.ELOOP:
            with contextlib.suppress(OSError):
                return Link(os.readlink(name, dir_fd=parent))
        return Unreadable(system_words(error))
    return read_open(descriptor, limit)


def read_open(descriptor: int, limit: int) -> Found[FileBytes] | Unreadable:
    """Read an open file to its end and close it."""
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            return Unreadable("is a directory", is_directory=True)
        if not stat.S_ISREG(facts.st_mode):
            return Unreadable("is not a regular file")
        if facts.st_size > limit:
            return Unreadable(f"is larger than {limit} bytes", is_damaged=True)
        content = _read_all(descriptor, facts.st_size, limit)
    except OSError as error:
        return Unreadable(system_words(error))
    finally:
        os.close(descriptor)
    if len(content) > limit:
        return Unreadable(f"is larger than {limit} bytes", is_damaged=True)
    return Found(
        FileBytes(
            FileFacts(
                sha256=hashlib.sha256(content).hexdigest(),
                mode=stat.S_IMODE(facts.st_mode),
                uid=facts.st_uid,
                gid=facts.st_gid,
                owner=_user_name(facts.st_uid),
                group=_group_name(facts.st_gid),
                size=len(content),
            ),
            content,
        )
    )


def _read_all(descriptor: int, expected: int, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= limit:
        # One byte more than expected: where fewer come, the file has ended, and a second, empty read is spared.
        wanted = max(expected - size, 0) + 1
        part = os.read(descriptor, wanted)
        parts.append(part)
        size += len(part)
        if len(part) < wanted:
            break
    return b"".join(parts)


def called_as_declared(found: Observation[FileBytes], declared: FileAttributes) -> Observation[FileBytes]:
    """Call owner and group by their declared names where these are among the names of their numbers.

    A user may have several names, and which one the system gives for a number says nothing about the file.
    """
    if (declared.owner is None and declared.group is None) or not isinstance(found, Found):
        return found
    facts = found.value.facts
    named = replace(
        facts,
        owner=declared.owner if declared.owner and _user_number(declared.owner) == facts.uid else facts.owner,
        group=declared.group if declared.group and _group_number(declared.group) == facts.gid else facts.group,
    )
    return Found(FileBytes(named, found.value.content))


@functools.lru_cache(maxsize=64)
def _user_number(name: str) -> int | None:
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


@functools.lru_cache(maxsize=64)
def _group_number(name: str) -> int | None:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


@functools.lru_cache(maxsize=64)
def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@functools.lru_cache(maxsize=64)
def _group_name(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
