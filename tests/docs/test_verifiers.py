"""The page about verifiers says what the tests know of them."""

from __future__ import annotations

import textwrap

from tests.docs.blocks import ROOT, compare_blocks
from tests.x509.chain_judges import DISAGREEMENTS
from tests.x509.chains import RECIPES


def verdicts(_: str) -> str:
    judges = dict.fromkeys(judge for judge, _ in DISAGREEMENTS)
    verdict_of = {title: verdict.value for title, verdict, *_ in RECIPES}
    lines = [f"{len(RECIPES)} chains"]
    for judge in judges:
        lines += ["", judge]
        for (who, title), why in DISAGREEMENTS.items():
            if who == judge:
                lines.append(f"  {title} (to be {verdict_of[title]})")
                lines += textwrap.wrap(why, 100, initial_indent="      ", subsequent_indent="      ")
    return "\n".join([*lines, ""])


def test_disagreements() -> None:
    compare_blocks(ROOT / "docs" / "verifiers.md", "verdicts", verdicts)
