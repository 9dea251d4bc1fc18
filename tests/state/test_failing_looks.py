"""Whichever look at the tree fails, what is there is not taken for missing, and nothing crashes."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.model.observed import Missing
from pkiplan.plan.changes import PlanOptions
from pkiplan.state import read, regular_files, unmanaged
from tests.apply.workbench import SMALL_SITE, Workbench

LOOKS = frozenset({"open", "read", "stat", "fstat", "readlink", "listdir", "scandir"})


class FailingLooks:
    """Stands in for `os`; the look with this number fails."""

    def __init__(self, at: int | None = None, error: int = errno.EIO) -> None:
        self.at = at
        self.error = error
        self.looks: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in LOOKS:
            return real

        def look(*arguments: Any, **named: Any) -> Any:
            self.looks.append(name)
            if len(self.looks) - 1 == self.at:
                raise OSError(self.error, os.strerror(self.error))
            return real(*arguments, **named)

        return look


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_look_that_fails_is_no_crash_and_finds_nothing_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.applied()
    bench.applied(PlanOptions(replace=("authority.issuing",)))  # for something in the archive

    def look(failing: FailingLooks) -> list[object]:
        with monkeypatch.context() as patch:
            patch.setattr(read, "os", failing)
            patch.setattr(regular_files, "os", failing)
            patch.setattr(unmanaged, "os", failing)
            resources = bench.observe().state.resources.values()
        return [found for resource in resources for found in (resource.key, resource.certificate)]

    whole = FailingLooks()
    assert Missing() not in look(whole)
    told = set()
    for at in range(len(whole.looks)):
        try:
            assert Missing() not in look(FailingLooks(at, error)), (at, whole.looks[at])
        except PkiplanError as problem:
            told.add(str(problem))

    assert {"open", "read", "fstat", "readlink", "listdir", "scandir"} <= set(whole.looks)
    assert {each.partition("/")[0] for each in told} <= {"cannot list ", "cannot read "}
    assert all(os.strerror(error).lower() in each for each in told), told
