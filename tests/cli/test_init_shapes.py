"""Every shape that `init` knows is planned, applied and verified as it was written."""

from __future__ import annotations

import pytest

from pkiplan.manifest.starters import SHAPES
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
