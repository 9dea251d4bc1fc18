"""Diagnostics as people and programs read them: message, place, source line with a caret, way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pkiplan.diagnostics import Diagnostic, Note, Place, Severity
from pkiplan.report.colour import Paint
from pkiplan.report.text import cells, counted, printable

FORMAT_VERSION = "1.0"

# A source line longer than this is shown as a window around the place.
_WIDEST_SOURCE = 120
_BEFORE_PLACE = 60


def diagnostic_text(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """Write diagnostics one after another, with an empty line between them; empty when there are none."""
    paint = Paint(colour)
    return "\n".join(_block(diagnostic, paint) for diagnostic in diagnostics)


def counts_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Write `2 errors, 1 warning`; only what there is."""
    errors, warnings = _counts(diagnostics)
    parts = [counted(errors, "error")] if errors else []
    parts += [counted(warnings, "warning")] if warnings else []
    return ", ".join(parts)


def diagnostics_json(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """Give diagnostics as data, in the shape of `terraform validate -json`."""
    errors, warnings = _counts(diagnostics)
    return {
        "format_version": FORMAT_VERSION,
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": warnings,
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in diagnostics],
    }


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Give one diagnostic as data; `range` and `snippet` only where the place and its line are known."""
    document: dict[str, Any] = {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "summary": diagnostic.summary,
        "detail": diagnostic.hint,
        "path": diagnostic.path,
    }
    if diagnostic.place:
        document["range"] = _range(diagnostic.place)
        if diagnostic.source_line is not None:
            start = min(diagnostic.place.column - 1, len(diagnostic.source_line))
            document["snippet"] = {
                "context": diagnostic.path or None,
                "code": diagnostic.source_line,
                "start_line": diagnostic.place.line,
                "highlight_start_offset": start,
                "highlight_end_offset": min(start + diagnostic.place.length, len(diagnostic.source_line)),
            }
    if diagnostic.notes:
        document["notes"] = [_note_json(note) for note in diagnostic.notes]
    return document


def _counts(diagnostics: Iterable[Diagnostic]) -> tuple[int, int]:
    severities = [diagnostic.severity for diagnostic in diagnostics]
    return severities.count(Severity.ERROR), severities.count(Severity.WARNING)


def _range(place: Place) -> dict[str, Any]:
    return {
        "filename": place.file,
        "start": {"line": place.line, "column": place.column},
        "end": {"line": place.line, "column": place.column + place.length},
    }


def _note_json(note: Note) -> dict[str, Any]:
    return {"message": note.message} | ({"range": _range(note.place)} if note.place else {})


def _block(diagnostic: Diagnostic, paint: Paint) -> str:
    word = diagnostic.severity.value + (f"[{diagnostic.code}]" if diagnostic.code else "")
    first_word = paint.alarming if diagnostic.severity is Severity.ERROR else paint.wary
    lines = [f"{first_word(word)}: {_indented(diagnostic.summary, '  ')}"]
    gutter = len(str(diagnostic.place.line)) if diagnostic.place and diagnostic.source_line is not None else 1
    if diagnostic.place:
        lines.append(f"{' ' * gutter}{paint.place('-->')} {printable(str(diagnostic.place))}")
        if diagnostic.source_line is not None:
            lines += _snippet(diagnostic.place, diagnostic.source_line, gutter, first_word, paint)
    lines += [
        f"{' ' * gutter} {paint.place('=')} {paint.strong(label)}: {_indented(text, ' ' * (gutter + len(label) + 5))}"
        for label, text in _asides(diagnostic)
    ]
    return "\n".join(lines) + "\n"


def _asides(diagnostic: Diagnostic) -> Iterable[tuple[str, str]]:
    if diagnostic.path:
        yield "at", diagnostic.path
    for note in diagnostic.notes:
        yield "note", f"{note.message} ({note.place})" if note.place else note.message
    if diagnostic.hint:
        yield "hint", diagnostic.hint


def _indented(text: str, indent: str) -> str:
    return f"\n{indent}".join(printable(line) for line in text.split("\n"))


def _snippet(place: Place, source: str, gutter: int, mark: Callable[[str], str], paint: Paint) -> list[str]:
    before, marked, after = _window(place, source.rstrip("\r\n"))
    bar = paint.place("|")
    caret = mark("^" * max(cells(marked), 1))
    return [
        f"{' ' * gutter} {bar}",
        f"{paint.place(str(place.line))} {bar} {before}{marked}{after}".rstrip(),
        f"{' ' * gutter} {bar} {' ' * cells(before)}{caret}",
    ]


def _window(place: Place, source: str) -> tuple[str, str, str]:
    """Split a line at the place, as it will be shown; a long line is cut on both sides."""
    source = source.replace("\t", " ")
    start = min(place.column - 1, len(source))
    end = min(start + place.length, len(source))
    first = max(start - _BEFORE_PLACE, 0) if len(source) > _WIDEST_SOURCE else 0
    last = first + _WIDEST_SOURCE if len(source) > _WIDEST_SOURCE else len(source)
    left = "…" if first else ""
    right = "…" if last < len(source) else ""
    return (
        left + printable(source[first:start]),
        printable(source[start : min(end, last)]),
        printable(source[min(end, last) : last]) + right,
    )
