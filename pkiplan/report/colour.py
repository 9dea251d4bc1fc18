"""Colour for terminals: when it is wanted, and how it is written. It never carries meaning alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ColourWish(StrEnum):
    """What a person asks for with `--color` or `PKIPLAN_COLOR`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def is_coloured(wish: ColourWish | None, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Tell whether to write colour: the option, then the environment, then the terminal.

    `NO_COLOR` and `FORCE_COLOR` count when they are set and not empty (https://no-color.org).
    """
    wish = wish or _wish_of(environment.get("PKIPLAN_COLOR", ""))
    if wish in (ColourWish.ALWAYS, ColourWish.NEVER):
        return wish is ColourWish.ALWAYS
    if wish is None and environment.get("NO_COLOR"):
        return False
    if wish is None and environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def _wish_of(text: str) -> ColourWish | None:
    return ColourWish(text) if text in tuple(ColourWish) else None


@dataclass(frozen=True, slots=True)
class Paint:
    """Paints text by what it means; a paint that is off leaves it alone."""

    is_on: bool = False

    def _sgr(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_on and text else text

    def good(self, text: str) -> str:
        """Paint what is new, done or as expected."""
        return self._sgr("32", text)

    def changed(self, text: str) -> str:
        """Paint what changes, and warnings."""
        return self._sgr("33", text)

    def bad(self, text: str) -> str:
        """Paint what is removed, failed or unexpected."""
        return self._sgr("31", text)

    def alarming(self, text: str) -> str:
        """Paint an error's first word."""
        return self._sgr("1;31", text)

    def wary(self, text: str) -> str:
        """Paint a warning's first word."""
        return self._sgr("1;33", text)

    def key(self, text: str) -> str:
        """Paint what concerns a new key."""
        return self._sgr("35", text)

    def aside(self, text: str) -> str:
        """Paint what matters less."""
        return self._sgr("2", text)

    def strong(self, text: str) -> str:
        """Paint what the eye shall find first."""
        return self._sgr("1", text)

    def place(self, text: str) -> str:
        """Paint gutters and places in files."""
        return self._sgr("36", text)
