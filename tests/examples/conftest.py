"""Every example is applied once a test run, in a directory of its own; tests only look at what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def names_of_examples() -> list[str]:
    return sorted(path.parent.name for path in EXAMPLES.glob("*/site.yaml"))


@dataclass(frozen=True)
class Ran:
    """How one command line ended."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Example:
    """An example directory in a scratch place."""

    name: str
    path: Path
    environment: dict[str, str]

    def pkiplan(self, *arguments: str) -> Ran:
        """Run pkiplan there as a user would."""
        done = subprocess.run(
            [sys.executable, "-m", "pkiplan", *arguments],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @property
    def tree(self) -> Path:
        return self.path / "pki"


def copy_of(name: str, directory: Path) -> Example:
    """Copy an example; its environment has a cache of its own, and the passphrases that examples name."""
    shutil.copytree(EXAMPLES / name, directory / name)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "XDG_CACHE_HOME": str(directory / "cache"),
        "XDG_STATE_HOME": str(directory / "state"),
        "PYTHONPATH": str(EXAMPLES.parent),
        **{
            variable: f"passphrase of {variable}"
            for variable in ("ROOT_PASSPHRASE", "ISSUING_PASSPHRASE", "P12_PASSPHRASE")
        },
    }
    if "COVERAGE_PROCESS_START" in os.environ:
        environment["COVERAGE_PROCESS_START"] = os.environ["COVERAGE_PROCESS_START"]
    return Example(name, directory / name, environment)


@pytest.fixture(scope="session", params=names_of_examples())
def applied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """An example after `pkiplan apply --yes`."""
    example = copy_of(request.param, tmp_path_factory.mktemp(request.param))
    ran = example.pkiplan("apply", "--yes", "--no-verify")
    assert ran.status == 0, ran.stderr
    return example


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The quickstart after `pkiplan apply --yes`."""
    example = copy_of("quickstart", tmp_path_factory.mktemp("quickstart"))
    ran = example.pkiplan("apply", "--yes", "--no-verify")
    assert ran.status == 0, ran.stderr
    return example
