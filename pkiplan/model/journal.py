"""What apply writes down while it runs, so that the next run can finish or undo what this one had in hand.

A file of JSON lines. The first names the run, every directory it may stage files in, and those of authorities that it
begins; a `switch` line names the files that are about to take their places, after they are on the disk; a `done` line
says that they have. A certificate's switch is one rename and needs no line. A last line that is cut short was never
acted upon.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pkiplan.model.tree import JOURNAL_FORMAT


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that waits for its switch; both names are in `directory`, relative to the site's unless absolute."""

    directory: str
    staged: str
    final: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntries:
    """A journal as read: who ran and since when, where it may have staged files, and what it was switching.

    `process_started` tells this process from a later one with the same number. `begun` are the directories of
    authorities of which nothing was there before this run: without certificate and key they have issued nothing.
    """

    run: str
    pid: int
    process_started: str
    host: str
    started: str
    directories: dict[str, str]
    begun: tuple[str, ...] = ()
    switches: dict[str, tuple[StagedFile, ...]] = field(default_factory=dict)
    done: frozenset[str] = frozenset()

    @property
    def unfinished(self) -> dict[str, tuple[StagedFile, ...]]:
        """Return the switches that may have been left half done, by address."""
        return {address: files for address, files in self.switches.items() if address not in self.done}


def first_line(entries: JournalEntries) -> bytes:
    """Write the line that opens a journal."""
    return _line(
        {
            "pkiplan_journal": JOURNAL_FORMAT,
            "run": entries.run,
            "pid": entries.pid,
            "process_started": entries.process_started,
            "host": entries.host,
            "started": entries.started,
            "directories": entries.directories,
            "begun": list(entries.begun),
        }
    )


def switch_line(address: str, files: tuple[StagedFile, ...]) -> bytes:
    """Write the line that comes before files take their places."""
    return _line({"switch": address, "files": [[f.directory, f.staged, f.final, f.sha256] for f in files]})


def done_line(address: str) -> bytes:
    """Write the line that comes after files took their places."""
    return _line({"done": address})


def parse_journal(text: bytes) -> JournalEntries | None:
    """Read a journal, or return None when it is not one; what cannot be understood ends it."""
    lines = text.split(b"\n")
    first = _object(lines[0]) if len(lines) > 1 else None
    if first is None or first.get("pkiplan_journal") != JOURNAL_FORMAT:
        return None
    run, pid, started = first.get("run"), first.get("pid"), first.get("started")
    host, process_started, directories = first.get("host"), first.get("process_started"), first.get("directories")
    if not (isinstance(run, str) and isinstance(pid, int) and isinstance(started, str) and isinstance(host, str)):
        return None
    if not (len(run) == 8 and set(run) <= set("0123456789abcdef")):
        return None
    if not (isinstance(directories, dict) and all(isinstance(v, str) for v in directories.values())):
        return None
    begun = first.get("begun", [])
    if not (isinstance(begun, list) and all(isinstance(d, str) and _is_beneath_the_site(d) for d in begun)):
        return None
    switches: dict[str, tuple[StagedFile, ...]] = {}
    done: set[str] = set()
    for line in lines[1:-1]:
        entry = _object(line)
        if entry is None:
            break
        address = entry.get("switch", entry.get("done"))
        if not isinstance(address, str):
            break
        if "done" in entry:
            done.add(address)
            continue
        files = _files(entry.get("files"), run)
        if files is None:
            break
        switches[address] = files
    return JournalEntries(
        run=run,
        pid=pid,
        process_started=str(process_started),
        host=host,
        started=started,
        directories=directories,
        begun=tuple(begun),
        switches=switches,
        done=frozenset(done),
    )


def _is_beneath_the_site(directory: str) -> bool:
    return not directory.startswith("/") and ".." not in directory.split("/")


def _files(value: object, run: str) -> tuple[StagedFile, ...] | None:
    if not isinstance(value, list):
        return None
    files: list[StagedFile] = []
    for item in value:
        if not (isinstance(item, list) and len(item) == 4 and all(isinstance(part, str) for part in item)):
            return None
        staged = StagedFile(*item)
        # A journal is data: it can only rename what this run staged, within one directory.
        if "/" in staged.staged or "/" in staged.final or f"-{run}-" not in staged.staged:
            return None
        if ".." in staged.directory.split("/") or staged.final in ("", ".", ".."):
            return None
        files.append(staged)
    return tuple(files)


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
