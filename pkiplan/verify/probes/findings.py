"""Results of checks that are no handshakes."""

from __future__ import annotations

from pkiplan.verify.credentials import Subject
from pkiplan.verify.results import ACCEPTED, CheckResult, Expected, Outcome, Reason

OPENSSL = "pyopenssl"
CRYPTOGRAPHY = "cryptography"


def must_hold(
    check: str, subject: Subject, refusal: Reason | None, *, stack: str, target: str = "", strict: bool | None = None
) -> CheckResult:
    """Report something that must be accepted; `refusal` says why it was not."""
    return CheckResult(
        check=check,
        subject=subject.address,
        stack=stack,
        target=target,
        strict=strict,
        expected=Expected.ACCEPTED,
        outcome=Outcome.ACCEPTED if refusal is None else Outcome.REFUSED,
        reason=refusal or ACCEPTED,
    )


def must_be_refused(
    check: str, subject: Subject, refusal: Reason | None, wanted: str, *, stack: str, target: str = ""
) -> CheckResult:
    """Report something that must be refused for a reason."""
    return CheckResult(
        check=check,
        subject=subject.address,
        stack=stack,
        target=target,
        expected=Expected.REFUSED,
        expected_reason=wanted,
        outcome=Outcome.ACCEPTED if refusal is None else Outcome.REFUSED,
        reason=refusal or ACCEPTED,
    )


def not_run(check: str, subject: Subject, reason: Reason, *, stack: str, target: str = "") -> CheckResult:
    """Report something that could not be run."""
    return CheckResult(
        check=check,
        subject=subject.address,
        stack=stack,
        target=target,
        expected=Expected.ACCEPTED,
        outcome=Outcome.NOT_RUN,
        reason=reason,
    )
