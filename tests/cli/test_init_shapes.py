"""Every shape that `init` knows is planned, applied and verified as it was written."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from pkiplan.manifest.starters import SHAPES
from pkiplan.workflow import loading
from tests.cli.conftest import Here


@pytest.mark.parametrize("shape", SHAPES)
def test_what_init_writes_is_planned_applied_and_verified(here: Here, shape: str) -> None:
    assert here.run("init", "--shape", shape).status == 0
    assert (here.directory / "site.yaml").read_text().startswith("# yaml-language-server: $schema=")
    (here.directory / "site.schema.json").write_text(here.run("schema").out)

    assert here.run("validate").status == 0
    assert here.run("plan", "--detailed-exitcode").status == 2
    applied = here.run("apply", "--yes")
    assert (applied.status, "refused" in applied.out or shape == "self-signed") == (0, True), applied
    assert here.run("plan", "--detailed-exitcode").status == 0
    assert here.run("verify").status == 0


def test_init_on_a_full_disk_leaves_nothing_and_can_be_tried_again(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, *arguments: Any, **named: Any) -> Any:
        file = open(path, *arguments, **named)  # noqa: SIM115 - as whoever is tested opens it
        monkeypatch.setattr(file, "write", refuses, raising=False)
        return file

    def refuses(_: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(loading, "open", full, raising=False)
        run = here.run("init")

    assert (run.status, "cannot write ./site.yaml: no space left on device" in run.err) == (1, True), run.err
    assert list(here.directory.iterdir()) == []
    assert here.run("init").status == 0
