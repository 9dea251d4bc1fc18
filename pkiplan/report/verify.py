"""What verification found: a table of server, client, stack and version, and whatever was not expected."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pkiplan.report.colour import Paint
from pkiplan.report.diagnostics import FORMAT_VERSION
from pkiplan.report.text import cells, counted, padded, printable
from pkiplan.report.verify_advice import advice
from pkiplan.verify.results import CheckResult, Outcome, VerifyReport, report_document

# A table of more rows than this is no help; then the summary and what is unexpected are shown.
_MOST_ROWS = 60
_UNEXPECTED_LISTED = 50
_CONTROL = "control-"

_ACCEPTED = "✓"
_REFUSED = "✗"
_UNEXPECTED = "!"
_NOT_RUN = "·"
_LEGEND = {
    _ACCEPTED: "accepted",
    _REFUSED: "refused, as it must be",
    _UNEXPECTED: "unexpected",
    _NOT_RUN: "not run",
}


class _Row(NamedTuple):
    """A row of the table: of which resource, and what stands before the signs."""

    subject: str
    labels: tuple[str, ...]


class _Column(NamedTuple):
    stack: str
    version: str


_Table = Mapping[_Row, Mapping[_Column, str]]


def verify_text(report: VerifyReport, *, colour: bool = False, verbose: bool = False, is_brief: bool = False) -> str:
    """Write a report; of many checks, or when brief, only what is unexpected or not run, unless `verbose`.

    The table fits a terminal; who was on both sides, and for which host, stands in the verbose one.
    """
    paint = Paint(colour)
    table = _table(report.results, _both_sides if verbose else _in_short)
    paragraphs: list[str] = []
    if table and (verbose or (len(table) <= _MOST_ROWS and not is_brief)):
        paragraphs.append(_table_text(table, ("check", "server", "client") if verbose else ("check",), paint))
        paragraphs += _key_exchanges(report, paint)
    if verbose:
        paragraphs += _reasons(report, paint)
    paragraphs += _unexpected(report, paint, verbose=verbose)
    paragraphs += _disagreements(report, paint)
    paragraphs += _not_run(report, paint)
    paragraphs.append(verify_summary(report, colour=colour))
    paragraphs += _advice(report)
    return "\n\n".join(paragraphs) + "\n"


def verify_json(report: VerifyReport) -> dict[str, Any]:
    """Give a report as data."""
    return {"format_version": FORMAT_VERSION, "command": "verify", "advice": advice(report)} | report_document(report)


def verify_summary(report: VerifyReport, *, colour: bool = False) -> str:
    """Write a report in one line."""
    paint = Paint(colour)
    unexpected = len(report.unexpected)
    as_expected = [result for result in report.results if result.as_expected]
    parts = [
        f"{sum(result.outcome is Outcome.ACCEPTED for result in as_expected):,} accepted",
        f"{sum(result.outcome is Outcome.REFUSED for result in as_expected):,} refused as they must be",
    ]
    if report.not_run:
        parts.append(f"{len(report.not_run):,} not run")
    if unexpected:
        parts.append(paint.bad(f"{unexpected:,} unexpected"))
    sampled = f" A sample: {report.sample.taken:,} of {report.sample.of:,} certificates." if report.sample else ""
    verdict = paint.bad("Verify failed:") if unexpected else paint.strong("Verify:")
    return f"{verdict} {counted(len(report.results), 'check')}: {', '.join(parts)}.{sampled}"


def _table(results: Iterable[CheckResult], labels: Callable[[CheckResult], tuple[str, ...]]) -> _Table:
    """Put results that have the same labels into one cell; what is worst in it shows."""
    gathered: dict[_Row, dict[_Column, list[CheckResult]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        row = _Row(printable(result.subject), labels(result))
        gathered[row][_Column(result.stack, result.version or "")].append(result)
    return {row: {column: _sign(found) for column, found in columns.items()} for row, columns in gathered.items()}


def _in_short(result: CheckResult) -> tuple[str, ...]:
    """Name the check; a control is one whatever the host, and what was made for it alone has no name worth reading."""
    if result.check.startswith(_CONTROL):
        return (printable(result.check),)
    return (printable(f"{result.check} {result.target}".rstrip() + result.partners),)


def _both_sides(result: CheckResult) -> tuple[str, ...]:
    return (
        printable(f"{result.check} {result.target}".rstrip()),
        _side(result.server, result.subject),
        _side(result.client, result.subject),
    )


def _side(side: str | None, subject: str) -> str:
    if side is None:
        return "-"
    return "itself" if side == subject else printable(side)


def _sign(results: Sequence[CheckResult]) -> str:
    if any(not result.as_expected for result in results):
        return _UNEXPECTED
    outcomes = {result.outcome for result in results}
    if outcomes == {Outcome.NOT_RUN}:
        return _NOT_RUN
    return _ACCEPTED if Outcome.ACCEPTED in outcomes else _REFUSED


def _table_text(table: _Table, titles: tuple[str, ...], paint: Paint) -> str:
    columns = sorted({column for signs in table.values() for column in signs})
    widths = [max(cells(title), *(cells(row.labels[index]) for row in table)) for index, title in enumerate(titles)]
    lines = [paint.aside(line) for line in _head(columns, titles, widths)]
    subject = None
    for row, signs in table.items():
        if row.subject != subject:
            subject = row.subject
            lines.append(paint.strong(subject))
        lines.append(_line(row.labels, [signs.get(column, "") for column in columns], columns, widths, paint))
    used = {sign for signs in table.values() for sign in signs.values()}
    legend = "   ".join(f"{sign} {meaning}" for sign, meaning in _LEGEND.items() if sign in used)
    return "\n".join([*lines, "", paint.aside(legend)])


def _head(columns: Sequence[_Column], titles: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Write the stacks in one line, and beneath each its versions."""
    stacks = [
        column.stack if index == 0 or columns[index - 1].stack != column.stack else ""
        for index, column in enumerate(columns)
    ]
    left = sum(widths) + 2 * len(widths)
    line = " " * left
    for stack, start in zip(stacks, _starts(columns), strict=True):
        if stack:
            line = padded(line, left + start) + stack
    yield line.rstrip()
    yield _line(titles, [column.version for column in columns], columns, widths, Paint())


