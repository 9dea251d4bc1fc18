"""Make the tree of this version for `tests/upgrade/`: once a release, before it is tagged.

    python -m tests.upgrade.build

writes `tests/upgrade/VERSION/` with the manifest, the tree as a tar file (modes and links are part of it), and the
moment at which it was made. A tree that is there is never written again: it is what that version made.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pkiplan import __version__

HERE = Path(__file__).parent
MANIFEST = HERE / "site.yaml"
# The keys of these trees protect nothing, and neither does this.
PASSPHRASE = {"UPGRADE_PASSPHRASE": "only-a-test"}


def build(destination: Path) -> None:
    """Apply the manifest to nothing, and keep what came of it."""
    destination.mkdir()
    with tempfile.TemporaryDirectory() as directory:
        site = Path(directory) / MANIFEST.name
        site.write_bytes(MANIFEST.read_bytes())
        subprocess.run(
            [sys.executable, "-m", "pkiplan", "-C", directory, "apply", "--yes"],
            check=True,
            env={**os.environ, **PASSPHRASE, "PKIPLAN_CACHE": "off"},
        )
        (destination / "tree.tar").write_bytes(_packed(Path(directory) / "pki"))
    (destination / MANIFEST.name).write_bytes(MANIFEST.read_bytes())
    made_at = datetime.now(UTC).replace(microsecond=0)
    (destination / "made_at").write_text(f"{made_at:%Y-%m-%dT%H:%M:%SZ}\n")


def _packed(tree: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tree, "pki", filter=_nobodys)
    return content.getvalue()


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who made it, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    build(HERE / __version__)
