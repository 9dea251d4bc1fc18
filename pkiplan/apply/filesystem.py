"""Every call by which apply changes the tree: one thin layer over `os`, by open directory and name.

Nothing here follows a link, and nothing else in `apply` changes a file, so that a test which kills or fails one of
these calls after another (`filesystem.os` replaced by a counting stand-in) has seen them all.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pkiplan.apply.paths_in_errors import naming_paths, with_path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# Where hard links cannot be made: another mount, a file system without them, another user's file
# (proc_sys_fs(5), protected_hardlinks), too many of them. Then the file is copied.
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})

# Nothing of ours has that name. Any other failure to look does not mean that nothing is there.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class Placement:
    """Mode, user and group that a file gets, by number; None leaves what the process gives."""

    mode: int
    uid: int | None = None
    gid: int | None = None

    @property
    def is_given_away(self) -> bool:
        """Tell whether the file gets another user or group than the process gives it."""
        return self.uid is not None or self.gid is not None


PRIVATE = Placement(0o600)
PUBLIC = Placement(0o644)


def open_directory(name: str, parent: int | None = None) -> int:
    """Open a directory that is no link; the caller closes it."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise with_path(error, parent, name) from None


def open_directory_if_there(name: str, parent: int) -> int | None:
    """Open a directory that is no link, for the caller to close; None where nothing has that name."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise with_path(error, parent, name) from None


def enter(parent: int, name: str) -> int:
    """Open a directory that is no link; what it raises names no path, for callers who know it better."""
    return os.open(name, _DIRECTORY, dir_fd=parent)


def open_root(path: str) -> int:
    """Open a directory by path, links on the way and all; the caller closes it."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def close(descriptor: int) -> None:
    """Close a directory."""
    os.close(descriptor)


@naming_paths
def make_directory(parent: int, name: str, mode: int = 0o700) -> bool:
    """Make a directory with this very mode, whatever the umask; return whether it was not there before."""
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        return False
    _give_back_mode(name, mode, parent)
    return True


def _give_back_mode(name: str, mode: int, parent: int | None = None) -> None:
    """Give a new directory what the umask took, which may be as much as its owner's right to open it."""
    if not mode & ~stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        return
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def make_path(path: str, mode: int) -> None:
    """Make a directory by absolute path, and what is missing above it as `mkdir -p` does."""
    parent = os.path.dirname(path)
    os.makedirs(parent, mode=0o755, exist_ok=True)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    _give_back_mode(path, mode)
    descriptor = open_root(parent)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@naming_paths
def set_directory_placement(parent: int, name: str, placement: Placement) -> None:
    """Give a directory its mode and group, where it has others."""
    with _opened(parent, name, _DIRECTORY) as descriptor:
        facts = os.fstat(descriptor)
        wants_owner = placement.uid not in (None, facts.st_uid) or placement.gid not in (None, facts.st_gid)
        if wants_owner:
            os.fchown(descriptor, _number(placement.uid), _number(placement.gid))
        if stat.S_IMODE(facts.st_mode) != placement.mode:
            os.fchmod(descriptor, placement.mode)


@naming_paths
def widen_directory(descriptor: int, mode: int) -> None:
    """Add permissions to an open directory, where it lacks them."""
    before = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if before | mode != before:
        os.fchmod(descriptor, before | mode)


@naming_paths
def create_file(parent: int, name: str, content: bytes, placement: Placement) -> None:
    """Write a new file that at no instant is more open than it shall be, and read it back; it is not synced yet."""
    # A file that will be given away is the process's own alone until it is.
    first_mode = placement.mode & 0o600 if placement.is_given_away else placement.mode
    descriptor = os.open(name, _NEW_FILE, first_mode, dir_fd=parent)
    try:
        _fill(descriptor, content, placement)
    except OSError:
        # It is ours, and not what it should be: on a full disk an empty file would stay in its place.
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=parent)
        raise
    finally:
        os.close(descriptor)


def _fill(descriptor: int, content: bytes, placement: Placement) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    if os.pread(descriptor, len(content) + 1, 0) != content:
        raise OSError(errno.EIO, "does not hold what was written to it")
    if placement.is_given_away:
        os.fchown(descriptor, _number(placement.uid), _number(placement.gid))
    # The umask may have taken bits away; it never adds any.
    if placement.is_given_away or stat.S_IMODE(os.fstat(descriptor).st_mode) != placement.mode:
        os.fchmod(descriptor, placement.mode)


