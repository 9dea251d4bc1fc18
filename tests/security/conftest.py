from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.security.site import Place


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The site, applied once."""
    return Place(tmp_path_factory.mktemp("made") / "site").write().applied()


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy of the applied site."""
    shutil.copytree(made.path, tmp_path / "site", symlinks=True)
    return Place(tmp_path / "site")


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """The site before its first apply."""
    return Place(tmp_path / "site").write()
