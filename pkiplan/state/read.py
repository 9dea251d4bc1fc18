"""Read bytes from a site's tree: bounded, from regular files, and never through a link that leads out of the site.

A certificate's directory is resolved once: `cert.pem → ..data/cert.pem` is read in the generation that `..data` named
when the directory was opened, so key, certificate and chain are of one generation while an apply is running.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from typing import Self

from pkiplan.cache.tree_digest import KnownDirectory, certificate_directory
from pkiplan.errors import PkiplanError, system_words
from pkiplan.model.observed import FileFacts, Found, Missing, Observation, Unreadable
from pkiplan.model.site import Site
from pkiplan.model.tree import DATA_LINK, LARGEST_PEM, STAGED_PREFIX, is_generation
from pkiplan.state.regular_files import FileBytes, Link, read_name, read_open

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Reader:
    """Reads below a site's directory.

    When that directory lies beneath the manifest's, every step from there on must be a real directory; a directory
    that the manifest names elsewhere was consented to, links and all. `staged` maps the path of a file that an
    interrupted apply was about to switch to the file which was to take its place.
    """

    __slots__ = ("_directory", "_parent", "_staged", "_trusted")

    def __init__(self, site: Site, staged: Mapping[str, str]) -> None:
        self._directory = site.directory
        self._trusted = site.base if is_beneath(site.directory, site.base) else site.directory
        self._staged = staged
        # The directory in which the last resource lay, open, or why it is not: the next one mostly lies beside it.
        self._parent: tuple[str, int | Missing | Unreadable] | None = None

    def resource(self, directory: str) -> ResourceDirectory:
        """Open a resource's directory, relative to the site's; several threads may do so at once."""
        path = f"{self._directory}/{directory}"
        return ResourceDirectory(self, path, self._open_directory(path))

    def resource_beside(self, directory: str) -> ResourceDirectory:
        """Open a resource's directory as one of many that lie side by side; `close` when they have been read."""
        path = f"{self._directory}/{directory}"
        parent, _, name = path.rpartition("/")
        if self._parent is None or self._parent[0] != parent:
            self.close()
            self._parent = (parent, self._open_directory(parent))
        above = self._parent[1]
        return ResourceDirectory(self, path, _step(above, name) if isinstance(above, int) else above)

    def close(self) -> None:
        """Close the directory in which the last resource lay."""
        if self._parent is not None and isinstance(self._parent[1], int):
            os.close(self._parent[1])
        self._parent = None

    def read(self, path: str, limit: int = LARGEST_PEM) -> Observation[FileBytes]:
        """Read a file by absolute path; within the site no link is followed that leaves it."""
        root = next((r for r in (self._directory, self._trusted) if is_beneath(path, r)), None)
        if root is None:
            return self._read_elsewhere(path, limit)
        parent = self._open_directory(os.path.dirname(path))
        if not isinstance(parent, int):
            return parent
        try:
            return self.read_at(parent, os.path.basename(path), path, limit)
        finally:
            os.close(parent)

    def names(self, path: str) -> tuple[str, ...]:
        """List what lies in a directory of the site, sorted; nothing where there is none."""
        opened = self._open_directory(path)
        if isinstance(opened, Missing):
            return ()
        if isinstance(opened, Unreadable):
            raise PkiplanError.of(f"cannot list {path}: {opened.why}", code="unreadable-directory")
        try:
            return tuple(sorted(os.listdir(opened)))
        except OSError as error:
            raise PkiplanError.of(f"cannot list {path}: {system_words(error)}", code="unreadable-directory") from None
        finally:
            os.close(opened)

    def read_at(self, parent: int, name: str, path: str, limit: int) -> Observation[FileBytes]:
        """Read `name` in an open directory; `path` is what it is called from outside."""
        staged = self._staged.get(path)
        if staged is not None:
            found = read_name(parent, os.path.basename(staged), limit)
            if isinstance(found, Found):
                return found
        found = read_name(parent, name, limit)
        if isinstance(found, Link):
            return self._read_link(path, found.target, limit)
        return found

    def _read_link(self, path: str, target: str, limit: int) -> Observation[FileBytes]:
        """Read what a link names, if that is inside of the site."""
        try:
            real = os.path.realpath(path, strict=True)
        except OSError as error:
            return Unreadable(f"is a link to {target}: {system_words(error)}")
        root = os.path.realpath(self._trusted)
        if not is_beneath(real, root):
            return Unreadable(f"is a link that leads out of the site, to {target}")
        # Between realpath and here a link could have been put in; no step of this walk follows one.
        parent = _walk(root, os.path.dirname(real))
        if not isinstance(parent, int):
            return parent
        try:
            found = read_name(parent, os.path.basename(real), limit)
        finally:
            os.close(parent)
        return Unreadable("is a link that changes while it is read") if isinstance(found, Link) else found

    def _read_elsewhere(self, path: str, limit: int) -> Observation[FileBytes]:
        """Read a file that the manifest names outside of the site; whoever runs pkiplan has agreed to that."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return Missing()
        except OSError as error:
            return Unreadable(system_words(error))
        return read_open(descriptor, limit)

    def _open_directory(self, path: str) -> int | Missing | Unreadable:
        root = self._trusted if is_beneath(path, self._trusted) else self._directory
        return _walk(root, path)


class ResourceDirectory:
    """An open directory of a resource, with the generation it named when it was opened."""

    __slots__ = ("_generation", "_generation_name", "_itself", "_opened", "_path", "_published", "_reader")

    def __init__(self, reader: Reader, path: str, opened: int | Missing | Unreadable) -> None:
        self._reader = reader
        # What was read of the generation, by the name of the link that led there.
        self._published: dict[str, FileFacts] = {}
        self._path = path
        self._opened = opened
        # Looked at once: the mode that is told is the one that is summed up.
        self._itself = _facts(opened) if isinstance(opened, int) else None
        self._generation_name = _generation_name(opened) if isinstance(opened, int) else None
        self._generation: int | Missing | Unreadable = Missing()
        if isinstance(opened, int) and self._generation_name is not None:
            self._generation = _open_generation(self._generation_name, opened)

    def read(self, name: str, limit: int = LARGEST_PEM) -> Observation[FileBytes]:
        """Read a file of the resource; an absolute name lies elsewhere."""
        if name.startswith("/"):
            return self._reader.read(name, limit)
        if not isinstance(self._opened, int):
            return self._opened
        if "/" in name:
            return self._read_below(name, limit)
        return self._read_here(self._opened, name, f"{DATA_LINK}/{name}", name, limit)

    def left_behind(self, name: str) -> str | Unreadable | None:
        """Name the latest generation that holds a file, where `..data` names none; None where all is in order."""
        if not (isinstance(self._opened, int) and isinstance(self._generation, Missing)):
            return None
        try:
            generations = sorted(filter(is_generation, os.listdir(self._opened)), reverse=True)
            for generation in generations:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    facts = os.stat(f"{generation}/{name}", dir_fd=self._opened, follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode):
                        return generation
        except OSError as error:
            return Unreadable(system_words(error))
        return None

    def mode(self) -> int | None:
        """Return the mode of the directory, or None where there is none to open, or none to be had."""
        return None if self._itself is None else stat.S_IMODE(self._itself.st_mode)

    def summed_up(self, path: str) -> KnownDirectory | None:
        """Sum up the directory, called `path`, if nothing lies in it but what was read of its current generation."""
        if not (isinstance(self._opened, int) and isinstance(self._generation, int)):
            return None
        if self._itself is None or self._generation_name is None:
            return None
        names = self._published.keys()
        try:
            with os.scandir(self._opened) as entries:
                found = {entry.name for entry in entries if not _is_set_aside(entry)}
            if found != names | {DATA_LINK} or set(os.listdir(self._generation)) != names:
                return None
            inside = os.fstat(self._generation)
        except OSError:
            return None
        return certificate_directory(path, self._itself, self._generation_name, inside, self._published)

    def has_moved_on(self) -> bool:
        """Tell whether another generation became the current one since the directory was opened."""
        return isinstance(self._opened, int) and _generation_name(self._opened) != self._generation_name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._generation, int):
            os.close(self._generation)
            self._generation = Missing()
        if isinstance(self._opened, int):
            os.close(self._opened)
            self._opened = Missing()

    def _read_here(self, parent: int, name: str, own_link: str, inside: str, limit: int) -> Observation[FileBytes]:
        path = f"{self._path}/{inside}"
        try:
            target = os.readlink(name, dir_fd=parent)
        except OSError:
            return self._reader.read_at(parent, name, path, limit)
        if target != own_link:
            return self._reader.read_at(parent, name, path, limit)
        if self._generation_name is None and self._has_data():
            return Unreadable(f"`{DATA_LINK}` is not a link to one of pkiplan's generations")
        found = self._read_generation(inside, limit)
        if isinstance(found, Found):
            self._published[inside] = found.value.facts
        return found

    def _has_data(self) -> bool:
        assert isinstance(self._opened, int)
        try:
            os.stat(DATA_LINK, dir_fd=self._opened, follow_symlinks=False)
        except FileNotFoundError:
            # Public names are made just before the first switch; an apply that ended there left nothing behind them.
            return False
        except OSError:
            # What cannot be looked at is not missing.
            return True
        return True

    def _read_below(self, name: str, limit: int) -> Observation[FileBytes]:
        """Read `sub/name`, whose public name is `sub/name → ../..data/sub/name`."""
        assert isinstance(self._opened, int)
        parent = _walk_from(self._opened, name.split("/")[:-1])
        if not isinstance(parent, int):
            return parent
        try:
            up = "../" * name.count("/")
            return self._read_here(parent, name.rpartition("/")[2], f"{up}{DATA_LINK}/{name}", name, limit)
        finally:
            os.close(parent)

    def _read_generation(self, name: str, limit: int) -> Observation[FileBytes]:
        if not isinstance(self._generation, int):
            return self._generation
        if "/" not in name:
            found = read_name(self._generation, name, limit)
        else:
            parent = _walk_from(self._generation, name.split("/")[:-1])
            if not isinstance(parent, int):
                return parent
            try:
                found = read_name(parent, name.rpartition("/")[2], limit)
            finally:
                os.close(parent)
        return Unreadable(f"is a link inside of a generation, to {found.target}") if isinstance(found, Link) else found


def _is_set_aside(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a generation, or waits to be switched: nobody looks at it but through `..data`."""
    return entry.name.startswith(STAGED_PREFIX) and not entry.is_symlink()


