from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SITE = """\
version: 1
site: acme
directory: pki
authorities:
  root:
    subject: {common_name: Acme Root}
    key: {type: ecdsa, curve: P-256, passphrase: none}
    days: 3650
certificates:
  web:
    issuer: root
    key: ecdsa-p256
    days: 90
    dns: [www.acme.example]
"""


@dataclass(frozen=True)
class Run:
    """One command that was run: its exit status and what it wrote."""

    status: int
    out: str
    err: str


class Here:
    """A directory to run commands in, in this process and as a user would."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def write(self, text: str, name: str = "site.yaml") -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str, stdin: str = "") -> Run:
        """Run a command line; stdin is no terminal."""
        from pkiplan.cli.boundary import run

        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        status = run(arguments)
        written = self._capsys.readouterr()
        return Run(status, written.out, written.err)

    def files(self) -> dict[str, bytes]:
        """Everything beneath the directory but pkiplan's own."""
        return {
            str(path.relative_to(self.directory)): path.read_bytes()
            for path in sorted(self.directory.rglob("*"))
            if path.is_file() and ".pkiplan" not in path.parts
        }


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """An empty directory, and an environment in which nothing of the caller's shows."""
    directory = tmp_path / "work"
    directory.mkdir()
    for variable in ("PKIPLAN_COLOR", "NO_COLOR", "FORCE_COLOR", "PKIPLAN_ALLOW_OUTSIDE", "PKIPLAN_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(directory)
    return Here(directory, capsys, monkeypatch)


@pytest.fixture
def site(here: Here) -> Here:
    """A directory with a small manifest."""
    here.write(SITE)
    return here


@pytest.fixture(scope="session")
def applied_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the small manifest, made once."""
    import subprocess

    directory = tmp_path_factory.mktemp("applied")
    (directory / "site.yaml").write_text(SITE, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "pkiplan", "-C", directory, "apply", "--yes", "--no-verify"],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    return directory


@pytest.fixture
def applied(site: Here, applied_tree: Path) -> Here:
    """A directory in which the small manifest is applied."""
    shutil.copytree(applied_tree / "pki", site.directory / "pki", symlinks=True)
    return site


NOBODY = 65534


@pytest.fixture
def anybody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Run]]:
    """Run commands as a user who may not do everything, in a directory that is theirs; root becomes nobody for that."""
    monkeypatch.setenv("PKIPLAN_CACHE", "off")
    with tempfile.TemporaryDirectory() as name:  # the parents of tmp_path are closed to others
        here = Here(Path(name), capsys, monkeypatch)
        here.write(SITE)
        monkeypatch.chdir(name)
        here.run("plan", "--out", str(tmp_path / "imports everything"))
        here.run("apply", "--yes", "--target", "nothing")
        if os.geteuid() == 0:
            os.chown(name, NOBODY, -1)
            os.chown("site.yaml", NOBODY, -1)

        def run(*arguments: str) -> Run:
            is_root = os.geteuid() == 0
            try:
                if is_root:
                    os.seteuid(NOBODY)
                return here.run(*arguments)
            finally:
                if is_root:
                    os.seteuid(0)

        yield run
