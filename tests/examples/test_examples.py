"""Every folder of `examples/` is validated, planned, applied, planned again and verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.examples.conftest import Example, copy_of, names_of_examples


@pytest.mark.parametrize("name", names_of_examples())
def test_example_is_valid_and_its_plan_changes_nothing(name: str, tmp_path: Path) -> None:
    example = copy_of(name, tmp_path)
    before = sorted(path for path in example.path.rglob("*"))

    assert example.pkiplan("validate").status == 0
    planned = example.pkiplan("plan", "--detailed-exitcode")

    assert planned.status == 2, planned.stderr
    after = sorted(path for path in example.path.rglob("*") if ".pkiplan" not in path.parts)
    assert after == before


def test_example_plans_nothing_after_its_apply(applied: Example) -> None:
    again = applied.pkiplan("plan", "--detailed-exitcode", "--json")

    assert again.status == 0, again.stdout
    assert json.loads(again.stdout)["resource_changes"] == []


def test_example_applies_nothing_after_its_apply(applied: Example) -> None:
    before = _tree(applied.tree)

    ran = applied.pkiplan("apply", "--yes")

    assert ran.status == 0
    assert _tree(applied.tree) == before


def test_example_verifies(applied: Example) -> None:
    ran = applied.pkiplan("verify", "--json")

    assert ran.status == 0, ran.stdout
    results = json.loads(ran.stdout)["results"]
    assert any(result["outcome"] == "accepted" for result in results)
    assert any(result["outcome"] == "refused" for result in results)


def test_private_keys_of_an_example_are_for_their_owner_alone(applied: Example) -> None:
    keys = [path for path in applied.tree.rglob("*.pem") if b"PRIVATE KEY" in path.read_bytes()]

    assert keys
    assert {path.stat().st_mode & 0o077 for path in keys} <= {0, 0o040}


def _tree(path: Path) -> set[tuple[Path, int]]:
    return {
        (entry.relative_to(path), entry.lstat().st_mtime_ns)
        for entry in path.rglob("*")
        if not entry.is_dir() and ".pkiplan" not in entry.parts
    }
