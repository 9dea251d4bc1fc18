"""YAML text → nodes, straight from libyaml's events.

A third of the time of composing with PyYAML, with a position for every key and value, YAML 1.2's idea of
scalars, and nothing that a hostile text could use: no tags, no complex keys, bounded depth, bounded aliases.
`loading` pauses the garbage collector meanwhile, which would double the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from pkiplan.hints import did_you_mean
from pkiplan.manifest.nodes import (
    DEEPEST,
    NOT_TEXT_STARTS,
    Mapping,
    Node,
    Plain,
    Sequence,
    Templated,
    is_not_text,
    is_templated,
    pack,
    unpack,
)
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.yaml_hints import syntax_hint

# How many nodes aliases may stand for in one text, beyond those that are written.
LARGEST_EXPANSION = 100_000

_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset({"!", *(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))})
_MERGE_KEY = "<<"


def _parser(text: str) -> Any:
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs leave it out
    except ImportError:  # PyYAML built without libyaml: slower by some twenty times, otherwise the same
        return yaml.SafeLoader(text)
    return CParser(text)


class _UnusableError(Exception):
    """The text cannot be read any further; the problem is among the others already."""


def read_documents(text: str, file: int, problems: Problems) -> list[Node]:
    """Read all documents of a text; what cannot be read is a problem, and the documents before it are kept."""
    if "\x00" in text:
        line, column = _position(text, text.index("\x00"))
        problems.error(pack(file, line, column), "a NUL byte in the text", code="not-yaml")
        return []
    return _Reader(text, file, problems).documents()


class _Reader:
    def __init__(self, text: str, file: int, problems: Problems) -> None:
        self._problems = problems
        self._file = file
        self._base = pack(file, 0, 0)
        self._text = text
        self._anchors: dict[str, tuple[Node | None, int]] = {}
        self._nodes = 0  # so far, aliases expanded
        self._expanded = 0
        self._next: Callable[[], Any]

    def documents(self) -> list[Node]:
        found: list[Node] = []
        try:
            self._next = _parser(self._text).get_event
            while True:
                event = self._next()
                if event.__class__ is StreamEndEvent:
                    break
                if event.__class__ is DocumentStartEvent:
                    self._anchors.clear()
                    found.append(self._node(self._next(), 0))
        except yaml.YAMLError as error:
            self._syntax_error(error)
        except _UnusableError:
            pass
        return found

    def _mark(self, event: Any) -> int:
        start = event.start_mark
        return pack(self._file, start.line, start.column)

    def _fail(self, mark: int, summary: str, *, code: str, hint: str = "", **more: Any) -> _UnusableError:
        self._problems.error(mark, summary, code=code, hint=hint, **more)
        return _UnusableError()

    def _node(self, event: Any, depth: int) -> Node:
        kind = event.__class__
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is AliasEvent:
            return self._alias(event)
        if depth >= DEEPEST:
            raise self._fail(
                self._mark(event),
                f"nested more than {DEEPEST} levels deep",
                code="too-deep",
                hint="no manifest needs so many",
            )
        if event.tag is not None:
            self._check_tag(event, ("map",) if kind is MappingStartEvent else ("seq",))
        anchor, before = event.anchor, self._nodes
        if anchor is not None:
            self._anchors[anchor] = (None, 0)
        node = self._mapping(event, depth + 1) if kind is MappingStartEvent else self._sequence(event, depth + 1)
        if anchor is not None:
            self._anchors[anchor] = (node, self._nodes - before + 1)
        return node

    def _mapping(self, start: Any, depth: int) -> Mapping:
        position: Any = start.start_mark
        mapping = Mapping(pack(self._file, position.line, position.column))
        marks, following, base = mapping.marks, self._next, self._base
        merges: list[tuple[Node, int]] = []
        while True:
            event: Any = following()
            if event.__class__ is not ScalarEvent:
                if event.__class__ is MappingEndEvent:
                    break
                raise self._complex_key(event, mapping)
            key = event.value
            position = event.start_mark
            key_mark = base + (position.line << 20) + position.column
            if event.anchor is not None or event.tag is not None:
                self._scalar(event)
            if "{{" in key:
                key, mapping.templated = Templated(key), True
            is_merge = key == _MERGE_KEY and event.implicit[0]
            event = following()
            position = event.start_mark
            value_mark = base + (position.line << 20) + position.column
            if event.__class__ is ScalarEvent:
                value: Any = event.value
                if event.anchor is not None or event.tag is not None:
                    value = self._scalar(event)
                elif (not value or value[0] in NOT_TEXT_STARTS) and event.implicit[0] and is_not_text(value):
                    value = Plain(value)
                if "{" in value and ("{{" in value or "{%" in value):
                    value, mapping.templated = Templated(value), True
            else:
                value = self._node(event, depth)
                if is_templated(value):
                    mapping.templated = True
            self._nodes += 2
            if is_merge:
                merges.append((value, key_mark))
            elif key in mapping:
                first = self._problems.note(mapping.key_mark(key), "first defined here")
                self._problems.error(
                    key_mark, f"duplicate key {shown(key)}", code="duplicate-key", at_key=True, notes=[first]
                )
                self._problems.path_as_at(mapping.key_mark(key))
            else:
                mapping[key] = value
                marks.append(key_mark)
                marks.append(value_mark)
        if merges:
            self._merge(mapping, merges)
        return mapping

    def _sequence(self, start: Any, depth: int) -> Sequence:
        sequence = Sequence(self._mark(start))
        marks, following, base = sequence.marks, self._next, self._base
        while True:
            event = following()
            if event.__class__ is SequenceEndEvent:
                return sequence
            position = event.start_mark
            self._nodes += 1
            marks.append(base + (position.line << 20) + position.column)
            if event.__class__ is ScalarEvent and event.anchor is None and event.tag is None:
                value: Any = event.value
                if (not value or value[0] in NOT_TEXT_STARTS) and event.implicit[0] and is_not_text(value):
                    value = Plain(value)
                if "{" in value and ("{{" in value or "{%" in value):
                    value, sequence.templated = Templated(value), True
            else:
                value = self._node(event, depth)
                if is_templated(value):
                    sequence.templated = True
            sequence.append(value)

    def _scalar(self, event: Any) -> Node:
        value: Node = event.value
        if event.tag is not None:
            value = self._tagged(event)
        elif event.implicit[0] and is_not_text(event.value):
            value = Plain(event.value)
        if "{{" in value or "{%" in value:
            value = Templated(value)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        return value

    def _tagged(self, event: Any) -> Node:
        self._check_tag(event, ("str", "int", "float", "bool", "null"))
        if event.tag in ("!", _STANDARD + "str"):
            return str(event.value)
        if not is_not_text(event.value):
            name = event.tag.removeprefix(_STANDARD)
            raise self._fail(self._mark(event), f"{shown(event.value)} is no !!{name}", code="tag")
        return Plain(event.value)

    def _check_tag(self, event: Any, allowed: tuple[str, ...]) -> None:
        tag: str = event.tag
        if tag in _TAGS and tag.removeprefix(_STANDARD) in (*allowed, "!"):
            return
        hint = "a manifest holds plain values; remove the tag"
        if tag == "!vault":
            hint = "vaulted values are not read; refer to the secret: `{env: NAME}` or `{command: [ansible-vault, …]}`"
        written = f"!!{tag.removeprefix(_STANDARD)}" if tag.startswith(_STANDARD) else tag
        raise self._fail(self._mark(event), f"tag {shown(written)} is refused", code="tag", hint=hint)

    def _alias(self, event: Any) -> Node:
        node, weight = self._anchors.get(event.anchor, (None, 0))
        mark = self._mark(event)
        if node is None:
            why = "refers to itself" if event.anchor in self._anchors else "has no anchor before it"
            hint = did_you_mean(event.anchor, self._anchors, otherwise="write the value itself")
            if event.anchor in self._anchors:
                hint = "write the value itself"
            raise self._fail(mark, f"alias `*{event.anchor}` {why}", code="alias", hint=hint)
        self._nodes += weight
        self._expanded += weight
        if self._expanded > LARGEST_EXPANSION:
            raise self._fail(
                mark,
                f"aliases stand for more than {LARGEST_EXPANSION:,} values",
                code="alias",
                hint="write less with `*`",
            )
        return node

    def _merge(self, mapping: Mapping, merges: list[tuple[Node, int]]) -> None:
        """Work in `<<` (YAML 1.1, merge key): what the map has itself stays; earlier maps come before later ones."""
        for number, (value, key_mark) in enumerate(merges):
            if number:
                self._problems.error(
                    key_mark,
                    "duplicate key `<<`",
                    code="duplicate-key",
                    hint="one `<<` takes a list: `<<: [*a, *b]`",
                    notes=[self._problems.note(merges[0][1], "first defined here")],
                )
            for merged in value if isinstance(value, Sequence) else [value]:
                if not isinstance(merged, Mapping):
                    self._problems.error(
                        key_mark,
                        "`<<` takes a map, or a list of maps",
                        code="merge-key",
                        at_key=True,
                        hint="write for instance `<<: *name`",
                    )
                    continue
                for key, element, *marks in merged.entries():
                    if key not in mapping:
                        mapping.put(key, element, *marks)

    def _complex_key(self, event: Any, mapping: Mapping) -> _UnusableError:
        mark = self._mark(event)
        if event.__class__ is AliasEvent:
            return self._fail(mark, "an alias cannot be a key", code="complex-key")
        if self._text_at(mapping.mark).startswith("{{"):
            return self._fail(
                mapping.mark,
                "YAML reads `{{` as a map",
                code="unquoted-template",
                hint='put the template in quotes: `"{{ … }}"`',
            )
        return self._fail(
            mark,
            "a key must be text, not a map or a list",
            code="complex-key",
            hint="text that begins with `[` or `{` needs quotes",
        )

    def _text_at(self, mark: int) -> str:
        _, line, column = unpack(mark)
        return (self._problems.sources.all[self._file].line(line) or "")[column:]

    def _missing_colon(self, line: int) -> str:
        """Guess whether the line before lacks its colon, which is what is most often wrong with a map."""
        for before in range(line - 1, -1, -1):
            text = (self._problems.sources.all[self._file].line(before) or "").strip()
            if text and not text.startswith("#"):
                return "" if ":" in text else f"is a colon missing after {shown(text)} in line {before + 1}?"
        return ""

    def _syntax_error(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is not None:
            line, column = mark.line, mark.column
        else:
            character = re.search(r"position (\d+)", str(error))
            line, column = _position(self._text, int(character[1]) if character else 0)
        problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read")
        context = getattr(error, "context", None)
        place = pack(self._file, line, column)
        source_line = self._problems.sources.all[self._file].line(line) or ""
        hint = syntax_hint(problem, source_line, column, missing_colon=self._missing_colon(line))
        notes = []
        begun = getattr(error, "context_mark", None)
        if begun is not None and begun.line != line and context:
            notes.append(
                self._problems.note(pack(self._file, begun.line, begun.column), f"{context}, which begins here")
            )
            context = None
        self._problems.error(
            place,
            f"not YAML: {problem}" + (f" ({context})" if context else ""),
            code="not-yaml",
            hint=hint,
            notes=notes,
        )


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n"), len(before) - before.rfind("\n") - 1
