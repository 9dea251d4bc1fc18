"""The case table, row by row."""

from __future__ import annotations

import pytest

from pkiplan.plan.changes import Action
from tests.plan.cases import CASES, Case, case_world

IDS = [case.sentence for case in CASES]


def test_every_row_has_its_own_sentence() -> None:
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_row(case: Case) -> None:
    world = case_world()
    case.change(world)

    plan = world.plan(**case.options)

    planned = {change.address: change.action for change in plan.changes}
    expected = {case.address: case.action, **case.also}
    assert planned == {address: action for address, action in expected.items() if action is not Action.KEEP}
    for change in plan.changes:
        assert change.address not in {finding.because for finding in change.findings}, "its own cause"
        if change.address == case.address:
            assert [finding.reason for finding in change.findings] == list(case.reasons)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_after_the_apply_nothing_is_left_to_do(case: Case) -> None:
    world = case_world()
    case.change(world)

    world.apply(allow_many=True, **case.options)

    assert world.plan().pending == ()
