"""The texts that were read, and what a mark means in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pkiplan.diagnostics import Place
from pkiplan.manifest.nodes import Mapping, Node, Sequence, unpack

# What libyaml counts as the end of a line (YAML 1.1, 5.4).
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_TOKEN_END = re.compile(r"[,\]}]|\s+#|:\s|:$|\s*$")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'')
_TEMPLATE = re.compile(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)")
_LONGEST_SOURCE_LINE = 400
_QUOTED_TEMPLATE = re.compile(r"\"[^\"]*\{\{|'[^']*\{\{")


@dataclass(slots=True, eq=False, repr=False)
class Source:
    """One text: the path as a person is shown it, the directory it counts paths from, its documents."""

    shown: str
    directory: str
    text: str = ""
    documents: list[Node] = field(default_factory=list)
    lines: list[str] | None = None

    def line(self, number: int) -> str | None:
        """Return a line of the text by its number from 0, or None where there is none."""
        if self.lines is None:
            self.lines = _LINE_BREAK.split(self.text)
        return self.lines[number] if self.text and number < len(self.lines) else None


class Sources:
    """All texts in the order in which they were read; a mark names one by its number."""

    def __init__(self) -> None:
        self.all: list[Source] = []
        self._key_paths: dict[int, str] = {}
        self._value_paths: dict[int, str] = {}
        self._indexed = 0

    def add(self, source: Source) -> int:
        """Take in a text and return its number."""
        self.all.append(source)
        return len(self.all) - 1

    def of(self, mark: int) -> Source:
        """Return the text that a mark lies in."""
        return self.all[unpack(mark)[0]]

    def place(self, mark: int) -> Place:
        """Return the place of a mark, with the length of what is written there."""
        file, line, column = unpack(mark)
        source = self.all[file]
        if not source.text:
            return Place(source.shown, 0 if source.documents else 1)
        text = source.line(line)
        return Place(source.shown, line + 1, column + 1, _length(text, column) if text is not None else 1)

    def quick_place(self, mark: int, length: int) -> Place:
        """Return the place of a mark whose length is known, without looking into the text."""
        file, line, column = unpack(mark)
        return Place(self.all[file].shown, line + 1, column + 1, length)

    def source_line(self, mark: int) -> str | None:
        """Return the line that a mark lies in; a very long one is not worth showing."""
        file, line, _ = unpack(mark)
        text = self.all[file].line(line)
        return text if text is not None and len(text) <= _LONGEST_SOURCE_LINE else None

    def is_template(self, mark: int) -> bool:
        """Tell whether a quoted text with a template in it stands at a mark."""
        file, line, column = unpack(mark)
        text = self.all[file].line(line)
        return text is not None and _QUOTED_TEMPLATE.match(text, column) is not None

    def path(self, mark: int, *, at_key: bool) -> str:
        """Return the manifest's own path of what is written at a mark (`certificates.web.days`)."""
        while self._indexed < len(self.all) and self.all[self._indexed].documents:
            for document in self.all[self._indexed].documents:
                self._index(document)
            self._indexed += 1
        return (self._key_paths if at_key else self._value_paths).get(mark, "")

    def _index(self, root: Node) -> None:
        """Remember the path of every key and value; only needed once there is something to complain about."""
        waiting: list[tuple[str, Node]] = [("", root)]
        seen: set[int] = set()
        while waiting:
            path, node = waiting.pop()
            if id(node) in seen:
                continue
            if isinstance(node, Mapping):
                seen.add(id(node))
                for key, value, key_mark, value_mark in node.entries():
                    below = f"{path}.{key}" if path else key
                    self._key_paths.setdefault(key_mark, below)
                    self._value_paths.setdefault(value_mark, below)
                    waiting.append((below, value))
            elif isinstance(node, Sequence):
                seen.add(id(node))
                for number, (value, mark) in enumerate(zip(node, node.marks, strict=True)):
                    self._value_paths.setdefault(mark, f"{path}[{number}]")
                    waiting.append((f"{path}[{number}]", value))


def _length(text: str, column: int) -> int:
    """Guess how long what is written at a column is: a quoted text, or up to what ends a plain one."""
    whole = _QUOTED.match(text, column) or _TEMPLATE.match(text, column)
    if whole:
        return max(1, whole.end() - column)
    if text[column : column + 1] in ("{", "[", "|", ">", "-", "&", "*", "!"):
        return 1
    end = _TOKEN_END.search(text, column)
    return max(1, (end.start() if end else len(text)) - column)
