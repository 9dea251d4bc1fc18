"""The lines of PEM: how they are written, and whether the blocks of a file begin lines of their own (RFC 7468)."""

from __future__ import annotations

import base64
import re

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError

# The first line of a private key, of whatever kind and in the clear or not.
PRIVATE_KEY_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")

_BEGIN = b"-----BEGIN "
_WITHIN_A_LINE = re.compile(rb"[^\n]-----BEGIN ")
_LINE = 64


def pem_block(label: bytes, content: bytes) -> bytes:
    """Write PEM as RFC 7468, section 3, wants it: lines of 64 characters."""
    text = base64.b64encode(content)
    lines = b"\n".join([text[start : start + _LINE] for start in range(0, len(text), _LINE)])
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, lines, label)


def demand_own_lines(data: bytes) -> None:
    """Refuse a file with a block that begins within a line: OpenSSL fails on it, or passes it over in silence."""
    # Counting is many times as fast as the search, and this is asked of every chain of a site.
    if data.count(_BEGIN) == data.count(b"\n" + _BEGIN) + data.startswith(_BEGIN):
        return
    found = _WITHIN_A_LINE.search(data)
    if found is not None:
        line = data.count(b"\n", 0, found.start() + 1) + 1
        raise KeyMaterialError(
            Diagnostic(summary=f"a block begins within line {line}, not at its start", code="damaged")
        )
