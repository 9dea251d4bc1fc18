"""ARCHITECTURE.md names the parts that are there, and all of them."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT

PACKAGE = ROOT / "pkiplan"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line]


def test_table_of_parts_is_complete() -> None:
    named = {name.rstrip("/") for cells in ROWS if len(cells) == 3 for name in re.findall(r"`([^`]+)`", cells[0])}

    there = {path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert named == there - {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("cells", [cells for cells in ROWS if len(cells) == 4], ids=lambda cells: cells[0].strip())
def test_what_a_variant_needs_is_there(cells: list[str]) -> None:
    _, write, listed_in, _ = cells
    for path in re.findall(r"`([a-z0-9_/]+(?:/NAME)?(?:\.py|/))`", write):
        assert (PACKAGE / path.replace("NAME.py", "")).exists(), path
    for table in re.findall(r"`([A-Z_]{2,})`", listed_in):
        assert re.search(rf"^{table}\b", _sources(), re.MULTILINE), table


def _sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
