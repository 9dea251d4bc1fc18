"""Killed, or failed, at any call to the file system, apply loses nothing and the next one finishes.

Here at each kind of call and a seeded part of the others; `make crash` tries every one, for docs/crash-safety.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apply.crash.experiment import BrokenPromiseError, Experiments, Fault, sampled
from tests.apply.crash.faulty_calls import ERRORS_OF_CHANGING, ERRORS_OF_LOOKING
from tests.apply.crash.launcher import Launcher, working_place

SEED = 20270301
# Each part is a test of its own, so that they can run side by side.
PARTS = 4


@pytest.fixture(scope="module")
def experiments() -> Iterator[Experiments]:
    launcher = Launcher()
    with tempfile.TemporaryDirectory(dir=working_place(), prefix="pkiplan-crash-") as directory:
        made = Experiments(Path(directory), launcher)
        made.prepare()
        yield made
    launcher.close()


def _suffer(experiments: Experiments, faults: list[Fault]) -> None:
    broken = []
    for fault in faults:
        try:
            experiments.suffer(fault)
        except BrokenPromiseError as error:
            broken.append(str(error))
    assert broken == []


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_call_nothing_is_lost_and_the_next_apply_finishes(experiments: Experiments, part: int) -> None:
    calls = sampled(experiments.undisturbed().trace, every=25, seed=SEED)

    _suffer(experiments, [Fault(at) for at in calls[part::PARTS]])


@pytest.mark.parametrize("part", range(PARTS))
def test_with_any_change_failing_the_rest_is_done_and_the_next_apply_finishes(
    experiments: Experiments, part: int
) -> None:
    calls = sampled(experiments.undisturbed().trace, every=50, seed=SEED + 1)

    _suffer(experiments, [Fault(at, ERRORS_OF_CHANGING[at % 5]) for at in calls[part::PARTS]])


@pytest.mark.parametrize("part", range(PARTS))
def test_with_any_look_failing_nothing_is_taken_for_missing(experiments: Experiments, part: int) -> None:
    trace = experiments.undisturbed(is_looking=True).trace
    # Most of them are at what the site's own directories are opened by.
    calls = sampled(trace, every=10**9, seed=SEED)[::3]

    _suffer(experiments, [Fault(at, ERRORS_OF_LOOKING[at % 2], is_looking=True) for at in calls[part::PARTS]])
