"""Every relative link in our pages leads somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("tests/**/*.md"),
    ]
    if ".venv" not in path.parts
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [target.partition("#")[0] for target in LINK.findall(text) if "://" not in target]

    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_ci_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert re.search(r"^make test\b", readme, re.MULTILINE)
    assert re.search(r"^PYTEST_ADDOPTS='[^']*' make test$", ci, re.MULTILINE)


def test_scripts_of_ci_can_be_run() -> None:
    for name in ("run", "setup"):
        script = ROOT / ".ci" / name
        assert script.stat().st_mode & 0o100
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_workflow_runs_the_same_script() -> None:
    import yaml

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))

    assert workflow["jobs"]["check"]["steps"][-1] == {"run": "bash .ci/run"}
