"""Start-up is a feature: a command imports nothing that it does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pkiplan.cache.tree_digest import wait_for_next_tick
from tests.cli.conftest import Here

ALWAYS = {"pydantic", "rich", "asyncio", "importlib.metadata", "multiprocessing", "OpenSSL"}
NOT_FOR_HELP = ALWAYS | {"yaml", "jinja2", "cryptography", "ssl", "pkiplan.workflow", "pkiplan.manifest"}
NOT_FOR_VERSION = NOT_FOR_HELP | {"typer", "inspect", "json", "dataclasses", "pkiplan.cli"}
# What a plan is told from again must not cost what making it costs.
NOT_FROM_MEMORY = NOT_FOR_HELP | {
    "pkiplan.plan",
    "pkiplan.model",
    "pkiplan.x509",
    "pkiplan.state.observe",
    "tempfile",
    "pickle",
}
NOT_FOR_PLAN = ALWAYS | {
    "ssl",
    "socket",
    "pkiplan.apply",
    "pkiplan.verify",
    "pkiplan.x509.pbes2",
    "fractions",
    "importlib.resources",
}
# Of a small site with plain keys, of which nothing is remembered.
NOT_FOR_COLD_PLAN = (NOT_FOR_PLAN - {"socket"}) | {
    "_strptime",
    "cryptography.hazmat.asn1",
    "pkiplan.model.journal",
    "pkiplan.plan.saved_plan",
    "pkiplan.plan.shown",
    "pkiplan.x509.key_encryption",
}

PROGRAM = """
import sys
sys.argv = ["pkiplan", *sys.argv[1:]]
from pkiplan.__main__ import main
try:
    main()
except SystemExit as end:
    status = end.code
else:
    status = 0
sys.stdout.flush()
sys.stderr.write("\\nMODULES " + " ".join(sys.modules))
sys.exit(status)
"""


# How often garbage was looked for, and whether it still would be at the end.
COLLECTIONS = """
import gc
import sys
sys.argv = ["pkiplan", *sys.argv[1:]]
from pkiplan.__main__ import main
seen = []
gc.callbacks.append(lambda phase, info: seen.append(phase))
try:
    main()
except SystemExit:
    print("looked", len(seen), "kept", gc.get_count()[0] < gc.get_freeze_count(), file=sys.stderr)
"""


def told_by(program: str, directory: Path, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COVERAGE_PROCESS_START": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stderr


def modules_of(directory: Path, *arguments: str) -> set[str]:
    return set(told_by(PROGRAM, directory, *arguments).rpartition("MODULES ")[2].split())


@pytest.mark.parametrize(
    ("line", "forbidden"),
    [
        ("--version", NOT_FOR_VERSION),
        ("--help", NOT_FOR_HELP),
        ("plan --help", NOT_FOR_HELP),
        ("plan", NOT_FROM_MEMORY),
        ("plan --json", NOT_FOR_PLAN),
        ("status", NOT_FOR_PLAN),
        ("show certificate.web", NOT_FOR_PLAN - {"socket"}),
        ("apply --yes", NOT_FOR_PLAN | {"pkiplan.x509.issue"}),
        ("validate", ALWAYS | {"jinja2", "cryptography", "pkiplan.state", "pkiplan.x509", "pkiplan.apply"}),
        ("schema", ALWAYS | {"jinja2", "cryptography", "pkiplan.state", "pkiplan.x509", "pkiplan.apply"}),
        ("completion bash", NOT_FOR_HELP),
    ],
)
def test_forbidden_imports(applied: Here, line: str, forbidden: set[str]) -> None:
    wait_for_next_tick()  # what was changed in the same tick of the clock is not remembered
    applied.run("plan")  # fills the cache, as the first run on a machine does

    assert modules_of(applied.directory, *line.split()) & forbidden == set()


def test_what_a_plan_of_plain_keys_does_without(applied: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PKIPLAN_CACHE", "off")

    assert modules_of(applied.directory, "plan", "--json") & NOT_FOR_COLD_PLAN == set()


def test_a_small_run_looks_for_no_garbage(applied: Here) -> None:
    told = told_by(COLLECTIONS, applied.directory, "plan", "--json")

    assert told == "looked 0 kept True\n"
