"""Errors of calls by open directory and name, told with the whole path: such a call knows only the name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def naming_paths(call: Callable[P, T]) -> Callable[P, T]:
    """Name the whole path in what a call raises, which knows an open directory and at most a name in it."""

    @functools.wraps(call)
    def named(*arguments: P.args, **named_arguments: P.kwargs) -> T:
        try:
            return call(*arguments, **named_arguments)
        except OSError as error:
            raise with_path(error, *arguments[:2]) from None

    return named


def with_path(error: OSError, directory: object, name: object = None) -> OSError:
    """Give an error the whole path of a name in an open directory, or of the directory, unless it has one."""
    if not os.path.isabs(str(error.filename)):
        error.filename = path_of(directory, name if isinstance(name, str) else ".")
    return error


def path_of(directory: object, name: str) -> str:
    """Return the whole path of a name in an open directory, for people; the name alone where that is not known."""
    try:
        path = os.readlink(f"/proc/self/fd/{directory}")
    except OSError:
        return name
    return path if name == "." else f"{path}/{name}"
