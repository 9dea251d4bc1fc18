"""`python -m bench`: print the table, and write it as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

import pkiplan
from bench.measuring import ProgramFailedError
from bench.rows import Measured, Row, rows
from bench.workshop import Workshop

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    """Measure the rows that are asked for."""
    options = _options(arguments)
    if options.list:
        print(*(row.name for row in rows()), sep="\n")
        return 0
    chosen = [row for row in rows() if re.search(options.only, row.name)]
    if not chosen:
        print(f"no row is named like `{options.only}`; `--list` names them all", file=sys.stderr)
        return 1
    shop = Workshop(Path(options.directory).resolve(), quick=options.quick)
    measured: dict[str, Measured] = {}
    print(_line("", "compared with", "clock", "cpu", "to reach", ""))
    for row in chosen:
        try:
            found = row.measure(shop)
        except (ProgramFailedError, OSError) as error:
            found = Measured(note=f"failed: {error}")
        measured[row.name] = found
        print(_shown(row, found), flush=True)
    shop.tidy()
    _save(Path(options.results), chosen, measured, is_quick=options.quick)
    return 1 if any(found.note.startswith("failed") for found in measured.values()) else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Ratios of pkiplan to the bare cost of the same work.")
    parser.add_argument("--only", default="", metavar="REGEX", help="only the rows whose names it is found in")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does everything run?")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--directory", default="build/bench", help="where the sites are made (on a real disk)")
    parser.add_argument("--results", default=str(RESULTS), help="where the JSON goes")
    return parser.parse_args(arguments)


def _shown(row: Row, found: Measured) -> str:
    if found.note:
        return _line(row.name, row.compared_with, "", "", _number(row.target, row.unit), found.note)
    return _line(
        row.name,
        row.compared_with,
        _number(found.wall, row.unit),
        _number(found.cpu, row.unit),
        _number(row.target, row.unit),
        _verdict(row, found),
    )


def _verdict(row: Row, found: Measured) -> str:
    """Say whether a row is reached: by the clock, where it has one; on a busy machine processor time says more."""
    waited = found.cpu if found.wall is None else found.wall
    if waited is not None and waited <= row.target:
        return "reached"
    return "reached in processor time" if found.cpu is not None and found.cpu <= row.target else "not reached"


def _line(name: str, compared_with: str, *columns: str) -> str:
    clock, cpu, target, verdict = columns
    return f"{name:<42} {compared_with:<52} {clock:>8} {cpu:>8} {target:>9}  {verdict}".rstrip()


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}{unit}" if value >= 100 else f"{value:.2f}{unit}"


def _save(directory: Path, chosen: Sequence[Row], measured: dict[str, Measured], *, is_quick: bool) -> None:
    now = datetime.now(UTC)
    document = {
        "made_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "pkiplan": pkiplan.__version__,
        "python": platform.python_version(),
        "machine": {"kind": platform.machine(), "kernel": platform.release(), "cores": os.cpu_count()},
        "load": os.getloadavg(),
        "is_quick": is_quick,
        "rows": [
            {
                "name": row.name,
                "compared_with": row.compared_with,
                "target": row.target,
                **asdict(measured[row.name]),
            }
            for row in chosen
        ],
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=2, default=_plain) + "\n")
    print(f"\nwritten to {os.path.relpath(path)}")


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


sys.exit(main(sys.argv[1:]))
