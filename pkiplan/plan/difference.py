"""What a check hands back: a difference and the least that mends it, or what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pkiplan.plan.changes import Action, FieldChange, Finding, Reason


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between declared and observed: the least action that mends it, why, and which fields."""

    action: Action
    finding: Finding
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """Why something cannot be done here and now, and what a person can do about it."""

    reason: Reason
    message: str
    way_out: str
    is_fault: bool = True
    because: str | None = None

    @property
    def finding(self) -> Finding:
        """Give the blocker as the reason of a blocked change."""
        return Finding(self.reason, self.message, self.because)


Differences = tuple[Difference, ...]
SAME: Differences = ()

# The strongest of several actions is the one that is taken; it does what the weaker ones would.
STRENGTH = (Action.REENCODE, Action.RENEW, Action.MODIFY, Action.CREATE, Action.REKEY)
_RANK = {action: rank for rank, action in enumerate(STRENGTH)}
SIGNING = frozenset({Action.CREATE, Action.RENEW, Action.MODIFY, Action.REKEY})


def strongest(differences: Iterable[Difference]) -> Action:
    """Return the action that mends all of the differences; keep when there are none."""
    return max((difference.action for difference in differences), key=_RANK.__getitem__, default=Action.KEEP)


def differs(action: Action, reason: Reason, message: str, *fields: FieldChange) -> Differences:
    """Make the answer of a check that found one difference."""
    return (Difference(action, Finding(reason, message), fields),)
