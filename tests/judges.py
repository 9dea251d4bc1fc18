"""Programs that we did not write and that judge our work."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str) -> str:
    """Return the path of a program, or skip; in CI a missing one is a failure."""
    path = shutil.which(program)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed: .ci/setup installs it")
    return path
