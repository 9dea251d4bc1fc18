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


def completed(words: str, directory: Path | None = None) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=directory,
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


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("pkiplan plan --target auth", {"authority.root"}),
        ("pkiplan show ", {"authority.root", "certificate.node[a1]", "certificate.node[a2]"}),
        ("pkiplan -C elsewhere show ", set()),
        ("pkiplan show --site broken.yaml ", set()),
    ],
)
def test_addresses_are_completed_from_the_manifest(here: Here, words: str, found: set[str]) -> None:
    here.write(
        "version: 1\nauthorities: {root: {}}\n"
        "certificates: {node: {issuer: root, for_each: [a1, a2], dns: ['{{ each.key }}.example']}}\n"
    )
    here.write("version: [\n", "broken.yaml")

    assert completed(words, here.directory) == found
    assert {path.name for path in here.directory.iterdir()} == {"site.yaml", "broken.yaml"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_one_that_the_shell_reads(here: Here, shell: str) -> None:
    run = here.run("completion", shell)

    assert run.status == 0
    assert "_PKIPLAN_COMPLETE" in run.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=run.out, text=True, check=True, capture_output=True)
