"""Whether the blocks of a PEM file begin where those who read it by lines find them (RFC 7468, section 2)."""

from __future__ import annotations

import re

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError

_WITHIN_A_LINE = re.compile(rb"[^\n]-----BEGIN ")


def demand_own_lines(data: bytes) -> None:
    """Refuse a file with a block that begins within a line: OpenSSL fails on it, or passes it over in silence."""
    found = _WITHIN_A_LINE.search(data)
    if found is not None:
        line = data.count(b"\n", 0, found.start() + 1) + 1
        raise KeyMaterialError(
            Diagnostic(summary=f"a block begins within line {line}, not at its start", code="damaged")
        )
