"""What a person is told: a message, where it belongs, and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a diagnostic weighs: an error stops the work, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text file; line and column count from 1, column and length in characters."""

    file: str
    line: int
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A second place that explains a diagnostic, for instance the first of two definitions."""

    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem: what is wrong, where, and what would mend it.

    `summary` starts small, ends without a period and shows the value. `path` is the manifest's own
    path (`certificates.web.days`). `hint` says the way out. `source_line` is the text of the line at
    `place`, where it is at hand. `code` is stable and kebab-case (`unknown-key`).
    """

    severity: Severity = Severity.ERROR
    summary: str
    code: str = ""
    place: Place | None = None
    path: str = ""
    hint: str = ""
    notes: tuple[Note, ...] = ()
    source_line: str | None = None


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether any diagnostic stops the work."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by place, then text, and drop repetitions, so that the same input gives the same report."""

    def key(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
        place = diagnostic.place or Place("", 0, 0)
        return (place.file, place.line, place.column, diagnostic.path, diagnostic.summary)

    return tuple(sorted(dict.fromkeys(diagnostics), key=key))
