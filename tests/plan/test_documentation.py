"""`docs/planning.md` cites rows and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.plan.cases import CASES

PAGE = Path(__file__).parents[2] / "docs" / "planning.md"
HERE = Path(__file__).parent
TEXT = " ".join(PAGE.read_text(encoding="utf-8").split())
PLACES = (HERE, *(HERE.parent / name for name in ("upgrade", "workflow", "cli", "apply", "security")))
TESTS = "\n".join(path.read_text(encoding="utf-8") for place in PLACES for path in place.glob("test_*.py"))


def test_every_row_that_is_cited_exists() -> None:
    cited = re.findall(r"\[row: ([^\]]+)\]", TEXT)

    assert len(cited) > 60
    assert set(cited) <= {case.sentence for case in CASES}


def test_every_test_that_is_cited_exists() -> None:
    cited = re.findall(r"\[test: ([^\]]+)\]", TEXT)

    assert cited
    assert [name for name in cited if f"def {name}(" not in TESTS] == []
