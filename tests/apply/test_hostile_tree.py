"""Links and modes that others prepared: nothing is written through them, nothing is more open than it shall be."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.plan.changes import PlanOptions
from tests.apply.workbench import SMALL_SITE, Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path).write(SMALL_SITE)


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _watch(tree: Path, done: threading.Event, seen: dict[str, int]) -> None:
    """Record the widest mode in which anything was ever seen."""
    while not done.is_set():
        for directory, directories, files in os.walk(tree):
            for name in (*directories, *files):
                path = os.path.join(directory, name)
                try:
                    facts = os.lstat(path)
                except OSError:
                    continue
                if not stat.S_ISLNK(facts.st_mode):
                    shown = "key" if "key" in name else "directory" if stat.S_ISDIR(facts.st_mode) else "file"
                    seen[shown] = seen.get(shown, 0) | stat.S_IMODE(facts.st_mode)


@pytest.mark.usefixtures("open_umask")
def test_keys_and_directories_are_never_open_to_others_whatever_the_umask(bench: Workbench) -> None:
    seen: dict[str, int] = {}
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(bench.tree, done, seen))
    watcher.start()
    try:
        bench.applied()
    finally:
        done.set()
        watcher.join()

    _watch_once = threading.Event()
    threading.Timer(0.05, _watch_once.set).start()
    _watch(bench.tree, _watch_once, seen)
    assert seen == {"key": 0o600, "directory": 0o700, "file": 0o644}


def test_a_narrow_umask_takes_nothing_away(bench: Workbench) -> None:
    before = os.umask(0o777)
    try:
        bench.applied()
    finally:
        os.umask(before)

    assert stat.S_IMODE((bench.tree / "certificates/web/cert.pem").stat().st_mode) == 0o644
    assert stat.S_IMODE((bench.tree / "certificates/web").stat().st_mode) == 0o700
    assert bench.actions() == {}


def test_a_resource_directory_that_is_a_link_is_not_written_through(bench: Workbench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (bench.tree / "certificates").mkdir(parents=True)
    (bench.tree / "certificates/web").symlink_to(elsewhere)

    (blocked,) = bench.plan().blocked
    with pytest.raises(PkiplanError, match="new key"):  # what lies behind the link may be of a lost authority
        bench.apply()
    bench.apply(PlanOptions(allow=("authority.issuing",)))

    assert "symbolic link" in blocked.findings[0].message
    assert (bench.tree / "authorities/issuing/cert.pem").exists()
    assert list(elsewhere.iterdir()) == []


def test_a_site_directory_that_is_a_link_is_neither_read_nor_written(bench: Workbench, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    Workbench(elsewhere).path.mkdir()
    bench.tree.symlink_to(elsewhere)

    with pytest.raises(PkiplanError, match="symbolic link"):
        bench.apply()

    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_an_authoritys_file_is_replaced_never_followed(bench: Workbench, tmp_path: Path) -> None:
    victim = tmp_path.parent / f"{tmp_path.name}-victim"
    victim.write_text("precious")
    root = bench.tree / "authorities/root"
    root.mkdir(parents=True)
    (root / "openssl.cnf").symlink_to(victim)

    bench.applied()

    assert victim.read_text() == "precious"
    assert not (root / "openssl.cnf").is_symlink()


def test_a_planted_index_link_is_refused_and_not_followed(bench: Workbench, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("")
    root = bench.tree / "authorities/root"
    root.mkdir(parents=True)
    (root / "index.txt").symlink_to(victim)

    with pytest.raises(PkiplanError, match=r"authorities/root/index\.txt: too many levels of symbolic links"):
        bench.apply()

    assert victim.read_text() == ""
    assert not (root / "cert.pem").exists()


def test_a_data_link_that_leads_away_is_never_followed(bench: Workbench, tmp_path: Path) -> None:
    bench.applied()
    away = tmp_path / "away"
    away.mkdir()
    data = bench.tree / "certificates/web/..data"
    data.unlink()
    data.symlink_to(away)

    (blocked,) = bench.plan().blocked

    assert blocked.is_fault
    assert "..data" in blocked.findings[0].message


def test_a_key_elsewhere_behind_a_link_is_unreadable_not_missing(bench: Workbench, tmp_path: Path) -> None:
    bench.applied()
    key = bench.tree / "certificates/web/key.pem"
    secret = tmp_path.parent / f"{tmp_path.name}-secret.pem"
    secret.write_bytes(key.read_bytes())
    key.unlink()
    key.symlink_to(secret)

    (blocked,) = bench.plan().blocked

    assert "leads out of the site" in blocked.findings[0].message


def test_a_directory_swapped_for_a_link_during_apply_is_not_written_through(bench: Workbench, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    done = threading.Event()

    def swap() -> None:
        web = bench.tree / "certificates/web"
        while not done.is_set():
            try:
                web.rename(bench.tree / "certificates/aside")
                web.symlink_to(away)
                web.unlink()
                (bench.tree / "certificates/aside").rename(web)
            except OSError:
                continue

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        for _ in range(5):
            bench.apply()
    except PkiplanError:
        pass
    finally:
        done.set()
        attacker.join()

    assert list(away.iterdir()) == []


def test_somebody_elses_hard_link_keeps_its_mode_and_content(bench: Workbench, tmp_path: Path) -> None:
    bench.applied()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o444)
    chain = bench.tree / "certificates/web/chain.pem"
    chain.unlink()
    os.link(victim, chain)

    bench.applied()

    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("precious", 0o444)
    assert bench.actions() == {}
