"""What `pkiplan lint` found, and the table of its rules, as people and programs read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pkiplan.diagnostics import Diagnostic
from pkiplan.report.colour import Paint
from pkiplan.report.diagnostics import FORMAT_VERSION, counts_text, diagnostic_text, diagnostics_json
from pkiplan.report.text import counted, padded


class Findings(Protocol):
    """What was found in how many certificates, and which version of pkilint was asked too."""

    @property
    def certificates(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]: ...  # noqa: D102
    @property
    def pkilint(self) -> str | None: ...  # noqa: D102


class LintRule(Protocol):
    """A rule to look up."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def severity(self) -> str: ...  # noqa: D102
    @property
    def citation(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


def lint_text(found: Findings, *, colour: bool = False) -> str:
    """Write every finding, and a line that counts them."""
    findings = "".join(f"{one}\n" for one in (diagnostic_text(found.diagnostics, colour=colour),) if one)
    counts = counts_text(found.diagnostics) or "nothing to complain about"
    by = f" (with pkilint {found.pkilint})" if found.pkilint else ""
    return f"{findings}Lint: {counted(found.certificates, 'certificate')}, {counts}{by}.\n"


def lint_json(found: Findings) -> dict[str, Any]:
    """Give the findings as data, in the shape of `validate`."""
    return {
        "command": "lint",
        "certificates": found.certificates,
        "pkilint": found.pkilint,
        **diagnostics_json(found.diagnostics),
    }


def rules_text(rules: Sequence[LintRule], *, colour: bool = False) -> str:
    """Write the table of rules."""
    paint = Paint(colour)
    ids, weights = max(len(rule.id) for rule in rules), max(len(rule.severity) for rule in rules)
    return "".join(
        f"{paint.strong(padded(rule.id, ids))}  {padded(rule.severity, weights)}  {rule.text}\n" for rule in rules
    )


def rules_json(rules: Sequence[LintRule]) -> dict[str, Any]:
    """Give the table of rules as data."""
    return {
        "format_version": FORMAT_VERSION,
        "command": "lint",
        "rules": [
            {"id": rule.id, "severity": rule.severity, "citation": rule.citation, "text": rule.text} for rule in rules
        ],
    }
