"""Remove what is no longer declared: it moves to the archive, an authority's for ever."""

from __future__ import annotations

import re

from pkiplan.apply import archive, filesystem
from pkiplan.apply.tree import Tree
from pkiplan.apply.work import Work, read_absolute
from pkiplan.errors import PkiplanError
from pkiplan.model.tree import ARCHIVE_DIRECTORY, DATA_LINK, KIND_DIRECTORIES, quoted
from pkiplan.plan.changes import Change

_ADDRESS = re.compile(r'(?:authority|certificate)\.([^\[]+)(?:\["(.*)"\])?', re.DOTALL)


def remove(work: Work, change: Change) -> str:
    """Move the directory of a resource that is no longer declared to the archive; return where it lies now."""
    path = next((file.path for file in work.observed.unmanaged if file.address == change.address), None)
    if path is None:
        raise PkiplanError.of(f"{change.address}: nothing of it was found to remove", code="nothing-to-remove")
    if path.split("/")[0] in (ARCHIVE_DIRECTORY, ""):
        raise PkiplanError.of(f"{change.address}: {path} is not a resource's directory", code="nothing-to-remove")
    parent, _, name = path.rpartition("/")
    with work.tree.directory(parent) as opened:
        if not filesystem.is_directory(opened, name):
            raise PkiplanError.of(f"{change.address}: {path} is not a directory", code="nothing-to-remove")
        staying = _staying(work, path)
        place, serial = _archive_of(change), _serial(work, path)
        if staying:
            with work.tree.directory(path) as within:
                names = [entry for entry in filesystem.names_in(within) if entry not in staying]
                # The last one is what the directory is known by: who goes on after a crash finds it still.
                names.sort(key=lambda entry: (entry == DATA_LINK, entry))
                where = archive.move_some_in(work.tree, place, work.now, serial, within, names)
        else:
            where = archive.move_in(work.tree, place, work.now, serial, opened, name)
    _remove_empty_parents(work.tree, parent)
    work.tree.forget_passed()
    return where


def _staying(work: Work, path: str) -> set[str]:
    """Name what lies in a resource's directory and is not of it."""
    prefix = f"{path}/"
    return {
        file.path.removeprefix(prefix).partition("/")[0]
        for file in work.observed.unmanaged
        if file.path.startswith(prefix)
    }


def _archive_of(change: Change) -> str:
    found = _ADDRESS.fullmatch(change.address)
    if found is None:
        raise PkiplanError.of(f"{change.address} is not an address", code="nothing-to-remove")
    parts = [ARCHIVE_DIRECTORY, change.kind.value, quoted(found[1])]
    if found[2] is not None:
        parts.append(quoted(re.sub(r"\\(.)", r"\1", found[2])))
    return "/".join(parts)


def _serial(work: Work, path: str) -> int | None:
    from pkiplan.x509.parse import load_pem_certificates

    try:
        return load_pem_certificates(read_absolute(f"{work.site.directory}/{path}/cert.pem"))[0].serial_number
    except (PkiplanError, OSError):
        return None


def _remove_empty_parents(tree: Tree, path: str) -> None:
    """Remove the directory of a `for_each` whose last element went; never the directory of a kind."""
    while path and path not in KIND_DIRECTORIES.values():
        parent, _, name = path.rpartition("/")
        with tree.directory(parent) as opened:
            filesystem.remove_directory_if_empty(opened, name)
        path = parent
