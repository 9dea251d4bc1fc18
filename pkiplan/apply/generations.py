"""Switch the files of a certificate in one step, as Kubernetes' secret volumes do.

`cert.pem` is a link to `..data/cert.pem` and `..data` a link to the current generation, a directory. A new generation
is written whole and put on the disk before one rename of `..data` makes it the current one. The one before it stays,
so that a reader who resolved `..data` just before can still open what it found there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pkiplan.apply import filesystem
from pkiplan.apply.filesystem import Placement
from pkiplan.apply.tree import PRIVATE_DIRECTORY, parts_of
from pkiplan.model.tree import DATA_LINK, LARGEST_PEM, STAGED_PREFIX, is_generation


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that is being written: its name beside `..data`, and the run that writes it."""

    name: str
    run: str


def generation_of_run(now: datetime, run: str) -> Generation:
    """Name the generation that a run writes, by its time and the run's own mark."""
    return Generation(f"{STAGED_PREFIX}{now:%Y%m%dT%H%M%SZ}-{run}", run)


def current_generation(directory: int) -> str | None:
    """Return the name of the current generation, or None where `..data` is missing, leads nowhere or is not ours."""
    target = filesystem.link_target(directory, DATA_LINK)
    if target is None or not is_generation(target) or not filesystem.is_directory(directory, target):
        return None
    return target


def begin(directory: int, generation: Generation) -> int:
    """Open the directory of a generation, and make it where there is none yet; the caller closes it."""
    opened = filesystem.open_directory_if_there(generation.name, directory)
    if opened is not None:
        return opened
    filesystem.make_directory(directory, generation.name, PRIVATE_DIRECTORY)
    return filesystem.open_directory(generation.name, directory)


def write(generation: int, name: str, content: bytes, placement: Placement) -> None:
    """Write a new file of a generation; a name may have directories in it."""
    with parent_of(generation, name, make=True) as (parent, last):
        filesystem.create_file(parent, last, content, placement)


def read(generation: int, name: str) -> bytes:
    """Read a file of a generation back."""
    with parent_of(generation, name) as (parent, last):
        return filesystem.read_file(parent, last, LARGEST_PEM)


def carry_over(directory: int, generation: int, name: str) -> bool:
    """Take over into a generation what is published under a name; return whether there was a file to take."""
    with published(directory, name) as found:
        if found is None:
            return False
        _take(*found, generation, name)
        return True


def _take(source: int, source_name: str, generation: int, name: str) -> None:
    with parent_of(generation, name, make=True) as (parent, last):
        filesystem.link_or_copy(source, source_name, parent, last, LARGEST_PEM)


def carry_over_undeclared(directory: int, generation: int) -> None:
    """Take over what the current generation holds and the new one does not: files no longer declared, never touched."""
    current = current_generation(directory)
    if current is None:
        return
    with contextlib.closing(_Open(directory, current)) as opened:
        for name in sorted(set(_files_in(opened.descriptor)) - set(_files_in(generation))):
            with parent_of(opened.descriptor, name) as (source, last):
                if filesystem.is_regular(source, last):
                    _take(source, last, generation, name)


@contextlib.contextmanager
def published(directory: int, name: str) -> Iterator[tuple[int, str] | None]:
    """Give an open directory and a name in it where the file published as `name` really lies, or None.

    A link that leads out of the generations counts as nothing: what it leads to belongs to somebody else.
    """
    with contextlib.ExitStack() as stack:
        try:
            parent, last = stack.enter_context(parent_of(directory, name))
        except OSError as error:
            _demand_absence(error)
            yield None
            return
        if filesystem.is_regular(parent, last):
            yield parent, last
            return
        place = _place_in_generation(directory, name, filesystem.link_target(parent, last))
        if place is None:
            yield None
            return
        try:
            generation, within = place
            opened = stack.enter_context(contextlib.closing(_Open(directory, generation)))
            inner, last = stack.enter_context(parent_of(opened.descriptor, within))
        except OSError as error:
            _demand_absence(error)
            yield None
            return
        yield (inner, last) if filesystem.is_regular(inner, last) else None


def _place_in_generation(directory: int, name: str, link: str | None) -> tuple[str, str] | None:
    """Tell which generation, and which file of it, a public name's link leads to, however somebody spelled it."""
    if link is None:
        return None
    first, _, within = os.path.normpath(os.path.join(os.path.dirname(name), link)).partition("/")
    generation = current_generation(directory) if first == DATA_LINK else first
    return (generation, within) if within and generation is not None and is_generation(generation) else None


def public_link(name: str) -> str:
    """Return what the public name of a generation's file links to."""
    return f"{'../' * name.count('/')}{DATA_LINK}/{name}"


def sync(generation: int) -> None:
    """Put a generation on the disk: every file in it, and its directories."""
    for name in filesystem.names_in(generation):
        if filesystem.is_directory(generation, name):
            with contextlib.closing(_Open(generation, name)) as opened:
                sync(opened.descriptor)
        else:
            filesystem.sync_file(generation, name)
    filesystem.sync_directory(generation)


def publish(directory: int, generation: Generation, names: Iterable[str]) -> None:
    """Make the public names of a generation's files: links that stay for ever, before the switch.

    So a new file appears with its generation. A plain file in the place of a link, or one behind a link that would not
    follow the switch, first becomes a link to itself, in a generation of what is there.
    """
    there = set(filesystem.names_in(directory))
    old: list[str] = []
    new: list[str] = []
    for name in sorted(names):
        (old if name.partition("/")[0] in there else new).append(name)
    otherwise = [name for name in old if _is_published_otherwise(directory, name)]
    if otherwise:
        _move_into_generation(directory, generation, otherwise)
    for name in old:
        _publish_name(directory, generation, name)
    publish_first(directory, new)


