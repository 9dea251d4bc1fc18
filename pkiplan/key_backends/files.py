"""Private keys as PEM files.

A key file is made with O_EXCL, so an existing key is never overwritten, and with its final mode from birth.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError, SecretError, system_words
from pkiplan.key_backends.base import KeyDestination
from pkiplan.model.keys import FileAttributes, KeySpec
from pkiplan.model.tree import DATA_LINK, LARGEST_PEM, STAGED_PREFIX

if TYPE_CHECKING:
    from pkiplan.x509.keys import PrivateKey, PublicKey

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# fchown(2): this user or group stays as it is.
_UNCHANGED = -1


class FilesBackend:
    """Keys as PEM files on a local file system."""

    def generate(self, spec: KeySpec, destination: KeyDestination) -> PublicKey:
        """Make a new key in a new file, and read that back."""
        from pkiplan.x509.keys import generate_key

        key = generate_key(spec)
        self._write(key, destination)
        return key.public_key()

    def public_key(self, path: str, passphrases: Sequence[bytes]) -> PublicKey:
        """Return the public half of the key in a file."""
        from pkiplan.x509.private_keys import describe_key_pem, open_private_key

        data = _read_key_file(path)
        with _located(path):
            key = describe_key_pem(data).public_key
            return key or open_private_key(data, passphrases, to_sign=False).public_key()

    def signing_key(self, path: str, passphrases: Sequence[bytes]) -> PrivateKey:
        """Open the key in a file; each passphrase is tried in turn, none is needed for a plain file."""
        return _opened(path, passphrases, to_sign=True)

    def key_to_export(self, path: str, passphrases: Sequence[bytes]) -> PrivateKey:
        """Open the key in a file to write it into another."""
        return _opened(path, passphrases, to_sign=False)

    def private_key_pem(self, path: str, passphrases: Sequence[bytes]) -> bytes:
        """Return the key in a file as plain PKCS#8."""
        from pkiplan.x509.private_keys import open_as_pkcs8

        data = _read_key_file(path)
        with _located(path):
            return open_as_pkcs8(data, passphrases)

    def reencode(self, path: str, passphrases: Sequence[bytes], destination: KeyDestination) -> None:
        """Write the key of one file into another, in the form and under the passphrase of the destination."""
        self._write(self.key_to_export(path, passphrases), destination)

    def _write(self, key: PrivateKey, destination: KeyDestination) -> None:
        from pkiplan.x509.private_keys import encode_private_key

        storage = destination.storage
        content = encode_private_key(key, storage.form, storage.encryption, destination.passphrase)
        _create_key_file(destination, content)


def _opened(path: str, passphrases: Sequence[bytes], *, to_sign: bool) -> PrivateKey:
    from pkiplan.x509.private_keys import open_private_key

    data = _read_key_file(path)
    with _located(path):
        return open_private_key(data, passphrases, to_sign=to_sign)


@contextlib.contextmanager
def _located(path: str) -> Iterator[None]:
    """Name the file in what is said about its content."""
    try:
        yield
    except (KeyMaterialError, SecretError) as error:
        raise type(error)(*(replace(d, summary=f"{path}: {d.summary}") for d in error.diagnostics)) from None


def _failure(path: str, summary: str, *, code: str = "key-file", hint: str = "") -> KeyMaterialError:
    return KeyMaterialError(Diagnostic(summary=f"{path}: {summary}", code=code, hint=hint))


def _create_key_file(destination: KeyDestination, content: bytes) -> None:
    path, attributes = destination.path, destination.storage.attributes
    name = path if destination.dir_fd is None else os.path.basename(path)
    user, group = _owner(path, attributes)
    is_given_away = (user, group) != (_UNCHANGED, _UNCHANGED)
    # Nobody but us may open a file that is still to be given to somebody else.
    birth_mode = attributes.mode & 0o600 if is_given_away else attributes.mode
    try:
        descriptor = os.open(name, _NEW_FILE, birth_mode, dir_fd=destination.dir_fd)
    except FileExistsError:
        raise _failure(path, "is there already; a key is never overwritten", code="key-exists") from None
    except OSError as error:
        raise _failure(path, f"cannot be created: {system_words(error)}") from None
    try:
        _fill(descriptor, content, attributes.mode, user, group, sync=destination.sync)
    except OSError as error:
        # The file is ours and holds nothing that anybody relies on yet.
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=destination.dir_fd)
        raise _failure(path, f"cannot be written: {system_words(error)}") from None


def _fill(descriptor: int, content: bytes, mode: int, user: int, group: int, *, sync: bool) -> None:
    try:
        if (user, group) != (_UNCHANGED, _UNCHANGED):
            os.fchown(descriptor, user, group)
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:  # the umask took something, or the file changed hands
            os.fchmod(descriptor, mode)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if os.pread(descriptor, len(content) + 1, 0) != content:
            raise OSError(errno.EIO, "does not hold what was written to it")
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _owner(path: str, attributes: FileAttributes) -> tuple[int, int]:
    """Find the numbers of the declared owner and group; those the file gets anyway stay unchanged."""
    user, group = _UNCHANGED, _UNCHANGED
    if attributes.owner is not None:
        user = _number(path, "user", attributes.owner)
        if user == os.geteuid():
            user = _UNCHANGED
        elif os.geteuid() != 0:
            raise _failure(path, f"only root can give a key to user `{attributes.owner}`", code="ownership")
    if attributes.group is not None:
        group = _number(path, "group", attributes.group)
        if os.geteuid() != 0 and group not in (os.getegid(), *os.getgroups()):
            raise _failure(
                path, f"only root or a member can give a key to group `{attributes.group}`", code="ownership"
            )
    return user, group


def _number(path: str, kind: str, text: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid if kind == "user" else grp.getgrnam(text).gr_gid
    except KeyError:
        raise _failure(path, f"there is no {kind} `{text}` on this machine", code="ownership") from None


def _read_key_file(path: str) -> bytes:
    """Read a key file, following no link but pkiplan's own."""
    try:
        descriptor = _open_key_file(path)
    except FileNotFoundError:
        raise _failure(path, "there is no such key file", code="key-missing") from None
    except OSError as error:
        why = "is a symbolic link; name the file itself" if error.errno == errno.ELOOP else system_words(error)
        raise _failure(path, why, code="key-unreadable") from None
    try:
        return _read_all(descriptor, path)
    except OSError as error:
        raise _failure(path, f"cannot be read: {system_words(error)}", code="key-unreadable") from None
    finally:
        os.close(descriptor)


def _open_key_file(path: str) -> int:
    try:
        return os.open(path, _READ)
    except OSError as error:
        if error.errno != errno.ELOOP or not path.startswith("/"):
            raise
    directory_path, name = os.path.split(path)
    if os.readlink(path) != f"{DATA_LINK}/{name}":
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    directory = os.open(directory_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        generation_name = os.readlink(DATA_LINK, dir_fd=directory)
        if "/" in generation_name or not generation_name.startswith(STAGED_PREFIX) or generation_name == "..":
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        generation = os.open(generation_name, _DIRECTORY, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        return os.open(name, _READ, dir_fd=generation)
    finally:
        os.close(generation)


def _read_all(descriptor: int, path: str) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise _failure(path, "is not a regular file", code="key-unreadable")
    parts: list[bytes] = []
    size = 0
    while part := os.read(descriptor, 1 << 16):
        size += len(part)
        if size > LARGEST_PEM:
            raise _failure(path, f"is larger than {LARGEST_PEM} bytes, which no key is", code="damaged")
        parts.append(part)
    return b"".join(parts)
