"""A long list worked through by several processes of this one's kind, where one processor would be waited for.

Only for work that changes nothing: what a process does not deliver, whatever the reason, is done again here.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# A process costs some milliseconds, and so do its answers on their way here.
LEAST_EACH = 400

_STOPPING = (signal.SIGINT, signal.SIGTERM)

# True in a process that does a part: it is one of as many as there are processors.
_does_a_part = False


def parts_of(items: Sequence[T]) -> list[Sequence[T]]:
    """Cut a list into as many parts as processors may work at it; one where that does not pay, or is not safe."""
    # A process is a copy of this thread alone; whatever another one holds locked would stay so in it for ever.
    is_alone = hasattr(os, "sched_getaffinity") and threading.active_count() == 1 and not _does_a_part
    # Whoever started this one may have left it so: then nobody learns how a process ended (wait(2), ECHILD).
    is_alone = is_alone and signal.getsignal(signal.SIGCHLD) != signal.SIG_IGN
    workers = len(os.sched_getaffinity(0)) if is_alone else 1
    count = max(1, min(workers, len(items) // LEAST_EACH))
    bounds = [len(items) * number // count for number in range(count + 1)]
    return [items[begin:end] for begin, end in itertools.pairwise(bounds)]


def spread(work: Callable[[Sequence[T]], R], items: Sequence[T], kept_open: int) -> Iterator[R]:
    """Give what `work` makes of the parts of a list, in order; an open file is there for all of them."""
    return side_by_side(work, parts_of(items), kept_open=kept_open)


def side_by_side(work: Callable[[T], R], parts: Sequence[T], *, kept_open: int | None = None) -> Iterator[R]:
    """Give what `work` makes of each part, in order: of the first in this process, of each other in one of its own.

    What it makes must be of a kind that can be pickled. Other processes have no file of this one's but what is
    `kept_open`.
    """
    first, *others = parts
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(_Process(work, part, kept_open)) for part in others]
        yield work(first)
        for process, part in zip(started, others, strict=True):
            answer = process.answer()
            yield work(part) if answer is None else answer[0]


class _Process:
    """A process that does one part of the work and ends."""

    def __init__(self, work: Callable[[T], R], part: T, kept_open: int | None) -> None:
        self._number = -1
        try:
            reading, writing = os.pipe()
        except OSError:
            # This process has as many files open as it may.
            self._reading: BinaryIO = io.BytesIO()
            return
        # What is handled in the copy before it is one of its own would release and tidy up what this one has in hand.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            self._number = _forked()
            if self._number == 0:
                _work_and_end(work, part, writing, kept_open, unblocked)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        os.close(writing)
        self._reading = open(reading, "rb")  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.close()
        if self._number > 0:
            os.kill(self._number, signal.SIGKILL)
            os.waitpid(self._number, 0)

    def answer(self) -> tuple[Any] | None:
        """Wait for what the process made; None where it failed."""
        content = self._reading.read()
        if not content:
            return None
        _, status = os.waitpid(self._number, 0)
        self._number = -1
        import pickle

        return (pickle.loads(content),) if status == 0 else None  # noqa: S301 - from this very program


def _forked() -> int:
    """Start a copy of this process; return 0 in it, here its number, and -1 where there can be none."""
    try:
        return os.fork()
    except OSError:
        # No more processes for this user, or no memory for one.
        return -1


def _close_all_but(kept: Collection[int | None]) -> None:
    """Close every file but these; where the system lists none, there are at most as many as it allows."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(os.sysconf("SC_OPEN_MAX")))
    for number in numbers:
        if number not in kept:
            # That by which they were listed is closed already.
            with contextlib.suppress(OSError):
                os.close(number)


def _work_and_end(work: Callable[[T], R], part: T, writing: int, kept_open: int | None, signals: Iterable[int]) -> None:
    """Work in a process of its own, which leaves everything of the process it is a copy of as it is.

    `signals` are those to be blocked from now on: all that were before the copy was made.
    """
    global _does_a_part  # noqa: PLW0603 - of this process
    _does_a_part = True
    status = 1
    try:
        import pickle

        for number in _STOPPING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        # A lock is held as long as anybody has its file open.
        _close_all_but({0, 1, 2, writing, kept_open})
        with open(writing, "wb") as answer:
            answer.write(pickle.dumps(work(part), pickle.HIGHEST_PROTOCOL))
        status = 0
    finally:
        # Nothing that the other process has in hand is ended, written or tidied up twice.
        os._exit(status)
