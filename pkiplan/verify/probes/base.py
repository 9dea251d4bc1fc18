"""What a probe is: a function from one certificate to the checks it must pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pkiplan.model.site import VerifyRule
from pkiplan.verify.credentials import Subject
from pkiplan.verify.results import CheckResult
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import HandshakeCheck, Session


class Probe(Protocol):
    """Say what to check of a certificate; nothing when it is not of the probe's kind.

    A handshake is yielded to be made on every stack; what is no handshake is yielded as a result. May raise
    NotRunError, which becomes the one result of this probe for this certificate.
    """

    def __call__(self, session: Session, subject: Subject, depth: Depth) -> Iterator[HandshakeCheck | CheckResult]:
        """Yield the checks of one certificate."""


class RuleProbe(Protocol):
    """Say what one rule of the manifest asks for; raises as a Probe does."""

    def __call__(self, session: Session, rule: VerifyRule) -> Iterator[HandshakeCheck | CheckResult]:
        """Yield the checks of one rule."""
