"""A timestamping certificate: its path for that purpose (RFC 3161, 2.3), and a token made and checked."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.verify import reasons, timestamp_token
from pkiplan.verify.cms import CmsError
from pkiplan.verify.credentials import NotRunError, Subject
from pkiplan.verify.path_check import Purpose
from pkiplan.verify.probes.findings import CRYPTOGRAPHY, must_be_refused, must_hold, not_run
from pkiplan.verify.probes.signing import path_for_purpose, private_key
from pkiplan.verify.purposes import is_for
from pkiplan.verify.results import CheckResult, Reason
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session

_USAGE = "time_stamping"
_CONTENT = b"pkiplan has this stamped to see whether it can be\n"


def timestamping(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:
    """Check that the usage is there, critical and alone; then a token, and that it stamps nothing else."""
    if not is_for(subject.resource, _USAGE):
        return
    yield from path_for_purpose(session, subject, Purpose.TIMESTAMPING, _USAGE, depth)
    try:
        token = timestamp_token.make(_CONTENT, subject.certificate, private_key(subject), session.now)
    except NotRunError as error:
        yield not_run("timestamp", subject, error.reason, stack=CRYPTOGRAPHY, target=_USAGE)
        return
    except TypeError as error:
        reason = Reason(reasons.NOT_SUPPORTED, str(error))
        yield not_run("timestamp", subject, reason, stack=CRYPTOGRAPHY, target=_USAGE)
        return
    refusal = _refusal(token, _CONTENT, subject)
    yield must_hold("timestamp", subject, refusal, stack=CRYPTOGRAPHY, target=_USAGE)
    other = _refusal(token, _CONTENT + b"and this\n", subject)
    check = "control-timestamp-other-content"
    yield must_be_refused(check, subject, other, reasons.BAD_SIGNATURE, stack=CRYPTOGRAPHY, target=_USAGE)


def _refusal(token: bytes, content: bytes, subject: Subject) -> Reason | None:
    try:
        timestamp_token.check(token, content, subject.certificate)
    except CmsError as error:
        return Reason(reasons.BAD_SIGNATURE, str(error))
    return None
