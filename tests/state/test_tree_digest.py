"""A digest of a tree is the same however it is walked, and another one for every change that a plan could see."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pkiplan.cache.tree_digest import NoDigestError, TreeDigest
from pkiplan.state import side_by_side
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
