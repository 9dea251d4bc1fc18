"""Collect what is wrong, so that everything is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pkiplan.diagnostics import Diagnostic, Note, Severity
from pkiplan.manifest.sources import Sources

_LONGEST_SHOWN_VALUE = 60
# Nobody reads more, and telling them takes time that a hostile manifest could use.
MOST_PROBLEMS = 1_000
_LONGEST_CIRCLE = 8


class TooManyProblemsError(Exception):
    """There are so many problems that looking for more helps nobody."""


class Problems:
    """The diagnostics of one run, and the sources their places are looked up in."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.found: list[Diagnostic] = []
        self.errors = 0
        self._paths_due: list[tuple[int, int]] = []

    def path_as_at(self, mark: int) -> None:
        """Give the last problem the path of another key, once the text it is in has been read to its end."""
        self._paths_due.append((len(self.found) - 1, mark))

    def complete_paths(self) -> None:
        """Fill in the paths that were not known while reading."""
        for index, mark in self._paths_due:
            self.found[index] = replace(self.found[index], path=self.sources.path(mark, at_key=True))
        self._paths_due.clear()

    def error(
        self,
        mark: int,
        summary: str,
        *,
        code: str,
        hint: str = "",
        at_key: bool = False,
        notes: Iterable[Note] = (),
        severity: Severity = Severity.ERROR,
        within: int | None = None,
    ) -> None:
        """Add a problem with what is written at a mark; `within` is where in it, for text of several lines."""
        shown_at = mark if within is None else within
        self.add(
            Diagnostic(
                severity=severity,
                summary=summary,
                code=code,
                place=self.sources.place(shown_at),
                path=self.sources.path(mark, at_key=at_key),
                hint=hint,
                notes=tuple(notes),
                source_line=self.sources.source_line(shown_at),
            )
        )

    def warning(self, mark: int, summary: str, *, code: str, hint: str = "", at_key: bool = False) -> None:
        """Add something worth telling that does not stop the work."""
        self.error(mark, summary, code=code, hint=hint, at_key=at_key, severity=Severity.WARNING)

    def add(self, diagnostic: Diagnostic) -> None:
        """Add a problem that has its place already, or none."""
        self.errors += diagnostic.severity is Severity.ERROR
        self.found.append(diagnostic)
        if len(self.found) == MOST_PROBLEMS:
            summary = f"{MOST_PROBLEMS:,} mistakes; whether there are more was not looked at"
            self.found.append(Diagnostic(summary=summary, code="too-many-mistakes"))
            self.errors += 1
            raise TooManyProblemsError

    def note(self, mark: int, message: str) -> Note:
        """Make a note that points to a second place."""
        return Note(message=message, place=self.sources.place(mark))


def circle_of(names: list[str]) -> str:
    """Write names that lead to each other in a circle; a long one is cut."""
    links = [f"`{name}`" for name in names]
    middle = links if len(links) <= _LONGEST_CIRCLE else [*links[: _LONGEST_CIRCLE - 2], "…", links[-1]]
    return " → ".join([*middle, links[0]])


def shown(value: str) -> str:
    """Write a value for a message: in back-ticks, control characters escaped, a long one cut."""
    escaped = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value[: _LONGEST_SHOWN_VALUE + 1])
    if len(escaped) > _LONGEST_SHOWN_VALUE:
        escaped = escaped[:_LONGEST_SHOWN_VALUE] + "…"
    return f"`{escaped}`"