def is_beneath(path: str, root: str) -> bool:
    """Tell whether a path is a directory or lies beneath it, by its text."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def _facts(directory: int) -> os.stat_result | None:
    try:
        return os.fstat(directory)
    except OSError:
        return None


def _generation_name(directory: int) -> str | None:
    """Return the name that `..data` holds: one of a generation beside it, or None."""
    try:
        target = os.readlink(DATA_LINK, dir_fd=directory)
    except OSError:
        return None
    is_ours = target.startswith(STAGED_PREFIX) and target not in ("..", DATA_LINK) and "/" not in target
    return target if is_ours else None


def _open_generation(name: str, directory: int) -> int | Missing | Unreadable:
    try:
        return os.open(name, _DIRECTORY, dir_fd=directory)
    except (FileNotFoundError, NotADirectoryError):
        return Missing()
    except OSError as error:
        return Unreadable(system_words(error))


def _walk(root: str, path: str) -> int | Missing | Unreadable:
    """Open a directory beneath `root`, following no link on the way from there."""
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Missing()
    except OSError as error:
        return Unreadable(system_words(error))
    rest = path[len(root) :].strip("/")
    if not rest:
        return descriptor
    try:
        return _walk_from(descriptor, rest.split("/"))
    finally:
        os.close(descriptor)


def _walk_from(start: int, names: list[str]) -> int | Missing | Unreadable:
    """Open a directory by names from an open one; the caller closes what is returned."""
    current = os.dup(start)
    for name in names:
        following = Unreadable("leads out of the site by `..`") if name == ".." else _step(current, name)
        os.close(current)
        if not isinstance(following, int):
            return following
        current = following
    return current


def _step(parent: int, name: str) -> int | Missing | Unreadable:
    """Open a directory in an open one, following no link."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        return Missing()
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            return Unreadable(system_words(error))
        is_link = _is_link(name, parent)
    what = "a symbolic link" if is_link else "not a directory"
    return Unreadable(f"`{name}` on the way is {what}", is_behind_link=is_link)


def _is_link(name: str, parent: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return False
