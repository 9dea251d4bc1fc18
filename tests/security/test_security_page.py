"""SECURITY.md names only tests that exist, each seen to fail on a planted fault, and each planted fault still fits."""

from __future__ import annotations

import ast
import re

import pytest

from tests.security.planted import FAULTS, ROOT, Fault, planted

PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = re.findall(r"^\| (P\d+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
PROMISES = {f"P{number}" for number in (*range(1, 21), 22)}


def _named() -> set[tuple[str, str]]:
    return {(promise, test) for promise, _, tests in ROWS for test in re.findall(r"`([^`]+)`", tests)}


def _tests_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_promise_is_there_with_a_test_that_was_seen_to_fail() -> None:
    assert {promise for promise, _, _ in ROWS} == PROMISES
    guarded = {(fault.promise, fault.test.partition("[")[0]) for fault in FAULTS}
    assert {promise for promise, _ in guarded} == PROMISES
    assert _named() == guarded


@pytest.mark.parametrize("test", sorted({test for _, test in _named()}))
def test_it_names_only_tests_that_exist(test: str) -> None:
    path, _, name = test.partition("::")

    assert name in _tests_in(path)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.promise}-{number}" for number, fault in enumerate(FAULTS)])
def test_a_planted_fault_still_fits_the_sources(fault: Fault) -> None:
    broken = planted(fault)

    ast.parse(broken)
    assert broken != (ROOT / fault.file).read_text()
