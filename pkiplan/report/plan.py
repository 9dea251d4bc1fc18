"""A plan as a person reads it: what, why, what exactly, how far it reaches, and one line to remember."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType

from pkiplan.plan.changes import SYMBOLS, Action, Change, FieldChange, Finding, Plan
from pkiplan.plan.descriptions import several
from pkiplan.report.actions import GRAVITY, TO_DO, announced, counts_text, painted, symbol
from pkiplan.report.colour import Paint
from pkiplan.report.moments import moment_text
from pkiplan.report.text import Row, cells, counted, padded, printable, rows_text, shortened

# Below this many changes each is shown; above, those alike are shown once with the others' addresses.
_SHOWN_SINGLY = 12
_ALIKE_SHOWN_SINGLY = 2
_ADDRESSES_LISTED = 5
_UNMANAGED_LISTED = 20
_WIDEST_ROW = 96
_WIDEST_REPLACED = 20
_LONGEST_CHAIN = 20
_FILES_LISTED = 6
_UNKNOWN = "(known after apply)"
_ABSENT = "(none)"


def plan_text(plan: Plan, *, colour: bool = False, verbose: bool = False, is_pretended: bool = False) -> str:
    """Write a plan; `verbose` shows every change in full and lists what is unmanaged.

    `is_pretended` tells that the plan was made for another time than now (`--at`).
    """
    paint = Paint(colour)
    paragraphs = [
        *_head(plan, is_pretended=is_pretended),
        *_changes(plan, paint, verbose=verbose),
        *_interrupted(plan, paint),
        *_unmanaged(plan, paint, verbose=verbose),
        *_blast_radius(plan, paint),
        *_refusals(plan, paint),
        summary_line(plan, colour=colour),
    ]
    return "\n\n".join(paragraphs) + "\n"


def summary_line(plan: Plan, *, colour: bool = False) -> str:
    """Write a plan in one line."""
    paint = Paint(colour)
    blocked = f" {paint.bad(f'{len(plan.blocked):,} blocked.')}" if plan.blocked else ""
    if plan.pending:
        return f"{paint.strong('Plan:')} {counts_text(dict(plan.counts), TO_DO)}{_unchanged(plan)}.{blocked}"
    if plan.blocked:
        blocked = paint.bad(f"{len(plan.blocked):,} blocked")
        return f"{paint.strong('Nothing can be changed here and now:')} {blocked}{_unchanged(plan)}."
    return f"{paint.strong('No changes.')} {_whole(plan.kept)} the manifest."


def _unchanged(plan: Plan) -> str:
    return f"; {plan.kept:,} unchanged" if plan.kept else ""


def _whole(kept: int) -> str:
    match kept:
        case 0:
            return "What is here matches"
        case 1:
            return "The one declared resource matches"
        case _:
            return f"All {kept:,} declared resources match"


def _head(plan: Plan, *, is_pretended: bool) -> Iterator[str]:
    if is_pretended:
        yield f"As it would be on {moment_text(plan.made_at)} (--at); such a plan is not saved."
    legend = _legend(plan)
    if legend:
        yield legend


def _legend(plan: Plan) -> str:
    """Explain the symbols that occur, and no others."""
    meanings: dict[str, list[str]] = defaultdict(list)
    for action in GRAVITY:
        if action is not Action.KEEP and plan.counts[action]:
            meanings[SYMBOLS[action]].append(action.value)
    return "   ".join(f"{sign} {' or '.join(words)}" for sign, words in meanings.items())


def _changes(plan: Plan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    by_address = {change.address: change for change in plan.changes}
    singly = verbose or len(plan.changes) <= _SHOWN_SINGLY
    for alike in ([change] for change in plan.changes) if singly else _groups(plan.changes):
        shown = alike if len(alike) <= _ALIKE_SHOWN_SINGLY else alike[:1]
        for change in shown:
            yield _change_text(change, by_address, paint, verbose=verbose)
        if len(shown) < len(alike):
            yield _rest_text(alike[1:], paint)


def _groups(changes: Iterable[Change]) -> Iterable[list[Change]]:
    """Gather what differs in nothing but address and values, in the order of each group's first."""
    groups: dict[object, list[Change]] = defaultdict(list)
    for change in changes:
        groups[_likeness(change)].append(change)
    return groups.values()


def _likeness(change: Change) -> object:
    return (
        change.action,
        change.kind,
        change.key,
        change.is_fault,
        change.permission,
        tuple((finding.reason, finding.because) for finding in change.findings),
        tuple(row.field for row in change.fields),
    )


def _rest_text(rest: Sequence[Change], paint: Paint) -> str:
    addresses = several([printable(change.address) for change in rest], at_most=_ADDRESSES_LISTED)
    return f"{symbol(rest[0].action, paint)} {paint.strong(f'{len(rest):,} more like it')}: {addresses}"


def _change_text(change: Change, changes: Mapping[str, Change], paint: Paint, *, verbose: bool) -> str:
    rows = [*change_rows(change, changes), *_file_rows(change, verbose=verbose)]
    place = paint.aside(f"  ({printable(change.place.file)}:{change.place.line})") if change.place else ""
    headline = f"{paint.strong(printable(change.address))} {painted(change.action, announced(change), paint)}"
    return "\n".join([f"{symbol(change.action, paint)} {headline}{place}", *([rows_text(rows, paint)] if rows else [])])


def change_rows(change: Change, changes: Mapping[str, Change] = MappingProxyType({})) -> Iterator[Row]:
    """List why a change is made and what differs; `changes` let a reason be followed to its first cause."""
    yield from _reason_rows(change, changes)
    yield from _way_out_rows(change)
    if change.action is not Action.BLOCKED:
        yield from _field_rows(change)


