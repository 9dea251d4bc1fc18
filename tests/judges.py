"""Programs that we did not write and that judge our work."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

# Where `make dev` puts pkilint, out of the way of the tests that are not about it.
PKILINT = Path(sys.prefix) / "pkilint"


# Debian keeps servers where a user's PATH does not look.
WHERE_SERVERS_LIE = "/usr/local/sbin:/usr/sbin:/sbin"


def require(program: str) -> str:
    """Return the path of a program, or skip; in CI a missing one is a failure."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{WHERE_SERVERS_LIE}")
    if path is None:
        _missing(f"{program} is not installed: .ci/setup installs it")
    return str(path)


def require_pkilint() -> str:
    """Return the directory to put on Python's path for pkilint, or skip; in CI its absence is a failure."""
    if not (PKILINT / "pkilint").is_dir():
        _missing("pkilint is not installed: `make dev` installs it")
    return str(PKILINT)


def _missing(why: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
