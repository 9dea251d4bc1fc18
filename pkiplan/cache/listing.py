"""What lies in a directory, as far as patterns of names can tell."""

from __future__ import annotations

import os


def listing(directory: str) -> list[list[object]]:
    """List the entries by name, each with whether it is a directory and whether it is a link; none where none can be."""
    try:
        with os.scandir(directory) as entries:
            return sorted([entry.name, entry.is_dir(), entry.is_symlink()] for entry in entries)
    except OSError:
        return []
