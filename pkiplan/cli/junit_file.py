"""Where `verify --junit` writes: a new file, an earlier report, or `-` for stdout."""

from __future__ import annotations

import errno
import os

from pkiplan.errors import PkiplanError, system_words

STDOUT = "-"


def demand_writable(path: str) -> None:
    """Refuse, before any handshake, a place that no report can be written to; nothing is made there yet."""
    if path == STDOUT:
        return
    directory = os.path.dirname(path) or "."
    try:
        if os.path.isfile(path) and not _is_report(path):
            raise PkiplanError.of(
                f"cannot write {path}: it holds something else than a report",
                hint="give `--junit` the name of a new file, or of an earlier report",
            )
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        os.stat(directory)
        if not os.access(path if os.path.exists(path) else directory, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _refused(path, error) from None


def write(path: str, text: str) -> None:
    """Write a report; in place of an earlier one, but not of whatever else lies there by now: it may be a key."""
    demand_writable(path)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: str, error: OSError) -> PkiplanError:
    return PkiplanError.of(
        f"cannot write {path}: {system_words(error)}",
        hint="give `--junit` a file in a directory that is there and can be written to, or `-` for stdout",
    )


def _is_report(path: str) -> bool:
    """Tell whether a file is an earlier report, or empty."""
    with open(path, "rb") as file:
        return file.read(1) in (b"", b"<")
