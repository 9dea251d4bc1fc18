"""The help texts in README and docs are what the program says."""

from __future__ import annotations

import pytest

from pkiplan.cli.boundary import run
from pkiplan.cli.commands import COMMANDS
from tests.docs.blocks import ROOT, compare_blocks


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_help_texts(page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    def help_of(line: str) -> str:
        capsys.readouterr()
        assert run([*line.split()[1:], "--help"]) == 0
        return capsys.readouterr().out

    compare_blocks(ROOT / page, "help", help_of)


def test_rules_of_lint(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(line: str) -> str:
        capsys.readouterr()
        assert run(line.split()[1:]) == 0
        return capsys.readouterr().out

    compare_blocks(ROOT / "docs" / "lint.md", "rules", listed)


def test_every_command_has_its_place() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")

    assert [line.removeprefix("## pkiplan ") for line in text.splitlines() if line.startswith("## ")] == list(COMMANDS)
