"""SECURITY.md names only tests that exist, those of promises seen to fail on a planted fault that still fits."""

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


def _of_incidents() -> set[str]:
    table = PAGE.partition("<!-- incidents -->")[2].partition("<!-- /incidents -->")[0]
    return {test for row in table.splitlines()[3:] for test in re.findall(r"`(tests/[^`]+)`", row)}


def test_every_incident_has_a_test() -> None:
    table = PAGE.partition("<!-- incidents -->")[2].partition("<!-- /incidents -->")[0]
    rows = table.splitlines()[3:]

    assert len(rows) >= 40
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize("test", sorted({test for _, test in _named()} | _of_incidents()))
def test_it_names_only_tests_that_exist(test: str) -> None:
    path, _, name = test.partition("::")

    assert name in _tests_in(path)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.promise}-{number}" for number, fault in enumerate(FAULTS)])
def test_a_planted_fault_still_fits_the_sources(fault: Fault) -> None:
    broken = planted(fault)

    ast.parse(broken)
    assert broken != (ROOT / fault.file).read_text()
