"""Exit statuses, as DESIGN and every `--help` state them."""

from __future__ import annotations

DONE = 0
FAILED = 1
CHANGES_PENDING = 2
UNEXPECTED = 3
INTERRUPTED = 130