def _reason_rows(change: Change, changes: Mapping[str, Change]) -> Iterator[Row]:
    label = "because"
    for finding, following in zip_longest(change.findings, change.findings[1:]):
        yield label, printable(finding.message)
        label = ""
        # Reasons with one cause share its chain.
        if following is None or following.because != finding.because:
            yield from (("", f"← {printable(link)}") for link in _reason_chain(finding, changes))


def _reason_chain(finding: Finding, changes: Mapping[str, Change]) -> Iterator[str]:
    """Follow a reason to the change it comes from, and that one's, up to the first cause."""
    cause = changes.get(finding.because or "")
    for _ in range(_LONGEST_CHAIN):
        if cause is None or not cause.findings:
            return
        first = cause.findings[0]
        yield f"{cause.address}: {first.message}"
        cause = changes.get(first.because or "")


def _way_out_rows(change: Change) -> Iterator[Row]:
    if change.way_out:
        yield "way out", printable(change.way_out)
    if change.permission:
        yield "needs", printable(change.permission)


def _field_rows(change: Change) -> Iterator[Row]:
    # Of what is there already a field can be new too.
    is_new = all(row.before is None for row in change.fields)
    shorts = [_before(row) for row in change.fields if not is_new and _is_short(row)]
    before_width = max((cells(before) for before in shorts), default=0)
    for row in change.fields:
        yield from _rows_of(row, before_width, is_new=is_new)


def _is_short(row: FieldChange) -> bool:
    return cells(f"{_before(row)}{_after(row)}") <= _WIDEST_ROW


def _before(row: FieldChange) -> str:
    """Write what is there; of a number that will be replaced by one not yet known, the beginning is enough."""
    before = printable(row.before) if row.before is not None else _ABSENT
    return shortened(before, _WIDEST_REPLACED) if row.after_unknown else before


def _after(row: FieldChange) -> str:
    if row.after_unknown:
        return _UNKNOWN
    return printable(row.after) if row.after is not None else _ABSENT


def _rows_of(row: FieldChange, before_width: int, *, is_new: bool) -> Iterator[Row]:
    after = _after(row)
    if is_new:
        yield row.field, after
        return
    before = _before(row)
    if _is_short(row):
        yield row.field, f"{padded(before, before_width)} → {after}"
        return
    label = row.field
    for line in _long_difference(before, after):
        yield label, line
        label = ""


def _long_difference(before: str, after: str) -> Iterator[str]:
    """Show of two long lists only the members that differ; of anything else both texts."""
    old, new = before.split(", "), after.split(", ")
    kept = [member for member in old if member in set(new)]
    if not kept:
        yield f"- {before}"
        yield f"+ {after}"
        return
    yield from (f"- {member}" for member in old if member not in set(new))
    yield from (f"+ {member}" for member in new if member not in set(old))
    yield f"  ({len(kept):,} unchanged)"


def _file_rows(change: Change, *, verbose: bool) -> Iterator[Row]:
    if not change.files:
        return
    at_most = len(change.files) if verbose else _FILES_LISTED
    yield "files", printable(several(change.files, at_most=at_most))


def _interrupted(plan: Plan, paint: Paint) -> Iterator[str]:
    if plan.interrupted:
        told = "\n".join(f"    {printable(line)}" for line in plan.interrupted)
        yield f"{paint.changed('An earlier apply was interrupted; the next one finishes its work:')}\n{told}"


def _unmanaged(plan: Plan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    if not plan.unmanaged:
        return
    count = counted(len(plan.unmanaged), "unmanaged file or directory", "unmanaged files or directories")
    head = f"? {count} beneath the directory, never touched"
    if not verbose:
        yield paint.aside(f"{head} (--verbose lists them)")
        return
    width = max(cells(printable(found.path)) for found in plan.unmanaged)
    lines = [
        f"    {padded(printable(found.path), width)}  {paint.aside(printable(found.description))}"
        for found in plan.unmanaged
    ]
    yield "\n".join([f"{head}:", *lines])


def _blast_radius(plan: Plan, paint: Paint) -> Iterator[str]:
    """Tell for each authority whose certificate or key changes how many beneath it follow; the gravest last."""
    harmless = (Action.CREATE, Action.REENCODE)
    changed = [
        change for change in plan.changes if change.is_pending and change.beneath and change.action not in harmless
    ]
    changed.sort(key=lambda change: GRAVITY.index(change.action))
    if changed:
        yield "\n".join(
            f"{symbol(change.action, paint)} {printable(change.address)} {announced(change)}: {_reach(change)}"
            for change in changed
        )


def _reach(change: Change) -> str:
    verb = "is" if change.reissued_beneath == 1 else "are"
    return f"{change.reissued_beneath:,} of {change.beneath:,} beneath it {verb} issued too"


def _refusals(plan: Plan, paint: Paint) -> Iterator[str]:
    if plan.refusals:
        yield "\n".join(
            [
                paint.bad("apply will refuse this plan:"),
                *(f"    {printable(refusal.summary)}{_hint(refusal.hint)}" for refusal in plan.refusals),
            ]
        )


def _hint(hint: str) -> str:
    return f" ({printable(hint)})" if hint else ""


def cnf_diff_text(diff: str, *, colour: bool = False) -> str:
    """Write a unified diff of openssl.cnf files."""
    paint = Paint(colour)
    return "\n" + "".join(f"{_diff_line(printable(line), paint)}\n" for line in diff.splitlines())


def _diff_line(line: str, paint: Paint) -> str:
    if line.startswith(("---", "+++")):
        return paint.strong(line)
    match line[:1]:
        case "+":
            return paint.good(line)
        case "-":
            return paint.bad(line)
        case "@":
            return paint.place(line)
        case _:
            return line
