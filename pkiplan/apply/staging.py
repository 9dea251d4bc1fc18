"""Where a resource's new files wait until all of them are written, and how they then take their places.

A certificate's files wait in a new generation and are switched by one rename. An authority's files, and files that the
manifest adopted where they lie, wait beside the ones they replace and are renamed one by one, under the journal.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pkiplan.apply import filesystem, generations
from pkiplan.apply.file_writes import FileWrite
from pkiplan.apply.filesystem import Placement
from pkiplan.apply.generations import Generation
from pkiplan.apply.journal import Journal, finish_switch
from pkiplan.apply.tree import PRIVATE_DIRECTORY, Tree, parts_of
from pkiplan.errors import PkiplanError
from pkiplan.model.journal import StagedFile
from pkiplan.model.resource import Resource
from pkiplan.model.tree import LARGEST_PEM, STAGED_PREFIX


@dataclass(slots=True)
class Stage:
    """The new files of one resource, not yet in their places.

    `names` are those in the generation, `plain` the others. `placement` is what the resource's directory gets.
    `is_new` tells that this run made that directory, so that nothing is in it but what waits here; None where that is
    not known yet. `public_key` is that of a key which was just made, as SubjectPublicKeyInfo, until its certificate is
    made for it. `is_switching` tells that files may have their places already, some or all.
    """

    tree: Tree
    resource: Resource
    generation: Generation
    placement: Placement
    # A set of five takes six times the memory, and a large site has as many as it has changes.
    names: list[str] = field(default_factory=list)
    plain: dict[str, StagedFile] = field(default_factory=dict)
    is_new: bool | None = None
    public_key: bytes | None = field(default=None, repr=False)
    is_switching: bool = False
    _kept_open: int | None = None

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the new generation's directory open while several files are written to it."""
        if self.resource.is_authority:
            yield
            return
        self._kept_open = opened = self._open_generation()
        try:
            yield
        finally:
            self._kept_open = None
            filesystem.close(opened)

    def write(self, write: FileWrite, placement: Placement) -> None:
        """Write a file, and read it back: a full disk must show here, not later."""
        if self._kept_open is not None and parts_of(write.name) == (write.name,):
            filesystem.create_file(self._kept_open, write.name, write.content, placement)
            self._count(write.name)
            return
        with self.new_file(write.name) as (parent, name):
            filesystem.create_file(parent, name, write.content, placement)

    @contextlib.contextmanager
    def new_file(self, name: str) -> Iterator[tuple[int, str]]:
        """Give the open directory and the name by which a file is to be made; it counts once it is there."""
        if self._is_in_generation(name):
            with self._opened_generation() as opened, generations.parent_of(opened, name, make=True) as found:
                yield found
            self._count(name)
            return
        directory, last = self._plain_place(name)
        staged = self._staged(last)
        with self._plain_parent(directory) as parent:
            yield parent, staged
            digest = hashlib.sha256(filesystem.read_file(parent, staged, LARGEST_PEM)).hexdigest()
            self.plain[name] = StagedFile(directory, staged, last, digest)

    def read_new(self, name: str) -> bytes:
        """Read a file that waits."""
        if name in self.plain:
            file = self.plain[name]
            with self._opened(file.directory) as parent:
                return filesystem.read_file(parent, file.staged, LARGEST_PEM)
        with self._opened_generation() as opened, generations.parent_of(opened, name) as (parent, last):
            return filesystem.read_file(parent, last, LARGEST_PEM)

    def path_of_new(self, name: str) -> str:
        """Return the absolute path that a new file has while it waits."""
        if self._is_in_generation(name):
            return f"{self._absolute(self.resource.directory)}/{self.generation.name}/{name}"
        directory, last = self._plain_place(name)
        return f"{self._absolute(directory)}/{self._staged(last)}"

    def has_new(self, name: str) -> bool:
        """Tell whether a file of this name waits."""
        return name in self.names or name in self.plain

    def carry_over(self, name: str) -> None:
        """Take a published file over into the generation, unless a new one waits or it does not lie there."""
        if self.is_new or not self._is_in_generation(name) or name in self.names:
            return
        with self.tree.made_directory(self.resource.directory) as directory:
            opened = generations.begin(directory, self.generation)
            try:
                if generations.carry_over(directory, opened, name):
                    self._count(name)
            finally:
                filesystem.close(opened)

    def carry_over_undeclared(self) -> None:
        """Take over what the current generation holds besides: what is unmanaged is never touched."""
        if not self.names or (self.is_new and self.placement.mode == PRIVATE_DIRECTORY):
            return
        with self.tree.directory(self.resource.directory) as directory:
            opened = generations.begin(directory, self.generation)
            try:
                generations.carry_over_undeclared(directory, opened)
                filesystem.set_directory_placement(directory, self.generation.name, self.placement)
            finally:
                filesystem.close(opened)

    def sync(self) -> None:
        """Put everything that waits on the disk."""
        if self.names:
            with self.tree.directory(self.resource.directory) as directory:
                opened = generations.begin(directory, self.generation)
                try:
                    generations.sync(opened)
                finally:
                    filesystem.close(opened)
                filesystem.sync_directory(directory)
        for file in self.plain.values():
            with self._opened(file.directory) as parent:
                filesystem.sync_file(parent, file.staged)
                filesystem.sync_directory(parent)

    def publish(self) -> None:
        """Make the public names of the new generation's files; until the switch they mean what they meant before."""
        if self.names:
            self.is_switching = True
            with self.tree.directory(self.resource.directory) as directory:
                if self.is_new:
                    generations.publish_first(directory, self.names)
                else:
                    generations.publish(directory, self.generation, self.names)
            self.is_switching = False

    def switch(self, journal: Journal) -> str | None:
        """Give the files their places; return the generation that was current before, where there was one.

        The switch to a generation is on the disk after `sync_switch`.
        """
        if self.plain:
            files = tuple(self.plain[name] for name in sorted(self.plain))
            journal.before_switch(self.resource.address, files)
            self.is_switching = True
            if not finish_switch(self.tree, files):
                raise PkiplanError.of("a file that was to be switched is not what was written", code="switch")
            self.is_switching = False
            journal.after_switch(self.resource.address)
        if not self.names:
            return None
        self.is_switching = True
        with self.tree.directory(self.resource.directory) as directory:
            if self.is_new:
                generations.switch_first(directory, self.generation)
                return None
            return generations.switch(directory, self.generation)

    def sync_switch(self) -> None:
        """Put the switch to a generation on the disk."""
        if self.names:
            with self.tree.directory(self.resource.directory) as directory:
                filesystem.sync_directory(directory)

    def lies_on(self, device: int, device_of: Callable[[str], int]) -> bool:
        """Tell whether everything that waits is on this one file system, by that of each directory of the site's."""
        return not any(file.directory.startswith("/") for file in self.plain.values()) and all(
            device_of(directory) == device for directory in self._directories()
        )

    def _directories(self) -> set[str]:
        if self.is_new:
            # What this run made lies on the file system of what it was made in.
            return {os.path.dirname(self.resource.directory)}
        own = {f"{self.resource.directory}/{self.generation.name}"} if self.names else set()
        inner = {f"{directory}/{name.rpartition('/')[0]}" for directory in own for name in self.names if "/" in name}
        return {self.resource.directory, *own, *inner, *(file.directory for file in self.plain.values())}

    def clean_up(self, before: str | None, *, dropped: tuple[str, ...] = ()) -> None:
        """Remove generations older than the one before, and from that one the files that must not linger."""
        if not self.names or self.is_new:
            return
        with self.tree.directory(self.resource.directory) as directory:
            generations.remove_older(directory, () if before is None else (before,))
            if before is None:
                return
            with contextlib.suppress(FileNotFoundError):
                opened = filesystem.open_directory(before, directory)
                try:
                    for name in dropped:
                        missing = contextlib.suppress(FileNotFoundError)
                        with missing, generations.parent_of(opened, name) as (parent, last):
                            filesystem.remove_tree(parent, last)
                finally:
                    filesystem.close(opened)

    def discard(self) -> None:
        """Remove everything that waits."""
        directories = {file.directory for file in self.plain.values()} | {self.resource.directory}
        for directory in sorted(directories):
            with contextlib.suppress(FileNotFoundError), self._opened(directory) as opened:
                generations.discard(opened, self.generation.run)

    def place_directory(self) -> None:
        """Make the resource's directory, with the mode and group it shall have."""
        if self.is_new is not None:
            return
        self.is_new = self.tree.make_directory(self.resource.directory)
        # Only widened, never narrowed: a person may have opened it for a reason.
        if self.placement.mode != PRIVATE_DIRECTORY:
            with self.tree.directory(self.resource.directory) as directory:
                filesystem.set_directory_placement(directory, ".", self.placement)
                self.tree.let_others_pass(self.resource.directory)

    def _count(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)

    def _is_in_generation(self, name: str) -> bool:
        return not self.resource.is_authority and not name.startswith("/")

    @contextlib.contextmanager
    def _opened_generation(self) -> Iterator[int]:
        if self._kept_open is not None:
            yield self._kept_open
            return
        opened = self._open_generation()
        try:
            yield opened
        finally:
            filesystem.close(opened)

    def _open_generation(self) -> int:
        """Open the new generation, which is made where it is not there yet; the caller closes it."""
        with self.tree.made_directory(self.resource.directory) as directory:
            return generations.begin(directory, self.generation)

    def _plain_place(self, name: str) -> tuple[str, str]:
        """Part the name of a file outside of the generation: its directory, and what it is called there."""
        if name.startswith("/"):
            directory, _, last = name.rpartition("/")
            return directory, last
        *above, last = parts_of(name)
        return "/".join((self.resource.directory, *above)), last

    def _staged(self, name: str) -> str:
        return f"{STAGED_PREFIX}new-{self.generation.run}-{name}"

    @contextlib.contextmanager
    def _plain_parent(self, directory: str) -> Iterator[int]:
        is_ours = not directory.startswith("/")
        with self.tree.made_directory(directory) if is_ours else self._opened(directory) as parent:
            yield parent

    @contextlib.contextmanager
    def _opened(self, directory: str) -> Iterator[int]:
        if not directory.startswith("/"):
            with self.tree.directory(directory) as opened:
                yield opened
            return
        opened = filesystem.open_root(directory)
        try:
            yield opened
        finally:
            filesystem.close(opened)

    def _absolute(self, directory: str) -> str:
        return directory if directory.startswith("/") else os.path.join(self.tree.path, directory)
