"""One apply at a time, readers at any time: nobody sees half a change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pkiplan.apply.lock import site_lock
from pkiplan.errors import InterruptedByUserError, LockedError, PkiplanError
from tests.apply.workbench import SMALL_SITE, Workbench

ROOT = Path(__file__).parents[2]

APPLY = """
import sys
from datetime import timedelta
from pathlib import Path
from pkiplan.plan.changes import PlanOptions
from tests.apply.workbench import NOW, Workbench
bench = Workbench(Path(sys.argv[1]))
options = PlanOptions(replace=tuple(sys.argv[3:]), rekey=len(sys.argv) > 3, allow=("authority.issuing",))
report = bench.apply(options, now=NOW + timedelta(seconds=int(sys.argv[2])), lock_timeout=120)
sys.exit(0 if report.is_complete else 1)
"""


def _start(bench: Workbench, second: int, *replace: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", APPLY, str(bench.path), str(second), *replace], cwd=ROOT)


def test_of_several_applies_at_once_one_creates_the_site_and_the_others_find_it_done(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)

    running = [_start(bench, 0) for _ in range(20)]

    assert [process.wait(300) for process in running] == [0] * 20
    assert len((bench.tree / "authorities/issuing/index.txt").read_text().splitlines()) == 1
    assert not (bench.tree / "archive").exists()
    assert bench.actions() == {}


def test_readers_see_whole_pairs_while_applies_give_new_keys_and_no_serial_is_used_twice(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.applied()
    # Whichever comes last to the lock: a clock that is behind what is there by more than the backdate is refused.
    running = [_start(bench, n, "certificate.web", *(["authority.issuing"] if n % 2 else [])) for n in range(8)]

    looks = 0
    while any(process.poll() is None for process in running):
        try:
            assert bench.key_matches("certificates/web")
        except FileNotFoundError:
            # Two switches passed between opening the generation and reading it.
            continue
        state = bench.observe().state
        for address in ("authority.issuing", "certificate.web"):
            seen = state.of(address)
            assert seen.key.value.spki_sha256 == seen.certificate.value.spki_sha256  # type: ignore[union-attr]
        assert state.interrupted == ()
        looks += 1

    assert looks > 10
    assert [process.wait(10) for process in running] == [0] * 8
    lines = (bench.tree / "authorities/issuing/index.txt").read_text().splitlines()
    assert len(lines) == len({line.split("\t")[3] for line in lines}) == 9
    assert bench.actions() == {}


def test_a_locked_site_is_told_with_its_holder(tmp_path: Path) -> None:
    site = Workbench(tmp_path).write(SMALL_SITE).site()

    told = rf"another apply \(pid {os.getpid()} on "
    with site_lock(site), pytest.raises(LockedError, match=told) as locked, site_lock(site, timeout=0.1):
        pytest.fail("the lock was given twice")
    assert "`--lock-timeout 60s`" in (locked.value.diagnostics[0].hint or "")  # a unit, which the option needs

    with site_lock(site):
        pass


def test_whoever_waits_for_the_lock_and_is_asked_to_stop_stops_at_once(tmp_path: Path) -> None:
    site = Workbench(tmp_path).write(SMALL_SITE).site()
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    begun = time.monotonic()
    told = pytest.raises(InterruptedByUserError, match="nothing was changed")
    with site_lock(site), told, site_lock(site, timeout=60, stop=stop):
        pytest.fail("the lock was given twice")

    assert time.monotonic() - begun < 10


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    script = (
        "import sys, time; from pathlib import Path; from pkiplan.apply.lock import site_lock;"
        "from tests.apply.workbench import Workbench\n"
        "with site_lock(Workbench(Path(sys.argv[1])).site()): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LockedError), site_lock(bench.site()):
        pass

    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    holder.stdout.close()

    begun = time.monotonic()
    with site_lock(bench.site()):
        pass
    assert time.monotonic() - begun < 5


def test_a_planted_lock_file_is_not_followed(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (bench.tree / ".pkiplan").mkdir(parents=True)
    (bench.tree / ".pkiplan/lock").symlink_to(victim)

    with pytest.raises(PkiplanError, match="not a regular file"), site_lock(bench.site()):
        pass

    assert victim.read_text() == "precious"


def test_a_directory_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.tree.write_text("a file")

    with pytest.raises(PkiplanError, match="cannot lock"), site_lock(bench.site()):
        pass


def test_control_directory_that_is_a_link_is_told_with_the_way_out(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.tree.mkdir()
    (bench.tree / ".pkiplan").symlink_to(tmp_path)

    with pytest.raises(PkiplanError, match="is a symbolic link") as caught, site_lock(bench.site()):
        pass

    assert "put a directory there" in caught.value.diagnostics[0].hint
