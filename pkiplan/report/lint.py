"""What `pkiplan lint` found, and the table of its rules, as people and programs read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pkiplan.report.colour import Paint
from pkiplan.report.diagnostics import FORMAT_VERSION, counts_text, diagnostic_text, diagnostics_json
from pkiplan.report.text import counted, padded

if TYPE_CHECKING:
    from pkiplan.x509.lint import Lint
    from pkiplan.x509.lint.results import Linted


def lint_text(found: Linted, *, colour: bool = False) -> str:
    """Write every finding, and a line that counts them."""
    findings = diagnostic_text(found.diagnostics, colour=colour)
    counts = counts_text(found.diagnostics) or "nothing to complain about"
    by = f" (with pkilint {found.pkilint})" if found.pkilint else ""
    above = f"{findings}\n" if findings else ""
    return f"{above}Lint: {counted(found.certificates, 'certificate')}, {counts}{by}.\n"


def lint_json(found: Linted) -> dict[str, Any]:
    """Give the findings as data, in the shape of `validate`."""
    return {
        "command": "lint",
        "certificates": found.certificates,
        "pkilint": found.pkilint,
        **diagnostics_json(found.diagnostics),
    }


def rules_text(rules: Mapping[str, Lint], *, colour: bool = False) -> str:
    """Write the table of rules."""
    paint = Paint(colour)
    ids, weights = max(map(len, rules)), max(len(rule.severity.value) for rule in rules.values())
    return "".join(
        f"{paint.strong(padded(name, ids))}  {padded(rule.severity.value, weights)}  {rule.text}\n"
        for name, rule in rules.items()
    )


def rules_json(rules: Mapping[str, Lint]) -> dict[str, Any]:
    """Give the table of rules as data."""
    return {
        "format_version": FORMAT_VERSION,
        "command": "lint",
        "rules": [
            {"id": name, "severity": rule.severity.value, "citation": rule.citation, "text": rule.text}
            for name, rule in rules.items()
        ],
    }
