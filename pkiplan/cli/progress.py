"""Progress: a live bar on a terminal, a line a change in a pipe, a stream of objects with `--json`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pkiplan.cli.session import Session, is_terminal
from pkiplan.report.text import printable, shortened

if TYPE_CHECKING:
    from pkiplan.apply.results import ApplyEvent
    from pkiplan.verify import VerifyEvent

# Above this many changes a terminal shows the bar alone, and what failed.
_LINES_ON_TERMINAL = 40
_WIDEST_TASK = 60


@contextmanager
def apply_progress(session: Session) -> Iterator[Callable[[ApplyEvent], None]]:
    """Give what is told of every event of an apply."""
    from pkiplan.report.apply import event_json, event_line

    if session.is_json:
        yield _one_at_a_time(lambda event: session.line(event_json(event)))
    elif session.is_quiet:
        yield _ignore
    elif is_terminal(sys.stderr):
        with _bar(session) as bar:
            yield _one_at_a_time(lambda event: _show_on(bar, session, event))
    else:
        colour = session.paints(sys.stderr)
        yield _one_at_a_time(lambda event: _tell_line(session, event_line(event, colour=colour)))


@contextmanager
def verify_progress(session: Session) -> Iterator[Callable[[VerifyEvent], None] | None]:
    """Give what is told of every certificate that is verified: on a terminal a bar, else nothing."""
    if session.is_json or session.is_quiet or not is_terminal(sys.stderr):
        yield None
        return
    with _bar(session) as (progress, task):
        yield lambda event: progress.update(
            task, completed=event.done, total=event.of, description=_task_text(f"verify {event.address}")
        )


def _one_at_a_time(show: Callable[[ApplyEvent], None]) -> Callable[[ApplyEvent], None]:
    """Keep the lines of threads apart."""
    lock = threading.Lock()

    def told(event: ApplyEvent) -> None:
        with lock:
            show(event)

    return told


def _ignore(event: ApplyEvent) -> None:
    del event


def _tell_line(session: Session, line: str) -> None:
    if line:
        session.tell(f"{line}\n")


@contextmanager
def _bar(session: Session) -> Iterator[tuple[Any, Any]]:
    # Rich costs some 70 ms to import: only here, where a person watches.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not session.paints(sys.stderr), highlight=False)
    columns = (
        BarColumn(complete_style="green"),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress, progress.add_task("", total=None)


def _show_on(bar: tuple[Any, Any], session: Session, event: ApplyEvent) -> None:
    from pkiplan.apply.results import EventKind
    from pkiplan.report.apply import event_line

    progress, task = bar
    # Keys take the time, and what is begun is not in place before all are: both halves move the bar.
    begun = progress.tasks[0].fields.get("begun", 0) + (event.kind is EventKind.STARTED)
    doing = f"{event.address} {event.detail}".strip() if event.kind is EventKind.STARTED else event.address
    progress.update(
        task, begun=begun, completed=begun + event.index, total=2 * event.total or None, description=_task_text(doing)
    )
    line = event_line(event, colour=session.paints(sys.stderr))
    if line and (event.total <= _LINES_ON_TERMINAL or event.kind is not EventKind.FINISHED):
        from rich.text import Text

        # The terminal breaks a line that is too long, so that a path in it can still be copied as one.
        progress.console.print(Text.from_ansi(line), soft_wrap=True)


def _task_text(text: str) -> str:
    return shortened(printable(text), _WIDEST_TASK)
