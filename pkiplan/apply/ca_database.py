"""Keep each authority's directory a working CA directory of OpenSSL's: `openssl ca -config openssl.cnf` goes on here.

Lines are only added to `index.txt`, foreign ones stay, and the line of a certificate is on the disk before the
certificate is published. pkiplan itself only reads the serial numbers from it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from pkiplan.apply import filesystem
from pkiplan.apply.filesystem import PUBLIC
from pkiplan.apply.outcomes import in_one_line
from pkiplan.apply.tree import Tree
from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.errors import PkiplanError
from pkiplan.model.names import DistinguishedName
from pkiplan.model.resource import CERTIFICATE_FILE, KEY_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import (
    CRL_NUMBER_FILE,
    INDEX_ATTRIBUTES_FILE,
    INDEX_FILE,
    LARGEST_INDEX,
    NEW_CERTIFICATES_DIRECTORY,
    SERIAL_FILE,
    STAGED_PREFIX,
)
from pkiplan.plan.key import shown_path
from pkiplan.render.ca_database import (
    FIELDS,
    attributes_text,
    index_line,
    is_begun_line,
    number_text,
    parse_index,
    serial_digits,
    unreadable_lines,
)

FIRST_CRL_NUMBER = 1

# A file that is no index at all is told by its first lines.
_PROBLEMS_NAMED = 3


@dataclass(slots=True)
class CaDatabase:
    """The database of one authority during an apply: its serials, and what must still go to the disk."""

    tree: Tree
    directory: str
    run: str
    serials: set[int] = field(default_factory=set)
    _is_ready: bool = False
    _is_new: bool = False
    _ends_with_newline: bool = True
    _unsynced: list[str] = field(default_factory=list)
    _index_is_unsynced: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        """Make the files that are missing, and read which serials are taken."""
        with self._lock:
            if not self._is_ready:
                with self.tree.made_directory(self.directory) as opened:
                    self._prepare(opened)
                self._is_ready = True

    def new_serial(self) -> int:
        """Choose a serial number that this authority has not used (RFC 5280, 4.1.2.2)."""
        self.prepare()
        with self._lock:
            serial = random_serial(self.serials)
            self.serials.add(serial)
            return serial

    def record(self, *, serial: int, not_after: datetime, subject: DistinguishedName, pem: bytes) -> None:
        """Add a certificate that is about to be published."""
        self.prepare()
        line = index_line(serial=serial, not_after=not_after, subject=subject).encode("utf-8", "surrogateescape")
        certificates = f"{self.directory}/{NEW_CERTIFICATES_DIRECTORY}"
        with self._lock:
            opened = self.tree.passed_directory(self.directory)
            # A line end that someone forgot would glue two lines together.
            filesystem.append(opened.descriptor, INDEX_FILE, line if self._ends_with_newline else b"\n" + line, PUBLIC)
            self._ends_with_newline = True
            self._index_is_unsynced = True
            name = f"{serial_digits(serial)}.pem"
            within = self.tree.passed_directory(certificates)
            filesystem.create_file(within.descriptor, name, pem, PUBLIC)
            self._unsynced.append(name)

    def sync(self, *, is_on_disk: bool = False) -> None:
        """Put what was added on the disk; `is_on_disk` tells that a sync of the whole file system did."""
        with self._lock:
            names, self._unsynced = self._unsynced, []
            if is_on_disk or not (names or self._index_is_unsynced):
                self._index_is_unsynced = False
                return
            with self.tree.directory(self.directory) as opened:
                filesystem.sync_file(opened, INDEX_FILE)
                with _opened(opened, NEW_CERTIFICATES_DIRECTORY) as certificates:
                    for name in names:
                        filesystem.sync_file(certificates, name)
                    filesystem.sync_directory(certificates)
                filesystem.sync_directory(opened)
            self._index_is_unsynced = False

    def withdraw(self) -> None:
        """Remove a database that this run began, when nothing that it lists will ever be published.

        An authority that never came to be has issued nothing; one that was there before keeps every line.
        """
        with self._lock:
            if not self._is_new:
                return
            if not remove_unborn(self.tree, self.directory):
                return
            self.tree.forget_passed()
            self._unsynced, self._index_is_unsynced, self._is_ready, self._is_new = [], False, False, False

    def _prepare(self, opened: int) -> None:
        index = _content(opened, INDEX_FILE, LARGEST_INDEX)
        self._is_new = self._is_new or index is None  # also when what followed failed, and is tried again
        if index is None:
            filesystem.create_file(opened, INDEX_FILE, b"", PUBLIC)
            index = b""
        self._ends_with_newline = not index or index.endswith(b"\n")
        self.serials.update(entry.serial for entry in parse_index(index.decode("utf-8", "surrogateescape")))
        self._set_attributes(opened)
        for name, number in ((SERIAL_FILE, random_serial(self.serials)), (CRL_NUMBER_FILE, FIRST_CRL_NUMBER)):
            if filesystem.file_facts(opened, name) is None:
                self._replace(opened, name, number_text(number).encode())
        filesystem.make_directory(opened, NEW_CERTIFICATES_DIRECTORY)
        self._index_is_unsynced = True  # not before there is all that `sync` asks for

    def _set_attributes(self, opened: int) -> None:
        before = _content(opened, INDEX_ATTRIBUTES_FILE, LARGEST_INDEX)
        text = attributes_text("" if before is None else before.decode("utf-8", "surrogateescape"))
        content = text.encode("utf-8", "surrogateescape")
        if content != before:
            self._replace(opened, INDEX_ATTRIBUTES_FILE, content)

    def _replace(self, opened: int, name: str, content: bytes) -> None:
        temporary = f"{STAGED_PREFIX}new-{self.run}-{name}"
        filesystem.create_file(opened, temporary, content, PUBLIC)
        filesystem.sync_file(opened, temporary)
        filesystem.rename(opened, temporary, name)


def database_of(tree: Tree, authority: Resource, run: str, known_serials: frozenset[int]) -> CaDatabase:
    """Return the database of an authority; `known_serials` are those observed beside its index."""
    return CaDatabase(tree, authority.directory, run, set(known_serials))


def remove_unborn(tree: Tree, directory: str) -> bool:
    """Remove the database that a run began for an authority which did not come to be; tell whether it did not.

    With a certificate or a key of its own the authority was switched to, whatever failed after that.
    """
    with tree.directory(directory) as opened:
        if any(filesystem.file_facts(opened, name) is not None for name in (CERTIFICATE_FILE, KEY_FILE)):
            return False
        for name in (INDEX_FILE, INDEX_ATTRIBUTES_FILE, SERIAL_FILE, CRL_NUMBER_FILE, NEW_CERTIFICATES_DIRECTORY):
            filesystem.remove_tree(opened, name)
        filesystem.sync_directory(opened)
    return True


def mend_index(tree: Tree, directory: str) -> None:
    """Cut off a last line that an interrupted apply left half written: with one more added, OpenSSL refuses the file.

    Its certificate was never published, because the line is on the disk before that. What is not of the form in which
    pkiplan writes stays, and so does a whole line that only lacks its end: somebody else's.
    """
    with contextlib.suppress(FileNotFoundError), tree.directory(directory) as opened:
        index = filesystem.read_file(opened, INDEX_FILE, LARGEST_INDEX)
        whole, end, last = index.rpartition(b"\n")
        text = last.decode("utf-8", "surrogateescape")
        if last and is_begun_line(text) and not parse_index(text):
            filesystem.shorten(opened, INDEX_FILE, len(whole + end))
            filesystem.sync_file(opened, INDEX_FILE)


def index_problems(site: Site, authority: Resource) -> Iterator[Diagnostic]:
    """Find what nothing can be added to: an index that cannot be read, or lines that are none of OpenSSL's."""
    path = site.path(authority, INDEX_FILE)
    try:
        directory = filesystem.open_root(os.path.dirname(path))
        try:
            content = _content(directory, INDEX_FILE, LARGEST_INDEX)
        finally:
            filesystem.close(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Diagnostic(code="ca-database", summary=in_one_line(error), place=authority.place)
        return
    except PkiplanError as error:
        yield from (replace(problem, place=authority.place) for problem in error.diagnostics)
        return
    lines = unreadable_lines("" if content is None else content.decode("utf-8", "surrogateescape"))
    for number, line in islice(lines, _PROBLEMS_NAMED):
        yield Diagnostic(
            code="ca-database",
            summary=f"a line that is none of OpenSSL's CA database: {len(line.split(chr(9)))} fields, not {FIELDS}",
            place=Place(shown_path(site, path), number),
            source_line=line,
            hint="mend the line or take it out: for one such line `openssl ca` refuses the whole file",
        )


def random_serial(used: set[int]) -> int:
    """Choose a random serial number of up to 159 bits: positive, at most 20 octets (RFC 5280, 4.1.2.2)."""
    import secrets

    while True:
        serial = secrets.randbits(159)
        # A tiny number is as random as any, but looks like a mistake; CA/Browser Forum BR 7.1 wants 64 bits.
        if serial >> 64 and serial not in used:
            return serial


def _content(parent: int, name: str, limit: int) -> bytes | None:
    try:
        return filesystem.read_file(parent, name, limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PkiplanError.of(in_one_line(error), code="ca-database") from None


@contextmanager
def _opened(parent: int, name: str) -> Iterator[int]:
    descriptor = filesystem.open_directory(name, parent)
    try:
        yield descriptor
    finally:
        filesystem.close(descriptor)
