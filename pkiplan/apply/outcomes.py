"""What became of each change so far, told as it comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable

from pkiplan.apply.results import ApplyEvent, ChangeResult, Done, EventKind, Failed, NotRun, Outcome
from pkiplan.errors import PkiplanError, kind_and_place, system_words
from pkiplan.plan.changes import Change

Progress = Callable[[ApplyEvent], None]


class Outcomes:
    """The first outcome of each change stands, whichever thread it comes from; `progress` is called one by one."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self._found: dict[str, Outcome] = {}
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_open(self, change: Change) -> bool:
        """Tell whether nothing has become of a change yet."""
        return change.address not in self._found

    def of(self, address: str) -> Outcome | None:
        """Return what became of a change, or None while it is open."""
        return self._found.get(address)

    def results(self, changes: Iterable[Change]) -> tuple[ChangeResult, ...]:
        """Give the result of each change, none of which is open any more."""
        return tuple(
            ChangeResult(
                address=change.address,
                action=change.action,
                outcome=self._found[change.address],
                seconds=self._seconds.get(change.address, 0.0),
            )
            for change in changes
        )

    def attempt(self, change: Change, step: Callable[[Change], None]) -> bool:
        """Do a step for a change; whatever goes wrong is what becomes of it. Returns whether it went well."""
        begun = time.monotonic()
        try:
            step(change)
        except (PkiplanError, OSError) as error:
            failed = Failed(in_one_line(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours in one branch must not stop the others
            failed = Failed(f"internal error: {kind_and_place(error)}")
        else:
            return True
        finally:
            self._seconds[change.address] = self._seconds.get(change.address, 0.0) + time.monotonic() - begun
        self.finish(change, failed)
        return False

    def finish(self, change: Change, outcome: Outcome) -> None:
        """Say what became of a change, unless that was said already."""
        with self._lock:
            if change.address in self._found:
                return
            self._found[change.address] = outcome
        match outcome:
            case Done(detail):
                self.tell(EventKind.FINISHED, change, detail=detail)
            case Failed(why):
                self.tell(EventKind.FAILED, change, detail=why)
            case NotRun(because):
                self.tell(EventKind.NOT_RUN, change, detail=because)

    def tell(self, kind: EventKind, change: Change | None = None, *, detail: str = "") -> None:
        """Tell of something that happened to a change, or to the run."""
        event = ApplyEvent(
            kind=kind,
            address="" if change is None else change.address,
            action=None if change is None else change.action,
            detail=detail,
            index=len(self._found),
            total=self._total,
            seconds=0.0 if change is None else self._seconds.get(change.address, 0.0),
        )
        # Whoever looks on may have gone away (a closed pipe); that must not end an apply half way.
        with self._lock, contextlib.suppress(Exception):
            self._progress(event)


def tell_nobody(_: ApplyEvent) -> None:
    """Let events pass."""


def in_one_line(error: Exception) -> str:
    """Say what went wrong in one line."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{system_words(error)}"
    return "; ".join(str(error).splitlines())
