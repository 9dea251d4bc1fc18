"""Kill and fail an apply at every one of its calls to the file system, and write the result to `docs/crash-safety.md`.

`make crash` runs it. It takes about half an hour of one core.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.apply.crash.experiment import BrokenPromiseError, Experiments, Fault
from tests.apply.crash.faulty_calls import ERRORS_OF_CHANGING, ERRORS_OF_LOOKING
from tests.apply.crash.launcher import ROOT, Launcher, working_place

PAGE = ROOT / "docs/crash-safety.md"
_RESULT = re.compile(r"(<!-- result -->\n).*(\n<!-- /result -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one sort of fault."""

    fault: str
    calls: int
    broken: int


def main() -> int:
    """Run everything; return how many promises were broken."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=working_place(), prefix="pkiplan-crash-") as directory:
        faults, calls = _all_faults(Path(directory) / "count")
        print(f"{len(faults)} applies to disturb", flush=True)
        broken: list[tuple[Fault, str]] = []
        with ProcessPoolExecutor(
            int(os.environ.get("JOBS", "0")) or os.cpu_count(), initializer=_begin, initargs=(directory,)
        ) as pool:
            for number, (fault, why) in enumerate(pool.map(_suffer, faults, chunksize=8), 1):
                if why:
                    broken.append((fault, why))
                    print(why, flush=True)
                if number % 100 == 0:
                    print(f"{number} of {len(faults)}, {len(broken)} broken", flush=True)
    text = "\n".join(_told(faults, broken, calls, time.monotonic() - begun))
    PAGE.write_text(_RESULT.sub(lambda found: found[1] + text + found[2], PAGE.read_text()))
    print(text)
    return min(len(broken), 1)


def _all_faults(directory: Path) -> tuple[list[Fault], Counter[str]]:
    launcher = Launcher()
    experiments = Experiments(directory, launcher)
    experiments.prepare()
    changing, looking = experiments.undisturbed().trace, experiments.undisturbed(is_looking=True).trace
    launcher.close()
    faults = [Fault(at) for at in range(len(changing))]
    faults += [Fault(at, error) for error in ERRORS_OF_CHANGING for at in range(len(changing))]
    # The one error or the other: what is done about them does not depend on which it is.
    faults += [Fault(at, ERRORS_OF_LOOKING[at % 2], is_looking=True) for at in range(len(looking))]
    return faults, Counter(name for name, _, _ in changing)


_experiments: list[Experiments] = []


def _begin(directory: str) -> None:
    experiments = Experiments(Path(directory) / f"worker-{os.getpid()}", Launcher())
    experiments.prepare()
    _experiments.append(experiments)


def _suffer(fault: Fault) -> tuple[Fault, str]:
    try:
        _experiments[0].suffer(fault)
    except BrokenPromiseError as error:
        return fault, str(error)
    return fault, ""


def _told(faults: list[Fault], broken: list[tuple[Fault, str]], calls: Counter[str], seconds: float) -> Iterator[str]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    yield f"{datetime.now(UTC):%Y-%m-%d}, Linux {os.uname().release.split('-')[0]}, Python {python}:"
    yield f"{len(faults):,} applies disturbed in {seconds / 60:.0f} minutes, {len(broken)} promises broken."
    yield ""
    yield "| what happened | at each call that | calls | promises broken |"
    yield "| --- | --- | --- | --- |"
    sorts = Counter((fault.is_looking, fault.error) for fault in faults)
    failures = Counter((fault.is_looking, fault.error) for fault, _ in broken)
    for (is_looking, error), count in sorts.items():
        what = "killed (SIGKILL)" if error is None else errno.errorcode[error]
        yield f"| {what} | {'looks' if is_looking else 'changes'} | {count:,} | {failures[is_looking, error]} |"
    yield ""
    yield f"The calls that change: {', '.join(f'{count} {name}' for name, count in calls.most_common())}."


if __name__ == "__main__":
    sys.exit(main())
