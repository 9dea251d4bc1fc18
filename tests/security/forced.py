"""Force an exception in one place of a run, as bad as can be: its own text holds every secret there is.

Which places there are is not listed by anybody: a run is watched from the moment that it knows a secret, and takes note
of each function of pkiplan's that returns, and of each line inside of a `try` from which something is called. A second
run fails in one of them, the first time that it comes there, in whichever thread.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import CodeType, FrameType
from typing import Any

from tests.security.site import ROOT

PACKAGE = f"{ROOT}/pkiplan/"
# Whoever comes by here has a passphrase or the bytes of a private key in hand.
_KNOWING = {("secrets.py", "resolve"), ("x509/keys.py", "generate_key"), ("x509/private_keys.py", "_find_key")}
# Frames that are no functions; what fails in them fails in the function around them.
_NO_FUNCTIONS = frozenset({"<module>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """Where an exception can be forced: the end of a function, or a call inside of a `try`."""

    file: str
    line: int
    name: str
    is_call: bool

    def __str__(self) -> str:
        return f"{'a call in' if self.is_call else 'the end of'} {self.name} ({self.file}:{self.line})"


def spots_of(run: Callable[[], object]) -> list[Spot]:
    """Watch a run, and list every spot that it comes by."""
    found: dict[Spot, None] = {}

    def note(spot: Spot) -> None:
        found[spot] = None

    with _profiled(_Watch(note)):
        run()
    return sorted(found)


@contextmanager
def failing_at(spot: Spot, make: Callable[[], Exception]) -> Iterator[list[Exception]]:
    """Raise what `make` makes at a spot, once; gives what was raised."""
    raised: list[Exception] = []
    lock = threading.Lock()

    def fail(reached: Spot) -> None:
        if reached != spot:
            return
        with lock:
            if raised:
                return
            raised.append(make())
        raise raised[0]

    with _profiled(_Watch(fail)):
        yield raised


class _Watch:
    """A profile function that says which spots are reached once a secret is known."""

    def __init__(self, reached: Callable[[Spot], None]) -> None:
        self._reached = reached
        self._knows = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "return":
            spot = _end_of(frame.f_code)
        elif event == "c_call":
            spot = _call_in(frame)
        elif event == "call" and frame.f_back is not None:
            spot = _call_in(frame.f_back)
        else:
            return
        if spot is None:
            return
        self._knows = self._knows or (spot.file, spot.name) in _KNOWING
        if self._knows:
            self._reached(spot)


@contextmanager
def _profiled(watch: _Watch) -> Iterator[None]:
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@cache
def _end_of(code: CodeType) -> Spot | None:
    if not code.co_filename.startswith(PACKAGE) or code.co_name in _NO_FUNCTIONS:
        return None
    return Spot(code.co_filename.removeprefix(PACKAGE), code.co_firstlineno, code.co_name, is_call=False)


def _call_in(frame: FrameType) -> Spot | None:
    return _call_at(frame.f_code, frame.f_lineno)


@cache
def _call_at(code: CodeType, line: int) -> Spot | None:
    file = code.co_filename
    if not file.startswith(PACKAGE) or line not in _tried_lines(file):
        return None
    return Spot(file.removeprefix(PACKAGE), line, code.co_name, is_call=True)


@cache
def _tried_lines(file: str) -> frozenset[int]:
    """List the lines inside of a `try` that has a handler."""
    with open(file, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    return frozenset(
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and node.handlers
        for statement in node.body
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    )
