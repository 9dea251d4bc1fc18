"""The built-in templates, filled in here: loading Jinja and having it compile them takes as long as a small plan.

They are written in Jinja's language, so that a site can put a changed copy in the place of any; but of that language
they use only the statements of `_STATEMENTS`, each on a line of its own. `tests/render/test_built_in.py` has Jinja fill
them in as well.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from pkiplan.render.quoting import CnfText, written

_DIRECTORY = os.path.join(os.path.dirname(__file__), "templates")

_Values = dict[str, Any]
# A part of a template gives, one after another, the texts and values that it consists of.
_Part = Callable[[_Values], Iterable[object]]

_STATEMENT = re.compile(r"\{% (\w+) ?(.*?) %\}\n")
_PRINTED = re.compile(r"\{\{ ([\w.]+) \}\}")
_CONDITION = re.compile(r"([\w.]+)( is not none)?")
_LOOP = re.compile(r"(\w+)(?:, (\w+))? in ([\w.]+)")


def source(name: str) -> str:
    """Return the text of a template; raise `FileNotFoundError` where there is none of that name."""
    with open(os.path.join(_DIRECTORY, name), encoding="utf-8") as file:
        return file.read()


def fill_in(name: str, values: Mapping[str, Any], problems: list[str]) -> str:
    """Fill in a template; what cannot be written is added to the problems."""
    return "".join([written(value, problems) for value in _filled(_template(name), dict(values))])


def _filled(parts: Iterable[_Part], values: _Values) -> Iterator[object]:
    for part in parts:
        yield from part(values)


@cache
def _template(name: str) -> list[_Part]:
    return _block(iter(source(name).splitlines(keepends=True)))


def _block(lines: Iterator[str]) -> list[_Part]:
    """Read lines up to the end of their block."""
    parts = []
    for line in lines:
        statement = _STATEMENT.fullmatch(line)
        if statement is None:
            parts.append(_line(line))
        elif statement[1].startswith("end"):
            break
        else:
            parts.append(_STATEMENTS[statement[1]](statement[2], lines))
    return parts


def _line(line: str) -> _Part:
    """Read a line that is written, and the values that are printed in it."""
    pieces = _PRINTED.split(line)
    if len(pieces) == 1:
        text = (CnfText(line),)
        return lambda _values: text
    # What is printed stands between the texts.
    reads = [_value(piece) if number % 2 else _constant(CnfText(piece)) for number, piece in enumerate(pieces)]
    return lambda values: [read(values) for read in reads]


def _constant(text: CnfText) -> Callable[[_Values], object]:
    return lambda _values: text


def _value(path: str) -> Callable[[_Values], Any]:
    """Read a name, or fields of one."""
    name, _, fields = path.partition(".")
    if not fields:
        return itemgetter(name)
    get = attrgetter(fields)
    return lambda values: get(values[name])


def _include(name: str, _lines: Iterator[str]) -> _Part:
    parts = _template(name.strip('"'))
    return lambda values: _filled(parts, values)


def _set(assignment: str, _lines: Iterator[str]) -> _Part:
    name, _, path = assignment.partition(" = ")
    value = _value(path)

    def part(values: _Values) -> Iterable[object]:
        values[name] = value(values)
        return ()

    return part


def _if(condition: str, lines: Iterator[str]) -> _Part:
    path, is_not_none = _matched(_CONDITION, condition)
    value, body = _value(path), _block(lines)

    def part(values: _Values) -> Iterable[object]:
        found = value(values)
        return _filled(body, values) if (found is not None if is_not_none else found) else ()

    return part


def _for(loop: str, lines: Iterator[str]) -> _Part:
    first, second, path = _matched(_LOOP, loop)
    value, body = _value(path), _block(lines)

    def part(values: _Values) -> Iterable[object]:
        for found in value(values):
            if second is None:
                values[first] = found
            else:
                values[first], values[second] = found
            yield from _filled(body, values)

    return part


def _matched(form: re.Pattern[str], text: str) -> tuple[Any, ...]:
    found = form.fullmatch(text)
    assert found is not None, text
    return found.groups()


_STATEMENTS = {"include": _include, "set": _set, "if": _if, "for": _for}
