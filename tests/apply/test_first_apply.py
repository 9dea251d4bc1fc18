"""A first apply that is killed or fails anywhere: what it began of an authority never passes for a lost one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

import pytest

from pkiplan.apply import filesystem
from pkiplan.apply.paths_in_errors import path_of
from pkiplan.apply.results import Failed
from pkiplan.errors import PkiplanError
from pkiplan.plan.changes import Action
from tests.apply.faults import FaultyOs, Killed, install
from tests.apply.workbench import SMALL_SITE, Workbench

# Nothing of these asks for a permission: `--allow` is for authorities that had issued something.
UNASKED = {Action.CREATE, Action.MODIFY, Action.REENCODE}


def new_site(directory: Path) -> Workbench:
    directory.mkdir()
    return Workbench(directory).write(SMALL_SITE)


def calls_of_a_first_apply(directory: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    faulty = FaultyOs()
    with monkeypatch.context() as patch:
        install(patch, faulty)
        new_site(directory).applied()
    return len(faulty.calls)


@pytest.mark.parametrize(
    ("error", "step"), [pytest.param(None, 1, id="killed"), pytest.param(errno.ENOSPC, 4, id="on a full disk")]
)
def test_a_first_apply_that_is_broken_off_anywhere_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None, step: int
) -> None:
    number_of_calls = calls_of_a_first_apply(tmp_path / "whole", monkeypatch)

    for at in range(0, number_of_calls, step):
        bench = new_site(tmp_path / str(at))
        with monkeypatch.context() as patch, contextlib.suppress(Killed, PkiplanError):
            install(patch, FaultyOs(at, error))
            bench.apply()

        assert set(bench.actions().values()) <= UNASKED, at
        bench.applied()
        assert bench.actions() == {}, at

    assert number_of_calls > 40


REFUSALS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)


def test_whatever_a_disk_refuses_is_told_with_the_file_and_leaves_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number_of_calls = calls_of_a_first_apply(tmp_path / "whole", monkeypatch)
    told: list[str] = []

    for at in range(0, number_of_calls, 7):
        bench = new_site(tmp_path / str(at))
        error = REFUSALS[at % len(REFUSALS)]
        with monkeypatch.context() as patch:
            install(patch, FaultyOs(at, error))
            why = reasons(bench)

        assert all(re.search(rf"{bench.tree}\S*: (\S.*: )?{os.strerror(error).lower()}", each) for each in why), why
        assert [path for path in bench.tree.rglob("newcerts/*") if not path.read_bytes()] == [], at
        bench.applied()
        assert bench.actions() == {}, at
        told += why

    assert len(told) > 10


def reasons(bench: Workbench) -> list[str]:
    """Say why an apply failed, as a whole or in its parts."""
    try:
        return [result.outcome.why for result in bench.apply().results if isinstance(result.outcome, Failed)]
    except PkiplanError as error:
        return [str(error)]


def test_authority_that_cannot_be_begun_is_no_failure_of_its_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = new_site(tmp_path / "site")
    real = filesystem.make_directory

    def full(parent: int, name: str, mode: int = 0o700) -> bool:
        if name == "newcerts" and path_of(parent, ".").endswith("issuing"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        return real(parent, name, mode)

    with monkeypatch.context() as patch:
        patch.setattr(filesystem, "make_directory", full)
        report = bench.apply()

    assert [result.address for result in report.done] == ["authority.root"]
    bench.applied()
    assert bench.actions() == {}
