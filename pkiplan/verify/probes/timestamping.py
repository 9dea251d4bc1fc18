"""A timestamping certificate: its path for that purpose, which OpenSSL judges by RFC 3161, 2.3."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.verify.credentials import Subject
from pkiplan.verify.path_check import Purpose
from pkiplan.verify.probes.findings import CRYPTOGRAPHY, not_run
from pkiplan.verify.probes.signing import path_for_purpose
from pkiplan.verify.purposes import is_for
from pkiplan.verify.reasons import NOT_SUPPORTED
from pkiplan.verify.results import CheckResult, Reason
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session


def timestamping(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:
    """Check that the usage is there, critical and alone; a token itself is not made."""
    if not is_for(subject.resource, "time_stamping"):
        return
    yield from path_for_purpose(session, subject, Purpose.TIMESTAMPING, "time_stamping", depth)
    reason = Reason(NOT_SUPPORTED, "cryptography makes no timestamp tokens (RFC 3161)")
    yield not_run("timestamp", subject, reason, stack=CRYPTOGRAPHY, target="time_stamping")
