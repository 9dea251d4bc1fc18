"""What came of holding certificates that exist against the rules."""

from __future__ import annotations

from dataclasses import dataclass

from pkiplan.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found in some files; `pkilint` is the version that was asked too, or None."""

    certificates: int
    diagnostics: tuple[Diagnostic, ...]
    pkilint: str | None
