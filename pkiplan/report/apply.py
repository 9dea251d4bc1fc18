"""What apply did: one line for each change, a recap, and the same as a stream of JSON objects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from pkiplan import __version__
from pkiplan.apply.results import ApplyEvent, ApplyReport, ChangeResult, Done, EventKind, Failed, NotRun
from pkiplan.plan.changes import SYMBOLS, Action, Change, Plan
from pkiplan.plan.descriptions import several
from pkiplan.report.actions import DONE, TO_DO, counts_text, painted, symbol
from pkiplan.report.colour import Paint
from pkiplan.report.diagnostics import FORMAT_VERSION
from pkiplan.report.text import printable

_NOTEWORTHY_SECONDS = 0.5
_ALIKE_TOLD_TOGETHER = 3

EVENT_TYPES: dict[EventKind, str] = {
    EventKind.STARTED: "apply_start",
    EventKind.FINISHED: "apply_complete",
    EventKind.FAILED: "apply_errored",
    EventKind.NOT_RUN: "apply_skipped",
    EventKind.NOTE: "note",
}


def apply_text(report: ApplyReport, *, colour: bool = False, verbose: bool = False) -> str:
    """Write what went wrong and a recap; `verbose` lists what was done too."""
    paint = Paint(colour)
    lines = [*_result_lines(report, paint, verbose=verbose)]
    lines += [printable(note) for note in report.notes]
    body = "\n".join(lines) + "\n\n" if lines else ""
    return f"{body}{apply_summary(report, colour=colour)}\n"


def apply_summary(report: ApplyReport, *, colour: bool = False) -> str:
    """Write a report in one line."""
    paint = Paint(colour)
    done = counts_text(Counter(result.action for result in report.done), DONE) or "nothing was changed"
    if report.is_complete and not report.is_interrupted:
        return f"{paint.strong('Apply complete:')} {done}."
    parts = [done]
    if report.failed:
        parts.append(paint.bad(f"{len(report.failed):,} failed"))
    if report.not_run:
        parts.append(f"{len(report.not_run):,} not run")
    verdict = "Apply interrupted:" if report.is_interrupted else "Apply failed:"
    return f"{paint.bad(verdict)} {', '.join(parts)}. The next plan goes on from here."


def event_line(event: ApplyEvent, *, colour: bool = False) -> str:
    """Write one event in one line; empty for what is only a beginning."""
    paint = Paint(colour)
    address = printable(event.address)
    detail = f": {printable(event.detail)}" if event.detail else ""
    match event.kind:
        case EventKind.FINISHED if event.action is not None:
            took = f" ({event.seconds:.1f} s)" if event.seconds >= _NOTEWORTHY_SECONDS else ""
            return f"{symbol(event.action, paint)} {address} {DONE[event.action]}{took}{detail}"
        case EventKind.FAILED:
            return f"{paint.bad('✗')} {address} failed{detail}"
        case EventKind.NOTE:
            return printable(event.detail)
        case _:
            return ""


def stream_head(plan: Plan) -> Iterator[dict[str, Any]]:
    """Give the objects that open the stream of `apply --json`: version, what is planned, and its summary."""
    yield stream_version()
    for change in plan.changes:
        yield {"type": "planned_change", "change": _change_json(change)}
    yield {
        "type": "change_summary",
        "operation": "plan",
        "changes": {action.value: plan.counts[action] for action in (*TO_DO, Action.BLOCKED, Action.KEEP)},
    }


def stream_version() -> dict[str, Any]:
    """Give the first object of the stream of `apply --json`."""
    return {"type": "version", "format_version": FORMAT_VERSION, "pkiplan_version": __version__}


def event_json(event: ApplyEvent) -> dict[str, Any]:
    """Give one event as data."""
    return {
        "type": EVENT_TYPES[event.kind],
        "address": event.address or None,
        "action": event.action.value if event.action else None,
        "detail": event.detail,
        "index": event.index,
        "total": event.total,
        "elapsed_seconds": round(event.seconds, 3),
    }


def stream_tail(report: ApplyReport) -> dict[str, Any]:
    """Give the object that tells how the apply ended."""
    counts = Counter(result.action for result in report.done)
    return {
        "type": "change_summary",
        "operation": "apply",
        "changes": {action.value: counts[action] for action in TO_DO},
        "failed": len(report.failed),
        "not_run": len(report.not_run),
        "is_interrupted": report.is_interrupted,
        "notes": list(report.notes),
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "action": change.action.value,
        "reasons": [{"reason": finding.reason.value, "message": finding.message} for finding in change.findings],
    }


def _result_lines(report: ApplyReport, paint: Paint, *, verbose: bool) -> Iterator[str]:
    """Write each result that is no success, and what was not run for one reason in one line."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for result in report.results:
        if isinstance(result.outcome, NotRun) and not verbose:
            waiting[result.outcome.because].append(result.address)
    for result in report.results:
        match result.outcome:
            case Done() if not verbose:
                continue
            case NotRun(because=because) if len(waiting[because]) >= _ALIKE_TOLD_TOGETHER:
                if result.address == waiting[because][0]:
                    yield _waiting_line(because, waiting[because], paint)
            case _:
                yield _result_line(result, paint)


def _waiting_line(because: str, addresses: Sequence[str], paint: Paint) -> str:
    changes = paint.strong(f"{len(addresses):,} changes")
    return f"· {changes} were not run: {printable(because)} ({printable(several(addresses))})"


def _result_line(result: ChangeResult, paint: Paint) -> str:
    address = printable(result.address)
    word = DONE.get(result.action, result.action.value)
    match result.outcome:
        case Done(detail=detail):
            told = f": {printable(detail)}" if detail else ""
            return f"{painted(result.action, SYMBOLS[result.action], paint)} {address} {word}{told}"
        case Failed(why=why):
            return f"{paint.bad('✗')} {paint.strong(address)} was not {word}: {printable(why)}"
        case NotRun(because=because):
            return f"· {paint.strong(address)} was not {word}: {printable(because)}"
