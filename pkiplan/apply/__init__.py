"""How a plan is carried out: durably, one apply at a time, and so that a crash at any instant loses nothing."""

from __future__ import annotations

from pkiplan.apply.results import (
    ApplyEvent,
    ApplyReport,
    ChangeResult,
    Done,
    EventKind,
    Failed,
    NotRun,
    Outcome,
)

__all__ = ["ApplyEvent", "ApplyReport", "ChangeResult", "Done", "EventKind", "Failed", "NotRun", "Outcome"]
