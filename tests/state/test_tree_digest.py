"""A digest of a tree is the same however it is walked, and another one for every change that a plan could see."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pkiplan.cache.tree_digest import KnownDirectory, NoDigestError, TreeDigest
from pkiplan.state import side_by_side
from pkiplan.state.observe import observe_site
from pkiplan.state.read import Reader
from pkiplan.state.side_by_side import spread
from tests.apply.workbench import Workbench
from tests.state.test_side_by_side import MANY


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bench = Workbench(tmp_path_factory.mktemp("tree")).write(MANY)
    bench.applied()
    return Path(bench.tree)


@pytest.fixture
def many_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(side_by_side, "LEAST_EACH", 2)


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    """A tree to be changed, and a file beside it."""
    (tmp_path / "other").write_text("other")
    return Path(shutil.copytree(tree, tmp_path / "pki", symlinks=True))


def digests(tree: Path) -> dict[str, str]:
    """Give the digest of each file by the path a plan reads it by."""
    from hashlib import sha256

    found = [path for path in tree.rglob("*") if path.is_file() and ".." not in str(path.relative_to(tree))]
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.mark.usefixtures("many_processors")
def test_several_processes_meet_what_one_meets(tree: Path) -> None:
    alone, together = TreeDigest(str(tree), None), TreeDigest(str(tree), None, spread=spread)
    assert together.hex == alone.hex
    assert together.met.newest == alone.met.newest
    assert together.met.others == alone.met.others
    assert len(alone.met.others) > 9 * 5


def test_what_is_known_is_not_read_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, read = digests(tree), TreeDigest(str(tree), None)
    monkeypatch.setattr(os, "read", lambda *_: pytest.fail("read again"))
    again = TreeDigest(str(tree), ["certificates"], known=known)
    monkeypatch.undo()
    assert again.hex == TreeDigest(str(tree), ["certificates"]).hex != read.hex
    assert again.met.known == 9 * 5
    assert again.met.others == []


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda leaf: (leaf / "cert.pem").write_text("other"),
    "mode": lambda leaf: (leaf / "key.pem").chmod(0o640),
    "mode of a directory": lambda leaf: leaf.chmod(0o711),
    "one file more": lambda leaf: (leaf / "more").write_text(""),
    "one directory more": lambda leaf: (leaf / "more").mkdir(),
    "a file gone": lambda leaf: (leaf / "..data" / "chain.pem").unlink(),
    "a name gone": lambda leaf: (leaf / "chain.pem").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.usefixtures("many_processors")
def test_a_change_gives_another_digest(copy: Path, change: Callable[[Path], object]) -> None:
    before = TreeDigest(str(copy), None).hex
    change(copy / "certificates/node/7")
    assert TreeDigest(str(copy), None).hex != before
    assert TreeDigest(str(copy), None, spread=spread).hex != before


STRANGE: dict[str, Callable[[Path], object]] = {
    "a link out": lambda leaf: (leaf / "out").symlink_to("/etc/passwd"),
    "a pipe": lambda leaf: os.mkfifo(leaf / "pipe"),
    "a file in the place of its link": lambda leaf: os.replace(leaf.parents[3] / "other", leaf / "cert.pem"),
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE.keys())
@pytest.mark.usefixtures("many_processors")
def test_what_cannot_be_summed_up_has_no_digest(copy: Path, change: Callable[[Path], object]) -> None:
    change(copy / "certificates/node/7")
    with pytest.raises(NoDigestError):
        TreeDigest(str(copy), None)
    with pytest.raises(NoDigestError):
        TreeDigest(str(copy), None, spread=spread)


def observed_directories(bench: Workbench) -> dict[str, KnownDirectory]:
    return dict(observe_site(bench.site(), cache=None).directories)


@pytest.fixture
def bench(tree: Path, tmp_path: Path) -> Workbench:
    shutil.copytree(tree, tmp_path / "pki", symlinks=True)
    shutil.copyfile(tree.parent / "site.yaml", tmp_path / "site.yaml")
    return Workbench(tmp_path)


def test_a_directory_is_summed_up_while_it_is_read_as_it_is_by_a_walk(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, walked = observed_directories(bench), TreeDigest(str(bench.tree), None)
    assert len(known) == 9
    opened: list[str] = []
    real = os.open

    def noted(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        opened.append(path)
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", noted)
    again = TreeDigest(str(bench.tree), None, known_directories=known)
    assert again.hex == walked.hex
    assert again.met.known == 9 * 5
    assert "9" not in opened


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_directory_that_has_changed_is_summed_up_otherwise_or_not_at_all(
    change: Callable[[Path], object], bench: Workbench
) -> None:
    before = observed_directories(bench)["certificates/node/4"]
    change(Path(bench.tree, "certificates/node/4"))
    now = observed_directories(bench)
    walked = TreeDigest(str(bench.tree), None)
    assert now.get("certificates/node/4") != before
    assert TreeDigest(str(bench.tree), None, known_directories=now).hex == walked.hex


def put_file_for_link(leaf: Path) -> None:
    content = (leaf / "cert.pem").read_bytes()
    (leaf / "cert.pem").unlink()
    (leaf / "cert.pem").write_bytes(content)


def put(name: str, target: str) -> Callable[[Path], None]:
    def change(leaf: Path) -> None:
        (leaf / name).unlink(missing_ok=True)
        (leaf / name).symlink_to(target)

    return change


STRANGERS: dict[str, Callable[[Path], object]] = {
    "a file beside the links": lambda leaf: (leaf / "more").write_text(""),
    "a link beside the links": put("more", "..data/cert.pem"),
    "a link that could be set aside": put("..more", "..data"),
    "a file inside of the generation": lambda leaf: (leaf / "..data" / "more").write_text(""),
    "a file in the place of a link": put_file_for_link,
    "a link by another way": put("cert.pem", "./..data/cert.pem"),
    "a link in the place of a file": put("..data/chain.pem", "fullchain.pem"),
}


@pytest.mark.parametrize("change", STRANGERS.values(), ids=STRANGERS.keys())
def test_a_directory_with_more_than_was_read_of_it_is_not_summed_up(
    change: Callable[[Path], object], bench: Workbench
) -> None:
    change(Path(bench.tree, "certificates/node/4"))
    assert set(observed_directories(bench)) == {f"certificates/node/{number}" for number in (1, 2, 3, 5, 6, 7, 8, 9)}


def test_what_is_summed_up_is_what_was_told(bench: Workbench) -> None:
    before = observed_directories(bench)["certificates/node/4"]
    with Reader(bench.site(), {}).resource("certificates/node/4") as directory:
        for name in ("key.pem", "cert.pem", "chain.pem", "fullchain.pem", "openssl.cnf"):
            directory.read(name)
        Path(bench.tree, "certificates/node/4").chmod(0o755)

        assert (directory.mode(), directory.summed_up("/certificates/node/4")) == (0o700, before)


def test_generations_that_are_not_the_current_one_are_not_looked_at(bench: Workbench) -> None:
    before = observed_directories(bench)
    Path(bench.tree, "certificates/node/4/..20200101T000000Z-1").mkdir()
    assert observed_directories(bench) == before


def test_what_no_walk_looks_into_is_not_known_either(bench: Workbench) -> None:
    known = observed_directories(bench)
    Path(bench.tree, "certificates/node/4").rename(Path(bench.tree, "certificates/node/newcerts"))
    known["certificates/node/newcerts"] = known.pop("certificates/node/4")
    walked = TreeDigest(str(bench.tree), None)
    assert TreeDigest(str(bench.tree), None, known_directories=known).hex == walked.hex
