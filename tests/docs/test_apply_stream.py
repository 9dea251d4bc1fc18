"""The page on the stream of `apply --json` tells of every type of object, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

from pkiplan.report.apply import EVENT_TYPES
from pkiplan.report.diagnostics import FORMAT_VERSION

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/apply-stream.md").read_text()


def test_every_type_of_object_is_told() -> None:
    written = set(EVENT_TYPES.values())
    for name in ("report/apply.py", "cli/apply.py", "cli/boundary.py"):
        written |= set(re.findall(r'"type": "(\w+)"', (ROOT / "pkiplan" / name).read_text()))

    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) - {"type"} == written


def test_the_version_is_the_one_that_is_written() -> None:
    assert f"`format_version` is `{FORMAT_VERSION}`" in PAGE