def _starts(columns: Sequence[_Column]) -> list[int]:
    """Give the place of each column of signs; a stack's columns are at least as wide as its name."""
    starts: list[int] = []
    place = 2
    for index, column in enumerate(columns):
        if index and columns[index - 1].stack != column.stack:
            first = next(known for known, other in enumerate(columns) if other.stack == columns[index - 1].stack)
            place = max(place, starts[first] + cells(columns[index - 1].stack) + 2)
        starts.append(place)
        place += max(cells(column.version), 1) + 2
    return starts


def _line(
    labels: Sequence[str], marks: Sequence[str], columns: Sequence[_Column], widths: Sequence[int], paint: Paint
) -> str:
    line = "  " + "  ".join(padded(label, width) for label, width in zip(labels, widths, strict=True))
    left = cells(line)
    painted = line
    for mark, start in zip(marks, _starts(columns), strict=True):
        if mark:
            painted += " " * (left + start - cells(line)) + _painted(mark, paint)
            line = padded(line, left + start) + mark
    return painted.rstrip()


def _painted(mark: str, paint: Paint) -> str:
    match mark:
        case "✓" | "✗":
            return paint.good(mark)
        case "!":
            return paint.bad(mark)
        case _:
            return paint.aside(mark)


def _key_exchanges(report: VerifyReport, paint: Paint) -> Iterator[str]:
    """Say by which groups the handshakes came to their secrets, as far as the stacks tell."""
    counts = Counter(
        (result.stack, result.version or "", result.key_exchange) for result in report.results if result.key_exchange
    )
    if counts:
        yield "\n".join(
            paint.aside(f"key exchange over {stack}, TLS {version}: {group} ({counted(count, 'handshake')})")
            for (stack, version, group), count in sorted(counts.items())
        )


def _unexpected(report: VerifyReport, paint: Paint, *, verbose: bool) -> Iterator[str]:
    if not report.unexpected:
        return
    shown = report.unexpected if verbose else report.unexpected[:_UNEXPECTED_LISTED]
    lines = [f"{paint.bad(_UNEXPECTED)} {printable(str(result))}\n    {_wanted(result)}" for result in shown]
    hidden = len(report.unexpected) - len(shown)
    if hidden:
        lines.append(f"{hidden:,} more are unexpected (--verbose lists them)")
    yield "\n".join(lines)


def _wanted(result: CheckResult) -> str:
    why = f" for {result.expected_reason}" if result.expected_reason else ""
    by = f" by the {result.expected_by}" if result.expected_by else ""
    where = f" ({result.declared_at})" if result.declared_at else ""
    return printable(f"it had to be {result.expected.value}{why}{by}{where}")


def _reasons(report: VerifyReport, paint: Paint) -> Iterator[str]:
    """Say why each refusal that had to come did come, in the stacks' own words."""
    lines: list[str] = []
    subject = None
    for (about, check, words), stacks in _told_reasons(report.results).items():
        if about != subject:
            subject = about
            lines.append(f"  {printable(subject)}")
        lines.append(printable(f"    {check}: {words} ({', '.join(stacks)})"))
    if lines:
        yield "\n".join([paint.strong("Why they were refused:"), *lines])


def _told_reasons(results: Iterable[CheckResult]) -> dict[tuple[str, str, str], list[str]]:
    """Gather what each stack said, by subject, check and words: who said it, in order."""
    told: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result.outcome is Outcome.REFUSED and result.as_expected:
            by = f", says the {result.reason.by}" if result.reason.by else ""
            about = f"{result.check} {result.target}".rstrip()
            who = told.setdefault((result.subject, about, f"{result.reason.text}{by}"), [])
            if result.stack not in who:
                who.append(result.stack)
    return told


def _advice(report: VerifyReport) -> Iterator[str]:
    ways_out = advice(report)
    if ways_out:
        yield "\n".join(["What to do:", *(f"  * {text}" for text in ways_out)])


def _disagreements(report: VerifyReport, paint: Paint) -> Iterator[str]:
    lines = [
        printable(
            " ".join(part for part in (f"{found.subject}:", found.check, found.target, _version(found.version)) if part)
            + f": {', '.join(f'{stack} says {outcome.value}' for stack, outcome in found.outcomes)}"
        )
        for found in report.disagreements
    ]
    if lines:
        yield "\n".join([paint.changed("The stacks disagree:"), *(f"    {line}" for line in lines)])


def _version(version: str | None) -> str:
    return f"(TLS {version})" if version else ""


def _not_run(report: VerifyReport, paint: Paint) -> Iterator[str]:
    """Say why checks were not run: once for each stack and reason, with a count."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for result in report.not_run:
        counts[result.stack, result.reason.text] += 1
    if counts:
        yield "\n".join(
            paint.aside(f"{_NOT_RUN} {counted(count, 'check')} not run over {printable(stack)}: {printable(why)}")
            for (stack, why), count in sorted(counts.items())
        )
