"""The journal of a running apply, and what the next run makes of one that was left behind."""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pkiplan.apply import filesystem, generations
from pkiplan.apply.ca_database import mend_index, remove_unborn
from pkiplan.apply.processes import host_name, own_pid, process_started
from pkiplan.apply.tree import Tree
from pkiplan.errors import PkiplanError
from pkiplan.model.journal import (
    JournalEntries,
    StagedFile,
    done_line,
    first_line,
    parse_journal,
    switch_line,
)
from pkiplan.model.tree import CONTROL_DIRECTORY, JOURNAL_FILE, LARGEST_PEM

_LARGEST_JOURNAL = 64 * 1024 * 1024


class Journal:
    """Writes down what apply has in hand; every line is on the disk before it is acted upon."""

    __slots__ = ("_entries", "_tree")

    def __init__(self, tree: Tree, entries: JournalEntries) -> None:
        self._tree = tree
        self._entries = entries

    @property
    def run(self) -> str:
        """Return the mark that everything this run stages carries in its name."""
        return self._entries.run

    def begin(self) -> None:
        """Open the journal with the directories that files will be staged in."""
        with self._tree.made_directory(CONTROL_DIRECTORY) as control:
            filesystem.create_file(control, JOURNAL_FILE, first_line(self._entries), filesystem.PRIVATE)
            filesystem.sync_file(control, JOURNAL_FILE)
            filesystem.sync_directory(control)

    def before_switch(self, address: str, files: tuple[StagedFile, ...]) -> None:
        """Write down which staged files take their places now."""
        with self._tree.directory(CONTROL_DIRECTORY) as control:
            filesystem.append(control, JOURNAL_FILE, switch_line(address, files), filesystem.PRIVATE)
            filesystem.sync_file(control, JOURNAL_FILE)

    def after_switch(self, address: str) -> None:
        """Write down that they have; losing this line only repeats what is done already."""
        with self._tree.directory(CONTROL_DIRECTORY) as control:
            filesystem.append(control, JOURNAL_FILE, done_line(address), filesystem.PRIVATE)

    def end(self) -> None:
        """Remove the journal: nothing is in hand any more."""
        with self._tree.directory(CONTROL_DIRECTORY) as control:
            filesystem.unlink(control, JOURNAL_FILE)
            filesystem.sync_directory(control)


def new_journal(
    tree: Tree, run: str, now: datetime, directories: Mapping[str, str], begun: Sequence[str] = ()
) -> Journal:
    """Prepare the journal of a run; `directories` are the resources' by address, `begun` those of new authorities."""
    pid = own_pid()
    return Journal(
        tree,
        JournalEntries(
            run=run,
            pid=pid,
            process_started=process_started(pid),
            host=host_name(),
            started=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            directories=dict(directories),
            begun=tuple(begun),
        ),
    )


def recover(tree: Tree, adopted: frozenset[str] = frozenset(), issuing: Iterable[str] = ()) -> tuple[str, ...]:
    """Finish or undo what an interrupted apply left, and tell so in one line; to be called under the lock.

    `issuing` are the directories of the site's authorities, in each of which a line may have been added to the index.

    A journal lies in the tree, so whoever can put files there can write one: beyond the site it is only believed of
    `adopted`, the directories in which the manifest adopts certificates.
    """
    entries = _left_behind(tree)
    if entries is None:
        return ()
    finished: list[str] = []
    for address, files in entries.unfinished.items():
        inside = tuple(file for file in files if not file.directory.startswith("/") or file.directory in adopted)
        if finish_switch(tree, inside) and inside == files:
            finished.append(address)
    discarded = [
        address
        for address, directory in entries.directories.items()
        if not directory.startswith("/") and _discard(tree, directory, entries.run)
    ]
    for directory in sorted(adopted):
        _discard(tree, directory, entries.run)
    for directory in issuing:
        mend_index(tree, directory)
    for directory in entries.begun:
        with contextlib.suppress(FileNotFoundError):
            remove_unborn(tree, directory)
    Journal(tree, entries).end()
    return (_told(entries, finished, [address for address in discarded if address not in finished]),)


def finish_switch(tree: Tree, files: tuple[StagedFile, ...]) -> bool:
    """Give staged files their places; one that has it already is passed over. Return whether all have it now."""
    complete = True
    for directory in dict.fromkeys(file.directory for file in files):
        with _directory(tree, directory) as opened:
            for file in (f for f in files if f.directory == directory):
                if _digest(opened, file.staged) == file.sha256:
                    filesystem.rename(opened, file.staged, file.final)
                elif _digest(opened, file.final) != file.sha256:
                    complete = False
            filesystem.sync_directory(opened)
    return complete


def _left_behind(tree: Tree) -> JournalEntries | None:
    try:
        with tree.directory(CONTROL_DIRECTORY) as control:
            text = filesystem.read_file(control, JOURNAL_FILE, _LARGEST_JOURNAL)
    except FileNotFoundError:
        return None
    entries = parse_journal(text)
    if entries is not None:
        return replace(entries, directories=dict(sorted(entries.directories.items())))
    if b"\n" in text:
        raise PkiplanError.of(
            f"{tree.path}/{CONTROL_DIRECTORY}/{JOURNAL_FILE} is not a journal that this version understands",
            hint="finish with the version of pkiplan that wrote it, or remove the file if you know where it is from",
            code="journal",
        )
    # It was cut short in its first line, so nothing was staged yet.
    with tree.directory(CONTROL_DIRECTORY) as control:
        filesystem.unlink(control, JOURNAL_FILE)
    return None


def _discard(tree: Tree, directory: str, run: str) -> bool:
    try:
        with _directory(tree, directory) as opened:
            found = generations.discard(opened, run)
            current = generations.current_generation(opened)
            if current is not None and generations.is_staged_by(current, run):
                # Its switch was made, and perhaps not what comes after it: an older copy of its key may linger.
                generations.remove_older(opened, ())
            if found:
                filesystem.sync_directory(opened)
            return found
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _directory(tree: Tree, directory: str) -> Iterator[int]:
    if not directory.startswith("/"):
        with tree.directory(directory) as opened:
            yield opened
        return
    opened = filesystem.open_root(directory)
    try:
        yield opened
    finally:
        filesystem.close(opened)


def _digest(directory: int, name: str) -> str | None:
    try:
        return hashlib.sha256(filesystem.read_file(directory, name, LARGEST_PEM)).hexdigest()
    except OSError as error:
        # What is no file of ours is passed over; one that cannot be read may still be needed.
        if error.errno in filesystem.ABSENT or error.errno in (errno.EINVAL, errno.EFBIG):
            return None
        raise


def _told(entries: JournalEntries, finished: list[str], discarded: list[str]) -> str:
    told = []
    if finished:
        told.append(f"finished switching {_some(finished)}")
    if discarded:
        told.append(f"discarded what was prepared for {_some(discarded)}")
    if not told:
        told.append("nothing was left in hand")
    return f"an apply was interrupted (pid {entries.pid}, begun {entries.started}): {'; '.join(told)}"


def _some(addresses: list[str]) -> str:
    shown = ", ".join(addresses[:3])
    return shown if len(addresses) <= 3 else f"{shown} and {len(addresses) - 3} more"
