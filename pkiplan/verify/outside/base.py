"""What the stacks outside of this process have in common."""

from __future__ import annotations

import time
from collections.abc import Callable

from pkiplan.errors import system_words
from pkiplan.verify.reasons import HANDSHAKE_FAILED
from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import TLS_1_2, HandshakeOutcome, HandshakeSetup
from pkiplan.verify.stacks.kinds import has_ml_dsa_key, needs_ml_dsa

# The first OpenSSL with ML-DSA.
ML_DSA_SINCE = (3, 5)


def timed(shake_hands: Callable[[], Reason]) -> HandshakeOutcome:
    """Run a handshake and take the time."""
    started = time.perf_counter()
    try:
        reason = shake_hands()
    except OSError as error:
        # The program has gone since it said which one it is, or the machine has no processes or files left.
        reason = Reason(HANDSHAKE_FAILED, f"the program cannot be run: {system_words(error)}")
    return HandshakeOutcome(accepted=reason is ACCEPTED, reason=reason, seconds=time.perf_counter() - started)


def no_ml_dsa(setup: HandshakeSetup, who: str, *, knows_it: bool) -> str | None:
    """Say why a handshake needs more ML-DSA than there is, or None."""
    presented = [setup.server.certificates[0], *([setup.client.certificates[0]] if setup.client else [])]
    if setup.version == TLS_1_2 and any(map(has_ml_dsa_key, presented)):
        return "TLS 1.2 has no ML-DSA signatures"
    if not knows_it and any(map(needs_ml_dsa, setup.all_certificates)):
        return f"{who} knows no ML-DSA"
    return None


def version_numbers(text: str) -> tuple[int, ...]:
    """Take the numbers of a version such as 3.0.19."""
    return tuple(int(part) for part in text.split(".") if part.isdecimal())
