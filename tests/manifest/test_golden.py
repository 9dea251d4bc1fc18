"""Every kind of mistake, and what a person is told of it. `PKIPLAN_WRITE_GOLDEN=1` writes the files anew."""

# manifests and tables are easier to compare on one line

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pkiplan.manifest import load_site
from pkiplan.report.diagnostics import diagnostic_text, diagnostics_json

GOLDEN = Path(__file__).parents[1] / "golden" / "manifest"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))


def test_there_are_many_kinds_of_mistakes() -> None:
    assert len(CASES) >= 60
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told(case: str) -> None:
    loaded = load_site([f"{case}.yaml"], variables=[], working_directory=str(GOLDEN))
    expected = GOLDEN / f"{case}.txt"

    text = diagnostic_text(loaded.diagnostics)

    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        expected.write_text(text, "utf-8")
    assert loaded.site is None
    assert text == expected.read_text("utf-8")
    assert all(diagnostic.code for diagnostic in loaded.diagnostics)


@pytest.mark.parametrize("case", CASES)
def test_json_says_what_the_text_says(case: str) -> None:
    loaded = load_site([f"{case}.yaml"], variables=[], working_directory=str(GOLDEN))
    text = diagnostic_text(loaded.diagnostics)

    document = json.loads(json.dumps(diagnostics_json(loaded.diagnostics)))

    assert document["error_count"] == len(document["diagnostics"]) == len(text.split("\n\n"))
    for one, block in zip(document["diagnostics"], text.split("\n\n"), strict=True):
        start = one["range"]["start"]
        said = [f"{one['severity']}[{one['code']}]: {one['summary']}\n", f":{start['line']}:{start['column']}\n"]
        said += [f"= at: {one['path']}\n"] if one["path"] else []
        said += [f"= hint: {one['detail']}"] if one["detail"] else []
        said += [f"= note: {note['message']}" for note in one.get("notes", ())]
        assert [part for part in said if part not in f"{block}\n"] == []


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_place(case: str) -> None:
    loaded = load_site([f"{case}.yaml"], variables=[], working_directory=str(GOLDEN))

    lines = (GOLDEN / f"{case}.yaml").read_text("utf-8").splitlines() or [""]
    for diagnostic in loaded.diagnostics:
        assert diagnostic.place is not None
        assert 1 <= diagnostic.place.line <= len(lines) + 1
        assert diagnostic.place.column >= 1
        assert not diagnostic.summary.endswith(".")
