"""Many resources are put on the disk together, in the same order as a few are file by file."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pkiplan.apply import durability, filesystem
from pkiplan.apply.results import Failed
from pkiplan.plan.changes import PlanOptions
from tests.apply.faults import FaultyOs, Killed, install
from tests.apply.workbench import AUTHORITIES, Workbench

SITE = (
    AUTHORITIES
    + "certificates:\n"
    + "".join(f"  web-{n}: {{issuer: issuing, dns: [w{n}.acme.example], days: 90}}\n" for n in range(3))
)

# What was signed and never published stands in the databases, so that the authorities count as lost.
ONCE_MORE = PlanOptions(allow=("authority.root", "authority.issuing"), allow_many=True)


class WholeSync:
    """A stand-in for the sync of a whole file system: it counts, and fails or kills at the time it is told."""

    def __init__(self, faulty: FaultyOs, fails_at: int | None = None, error: int | None = None) -> None:
        self.faulty = faulty
        self.fails_at = fails_at
        self.error = error
        self.times = 0

    def __call__(self, _: int) -> bool:
        self.times += 1
        if self.times == self.fails_at:
            if self.error is None:
                self.faulty.is_dead = True
                raise Killed
            raise OSError(self.error, os.strerror(self.error))
        self.faulty.trace.append(("syncfs", ""))
        return True


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path).write(SITE)


def together(monkeypatch: pytest.MonkeyPatch, whole: Callable[[int], bool], faulty: FaultyOs) -> None:
    monkeypatch.setattr(durability, "FEW", 0)
    monkeypatch.setattr(filesystem, "sync_file_system", whole)
    install(monkeypatch, faulty)


def test_one_sync_stands_between_all_writes_and_the_first_switch_and_one_after_the_last(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = FaultyOs()
    whole = WholeSync(faulty)
    together(monkeypatch, whole, faulty)

    bench.applied()

    names = [name if name == "syncfs" else f"{name} {path}" for name, path in faulty.trace]
    first, last = (position for position, name in enumerate(names) if name == "syncfs")
    # The link to the first generation of each.
    switches = [position for position, name in enumerate(names) if name.startswith("symlink ..20")]
    assert len(switches) == 3
    assert first < min(switches) <= max(switches) < last
    written = [position for position, name in enumerate(names) if name.startswith("write") and "..20" in name]
    assert max(written) < first
    assert bench.actions() == {}


@pytest.mark.parametrize(
    ("fails_at", "is_switched"),
    [
        pytest.param(1, False, id="before the switch nothing is switched"),
        pytest.param(2, True, id="after the switch nobody is told that it is done"),
    ],
)
def test_a_sync_that_fails_is_told_and_the_next_apply_finishes(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, fails_at: int, *, is_switched: bool
) -> None:
    faulty = FaultyOs()
    with monkeypatch.context() as patch:
        together(patch, WholeSync(faulty, fails_at, errno.EIO), faulty)
        report = bench.apply()

    assert not report.is_complete
    outcomes = {result.address: result.outcome for result in report.results}
    assert outcomes["certificate.web-1"] == Failed("input/output error")
    assert (bench.tree / "certificates/web-1/cert.pem").exists() is is_switched
    bench.applied(ONCE_MORE)
    assert bench.actions() == {}
    assert not [name for name in bench.names() if "..data-" in name or "journal" in name]


@pytest.mark.parametrize("fails_at", [1, 2])
def test_killed_at_a_sync_everything_is_whole_and_the_next_apply_finishes(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    faulty = FaultyOs()
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        together(patch, WholeSync(faulty, fails_at), faulty)
        bench.apply()

    bench.applied(ONCE_MORE)
    assert bench.actions() == {}
    assert all(bench.key_matches(f"certificates/web-{number}") for number in range(3))


def test_where_the_file_system_cannot_be_synced_as_a_whole_each_file_is(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = FaultyOs()
    together(monkeypatch, lambda _: False, faulty)

    bench.applied()

    synced = {path for name, path in faulty.trace if name == "fsync"}
    assert {Path(path).name for path in synced} >= {"key.pem", "cert.pem", "chain.pem", "index.txt"}


def test_what_lies_on_another_file_system_is_synced_by_itself(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = FaultyOs()
    real = filesystem.device_of

    def other_device(parent: int, name: str) -> int:
        return real(parent, name) + name.endswith("web-1")

    together(monkeypatch, WholeSync(faulty), faulty)
    monkeypatch.setattr(filesystem, "device_of", other_device)
    # It was there before: what an apply makes lies beside what it is made in.
    (bench.tree / "certificates/web-1").mkdir(parents=True)

    bench.applied()

    synced = {path for name, path in faulty.trace if name == "fsync" and path.endswith("key.pem")}
    assert {Path(path).parts[-3] for path in synced if "certificates" in path} == {"web-1"}


def test_the_whole_file_system_is_really_synced(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    is_new_enough = os.uname().sysname == "Linux" and tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 8)

    try:
        assert filesystem.sync_file_system(descriptor) is is_new_enough
    finally:
        os.close(descriptor)
    if is_new_enough:
        with pytest.raises(OSError, match="file descriptor"):
            filesystem.sync_file_system(descriptor)
