"""Prove with real handshakes that what must be accepted is accepted, and what must be refused is refused.

What comes out (`results`) and what is asked for (`scope`) import no TLS library; `verify_site` does when called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason, VerifyReport
from pkiplan.verify.scope import EVERYTHING, VerifyScope

if TYPE_CHECKING:
    from pkiplan.verify.credentials import Credential
    from pkiplan.verify.stacks.base import TlsStack

__all__ = [
    "EVERYTHING",
    "CheckResult",
    "Expected",
    "Outcome",
    "Reason",
    "VerifyEvent",
    "VerifyReport",
    "VerifyScope",
    "verify_site",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEvent:
    """One certificate or rule is done: so many of so many."""

    address: str
    done: int
    of: int


def verify_site(
    site: Site,
    *,
    now: datetime,
    scope: VerifyScope = EVERYTHING,
    load: Callable[[Resource], Credential],
    stacks: tuple[TlsStack, ...] | None = None,
    others: tuple[TlsStack, ...] = (),
    jobs: int | None = None,
    progress: Callable[[VerifyEvent], None] | None = None,
    is_pretended: bool | None = None,
) -> VerifyReport:
    """Verify what the scope names, and report every check; never raises for what a certificate is like.

    `load` gives the credential of a resource and raises PkiplanError when there is none; it is called in
    several threads. `stacks` of None are all that run in this process; `others` take part beside them. `progress`
    is called in the caller's thread. `is_pretended` tells that `now` is not the machine's time (`--at`); None judges
    by how far it is off.
    """
    from pkiplan.verify.run import Run

    run = Run(
        site,
        now=now,
        scope=scope,
        load=load,
        stacks=stacks,
        others=others,
        jobs=jobs,
        progress=progress,
        is_pretended=is_pretended,
    )
    return run.report()
