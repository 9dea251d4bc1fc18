"""The order of syncs and renames, which decides what a loss of power leaves: a crash alone does not show it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.apply.crash.experiment import Experiments
from tests.apply.crash.launcher import Launcher, working_place

Calls = Sequence[tuple[str, str, str]]


@dataclass
class Disk:
    """What would be lost if the power went now: content that was not synced, and names in directories that were not."""

    there: set[str]
    content: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def call(self, name: str, path: str, source: str) -> None:
        if name == "fsync":
            self.content.discard(path)
            self.names -= {other for other in self.names if os.path.dirname(other) == path}
        elif name in ("write", "ftruncate"):
            self.content.add(path)
        elif name in ("open", "mkdir", "symlink", "link", "rename"):
            if path not in self.there or name == "rename":
                self.names.add(path)
            self.there.add(path)
            if name == "rename":
                self._move(source, path)

    def _move(self, source: str, path: str) -> None:
        self.there = _moved(self.there, source, path)
        self.content = _moved(self.content, source, path)
        self.names = _moved(self.names, source, path)
        self.names.add(path)

    def lost(self, beneath: str) -> list[str]:
        return sorted(path for path in self.content | self.names if f"{path}/".startswith(f"{beneath}/"))

    def unnamed(self, path: str) -> list[str]:
        """List the directories on the way to a path whose own names would be lost."""
        return [above for above in _above(path) if above in self.names]


def _moved(paths: set[str], source: str, path: str) -> set[str]:
    return {path + p.removeprefix(source) if f"{p}/".startswith(f"{source}/") else p for p in paths}


def _above(path: str) -> Iterator[str]:
    while path not in ("/", ""):
        yield path
        path = os.path.dirname(path)


@pytest.fixture(scope="module")
def seen() -> Iterator[tuple[Calls, set[str]]]:
    """The calls of an apply of everything, and what was there before it."""
    launcher = Launcher()
    with tempfile.TemporaryDirectory(dir=working_place()) as directory:
        experiments = Experiments(Path(directory), launcher)
        experiments.prepare()
        template, site = f"{directory}/template", f"{directory}/undisturbed"
        there = {
            os.path.join(above, name).replace(template, site)
            for above, directories, files in os.walk(directory)
            for name in (*directories, *files)
        }
        yield experiments.undisturbed().trace, there | {site}
    launcher.close()


def _each(seen: tuple[Calls, set[str]]) -> Iterator[tuple[Disk, str, str, str]]:
    """Give every call with the disk as it is before it."""
    calls, there = seen
    disk = Disk(set(there))
    for name, path, source in calls:
        yield disk, name, path, source
        disk.call(name, path, source)


def _is_switch(name: str, path: str) -> bool:
    """Tell whether a call switches a certificate: a rename, or the link to its first generation."""
    return name in ("rename", "symlink") and path.endswith("/..data")


def test_a_generation_is_on_the_disk_before_it_is_switched_to(seen: tuple[Calls, set[str]]) -> None:
    switched = 0
    generation = ""
    for disk, name, path, source in _each(seen):
        if name == "symlink" and "/..data" in path:
            generation = f"{os.path.dirname(path)}/{source}"
        if _is_switch(name, path):
            switched += 1
            assert disk.lost(generation) == [], path
            assert disk.unnamed(generation) == [], path
    assert switched == 5


def test_every_issuance_is_in_the_index_on_the_disk_before_anything_is_published(seen: tuple[Calls, set[str]]) -> None:
    for disk, name, path, _ in _each(seen):
        if _is_switch(name, path) or (name == "rename" and path.endswith("/cert.pem")):
            lost = [other for other in disk.lost("/") if "index.txt" in other or "/newcerts/" in other]
            assert lost == [], path


def test_an_authoritys_files_are_synced_and_so_is_the_journal_that_can_finish_them(
    seen: tuple[Calls, set[str]],
) -> None:
    renamed = 0
    for disk, name, path, source in _each(seen):
        if name == "rename" and "/..new-" in source and not source.endswith(("serial", "crlnumber", ".attr")):
            renamed += 1
            assert source not in disk.content, path
            assert disk.unnamed(source) == [], path
            assert disk.lost(f"{path.partition('/authorities/')[0]}/.pkiplan/journal") == [], path
    assert renamed == 3


def test_what_is_replaced_is_in_the_archive_on_the_disk_before_the_switch(seen: tuple[Calls, set[str]]) -> None:
    archived = 0
    for disk, name, path, source in _each(seen):
        archived += name == "link" and "/archive/" in path
        if _is_switch(name, path) or (name == "rename" and "/..new-" in source):
            assert [other for other in disk.lost("/") if "/archive/" in other] == [], path
    assert archived > 6


def test_the_switch_is_on_the_disk_before_anything_older_goes(seen: tuple[Calls, set[str]]) -> None:
    calls, _ = seen
    removed = 0
    for disk, name, path, _ in _each(seen):
        if name in ("unlink", "rmdir") and "/..2" in path:
            removed += 1
            data = f"{path.partition('/..2')[0]}/..data"
            assert data not in disk.names, path
        if name == "unlink" and path.endswith("/.pkiplan/journal"):
            assert [other for other in disk.names if "/archive/" in other or other.endswith(".pem")] == []
    assert removed > 0
    assert ("unlink" in {name for name, path, _ in calls if path.endswith("/journal")}) is True
