"""Which process works on a site, so that a lock can name it."""

from __future__ import annotations

import os


def process_started(pid: int) -> str:
    """Return when a process started, in the kernel's ticks, to tell it from a later one with its number; else ""."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # Field 22; the second, the command's name, is in parentheses and may hold blanks (proc(5)).
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def own_pid() -> int:
    """Return the number of this process."""
    return os.getpid()


def host_name() -> str:
    """Return the name of this machine."""
    return os.uname().nodename
