"""Blocks of a Markdown page that are made by running pkiplan: `<!-- help: … -->` and `<!-- tour: … -->`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def compare_blocks(page: Path, kind: str, made: Callable[[str], str], *, masked: Callable[[str], str] = str) -> None:
    """Compare every block of a kind with what is made for its name; `make golden` writes them."""
    block = re.compile(rf"<!-- {kind}: ([^>]*) -->\n(.*?)<!-- /{kind} -->", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    fresh = {match[1]: f"\n```\n{made(match[1])}```\n\n" for match in block.finditer(text)}
    assert fresh
    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        text = block.sub(lambda match: f"<!-- {kind}: {match[1]} -->\n{fresh[match[1]]}<!-- /{kind} -->", text)
        page.write_text(text, encoding="utf-8")

    written = {match[1]: match[2] for match in block.finditer(text)}

    assert {name: masked(made_now) for name, made_now in fresh.items()} == {
        name: masked(there) for name, there in written.items()
    }