@naming_paths
def append(parent: int, name: str, content: bytes, placement: Placement) -> None:
    """Add to the end of a file in one write, and make the file where there is none; it is not synced yet."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, placement.mode, dir_fd=parent)
    try:
        before = os.fstat(descriptor).st_size
        written = 0
        try:
            written = os.write(descriptor, content)
        finally:
            if written != len(content):
                # Half a line would break every later reader: OpenSSL refuses the whole file.
                os.ftruncate(descriptor, before)
        if written != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
    finally:
        os.close(descriptor)


@naming_paths
def shorten(parent: int, name: str, size: int) -> None:
    """Cut off what stands in a file after so many bytes."""
    with _opened(parent, name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC) as descriptor:
        os.ftruncate(descriptor, size)


@naming_paths
def read_file(parent: int, name: str, limit: int) -> bytes:
    """Read a regular file that is no link."""
    with _opened(parent, name, _READ) as descriptor:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        parts: list[bytes] = []
        size = 0
        while size <= limit and (part := os.read(descriptor, 1 << 20)):
            parts.append(part)
            size += len(part)
        if size > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
        return b"".join(parts)


@naming_paths
def link_or_copy(source: int, source_name: str, target: int, target_name: str, limit: int) -> None:
    """Put a file in a second place: by a hard link, else by a copy with the same mode."""
    try:
        os.link(source_name, target_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise  # the source is gone
        if error.errno not in _NO_LINKS:
            raise with_path(error, target, target_name) from None
    else:
        return
    facts = os.stat(source_name, dir_fd=source, follow_symlinks=False)
    content = read_file(source, source_name, limit)
    create_file(target, target_name, content, Placement(stat.S_IMODE(facts.st_mode)))


@naming_paths
def make_link(parent: int, name: str, target: str) -> None:
    """Make a symbolic link where nothing is."""
    os.symlink(target, name, dir_fd=parent)


@naming_paths
def replace_link(parent: int, name: str, target: str, temporary: str) -> None:
    """Make a name a symbolic link in one step, whatever file or link it was before."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=parent)
    os.symlink(target, temporary, dir_fd=parent)
    os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)


@naming_paths
def rename(parent: int, old: str, new: str, new_parent: int | None = None) -> None:
    """Rename in one step; a file of the new name is replaced."""
    os.rename(old, new, src_dir_fd=parent, dst_dir_fd=parent if new_parent is None else new_parent)


@naming_paths
def unlink(parent: int, name: str) -> None:
    """Remove a file or link; one that is gone already is no matter."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


@naming_paths
def remove_directory_if_empty(parent: int, name: str) -> None:
    """Remove a directory that holds nothing; leave any other."""
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
            raise


@naming_paths
def remove_tree(parent: int, name: str) -> None:
    """Remove a file, a link, or a directory with what it holds; links in it are removed, never followed."""
    try:
        facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(facts.st_mode):
        unlink(parent, name)
        return
    with _opened(parent, name, _DIRECTORY) as descriptor:
        for entry in sorted(os.listdir(descriptor)):
            remove_tree(descriptor, entry)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent)


@naming_paths
def sync_file(parent: int, name: str) -> None:
    """Put a file's content on the disk."""
    with _opened(parent, name, _READ) as descriptor:
        os.fsync(descriptor)


@naming_paths
def sync_directory(descriptor: int) -> None:
    """Put a directory's names on the disk."""
    os.fsync(descriptor)


@naming_paths
def sync_file_system(descriptor: int) -> bool:
    """Put everything on the disk that was written to the file system of an open directory, in one go.

    Returns False where the system has no `syncfs`, or one that keeps errors to itself (Linux before 5.8).
    """
    if not _syncfs_tells_errors():
        return False
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


@naming_paths
def device_of(parent: int, name: str) -> int:
    """Return the number of the device that a name lies on."""
    return os.stat(name, dir_fd=parent, follow_symlinks=False).st_dev


@functools.cache
def _syncfs_tells_errors() -> bool:
    import ctypes

    release = os.uname()
    version = re.match(r"(\d+)\.(\d+)", release.release)
    if release.sysname != "Linux" or version is None or (int(version[1]), int(version[2])) < (5, 8):
        return False
    return hasattr(ctypes.CDLL(None), "syncfs")


@naming_paths
def names_in(directory: int) -> list[str]:
    """List the names in an open directory, sorted."""
    return sorted(os.listdir(directory))


@naming_paths
def link_target(parent: int, name: str) -> str | None:
    """Return what a symbolic link holds, or None where nothing, or something else, has that name."""
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno in ABSENT or error.errno == errno.EINVAL:  # which tells that it is no link
            return None
        raise


@naming_paths
def file_facts(parent: int, name: str) -> os.stat_result | None:
    """Return the facts of a name itself, not of what it may link to, or None where there is nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_regular(parent: int, name: str) -> bool:
    """Tell whether a name is a regular file."""
    facts = file_facts(parent, name)
    return facts is not None and stat.S_ISREG(facts.st_mode)


def is_directory(parent: int, name: str) -> bool:
    """Tell whether a name is a directory, not a link to one."""
    facts = file_facts(parent, name)
    return facts is not None and stat.S_ISDIR(facts.st_mode)


@contextlib.contextmanager
def _opened(parent: int, name: str, flags: int) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _number(value: int | None) -> int:
    return -1 if value is None else value
