"""What an interrupted apply left in its journal: lines for people, and files that were about to take their places."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pkiplan.model.observed import Found
from pkiplan.model.site import Site
from pkiplan.model.tree import CONTROL_DIRECTORY, JOURNAL_FILE
from pkiplan.state.read import Reader

if TYPE_CHECKING:
    from pkiplan.model.journal import JournalEntries

_LARGEST_JOURNAL = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JournalView:
    """A journal at one instant: its digest, what it says of interruption, and which file stands for which.

    `run` marks what it made ready. `staged` maps the path of a file to the one that takes its place: of a resource
    whose switch has begun, the new files are what counts, be they in their places yet or not. `begun` are the
    directories of authorities that the run began: what is left of one that did not come to be counts for nothing.
    """

    digest: str = ""
    run: str = ""
    interrupted: tuple[str, ...] = ()
    staged: dict[str, str] = field(default_factory=dict)
    begun: tuple[str, ...] = ()


def read_journal(site: Site) -> JournalView:
    """Read the journal of a site, if there is one."""
    read = Reader(site, {}).read(f"{site.directory}/{CONTROL_DIRECTORY}/{JOURNAL_FILE}", _LARGEST_JOURNAL)
    if not isinstance(read, Found):
        return JournalView()
    from pkiplan.model.journal import parse_journal

    entries = parse_journal(read.value.content)
    if entries is None:
        return JournalView(digest=read.value.facts.sha256)
    staged = {
        f"{_absolute(site, file.directory)}/{file.final}": f"{_absolute(site, file.directory)}/{file.staged}"
        for files in entries.unfinished.values()
        for file in files
    }
    return JournalView(read.value.facts.sha256, entries.run, _told(entries), staged, entries.begun)


def _absolute(site: Site, directory: str) -> str:
    return directory if directory.startswith("/") else f"{site.directory}/{directory}"


def _told(entries: JournalEntries) -> tuple[str, ...]:
    if _is_running(entries):
        return ()
    who = f"an apply was interrupted (pid {entries.pid} on {entries.host}, begun {entries.started})"
    lines = [f"{who}: {address} is half switched; apply finishes that first" for address in sorted(entries.unfinished)]
    return tuple(lines) or (f"{who}: what it prepared is discarded by the next apply",)


def _is_running(entries: JournalEntries) -> bool:
    """Tell whether the process that wrote a journal still works; its number alone could be another's by now."""
    if entries.host != os.uname().nodename:
        return False
    try:
        os.kill(entries.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return _process_started(entries.pid) in ("", entries.process_started)


def _process_started(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # Field 22; the second, the command's name, is in parentheses and may hold blanks (proc(5)).
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""
