"""A seal under everything remembered, so that only what this user wrote on this machine is believed.

The key lies in the user's state directory, apart from the cache: a cache directory that was brought from elsewhere,
restored by a CI system or altered by somebody fits no key here, and is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping

KEY_BYTES = 32
SEAL_BYTES = 32

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def seal(key: bytes, name: str, content: bytes) -> bytes:
    """Compute the seal of a file's content; a file cannot take the place of another."""
    return hashlib.blake2b(
        content, digest_size=SEAL_BYTES, key=key, person=hashlib.sha256(name.encode()).digest()[:16]
    ).digest()


def is_sealed(key: bytes, name: str, content: bytes, found: bytes) -> bool:
    """Tell whether a seal is that of this content."""
    import hmac

    return hmac.compare_digest(seal(key, name, content), found)


def sealing_key(environment: Mapping[str, str]) -> bytes | None:
    """Return the user's key, made when it is first asked for; None where there is no private place for it."""
    home = environment.get("XDG_STATE_HOME", "")
    # A relative path is to be ignored: XDG Base Directory Specification, "Environment variables".
    if not os.path.isabs(home):
        home = os.path.join(environment.get("HOME") or _home(), ".local", "state")
        if not os.path.isabs(home):
            return None
    directory = os.path.join(home, "pkiplan")
    path = os.path.join(directory, "cache-key")
    try:
        return read_private(path, KEY_BYTES) or _new_key(directory, path)
    except OSError:
        return None


def _home() -> str:
    """Return the home directory of a user whose environment does not name it; empty where there is none."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return ""


def _new_key(directory: str, path: str) -> bytes | None:
    os.makedirs(os.path.dirname(directory), mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(temporary, _NEW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
        # Two first runs at once: the key of one of them stays.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
    return read_private(path, KEY_BYTES)


def read_private(path: str, size: int | None = None, largest: int = KEY_BYTES) -> bytes | None:
    """Read a regular file that is this user's own and that no one else can write; None for any other."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        is_own = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o022
        if not is_own or facts.st_size > largest or size not in (None, facts.st_size):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            # `read(largest)` would take that much memory at once.
            return file.read(facts.st_size)
    except OSError:
        return None
    finally:
        os.close(descriptor)
