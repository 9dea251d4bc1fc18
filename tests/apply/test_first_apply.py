"""A first apply that is killed or fails anywhere: what it began of an authority never passes for a lost one."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest

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
