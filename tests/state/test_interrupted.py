"""What a journal says: told in lines while its process is gone, and the new files count once a switch has begun."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pkiplan.model.journal import JournalEntries, StagedFile, first_line, parse_journal, switch_line
from pkiplan.state.interrupted import read_journal
from tests.apply.workbench import SMALL_SITE, Workbench

RUN = "0123abcd"
FILE = StagedFile("authorities/root", f"..new-{RUN}-key.pem", "key.pem", "aa")


def entries(pid: int = 0, host: str = "") -> JournalEntries:
    return JournalEntries(
        run=RUN,
        pid=pid,
        process_started="5",
        host=host or socket.gethostname(),
        started="2027-03-01T12:00:00Z",
        directories={"authority.root": "authorities/root"},
    )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    (bench.tree / ".pkiplan").mkdir(parents=True)
    return bench


def left_behind(bench: Workbench, text: bytes) -> None:
    (bench.tree / ".pkiplan/journal").write_bytes(text)


GONE = 2**22 + 1


def test_no_journal_tells_nothing(bench: Workbench) -> None:
    assert read_journal(bench.site()).interrupted == ()


def test_a_journal_of_a_process_that_is_gone_is_told(bench: Workbench) -> None:
    left_behind(bench, first_line(entries(GONE)))

    (line,) = read_journal(bench.site()).interrupted

    assert line.startswith(f"an apply was interrupted (pid {GONE} on ")


def test_a_switch_that_was_begun_is_told_and_the_new_file_counts(bench: Workbench) -> None:
    left_behind(bench, first_line(entries(GONE)) + switch_line("authority.root", (FILE,)))

    journal = read_journal(bench.site())

    assert "authority.root is half switched" in journal.interrupted[0]
    root = f"{bench.tree}/authorities/root"
    assert journal.staged == {f"{root}/key.pem": f"{root}/..new-{RUN}-key.pem"}


def test_the_journal_of_a_running_apply_is_no_interruption(bench: Workbench) -> None:
    started = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    running = first_line(entries(os.getpid())).replace(b'"5"', f'"{started}"'.encode())
    left_behind(bench, running)

    assert read_journal(bench.site()).interrupted == ()


def test_another_process_with_the_same_number_is_not_taken_for_it(bench: Workbench) -> None:
    left_behind(bench, first_line(entries(os.getpid())))

    assert len(read_journal(bench.site()).interrupted) == 1


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"switch":"a","files":[["d","..new-0123abcd-k","../../etc/passwd","aa"]]}\n', id="a path"),
        pytest.param(b'{"switch":"a","files":[["../..","..new-0123abcd-k","k","aa"]]}\n', id="a directory above"),
        pytest.param(b'{"switch":"a","files":[["d","passwd","k","aa"]]}\n', id="a file this run did not stage"),
        pytest.param(b'{"switch":"a","files":[["d","..new-0123abcd-k","..","aa"]]}\n', id="a directory as a name"),
        pytest.param(b'{"switch":"a","files":7}\n', id="no list"),
        pytest.param(b"[1]\n", id="no object"),
        pytest.param(b"\xff\n", id="no text"),
        pytest.param(switch_line("authority.root", (FILE,))[:-1], id="a line cut short"),
    ],
)
def test_a_journal_can_only_rename_what_its_run_staged(line: bytes) -> None:
    parsed = parse_journal(first_line(entries()) + line)

    assert parsed is not None
    assert parsed.unfinished == {}


@pytest.mark.parametrize("text", [b"", b"{}\n", b"x\n", first_line(entries())[:-1], b"[" * 100_000 + b"\n"])
def test_what_is_no_journal_is_none(text: bytes) -> None:
    assert parse_journal(text) is None
