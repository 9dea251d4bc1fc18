"""The kinds of values a manifest can hold: each reads a node, says what it wants, and gives its JSON Schema.

Reading never raises: what is wrong goes to `Problems` and the result is `INVALID`, so that one run finds everything.
A node that still is a template is `INVALID` without a word; it is read again once it has been rendered.
The kinds are no frozen values, because each of those costs a millisecond at every start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.hints import did_you_mean, listed
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null
from pkiplan.manifest.problems import Problems, shown

LONGEST_TEXT = 200_000

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Schema = dict[str, Any]


class Invalid(Enum):
    """The one value that stands for what could not be read."""

    INVALID = "invalid"


INVALID = Invalid.INVALID


# X.660, 7.6: what the first two numbers can be.
OID_HINT = (
    "an OID is numbers joined by dots, without leading zeros; the first is 0, 1 or 2, and after 0 and 1 the second is "
    "at most 39: `1.3.6.1.4.1.99999.1`"
)


class BadValueError(Exception):
    """What is wrong with one value, told by who parses it; it becomes a diagnostic with a place.

    `key` names the entry of a map that is at fault, `place` where in a file that is no manifest, and `source_line`
    what stands there.
    """

    def __init__(
        self,
        summary: str,
        *,
        hint: str = "",
        code: str = "bad-value",
        key: str = "",
        place: Place | None = None,
        source_line: str | None = None,
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.hint = hint
        self.code = code
        self.key = key
        self.place = place
        self.source_line = source_line

    def in_line(self, file: str, number: int, line: str, code: str) -> BadValueError:
        """Say the same of a line of a file."""
        text = line.strip()
        place = Place(file, number, line.index(text) + 1 if text else 1, max(1, len(text)))
        return BadValueError(self.summary, hint=self.hint, code=code, place=place, source_line=line.rstrip("\r\n"))


def report(bad: BadValueError, mark: int, problems: Problems) -> None:
    """Report what is wrong with what a mark names: there, or where in another file it went wrong."""
    if bad.place is None or bad.source_line is None:
        problems.error(mark, bad.summary, code=bad.code, hint=bad.hint)
        return
    problems.add(
        Diagnostic(
            summary=bad.summary,
            code=bad.code,
            hint=bad.hint,
            place=bad.place,
            path=problems.sources.path(mark, at_key=False),
            source_line=bad.source_line,
            notes=(problems.note(mark, "the file is named here"),),
        )
    )


class ValueType(Protocol[T_co]):
    """A kind of value; `wanted` completes the sentence *expected …*."""

    @property
    def wanted(self) -> str:
        """Say what is expected."""
        ...

    def read(self, node: Node, mark: int, problems: Problems) -> T_co | Invalid:
        """Read a node."""
        ...

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        ...


def kind_of(node: Node) -> str:
    """Say in words what a node is."""
    if isinstance(node, Mapping):
        return "a map"
    if isinstance(node, Sequence):
        return "a list"
    if is_null(node):
        return "nothing (null)"
    if isinstance(node, Plain):
        return f"the boolean {shown(node)}" if node.lower() in ("true", "false") else f"the number {shown(node)}"
    return f"the text {shown(node)}"


def wrong_type(
    wanted: str, node: Node, mark: int, problems: Problems, *, hint: str = "", template: str = ""
) -> Invalid:
    """Report a value of another kind than wanted; `template` would give the wanted kind, where one gave this value."""
    if hint and problems.sources.is_template(mark):
        hint = f"a template keeps the type of its value: write `{{{{ {template} }}}}`" if template else ""
    problems.error(mark, f"expected {wanted}, not {kind_of(node)}", code="wrong-type", hint=hint)
    return INVALID


@dataclass(eq=False, repr=False)
class Text:
    """Text, kept as it is, or parsed by `parse`, which may raise BadValueError or ValueError.

    `raw` also takes what YAML reads as a number, by its raw text (ids, versions, file modes).
    """

    wanted: str = "text"
    parse: Callable[[str], Any] | None = None
    raw: bool = False
    pattern: str | None = None
    examples: tuple[Any, ...] = ()
    number_hint: str = 'write it in quotes: `"{}"`'

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read text."""
        kind = node.__class__
        if kind is not str:
            if kind is Templated:
                return INVALID
            if not (self.raw and kind is Plain and not is_null(node)):
                hint = self.number_hint.format(node) if kind is Plain and not is_null(node) else ""
                return wrong_type(self.wanted, node, mark, problems, hint=hint, template="… | string")
            node = str(node)
        if len(node) > LONGEST_TEXT:
            problems.error(
                mark, f"{len(node):,} characters of text, at most {LONGEST_TEXT:,} are read", code="too-long"
            )
            return INVALID
        if self.parse is None:
            return node
        try:
            return self.parse(node)  # type: ignore[arg-type]  # text by now
        except BadValueError as bad:
            problems.error(mark, bad.summary, code=bad.code, hint=bad.hint)
        return INVALID

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        schema: Schema = {"type": ["string", "number", "boolean"] if self.raw else "string"}
        if self.pattern is not None:
            schema["pattern"] = f"{self.pattern}|\\{{\\{{"
        if self.examples:
            schema["examples"] = list(self.examples)
        return schema


