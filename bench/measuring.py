"""Run two programs in turn and compare what they cost: A B A B, so that a change of the machine's mood hits both."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost: seconds on the clock, seconds of processor (user and system, children too), peak MB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command line with its surroundings; `prepare` runs before it and is not measured."""

    line: Sequence[str]
    environment: Mapping[str, str]
    prepare: Callable[[], None] | None = None
    expected_status: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """Costs of A and B, run after run, and the medians of their ratios."""

    ours: tuple[Cost, ...]
    theirs: tuple[Cost, ...]

    @property
    def wall_ratio(self) -> float:
        """Return the median of the ratios by the clock."""
        return statistics.median(a.wall / b.wall for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def cpu_ratio(self) -> float:
        """Return the median of the ratios in seconds of processor, which neighbours on the machine spoil less."""
        return statistics.median(a.cpu / b.cpu for a, b in zip(self.ours, self.theirs, strict=True))


class ProgramFailedError(Exception):
    """A measured program did not do its work, so its time means nothing."""


def paired(ours: Program, theirs: Program, *, pairs: int, cores: int | None = None) -> Pair:
    """Measure two programs in turn; with `cores` both are held to so many."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(pairs):
        costs[0].append(measure(ours, cores=cores))
        costs[1].append(measure(theirs, cores=cores))
    return Pair(tuple(costs[0]), tuple(costs[1]))


def measure(program: Program, *, cores: int | None = None) -> Cost:
    """Run a program once."""
    if program.prepare is not None:
        program.prepare()
    # What earlier runs wrote must not be paid for by this one's sync.
    os.sync()
    allowed = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, set(sorted(allowed)[-cores:]))
    try:
        begun = time.perf_counter()
        child = os.posix_spawnp(
            program.line[0], list(program.line), dict(program.environment), file_actions=_SILENT, setsigmask=[]
        )
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - begun
    finally:
        os.sched_setaffinity(0, allowed)
    if os.waitstatus_to_exitcode(status) != program.expected_status:
        raise ProgramFailedError(f"exit status {os.waitstatus_to_exitcode(status)}: {' '.join(program.line)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


_SILENT = [(os.POSIX_SPAWN_OPEN, descriptor, "/dev/null", os.O_RDWR, 0) for descriptor in (0, 1, 2)]
