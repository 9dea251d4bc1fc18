"""What apply did, as values: one result for each change, and events while it works."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pkiplan.plan.changes import Action


@dataclass(frozen=True, slots=True)
class Done:
    """The change is in place; `detail` says what a person may want to know, such as where the old key went."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The change could not be made; what was there before is still there."""

    why: str


@dataclass(frozen=True, slots=True)
class NotRun:
    """The change was not begun, or not switched to, because of something else."""

    because: str


Outcome = Done | Failed | NotRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResult:
    """What became of one change, and how long the work on it took."""

    address: str
    action: Action
    outcome: Outcome
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """What became of every change of a plan, in the plan's order.

    `is_interrupted` tells that apply was asked to stop. `notes` are for people, one line each.
    """

    results: tuple[ChangeResult, ...] = ()
    is_interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[ChangeResult, ...]:
        """List what is in place."""
        return tuple(result for result in self.results if isinstance(result.outcome, Done))

    @property
    def failed(self) -> tuple[ChangeResult, ...]:
        """List what went wrong."""
        return tuple(result for result in self.results if isinstance(result.outcome, Failed))

    @property
    def not_run(self) -> tuple[ChangeResult, ...]:
        """List what was not done because of something else."""
        return tuple(result for result in self.results if isinstance(result.outcome, NotRun))

    @property
    def is_complete(self) -> bool:
        """Tell whether everything that was planned is in place."""
        return len(self.done) == len(self.results)


class EventKind(StrEnum):
    """What an event tells of a change."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    NOT_RUN = "not run"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyEvent:
    """Something that happened during apply.

    `detail` says what is being made (`generating rsa 4096`), or why it failed. `index` counts the changes that are
    finished, failed or not run so far, of `total`; `seconds` is the work this change took.
    """

    kind: EventKind
    address: str = ""
    action: Action | None = None
    detail: str = ""
    index: int = 0
    total: int = 0
    seconds: float = 0.0
