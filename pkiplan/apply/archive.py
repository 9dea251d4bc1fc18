"""What was replaced is kept: `archive/<kind>/<id>/<UTC>-<serial>/`, never gone before its successor is in place."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pkiplan.apply import filesystem, generations
from pkiplan.apply.tree import Tree
from pkiplan.model.resource import Kind
from pkiplan.model.tree import ARCHIVE_DIRECTORY, LARGEST_PEM

# An old leaf key is of use to go back, for a while; an authority's is for ever: what it signed still refers to it.
KEEP_LEAVES_FOR = timedelta(days=30)
KEEP_LEAVES = 3

_ENTRY = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]+(?:-\d+)?|(\d{8}T\d{6}Z)-removed(?:-\d+)?")


def keep(tree: Tree, place: str, now: datetime, serial: int | None, directory: int, names: Iterable[str]) -> str | None:
    """Put published files of a resource into a new entry of its archive; return its path, or None if there were none.

    `place` is the resource's archive directory. The files get a second name, or a copy where links cannot be made; they
    are not synced yet.
    """
    wanted = sorted(names)
    with contextlib.ExitStack() as stack:
        entry: int | None = None
        path: str | None = None
        for name in wanted:
            with published(directory, name) as found:
                if found is None:
                    continue
                if entry is None:
                    path = _new_entry(tree, place, now, serial)
                    entry = stack.enter_context(tree.directory(path))
                source, source_name = found
                filesystem.link_or_copy(source, source_name, entry, _flat(name), LARGEST_PEM)
        return path


def sync_entry(tree: Tree, path: str) -> None:
    """Put an entry on the disk."""
    with tree.directory(path) as entry:
        for name in filesystem.names_in(entry):
            filesystem.sync_file(entry, name)
        filesystem.sync_directory(entry)


def move_in(tree: Tree, place: str, now: datetime, serial: int | None, parent: int, name: str) -> str:
    """Move a whole resource's directory into its archive; return where it lies now."""
    with tree.made_directory(place) as archive:
        entry = _free_name(archive, now, serial)
        filesystem.rename(parent, name, entry, archive)
        filesystem.sync_directory(archive)
        filesystem.sync_directory(parent)
    tree.sync_new_directories()
    return f"{place}/{entry}"


def move_some_in(tree: Tree, place: str, now: datetime, serial: int | None, parent: int, names: Iterable[str]) -> str:
    """Move some of what lies in a resource's directory into one entry of its archive; return where it lies now."""
    path = _new_entry(tree, place, now, serial)
    with tree.directory(path) as entry:
        for name in names:
            filesystem.rename(parent, name, name, entry)
        filesystem.sync_directory(entry)
        filesystem.sync_directory(parent)
    tree.sync_new_directories()
    return path


def remove_expired(tree: Tree, now: datetime) -> int:
    """Remove what was kept of certificates for long enough; return how many entries went. Authorities' stay."""
    removed = 0
    for place, entries in _places(tree, f"{ARCHIVE_DIRECTORY}/{Kind.CERTIFICATE.value}"):
        newest_first = sorted(entries, reverse=True)
        expired = [
            name
            for position, name in enumerate(newest_first)
            if position >= KEEP_LEAVES or now - _time_of(name) > KEEP_LEAVES_FOR
        ]
        if expired:
            with tree.directory(place) as opened:
                for name in expired:
                    filesystem.remove_tree(opened, name)
            removed += len(expired)
    return removed


@contextlib.contextmanager
def published(directory: int, name: str) -> Iterator[tuple[int, str] | None]:
    """Give where a file of a resource really lies, or None; an adopted one is named by its absolute path."""
    if not name.startswith("/"):
        with generations.published(directory, name) as found:
            yield found
        return
    opened = filesystem.open_root(os.path.dirname(name))
    try:
        last = os.path.basename(name)
        yield (opened, last) if filesystem.is_regular(opened, last) else None
    finally:
        filesystem.close(opened)


def _flat(name: str) -> str:
    """Give the name a file has in the archive: an adopted one its last part, `sub/file` in one part."""
    return os.path.basename(name) if name.startswith("/") else name.replace("/", "_")


def _places(tree: Tree, top: str) -> Iterator[tuple[str, list[str]]]:
    """Walk the archive of one kind: each resource's directory with the names of its entries."""
    try:
        with tree.directory(top) as opened:
            names = [name for name in filesystem.names_in(opened) if filesystem.is_directory(opened, name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    entries = [name for name in names if _ENTRY.fullmatch(name)]
    if entries:
        yield top, entries
    for name in names:
        if name not in entries:
            yield from _places(tree, f"{top}/{name}")


def _new_entry(tree: Tree, place: str, now: datetime, serial: int | None) -> str:
    with tree.made_directory(place) as archive:
        path = f"{place}/{_free_name(archive, now, serial)}"
    with tree.made_directory(path):
        return path


def _free_name(archive: int, now: datetime, serial: int | None) -> str:
    first = f"{now:%Y%m%dT%H%M%SZ}-{'removed' if serial is None else f'{serial:x}'}"
    name, number = first, 1
    while filesystem.file_facts(archive, name) is not None:
        number += 1
        name = f"{first}-{number}"
    return name


def _time_of(entry: str) -> datetime:
    try:
        return datetime.strptime(entry[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