@dataclass(eq=False, repr=False)
class Choice:
    """One of a few words; `values` maps each to what it means."""

    values: MappingABC[str, Any]
    raw: bool = False
    forbidden: MappingABC[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> str:
        """Name the words."""
        return (
            " or ".join(f"`{word}`" for word in self.values)
            if len(self.values) < 4
            else f"one of {listed(self.values)}"
        )

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read one of the words."""
        kind = node.__class__
        if kind is Templated:
            return INVALID
        if kind is not str and not (self.raw and kind is Plain):
            return wrong_type(self.wanted, node, mark, problems)
        value = self.values.get(node, INVALID)  # type: ignore[arg-type]
        if value is INVALID:
            word = str(node)
            hint = self.forbidden.get(word) or did_you_mean(word, self.values)
            hint = hint if "did you" in hint or word in self.forbidden else ""  # the words are in the message
            problems.error(mark, f"expected {self.wanted}, not {shown(word)}", code="unknown-value", hint=hint)
        return value

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        if self.raw:
            return {"enum": [number for word in self.values for number in (word, _number(word)) if number is not None]}
        return {"anyOf": [{"enum": list(self.values)}, TEMPLATE]}


def _number(word: str) -> float | int | None:
    try:
        return float(word) if "." in word else int(word)
    except ValueError:
        return None


# A value whose type only a template decides.
TEMPLATE: Schema = {"type": "string", "pattern": "\\{\\{"}

_YAML_11_TRUE = frozenset({"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})
_YAML_11_FALSE = frozenset({"no", "No", "NO", "off", "Off", "OFF", "n", "N"})


@dataclass(eq=False, repr=False)
class Boolean:
    """`true` or `false`."""

    wanted: str = "`true` or `false`"

    def read(self, node: Node, mark: int, problems: Problems) -> bool | Invalid:
        """Read a boolean; the words of YAML 1.1 are errors that say what to write."""
        if node.__class__ is Templated:
            return INVALID
        if isinstance(node, Plain) and node.lower() in ("true", "false"):
            return node.lower() == "true"
        hint = template = ""
        if isinstance(node, str):
            if node in _YAML_11_TRUE or node.lower() in ("true", "1"):
                hint = "write `true`"
                template = f"… == {node}" if isinstance(node, Plain) else f"… == '{node}'"
            elif node in _YAML_11_FALSE or node.lower() in ("false", "0"):
                hint = "write `false`"
        return wrong_type(self.wanted, node, mark, problems, hint=hint, template=template)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return {"type": ["boolean", "string"], "pattern": TEMPLATE["pattern"]}


# A whole number as a manifest writes it.
DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(eq=False, repr=False)
class Integer:
    """A whole number within bounds, written in decimal digits without a leading zero."""

    least: int
    most: int
    unit: str = ""

    @property
    def wanted(self) -> str:
        """Name the bounds."""
        return f"a whole number from {self.least} to {self.most}" + (f" ({self.unit})" if self.unit else "")

    def read(self, node: Node, mark: int, problems: Problems) -> int | Invalid:
        """Read a number."""
        if node.__class__ is Templated:
            return INVALID
        if node.__class__ is Plain and DECIMAL.fullmatch(node):
            value = int(node)
            if self.least <= value <= self.most:
                return value
            problems.error(mark, f"expected {self.wanted}, not {shown(str(node))}", code="out-of-range")
            return INVALID
        hint = "write the number alone, not in a list" if isinstance(node, Sequence) else _number_hint(node)
        template = "… | int" if isinstance(node, str) and _is_read_by_int(node) else ""
        return wrong_type(self.wanted, node, mark, problems, hint=hint, template=template)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        bounds = {"minimum": self.least, "maximum": self.most}
        return {"type": ["integer", "string"], **bounds, "pattern": TEMPLATE["pattern"]}


def _is_read_by_int(text: str) -> bool:
    """Tell whether the filter `int` makes a whole number of what a template gave: of digits, or of a fraction."""
    return re.fullmatch(r"[0-9]{1,15}\.[0-9]*" if isinstance(text, Plain) else DECIMAL, text) is not None


def _number_hint(node: Node) -> str:
    if not isinstance(node, str) or is_null(node):
        return ""
    text = str(node)
    if re.fullmatch(r"[0-9][0-9_]*", text) and "_" in text:
        return f"write `{int(text.replace('_', ''))}`" if len(text) < 18 else ""
    if re.fullmatch(r"0o?[0-7]{1,17}|0[0-9]{1,17}", text):
        number = int(text, 0) if "o" in text else int(text)
        return f"write it in decimal, without a leading zero: `{number}`"
    if re.fullmatch(r"0x[0-9a-fA-F]{1,14}", text):
        return f"write it in decimal: `{int(text, 16)}`"
    if isinstance(node, Plain):
        return "write it without a fraction" if re.fullmatch(r"[0-9]+\.[0-9]*", text) else ""
    if DECIMAL.fullmatch(text):
        return f"write it without quotes: `{text}`"
    match = re.fullmatch(r"([0-9]{1,6}) ?(?:d|days?)", text)
    return f"write `{match[1]}`" if match else ""


@dataclass(eq=False, repr=False)
class Listed(Generic[T]):
    """A list; with `single`, one value alone stands for a list of one. `build` makes the result of the elements."""

    element: ValueType[T]
    build: Callable[[list[T]], Any] = tuple
    single: bool = True
    least: int = 0
    of: str = ""

    @property
    def wanted(self) -> str:
        """Name the elements."""
        return f"a list of {self.of}" if self.of else f"a list, each {self.element.wanted}"

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read every element, and report each that is wrong."""
        kind = node.__class__
        if kind is Templated:
            return INVALID
        if kind is not Sequence:
            if self.single and (kind is str or kind is Mapping or not is_null(node)):
                one = self.element.read(node, mark, problems)
                return INVALID if one is INVALID else self._built([one], mark, problems)
            hint = "put them in a list: `[…, …]`" if kind is str else ""
            return wrong_type(self.wanted, node, mark, problems, hint=hint)
        read = self.element.read
        values = [read(item, item_mark, problems) for item, item_mark in zip(node, node.marks, strict=True)]  # type: ignore[union-attr]
        if len(values) < self.least:
            problems.error(mark, f"expected {self.wanted}, not an empty one", code="empty")
            return INVALID
        return INVALID if INVALID in values else self._built(values, mark, problems)

    def _built(self, values: list[Any], mark: int, problems: Problems) -> Any:
        try:
            return self.build(values)
        except BadValueError as bad:
            problems.error(mark, bad.summary, code=bad.code, hint=bad.hint)
        return INVALID

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        several: Schema = {"type": "array", "items": self.element.schema()}
        if self.least:
            several["minItems"] = self.least
        return {"anyOf": [several, self.element.schema()]} if self.single else {"anyOf": [several, TEMPLATE]}


@dataclass(eq=False, repr=False)
class OneOf:
    """Text or a map (or a list): each kind of node has its own reader."""

    wanted: str
    text: ValueType[Any] | None = None
    mapping: ValueType[Any] | None = None
    sequence: ValueType[Any] | None = None

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read by the kind of the node."""
        kind = node.__class__
        if kind is Templated:
            return INVALID
        reader = self.mapping if kind is Mapping else self.sequence if kind is Sequence else self.text
        if reader is None or is_null(node):
            return wrong_type(self.wanted, node, mark, problems)
        return reader.read(node, mark, problems)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return {"anyOf": [reader.schema() for reader in (self.text, self.sequence, self.mapping) if reader is not None]}
