"""What lies in a site's directory and nothing declared explains: shown, never touched.

pkiplan's own names and those of OpenSSL's CA database are explained. A directory that pkiplan made for a resource which
is no longer declared has that resource's address, so that `--prune` may remove it. It is known by what nobody makes by
hand: certificate and key alone may be somebody's own, which happen to lie here.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from pkiplan.errors import PkiplanError
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found, UnmanagedFile
from pkiplan.model.resource import CERTIFICATE_FILE, CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, KEY_FILE, Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import (
    ARCHIVE_DIRECTORY,
    CONTROL_DIRECTORY,
    DATA_LINK,
    INDEX_FILE,
    KIND_DIRECTORIES,
    STAGED_PREFIX,
    address_of,
    is_database_file,
    unquoted,
)
from pkiplan.state.read import Reader
from pkiplan.x509.pem_lines import PRIVATE_KEY_BEGIN

# A description needs a look into the file; who has more strangers than this reads the names.
MOST_DESCRIPTIONS = 200
LARGEST_DESCRIBED = 64 * 1024

_MADE_HERE = frozenset({DATA_LINK, CNF_FILE, INDEX_FILE})

_CERTIFICATE_FILES = frozenset({CERTIFICATE_FILE, KEY_FILE, CHAIN_FILE, FULLCHAIN_FILE, CNF_FILE})

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(slots=True)
class _Known:
    """What is explained: files and directories by path, the directories of declared authorities.

    Of a directory that is `whole`, all that lies in it is.
    """

    files: set[str]
    directories: set[str]
    authorities: set[str]
    whole: Container[str]


def find_unmanaged(site: Site, reader: Reader, whole: Container[str]) -> tuple[UnmanagedFile, ...]:
    """List what nothing declared explains, sorted by path; whatever lies in a `whole` directory is explained."""
    known = _known(site, whole)
    found: list[UnmanagedFile] = []
    for path, address, what in _walk(site, "", known):
        description = what or (_describe(reader, f"{site.directory}/{path}") if len(found) < MOST_DESCRIPTIONS else "")
        found.append(UnmanagedFile(path=path, description=description or "file", address=address))
    return tuple(sorted(found, key=lambda file: file.path))


def _known(site: Site, whole: Container[str]) -> _Known:
    files: set[str] = set()
    directories: set[str] = set(KIND_DIRECTORIES.values())
    authorities: set[str] = set()
    for resource in site:
        if resource.is_authority:
            authorities.add(resource.directory)
        _add_with_parents(resource.directory, directories)
        if resource.directory in whole:
            continue
        for name in _names(site, resource):
            path = f"{resource.directory}/{name}"
            files.add(path)
            _add_with_parents(path.rpartition("/")[0], directories)
    return _Known(files, directories, authorities, whole)


def _names(site: Site, resource: Resource) -> Iterator[str]:
    """List the declared files in a resource's own directory."""
    names: Iterable[str] = (
        resource.key.path,
        resource.cert_path or CERTIFICATE_FILE,
        *site.derived_files(resource),
        *(output.path for output in resource.outputs),
    )
    prefix = f"{site.directory}/{resource.directory}/"
    for name in names:
        if not name.startswith("/"):
            yield name
        elif name.startswith(prefix):
            yield name[len(prefix) :]
    if not isinstance(resource.key, ManagedKey):
        # An authority's key may come and go beside the public half that is declared.
        yield KEY_FILE


def _add_with_parents(path: str, directories: set[str]) -> None:
    """Add a directory and those above it, which are among them already where it is."""
    while path and path not in directories:
        directories.add(path)
        path = path.rpartition("/")[0]


def _walk(site: Site, directory: str, known: _Known) -> Iterator[tuple[str, str | None, str]]:
    """Give each unexplained path with the address it had, and a description where the name is enough."""
    for entry in _entries(f"{site.directory}/{directory}" if directory else site.directory):
        path = f"{directory}/{entry.name}" if directory else entry.name
        if _is_own(site, directory, entry.name, known) or path in known.files:
            continue
        if entry.is_symlink():
            yield path, None, "link"
        elif not entry.is_dir(follow_symlinks=False):
            yield path, None, ""
        elif path in known.whole:
            continue
        elif path in known.directories:
            yield from _walk(site, path, known)
        else:
            yield from _undeclared_directory(site, path)


