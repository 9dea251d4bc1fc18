"""Global options may stand after the command too: `pkiplan plan --color never`."""

from __future__ import annotations

from collections.abc import Sequence

_FLAGS = ("-q", "--quiet", "-v", "--verbose", "--debug")
_WITH_VALUE = ("-C", "--chdir", "--color")
_WITH_VALUE_JOINED = ("-C", "--chdir=", "--color=")


def first(arguments: Sequence[str]) -> list[str]:
    """Move global options in front of the command, in their order; after `--` everything stays.

    The value of another option that looks like a global one must be written `--option=value`.
    """
    moved: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in _WITH_VALUE:
            moved += [argument, *(value for value in [next(waiting, None)] if value is not None)]
        elif argument in _FLAGS or argument.startswith(_WITH_VALUE_JOINED):
            moved.append(argument)
        else:
            rest.append(argument)
    return moved + rest
