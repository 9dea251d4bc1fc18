"""Text as a terminal shows it: harmless, and measured in cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

from pkiplan.report.colour import Paint

# A label and its text; a continuation has no label.
Row: TypeAlias = tuple[str, str]

# Cc holds the escape sequences that move a cursor or retitle a window, Cf the bidirectional overrides that
# make one text look like another (CVE-2021-42574), Zl and Zp break a line where none was meant.
_UNSHOWN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ELLIPSIS = "…"


def printable(text: str) -> str:
    r"""Write what a terminal would obey, hide or choke on as an escape (`\x1b`, `\u202e`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSHOWN_CATEGORIES else char for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def padded(text: str, width: int) -> str:
    """Fill a text with spaces up to a width in columns."""
    return text + " " * (width - cells(text))


def shortened(text: str, width: int) -> str:
    """Cut a text to a width in columns, with an ellipsis where something was left out."""
    if cells(text) <= width:
        return text
    kept = text
    while cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + _ELLIPSIS


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun: `1 certificate`, `1,204 certificates`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def rows_text(rows: Sequence[Row], paint: Paint) -> str:
    """Write labelled lines, indented, the texts one beneath the other."""
    width = max((cells(label) for label, _ in rows), default=0)
    return "\n".join(f"    {paint.aside(padded(label, width))}  {text}" for label, text in rows)