def _is_own(site: Site, directory: str, name: str, known: _Known) -> bool:
    if name.startswith(STAGED_PREFIX):
        return True
    if directory in known.authorities and is_database_file(name):
        return True
    if directory:
        return False
    if name in (ARCHIVE_DIRECTORY, CONTROL_DIRECTORY):
        return True
    # Where the tree is the manifest's own directory, what lies beside the tree is not pkiplan's to remark on.
    return site.directory == site.base and name not in known.directories


def _undeclared_directory(site: Site, path: str) -> Iterator[tuple[str, str | None, str]]:
    address = _former_address(path)
    entries = _entries(f"{site.directory}/{path}")
    names = {entry.name for entry in entries}
    if address is not None and names & _MADE_HERE:
        yield path, address, _former(site, address)
        if path.startswith(f"{KIND_DIRECTORIES[Kind.CERTIFICATE]}/"):
            yield from _beside_certificate(site, path, entries)
        return
    if path.count("/") == 1 and address is not None:
        # Perhaps the elements of a `for_each` that is gone.
        below = [name for name in sorted(names) if not name.startswith(STAGED_PREFIX)]
        inner = [found for name in below for found in _undeclared_element(site, f"{path}/{name}")]
        if inner:
            yield from inner
            return
    yield path, None, "directory"


def _undeclared_element(site: Site, path: str) -> Iterator[tuple[str, str | None, str]]:
    address = _former_address(path)
    entries = _entries(f"{site.directory}/{path}")
    if address is not None and {entry.name for entry in entries} & _MADE_HERE:
        yield path, address, _former(site, address)
        yield from _beside_certificate(site, path, entries)


def _former(site: Site, address: str) -> str:
    """Say whose directory it was; a resource that is declared still has another one now."""
    resource = site.resources.get(address)
    now = "" if resource is None else f", now in {resource.directory}"
    return address.replace(".", " ", 1) + now


def _beside_certificate(
    site: Site, path: str, entries: list[os.DirEntry[str]]
) -> Iterator[tuple[str, str | None, str]]:
    """Give what lies in the directory of a former certificate and is not of it: it stays when that is removed.

    An authority's directory is archived whole, and for ever; a certificate's archive is emptied in time.
    """
    for entry in entries:
        if entry.name.startswith(STAGED_PREFIX) or entry.name in _CERTIFICATE_FILES or _is_published(entry):
            continue
        below = f"{path}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from [*_undeclared_element(site, below)] or [(below, None, "directory")]
        else:
            yield below, None, "link" if entry.is_symlink() else ""


def _is_published(entry: os.DirEntry[str]) -> bool:
    """Tell whether a name is a link to a file of a generation."""
    try:
        return os.readlink(entry.path).startswith(f"{DATA_LINK}/")
    except OSError:
        return False


def _former_address(path: str) -> str | None:
    """Read an address from a path in which pkiplan would have put the resource."""
    top, *ids = path.split("/")
    kind = next((kind for kind, directory in KIND_DIRECTORIES.items() if directory == top), None)
    if kind is None or len(ids) not in (1, 2):
        return None
    names = [unquoted(part) for part in ids]
    if any(name is None for name in names):
        return None
    first, *rest = [name for name in names if name is not None]
    return address_of(kind, first, *rest)


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _describe(reader: Reader, path: str) -> str:
    """Say what a file seems to be; a look that fails is no matter."""
    read = reader.read(path, LARGEST_DESCRIBED)
    if not isinstance(read, Found):
        return "file"
    content = read.value.content
    if PRIVATE_KEY_BEGIN.search(content):
        return "private key and certificate" if _CERTIFICATE in content else "private key"
    if _CERTIFICATE in content:
        return _describe_certificate(content)
    return "file"


def _describe_certificate(content: bytes) -> str:
    from pkiplan.x509.names import from_x509_name
    from pkiplan.x509.parse import load_pem_certificates

    try:
        return f"certificate {from_x509_name(load_pem_certificates(content)[0].subject)}"
    except (PkiplanError, ValueError):
        return "damaged certificate"
