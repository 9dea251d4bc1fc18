"""Short ways to ask a report what it found."""

from __future__ import annotations

from typing import Any

from pkiplan.verify import Outcome, VerifyReport, VerifyScope, verify_site
from pkiplan.verify.results import CheckResult
from tests.verify.toy_site import NOW, Toy

FULL = VerifyScope(full=True)


def verified(toy: Toy, scope: VerifyScope = FULL, **options: Any) -> VerifyReport:
    return verify_site(toy.site, now=NOW, load=toy.load, scope=scope, **options)


def unexpected(report: VerifyReport) -> set[tuple[str, str, str]]:
    """Subject, check and reason of everything that did not end as it had to."""
    return {(result.subject, result.check, result.reason.code) for result in report.unexpected}


def of(report: VerifyReport, subject: str, check: str) -> list[CheckResult]:
    return [result for result in report.results if (result.subject, result.check) == (subject, check)]


def outcomes(results: list[CheckResult]) -> set[Outcome]:
    return {result.outcome for result in results}
