"""Start-up is a feature: a command imports nothing that it does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Here

ALWAYS = {"pydantic", "rich", "asyncio", "importlib.metadata", "multiprocessing", "OpenSSL"}
NOT_FOR_HELP = ALWAYS | {"yaml", "jinja2", "cryptography", "ssl", "pkiplan.workflow", "pkiplan.manifest"}
NOT_FOR_VERSION = NOT_FOR_HELP | {"typer", "inspect", "json", "dataclasses", "pkiplan.cli"}
NOT_FOR_PLAN = ALWAYS | {"ssl", "socket", "pkiplan.apply", "pkiplan.verify"}

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


def modules_of(directory: Path, *arguments: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COVERAGE_PROCESS_START": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize(
    ("line", "forbidden"),
    [
        ("--version", NOT_FOR_VERSION),
        ("--help", NOT_FOR_HELP),
        ("plan --help", NOT_FOR_HELP),
        ("plan", NOT_FOR_PLAN),
        ("status", NOT_FOR_PLAN),
        ("validate", ALWAYS | {"jinja2", "pkiplan.state", "pkiplan.x509"}),
    ],
)
def test_forbidden_imports(applied: Here, line: str, forbidden: set[str]) -> None:
    applied.run("plan")  # fills the cache, as the first run on a machine does

    assert modules_of(applied.directory, *line.split()) & forbidden == set()
