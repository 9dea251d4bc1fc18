"""Work in several processes gives what it gives in one, whatever happens to them."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pkiplan.cache import open_cache
from pkiplan.state import side_by_side as module
from pkiplan.state.side_by_side import parts_of, side_by_side, spread
from tests.apply.workbench import AUTHORITIES, Workbench

MANY = (
    AUTHORITIES
    + """\
certificates:
  node:
    for_each: {range: [1, 9]}
    issuer: issuing
    dns: ["node-{{ each.key }}.example"]
    days: 90
"""
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path).write(MANY)
    bench.applied()
    return bench


@pytest.fixture(autouse=True)
def three_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(module, "LEAST_EACH", 2)
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def squares(numbers: Sequence[int]) -> list[int]:
    return [number * number for number in numbers]


def test_all_answers_come_back_in_order() -> None:
    parts = parts_of(range(10))
    assert [len(part) for part in parts] == [3, 3, 4]
    assert [one for answer in side_by_side(squares, parts) for one in answer] == squares(range(10))


@pytest.mark.parametrize(("items", "expected"), [(0, 1), (1, 1), (3, 1), (4, 2), (6, 3), (600, 3)])
def test_there_are_no_more_processes_than_pay(items: int, expected: int) -> None:
    assert len(parts_of(range(items))) == expected


def test_where_another_thread_runs_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert len(parts_of(range(600))) == 1


def test_where_ended_processes_are_not_waited_for_there_is_one_process() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert len(parts_of(range(600))) == 1
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_process_that_is_stopped_at_its_very_start_handles_nothing_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = os.fork

    def stopped() -> int:
        number = fork()
        if number == 0:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                (tmp_path / "handled").touch()
                os._exit(1)
        return number

    monkeypatch.setattr(os, "fork", stopped)

    assert list(side_by_side(squares, parts_of(range(6)))) == [[0, 1], [4, 9], [16, 25]]
    assert not (tmp_path / "handled").exists()
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, signal.SIGTERM}


def test_every_other_part_is_done_by_another_process() -> None:
    first, *others = side_by_side(lambda _: os.getpid(), parts_of(range(6)))
    assert first == os.getpid()
    assert len({first, *others}) == 3


def test_a_process_starts_no_further_ones() -> None:
    assert list(side_by_side(lambda _: len(parts_of(range(600))), parts_of(range(6)))) == [3, 1, 1]


@pytest.mark.parametrize(
    "end",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(0),
        lambda: os._exit(3),
        lambda: 1 / 0,
        lambda: signal.raise_signal(signal.SIGINT),
        lambda: lambda: "what cannot be pickled",
    ],
    ids=["killed", "ended", "failed", "raised", "interrupted", "unspeakable"],
)
def test_what_a_process_does_not_deliver_is_done_here(end: object, capfd: pytest.CaptureFixture[str]) -> None:
    here = os.getpid()

    def work(part: Sequence[int]) -> object:
        if os.getpid() != here:
            assert callable(end)
            return end()
        return list(part)

    assert list(side_by_side(work, parts_of(range(6)))) == [[0, 1], [2, 3], [4, 5]]
    assert capfd.readouterr() == ("", "")


def test_where_no_process_can_be_started_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", no_more)
    assert list(side_by_side(squares, parts_of(range(6)))) == [[0, 1], [4, 9], [16, 25]]


def test_where_no_pipe_can_be_opened_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more() -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pipe", no_more)
    assert list(side_by_side(squares, parts_of(range(6)))) == [[0, 1], [4, 9], [16, 25]]


def test_when_the_work_fails_here_no_process_is_left() -> None:
    here = os.getpid()

    def work(_: Sequence[int]) -> None:
        if os.getpid() == here:
            raise KeyError("here")
        time.sleep(60)

    with pytest.raises(KeyError):
        list(side_by_side(work, parts_of(range(6))))


def test_a_process_holds_no_file_of_this_one_open(tmp_path: Path) -> None:
    def open_files(_: Sequence[int]) -> list[str]:
        names = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd") if int(number) > 2]
        # That by which the directory was listed is closed by now.
        return [os.readlink(name) for name in names if os.path.lexists(name)]

    with (tmp_path / "lock").open("w") as lock:
        here, *others = side_by_side(open_files, parts_of(range(6)))
        assert lock.name in here
    assert all(one.startswith("pipe:") for other in others for one in other)


def test_only_what_is_kept_open_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")

    def read(descriptor: int) -> str:
        try:
            return os.pread(descriptor, 9, 0).decode()
        except OSError:
            return "closed"

    with (tmp_path / "file").open() as kept, (tmp_path / "file").open() as other:
        found = spread(lambda _: [read(kept.fileno()), read(other.fileno())], range(6), kept.fileno())
        assert list(found) == [["here", "here"], ["here", "closed"], ["here", "closed"]]


def test_a_site_is_observed_as_in_one_process(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.tree / "certificates/node/2/cert.pem").unlink()
    (bench.tree / "certificates/node/8/key.pem").unlink()
    side = bench.observe()
    monkeypatch.setattr(module, "LEAST_EACH", 100)
    assert bench.observe() == side
    assert len(side.state.resources) == 11


def test_what_other_processes_learn_is_remembered(bench: Workbench, tmp_path: Path) -> None:
    cache = open_cache({"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path)})
    assert cache is not None
    bench.cache = cache
    bench.observe()
    assert len(cache.new()["signature"]) == 11
