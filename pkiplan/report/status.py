"""The inventory: what exists, the most urgent first, with a bar for the life that is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pkiplan.plan.descriptions import day, moment
from pkiplan.plan.inventory import Inventory, InventoryEntry, Standing
from pkiplan.report.colour import Paint
from pkiplan.report.diagnostics import FORMAT_VERSION, diagnostic_json
from pkiplan.report.moments import distance, moment_text
from pkiplan.report.text import cells, counted, padded, printable

_BAR = 10
_FEW = 30

# A sign beside the word, so that the eye finds what is urgent without colour too.
_SIGNS: dict[Standing, str] = {
    Standing.EXPIRED: "!",
    Standing.DAMAGED: "!",
    Standing.UNREADABLE: "!",
    Standing.MISSING: "+",
    Standing.NOT_YET_VALID: "~",
    Standing.BLOCKED: "!",
    Standing.RENEWAL_DUE: "~",
    Standing.CHANGE_PENDING: "~",
    Standing.VALID: " ",
}


def status_text(inventory: Inventory, *, colour: bool = False, verbose: bool = False) -> str:
    """Write an inventory; of a large site only what needs attention, unless `verbose`."""
    paint = Paint(colour)
    shown = inventory.entries
    if not verbose and len(shown) > _FEW:
        shown = tuple(entry for entry in shown if entry.standing is not Standing.VALID) or shown[:_FEW]
    paragraphs = [f"{paint.strong(printable(inventory.site))} on {moment_text(inventory.made_at)}"]
    if shown:
        paragraphs.append(_table(shown, inventory, paint))
    hidden = len(inventory.entries) - len(shown)
    if hidden:
        paragraphs.append(paint.aside(f"{hidden:,} more that are valid (--verbose lists them)"))
    paragraphs += _unmanaged(inventory, paint, verbose=verbose)
    paragraphs.append(_summary(inventory, paint))
    return "\n\n".join(paragraphs) + "\n"


def status_json(inventory: Inventory) -> dict[str, Any]:
    """Give an inventory as data."""
    return {
        "format_version": FORMAT_VERSION,
        "command": "status",
        "timestamp": moment(inventory.made_at),
        "site": inventory.site,
        "resources": [_entry_json(entry) for entry in inventory.entries],
        "unmanaged": [
            {"path": found.path, "description": found.description, "address": found.address}
            for found in inventory.unmanaged
        ],
        "diagnostics": [diagnostic_json(warning) for warning in inventory.warnings],
    }


def _table(entries: Sequence[InventoryEntry], inventory: Inventory, paint: Paint) -> str:
    rows = [("", "address", "state", "expires", "", "life left")]
    rows += [_row(entry, inventory) for entry in entries]
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(padded(text, width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    standings = [Standing.VALID, *(entry.standing for entry in entries)]
    painted = [_paint_row(line, standing, paint) for line, standing in zip(lines, standings, strict=True)]
    return "\n".join([paint.aside(lines[0]), *painted[1:]])


def _row(entry: InventoryEntry, inventory: Inventory) -> tuple[str, str, str, str, str, str]:
    ends, far = (day(entry.not_after), distance(entry.not_after, inventory.made_at)) if entry.not_after else ("", "")
    return (_SIGNS[entry.standing], printable(entry.address), entry.standing.value, ends, far, _life(entry.life_left))


def _life(left: float | None) -> str:
    if left is None:
        return ""
    full = round(left * _BAR)
    percent = max(round(left * 100), 1) if left else 0  # what is still valid has something left
    return f"{'█' * full}{'░' * (_BAR - full)} {percent:3d} %"


def _paint_row(line: str, standing: Standing, paint: Paint) -> str:
    match standing:
        case Standing.VALID:
            return line
        case Standing.EXPIRED | Standing.DAMAGED | Standing.UNREADABLE | Standing.BLOCKED:
            return paint.bad(line)
        case Standing.MISSING:
            return paint.good(line)
        case _:
            return paint.changed(line)


def _unmanaged(inventory: Inventory, paint: Paint, *, verbose: bool) -> Iterator[str]:
    found = inventory.unmanaged
    if not found:
        return
    count = counted(len(found), "unmanaged file or directory", "unmanaged files or directories")
    if not verbose and len(found) > _FEW:
        yield paint.aside(f"? {count} beneath the directory (--verbose lists them)")
        return
    width = max(cells(printable(file.path)) for file in found)
    lines = [f"  {padded(printable(file.path), width)}  {paint.aside(printable(file.description))}" for file in found]
    yield "\n".join([f"? {count} beneath the directory:", *lines])


def _summary(inventory: Inventory, paint: Paint) -> str:
    counts = dict.fromkeys(Standing, 0)
    for entry in inventory.entries:
        counts[entry.standing] += 1
    parts = [f"{count:,} {standing.value}" for standing, count in counts.items() if count]
    nothing = (
        "nothing is declared"
        if inventory.ends_before is None
        else f"nothing ends before {moment_text(inventory.ends_before)}"
    )
    return f"{paint.strong('Status:')} {', '.join(parts) or nothing}."


def _entry_json(entry: InventoryEntry) -> dict[str, Any]:
    return {
        "address": entry.address,
        "type": entry.kind.value,
        "state": entry.standing.value.replace(" ", "_"),
        "subject": entry.subject,
        "issuer": entry.issuer,
        "path": entry.path,
        "key": entry.key or None,
        "serial": f"{entry.serial:x}" if entry.serial is not None else None,
        "fingerprint_sha256": entry.fingerprint_sha256,
        "not_before": moment(entry.not_before) if entry.not_before else None,
        "not_after": moment(entry.not_after) if entry.not_after else None,
        "renews_at": moment(entry.renews_at) if entry.renews_at else None,
        "life_left": round(entry.life_left, 4) if entry.life_left is not None else None,
    }
