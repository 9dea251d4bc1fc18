"""Ctrl-C and SIGTERM during an apply: the first asks to finish what is in flight, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pkiplan.cli.session import Session

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_when_asked(session: Session) -> Iterator[threading.Event]:
    """Give an event that is set when the run is asked to stop."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        session.tell_from_handler("\nstopping: what is in flight is finished first; once more stops at once\n")

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
