"""Ctrl-C and SIGTERM during an apply: the first asks to finish what is in flight, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pkiplan.cli.session import Session

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def stop_when_asked(session: Session) -> Iterator[threading.Event]:
    """Give an event that is set when the run is asked to stop."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        session.tell_from_handler("\nstopping: what is in flight is finished first; once more stops at once\n")

    with _handled_by(handle):
        yield stop


@contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end a run of any command as Ctrl-C does: what it started is ended, and its status is told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled_by(_interrupt, (signal.SIGTERM,)):
        yield


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Let the first wish to stop end the run: while a person or a command is asked, nothing is in flight."""
    if threading.current_thread() is not threading.main_thread():
        # Signals are handled in the main thread alone, and it is the one that waits then.
        yield
        return
    with _handled_by(_interrupt):
        yield


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
    raise KeyboardInterrupt


@contextmanager
def _handled_by(handler: _Handler, signals: tuple[signal.Signals, ...] = _SIGNALS) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
