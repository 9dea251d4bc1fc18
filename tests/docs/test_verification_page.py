"""`docs/verification.md` names what the verifier does, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pkiplan.manifest.verify_rules import STARTTLS
from pkiplan.verify.outside import OUTSIDE
from pkiplan.verify.outside.program import SECONDS
from tests.verify.asking import verified
from tests.verify.toy_site import usual_site


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "verification.md").read_text()


def rows(page: str, first: str) -> list[str]:
    """The first cells of the table that begins with this heading, backticks only."""
    table = page.partition(f"| {first} |")[2].partition("\n\n")[0]
    return [cell for line in table.splitlines()[2:] for cell in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_every_control_is_in_the_table(page: str) -> None:
    made = {
        re.sub("control-(server|client)-", "", result.check)
        for result in verified(usual_site()).results
        if result.check.startswith(("control-server", "control-client"))
    }

    assert set(rows(page, "control")) == made


def test_every_stack_outside_is_in_the_table(page: str) -> None:
    assert [name for name in rows(page, "stack") if name in OUTSIDE] == list(OUTSIDE)
    assert f"--with {','.join(OUTSIDE)}" in page
    assert f"at most {SECONDS:g} seconds" in page


def test_every_protocol_of_starttls_is_named(page: str) -> None:
    assert f"({', '.join(f'`{name}`' for name in STARTTLS)})" in page
