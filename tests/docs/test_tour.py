"""The README's tour is what really happens in examples/quickstart."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT, compare_blocks

# The names of the tour, and the command of each; in the README's order.
TOUR = {
    "plan": ["plan"],
    "apply": ["apply", "--yes"],
    "again": ["plan"],
    "edited": ["plan"],
    "status": ["status"],
}
NAMES = 'dns: ["www.{{ domain }}", "{{ domain }}"]'


def test_tour(tmp_path: Path) -> None:
    site = tmp_path / "quickstart"
    shutil.copytree(ROOT / "examples" / "quickstart", site)

    def output_of(step: str) -> str:
        if step == "edited":
            manifest = (site / "site.yaml").read_text()
            assert NAMES in manifest
            (site / "site.yaml").write_text(manifest.replace(NAMES, f'{NAMES[:-1]}, "api.{{{{ domain }}}}"]'))
        run = subprocess.run(
            [sys.executable, "-m", "pkiplan", "-C", str(site), *TOUR[step]],
            cwd=ROOT,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        shown = run.stdout
        if step == "apply":
            # the plan is in the README once
            shown = shown[shown.index("Apply complete") :]
        return f"$ pkiplan {' '.join(TOUR[step])}\n{shown}"

    compare_blocks(ROOT / "README.md", "tour", output_of, masked=masked)


def masked(text: str) -> str:
    """Take out what differs from day to day and run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ| \d\d:\d\d:\d\d UTC)?", "DATE", text)
    text = re.sub(r"[0-9a-f]{12,}…", "SERIAL…", text)
    # How many handshakes there are grows with what is verified.
    text = re.sub(r"^(Verify:|·).*", lambda line: re.sub(r"\d[\d,]*", "N", line[0]), text, flags=re.MULTILINE)
    text = re.sub(r"in \d+ (days|years)", "in SOME TIME", text)
    return re.sub(r" +", " ", text)
