"""What YAML text becomes: maps, lists and scalars that remember where they were written.

A position is one integer, a *mark*: file, line and column packed, because 10,000 certificates make some
200,000 of them. `sources.Sources` turns a mark into a `Place` when somebody must be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

_COLUMN_BITS = 20
_LINE_BITS = 28
_LAST_COLUMN = (1 << _COLUMN_BITS) - 1
DEEPEST = 50  # how deep maps and lists may be nested


class Plain(str):
    """A plain scalar that YAML 1.2 reads as null, boolean or number; the text is as written."""

    __slots__ = ()


class Templated(str):
    """Text that holds a template and was not rendered yet."""

    __slots__ = ()


class Mapping(dict[str, "Node"]):
    """A map; `marks` holds the marks of key and value in turn, in the order of the keys.

    `mark` is where the map itself begins. `templated` tells that a template is somewhere within.
    """

    __slots__ = ("mark", "marks", "templated")

    def __init__(self, mark: int) -> None:
        self.mark = mark
        self.marks: list[int] = []
        self.templated = False

    def put(self, key: str, value: Node, key_mark: int, value_mark: int) -> None:
        """Add or replace an entry together with its marks."""
        if key in self:
            index = self._index(key)
            self.marks[index : index + 2] = [key_mark, value_mark]
        else:
            self.marks += (key_mark, value_mark)
        self[key] = value
        if is_templated(value) or type(key) is Templated:
            self.templated = True

    def entries(self) -> Iterator[tuple[str, Node, int, int]]:
        """Walk over key, value, mark of the key and mark of the value."""
        return zip(self, self.values(), self.marks[::2], self.marks[1::2], strict=True)

    def key_mark(self, key: str) -> int:
        """Return where a key was written."""
        return self.marks[self._index(key)]

    def value_mark(self, key: str) -> int:
        """Return where the value of a key was written."""
        return self.marks[self._index(key) + 1]

    def _index(self, key: str) -> int:
        return 2 * list(self).index(key)


class Sequence(list["Node"]):
    """A list; `marks` holds the mark of each element."""

    __slots__ = ("mark", "marks", "templated")

    def __init__(self, mark: int) -> None:
        self.mark = mark
        self.marks: list[int] = []
        self.templated = False

    def put(self, value: Node, mark: int) -> None:
        """Append an element together with its mark."""
        self.append(value)
        self.marks.append(mark)
        if is_templated(value):
            self.templated = True


# Text that is quoted, or that YAML 1.2 reads as text, is a `str` and nothing but a `str`.
Node: TypeAlias = "Mapping | Sequence | Plain | Templated | str"
Native: TypeAlias = "bool | int | float | str | list[Native] | dict[str, Native] | None"


def pack(file: int, line: int, column: int) -> int:
    """Make the mark of a position; line and column count from 0."""
    return (file << (_LINE_BITS + _COLUMN_BITS)) | (line << _COLUMN_BITS) | min(column, _LAST_COLUMN)


def unpack(mark: int) -> tuple[int, int, int]:
    """Return file, line and column of a mark; line and column count from 0."""
    return (
        mark >> (_LINE_BITS + _COLUMN_BITS),
        (mark >> _COLUMN_BITS) & ((1 << _LINE_BITS) - 1),
        mark & _LAST_COLUMN,
    )


def is_templated(node: Node) -> bool:
    """Tell whether a node is, or holds, a template."""
    kind = type(node)
    if kind is Mapping or kind is Sequence:
        return node.templated  # type: ignore[union-attr]  # narrowed by `kind`, which is quicker than isinstance
    return kind is Templated


# YAML 1.2.2, 10.3.2 (core schema).
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER = re.compile(
    r"(?P<int>[-+]?[0-9]+)|(?P<oct>0o[0-7]+)|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
# What a plain scalar that is not text can begin with.
NOT_TEXT_STARTS = frozenset("0123456789+-.~ntfNTF")


def is_not_text(text: str) -> bool:
    """Tell whether YAML 1.2's core schema reads a plain scalar as something else than text."""
    return text in _NULLS or text in _BOOLEANS or _NUMBER.fullmatch(text) is not None


def is_null(node: Node | None) -> bool:
    """Tell whether a node is YAML's null."""
    return type(node) is Plain and node in _NULLS


def native(node: Node) -> Native:
    """Return the value that templates see: null, boolean, number, text, list or dictionary."""
    if isinstance(node, Mapping):
        return {key: native(value) for key, value in node.items()}
    if isinstance(node, Sequence):
        return [native(value) for value in node]
    if isinstance(node, Plain):
        return _plain_value(node)
    return str(node)


def node_count(node: Node) -> int:
    """Count the values that a node holds, itself included."""
    if isinstance(node, Mapping):
        return 1 + sum(map(node_count, node.values()))
    return 1 + sum(map(node_count, node)) if isinstance(node, Sequence) else 1


def native_size(value: object, most: int = 1_000_000) -> tuple[int, int]:
    """Count the values that a list or map holds, itself included, and how deep they are nested.

    One that is held twice counts twice. Counting stops beyond `most`.
    """
    count, deepest = 1, 0
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting and count <= most:
        holder, depth = waiting.pop()
        deepest = max(deepest, depth)
        held = holder.values() if isinstance(holder, dict) else holder
        if isinstance(held, str) or not isinstance(held, Iterable):
            continue
        for element in held:
            count += 1
            if isinstance(element, list | tuple | dict):
                waiting.append((element, depth + 1))
        if depth > DEEPEST:
            break
    return count, deepest


def _plain_value(text: str) -> Native:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    match = _NUMBER.fullmatch(text)
    assert match is not None
    if match["float"] is not None:
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".nan", "nan"))
    try:
        return int(text, 0 if text.startswith(("0o", "0x")) else 10)
    except ValueError:  # more digits than Python converts in bounded time
        return str(text)


def from_native(value: object, mark: int) -> Node:
    """Make a node of a value that came out of a template; its text is never a template again.

    Raises TypeError for what is no value of a manifest.
    """
    match value:
        case None:
            return Plain("null")
        case bool():
            return Plain("true" if value else "false")
        case int() | float():
            return Plain(value)
        case str():
            return str(value)
        case list() | tuple():
            sequence = Sequence(mark)
            for element in value:
                sequence.put(from_native(element, mark), mark)
            return sequence
        case dict():
            mapping = Mapping(mark)
            for key, element in value.items():
                mapping.put(_key_text(key), from_native(element, mark), mark, mark)
            return mapping
    message = "the template gives a list or map that holds something undefined, or a method"
    raise TypeError(message)


def _key_text(key: object) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    message = "the key of a map must be text"
    raise TypeError(message)


def drop(mapping: Mapping, key: str) -> None:
    """Remove an entry together with its marks."""
    index = 2 * list(mapping).index(key)
    del mapping.marks[index : index + 2]
    del mapping[key]


def copied(mapping: Mapping) -> Mapping:
    """Copy a map, not what it holds."""
    copy = Mapping(mapping.mark)
    copy.update(mapping)
    copy.marks = mapping.marks.copy()
    copy.templated = mapping.templated
    return copy