def publish_first(directory: int, names: Iterable[str]) -> None:
    """Make the public names of the first generation in a directory that holds nothing else."""
    for name in sorted(names):
        with parent_of(directory, name, make=True) as (parent, last):
            filesystem.make_link(parent, last, public_link(name))


def switch_first(directory: int, generation: Generation) -> None:
    """Make the first generation the current one. The directory is to be synced after."""
    filesystem.make_link(directory, DATA_LINK, generation.name)


def switch(directory: int, generation: Generation) -> str | None:
    """Make a generation the current one; return the name of the one before it. The directory is to be synced after."""
    before = current_generation(directory)
    filesystem.replace_link(directory, DATA_LINK, generation.name, f"{DATA_LINK}-{generation.run}")
    return before


def remove_older(directory: int, keep: Iterable[str]) -> None:
    """Remove all generations but those named, and the current one; without a current one, none."""
    current = current_generation(directory)
    if current is None:
        return
    kept = {*keep, current}
    for name in filesystem.names_in(directory):
        if is_generation(name) and name not in kept:
            filesystem.remove_tree(directory, name)


def discard(directory: int, run: str) -> bool:
    """Remove what a run left here unpublished; return whether there was anything."""
    current = current_generation(directory)
    found = False
    for name in filesystem.names_in(directory):
        if is_staged_by(name, run) and name != current:
            filesystem.remove_tree(directory, name)
            found = True
    if found:
        _remove_links_to_nothing(directory)
    return found


def is_staged_by(name: str, run: str) -> bool:
    """Tell whether a name was given by this run: a generation, a link or file waiting for its switch."""
    return name.startswith(STAGED_PREFIX) and f"-{run}" in name


def _remove_links_to_nothing(directory: int) -> None:
    """Remove public names that were made for files of a generation which never became the current one."""
    for name in filesystem.names_in(directory):
        if filesystem.link_target(directory, name) != public_link(name):
            continue
        with published(directory, name) as found:
            if found is None:
                filesystem.unlink(directory, name)


def _move_into_generation(directory: int, generation: Generation, otherwise: list[str]) -> None:
    """Make what is published otherwise links that follow the switch, without changing what a reader sees."""
    interim = Generation(f"{generation.name}-plain", generation.run)
    filesystem.remove_tree(directory, interim.name)
    with contextlib.closing(_Open(directory, interim.name, make=True)) as opened:
        for name in otherwise:
            carry_over(directory, opened.descriptor, name)
        carry_over_undeclared(directory, opened.descriptor)
        sync(opened.descriptor)
    filesystem.sync_directory(directory)
    filesystem.replace_link(directory, DATA_LINK, interim.name, f"{DATA_LINK}-{generation.run}")
    for name in otherwise:
        _publish_name(directory, generation, name)


def _publish_name(directory: int, generation: Generation, name: str) -> None:
    with parent_of(directory, name, make=True) as (parent, last):
        target = public_link(name)
        if filesystem.file_facts(parent, last) is None:
            filesystem.make_link(parent, last, target)
        elif filesystem.link_target(parent, last) != target:
            filesystem.replace_link(parent, last, target, f"{STAGED_PREFIX}link-{generation.run}")


def is_plain(directory: int, name: str) -> bool:
    """Tell whether a regular file, and no link, lies where a public name belongs."""
    try:
        with parent_of(directory, name) as (parent, last):
            return filesystem.is_regular(parent, last)
    except OSError as error:
        _demand_absence(error)
        return False


def _is_published_otherwise(directory: int, name: str) -> bool:
    """Tell whether a file is published under a name, but not by the link that follows the switch."""
    with published(directory, name) as found:
        if found is None:
            return False
    with parent_of(directory, name) as (parent, last):
        return filesystem.link_target(parent, last) != public_link(name)


def _demand_absence(error: OSError) -> None:
    """Raise unless an error means that nothing is there: what cannot be looked at now may be a key."""
    if error.errno not in filesystem.ABSENT:
        raise error


def _files_in(directory: int, prefix: str = "") -> list[str]:
    found: list[str] = []
    for name in filesystem.names_in(directory):
        if filesystem.is_directory(directory, name):
            with contextlib.closing(_Open(directory, name)) as opened:
                found.extend(_files_in(opened.descriptor, f"{prefix}{name}/"))
        else:
            found.append(prefix + name)
    return found


def parent_of(directory: int, name: str, *, make: bool = False) -> contextlib.AbstractContextManager[tuple[int, str]]:
    """Open the directory that a name like `sub/file` lies in; give it with the last part."""
    *above, last = parts_of(name)
    return _opened_parent(directory, above, last, make=make) if above else contextlib.nullcontext((directory, last))


@contextlib.contextmanager
def _opened_parent(directory: int, above: list[str], last: str, *, make: bool) -> Iterator[tuple[int, str]]:
    with contextlib.ExitStack() as stack:
        current = directory
        for part in above:
            current = stack.enter_context(contextlib.closing(_Open(current, part, make=make))).descriptor
        yield current, last


class _Open:
    """An open directory that `contextlib.closing` can close."""

    __slots__ = ("descriptor",)

    def __init__(self, parent: int, name: str, *, make: bool = False) -> None:
        if make:
            filesystem.make_directory(parent, name, PRIVATE_DIRECTORY)
        self.descriptor = filesystem.open_directory(name, parent)

    def close(self) -> None:
        filesystem.close(self.descriptor)
