"""What lies in a directory, as far as a pattern of names is concerned."""

from __future__ import annotations

import fnmatch
import os


def listing(directory: str, pattern: str) -> list[list[object]]:
    """List the entries that match, by name, each with whether it is a directory and whether it is a link.

    A name that begins with a dot is matched by a pattern that does.
    """
    try:
        with os.scandir(directory) as entries:
            return sorted(
                [entry.name, entry.is_dir(), entry.is_symlink()]
                for entry in entries
                if fnmatch.fnmatchcase(entry.name, pattern)
                and (pattern.startswith(".") or not entry.name.startswith("."))
            )
    except OSError:
        return []
