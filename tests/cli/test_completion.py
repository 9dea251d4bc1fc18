"""Completion as the shell asks for it; the script and its protocol are typer's and not public there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pkiplan.cli.commands import COMMANDS
from tests.cli.conftest import Here

PROGRAM = "import sys; sys.argv[0] = 'pkiplan'; from pkiplan.__main__ import main; main()"


def completed(words: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "_PKIPLAN_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return set(run.stdout.split())


def test_commands_and_options_are_completed() -> None:
    assert completed("pkiplan ") == set(COMMANDS)
    assert completed("pkiplan st") == {"status"}
    assert completed("pkiplan plan --de") == {"--detailed-exitcode"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_one_that_the_shell_reads(here: Here, shell: str) -> None:
    run = here.run("completion", shell)

    assert run.status == 0
    assert "_PKIPLAN_COMPLETE" in run.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=run.out, text=True, check=True, capture_output=True)
