"""Saved plans on disk: where they lie, how they are read, written and removed.

A plan file holds no secret. It is compared, never obeyed, so whoever can change one gains nothing by it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from typing import Any, BinaryIO

from pkiplan.errors import PkiplanError, system_words

LAST_PLAN = os.path.join(".pkiplan", "last-plan.json")

# A plan of 100,000 changes stays below; whatever is larger is not one of ours.
LARGEST_PLAN = 512 * 1024 * 1024


def is_plan_file(path: str) -> bool:
    """Tell whether a file holds a saved plan: by its content, a JSON object, not by its name."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096).lstrip()
    except OSError:
        return False
    return start.startswith(b"{") and b'"format_version"' in start


def read_plan_file(path: str) -> dict[str, Any]:
    """Read a saved plan's JSON object; raise `PkiplanError` when it cannot be one."""
    try:
        with open(path, "rb") as file:
            data = _at_most(file, LARGEST_PLAN + 1)
    except OSError as error:
        raise PkiplanError.of(f"cannot read the plan {path}: {system_words(error)}", code="plan-unreadable") from None
    if len(data) > LARGEST_PLAN:
        raise PkiplanError.of(f"{path} is too large for a plan", code="not-a-plan")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise PkiplanError.of(
            f"{path} is not a plan of pkiplan's: it is not JSON",
            hint="make one with `pkiplan plan --out FILE`",
            code="not-a-plan",
        ) from None
    if not isinstance(document, dict):
        raise PkiplanError.of(
            f"{path} is not a plan of pkiplan's: it holds no object",
            hint="make one with `pkiplan plan --out FILE`",
            code="not-a-plan",
        )
    return document


def _at_most(file: BinaryIO, size: int) -> bytes:
    """Read up to so many bytes, piece by piece: `read(size)` alone would take that much memory at once."""
    pieces: list[bytes] = []
    while size > 0 and (piece := file.read(min(size, 1 << 20))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def what_a_plan_would_overwrite(path: str) -> str | None:
    """Tell what lies where somebody wants a plan, unless that is nothing, an empty file or an earlier plan.

    A plan takes the place of what is there: of a manifest, a private key, a device.
    """
    try:
        there = os.stat(path)
    except OSError:
        return None
    if stat.S_ISDIR(there.st_mode):
        return "is a directory"
    if not stat.S_ISREG(there.st_mode):
        return "is not a regular file"
    return None if there.st_size == 0 or is_plan_file(path) else "holds something else than a plan"


def write_plan_file(path: str, document: dict[str, Any]) -> None:
    """Write a plan whole or not at all; raise OSError when the directory refuses."""
    write_plan_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def write_plan_text(path: str, text: str) -> None:
    """Write a plan's JSON text whole or not at all; raise OSError when the directory refuses."""
    directory = os.path.dirname(path) or "."
    if path == LAST_PLAN:
        _make_own_directory(directory)
    temporary = os.path.join(directory, f".plan-{os.urandom(8).hex()}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _make_own_directory(directory: str) -> None:
    """Make `.pkiplan` here, and refuse one that is a link: a pull request could have brought it."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, mode=0o700)
    if os.path.islink(directory):
        raise OSError(errno.ELOOP, "is a symbolic link", directory)


def last_plan() -> str | None:
    """Return the path of the working directory's last plan, or None."""
    return LAST_PLAN if os.path.isfile(LAST_PLAN) else None


def remove_plan_file(path: str) -> None:
    """Remove a plan that was carried out; one that is gone already is no matter."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
