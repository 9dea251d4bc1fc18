"""A timestamping certificate: its path for that purpose (RFC 3161, 2.3), and a token made and checked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pkiplan.verify import timestamp_token
from pkiplan.verify.credentials import Subject
from pkiplan.verify.path_check import Purpose
from pkiplan.verify.probes.signing import Signature, path_for_purpose, signature_checks
from pkiplan.verify.purposes import is_for
from pkiplan.verify.results import CheckResult
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session

_USAGE = "time_stamping"


def timestamping(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:
    """Check that the usage is there, critical and alone; then a token, and that it stamps nothing else."""
    if not is_for(subject.resource, _USAGE):
        return
    yield from path_for_purpose(session, subject, Purpose.TIMESTAMPING, _USAGE, depth)
    stamp = partial(timestamp_token.make, time=session.now)
    token = Signature("timestamp", "control-timestamp-other-content", stamp, timestamp_token.check)
    yield from signature_checks(token, subject, _USAGE)
