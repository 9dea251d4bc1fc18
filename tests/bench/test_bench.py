"""The measuring itself runs, on tiny sites; how long anything takes is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bench(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "--directory", tmp_path / "sites", "--results", tmp_path, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_every_kind_of_row_runs_and_is_written_down(tmp_path: Path) -> None:
    only = "start|1,000 leaves, explicit, cold|apply, 1,000 leaves, 1|RSA|50 leaves|verify"

    run = bench(tmp_path, "--quick", "--only", only)

    assert run.returncode == 0, run.stdout + run.stderr
    (written,) = tmp_path.glob("*.json")
    document = json.loads(written.read_text())
    for row in document["rows"]:
        assert row["note"] or row["cpu"] > 0, row
        assert "failed" not in row["note"]
        assert row["name"] in run.stdout
    assert len(document["rows"]) == 6


def test_a_row_that_is_not_there_is_told(tmp_path: Path) -> None:
    run = bench(tmp_path, "--only", "no such row")

    assert run.returncode == 1
    assert "no row is named like" in run.stderr


def test_a_program_that_fails_has_no_ratio(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/explicit-3").write_text("in the way of a site")

    run = bench(tmp_path, "--quick", "--only", "3 certificates")

    assert run.returncode == 1
