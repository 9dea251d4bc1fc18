"""`for_each`: one declaration, many resources, each known by its key and never by its position."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pkiplan.diagnostics import Note, Place
from pkiplan.hints import did_you_mean, listed
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.files import Files
from pkiplan.manifest.nodes import Mapping, Native, Node, Sequence, Templated, is_null, native
from pkiplan.manifest.problems import Problems, TooManyProblemsError, shown
from pkiplan.manifest.sources import Source
from pkiplan.manifest.tables import unknown_key
from pkiplan.manifest.values import BadValueError, Integer, Invalid, Schema, kind_of, report, wrong_type

if TYPE_CHECKING:
    from pkiplan.manifest.inventory import Inventory

MOST_ELEMENTS = 250_000
LONGEST_KEY = 255
SOURCES = ("var", "range", "csv", "glob", "inventory")


@dataclass(slots=True, eq=False, repr=False)
class Element:
    """One element: its key, what templates see as `each`, and where it was written."""

    key: str
    each: dict[str, Native]
    place: Place | None = None  # in a file of elements
    mark: int = 0  # in the manifest


class ForEach:
    """Reads the elements of `for_each`."""

    def __init__(self, variables: dict[str, Any], failed: set[str], files: Files, problems: Problems) -> None:
        self._variables = variables
        self._failed = failed  # variables that could not be computed, which is told
        self._files = files
        self._problems = problems
        self._total = 0
        # Files are parsed once, however many resources are made of them.
        self._tables: dict[str, list[Element]] = {}
        self._contents: dict[str, Native] = {}
        self._inventories: dict[str, Inventory] = {}

    def elements(self, node: Node, mark: int) -> list[Element] | None:
        """List the elements in order, or None when they cannot be had (which is reported)."""
        before = self._problems.errors
        found: dict[str, Element] = {}
        folded: dict[str, str] = {}
        try:
            for element in self._read(node, mark):
                self._check_key(element, mark)
                first = found.get(element.key)
                if first is not None:
                    self._problems.error(
                        element.mark or mark,
                        f"`for_each` has the key {shown(element.key)} twice",
                        code="duplicate-element",
                        notes=self._notes(first, element),
                        hint="keys name the resources; each stands once",
                    )
                    continue
                other = folded.setdefault(element.key.casefold(), element.key)
                if other != element.key:
                    self._problems.error(
                        element.mark or mark,
                        f"the keys {shown(other)} and {shown(element.key)} of `for_each` differ in case only",
                        code="same-but-case",
                        notes=self._notes(found[other], element),
                        hint="not every file system tells them apart; rename one",
                    )
                found[element.key] = element
                self._total += 1
                if self._total > MOST_ELEMENTS:
                    summary = f"`for_each` makes more than {MOST_ELEMENTS:,} elements"
                    self._problems.error(mark, summary, code="too-large", hint="split the site into several")
                    raise TooManyProblemsError
        except BadValueError as bad:
            report(bad, mark, self._problems)
        return list(found.values()) if self._problems.errors == before else None

    def _notes(self, first: Element, second: Element) -> list[Note]:
        """Point to where two elements were written, as far as that is known."""
        places = [self._place(first, "the first one is here")]
        if second.place is not None:
            places.append(Note(message="the second one is here", place=second.place))
        return [note for note in places if note is not None]

    def _place(self, element: Element, message: str) -> Note | None:
        if element.place is not None:
            return Note(message=message, place=element.place)
        return self._problems.note(element.mark, message) if element.mark else None

    def _check_key(self, element: Element, mark: int) -> None:
        key = element.key
        why = ""
        if not key:
            why = "is empty"
        elif len(key) > LONGEST_KEY:
            why = f"has more than {LONGEST_KEY} characters"
        elif any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in key):
            why = "holds a control character"
        if why:
            note = Note(message="it stands here", place=element.place) if element.place else None
            self._problems.error(
                element.mark or mark,
                f"a key of `for_each` {why}: {shown(key)}",
                code="element-key",
                notes=[note] if note else [],
                hint=f"a key is text of 1 to {LONGEST_KEY} characters without control characters",
            )

    def _read(self, node: Node, mark: int) -> Iterator[Element]:
        if isinstance(node, Sequence):
            return self._of_list(native(node), node, mark)
        if isinstance(node, Mapping):
            sources = [name for name in SOURCES if name in node]
            if sources and set(node) <= {*SOURCES, "group"}:
                return self._of_source(sources, node)
            return (_element(key, native(value), key_mark) for key, value, key_mark, _ in node.entries())
        if node.__class__ is Templated:
            return iter(())
        hint = f"write `{{var: {node}}}` for the variable" if node in self._variables else ""
        wanted = "a list, a map, or a source such as `{csv: hosts.csv}`"
        wrong_type(wanted, node, mark, self._problems, hint=hint)
        return iter(())

    def _of_source(self, sources: list[str], node: Mapping) -> Iterator[Element]:
        if len(sources) > 1:
            raise BadValueError(f"`for_each` takes one source, not {listed(sources)}", code="conflict")
        (source,) = sources
        value, value_mark = node[source], node.value_mark(source)
        if source != "inventory" and "group" in node:
            unknown_key("group", node.key_mark("group"), [source], self._problems, hint="`group` goes with `inventory`")
        if source == "range":
            try:
                return self._of_range(value, value_mark)
            except BadValueError as bad:
                report(bad, value_mark, self._problems)
                return iter(())
        if value.__class__ is not str:
            if value.__class__ is not Templated:
                wanted = "the name of a variable" if source == "var" else "a path"
                wrong_type(wanted, value, value_mark, self._problems)
            return iter(())
        text = str(value)
        try:
            if source == "var":
                return self._of_variable(text, value_mark)
            if source == "glob":
                return iter(self._of_glob(text, value_mark))
            path = self._files.inside(self._problems.sources.of(value_mark).directory, text)
            if source == "csv":
                if path not in self._tables:
                    self._tables[path] = self._of_csv(path)
                return iter(self._tables[path])
            return iter(self._of_inventory(path, node))
        except BadValueError as bad:
            report(bad, value_mark, self._problems)
            return iter(())

    def _of_list(self, values: Any, node: Sequence | None, mark: int) -> Iterator[Element]:
        for index, value in enumerate(values):
            item = node[index] if node is not None else None
            if isinstance(value, dict | list) or value is None:
                kind = kind_of(item) if item is not None else "a map or a list"
                self._problems.error(
                    node.marks[index] if node is not None else mark,
                    f"an element of a list is text or a number, not {kind}",
                    code="wrong-type",
                    hint="give each element a key: `for_each: {a1: {…}, a2: {…}}`",
                )
                continue
            text = str(item) if item is not None else _text(value)
            yield _element(text, value, node.marks[index] if node is not None else 0)

    def _of_variable(self, name: str, mark: int) -> Iterator[Element]:
        value: Any = self._variables
        if name.split(".", maxsplit=1)[0] in self._failed:
            return iter(())
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                hint = did_you_mean(
                    part,
                    value if isinstance(value, dict) else (),
                    otherwise=f"define it under `vars:`, or with `-e {name}=…`",
                )
                raise BadValueError(f"undefined variable {shown(name)}", code="undefined-variable", hint=hint)
            value = value[part]
        if isinstance(value, list):
            return self._of_list(value, None, mark)
        if isinstance(value, dict):
            return (_element(key, element) for key, element in value.items())
        raise BadValueError(f"the variable {shown(name)} is neither a list nor a map", code="wrong-type")

    def _of_range(self, node: Node, mark: int) -> Iterator[Element]:
        if not isinstance(node, Sequence) or len(node) != 2:
            wrong_type("the first and the last number: `[1, 200]`", node, mark, self._problems)
            return iter(())
        ends = [
            Integer(0, 10**15).read(item, item_mark, self._problems)
            for item, item_mark in zip(node, node.marks, strict=True)
        ]
        first, last = ends
        if isinstance(first, Invalid) or isinstance(last, Invalid):
            return iter(())
        if last < first:
            raise BadValueError(
                f"the range ends at {last}, before it begins at {first}",
                code="out-of-range",
                hint=f"write `[{last}, {first}]`",
            )
        if last - first >= MOST_ELEMENTS:
            hint = f"at most {MOST_ELEMENTS:,} in a site"
            raise BadValueError(f"a range of {last - first + 1:,} elements", code="too-large", hint=hint)
        return (_element(str(number), number) for number in range(first, last + 1))

    def _of_csv(self, path: str) -> list[Element]:
        import csv

        text = self._files.read_text(path)
        name = self._files.shown(path)
        lines = text.splitlines(keepends=True)
        rows = csv.reader(lines, strict=True)
        found: list[Element] = []
        try:
            header = self._header(next(rows, []), name)
            for row in rows:
                if not any(row):
                    continue
                fields = _fields(row, header)
                found.append(Element(row[0].strip(), _each(row[0].strip(), fields), Place(name, rows.line_num)))
        except csv.Error as error:
            number = min(max(1, rows.line_num), len(lines))
            bad = BadValueError(f"not CSV: {error}", hint='a quote within quotes is written twice: `""`')
            raise bad.in_line(name, number, lines[number - 1], "csv") from error
        except BadValueError as bad:
            number = max(1, rows.line_num)
            raise bad.in_line(name, number, lines[number - 1] if lines else "", "csv") from bad
        return found

    def _header(self, row: list[str], name: str) -> list[str]:
        """Return the names of the fields."""
        header = [field.strip() for field in row]
        if not header or not all(header):
            summary = f"{shown(name)} has no header: its first line names the fields"
            if any(header):
                summary = f"a field without a name in the header of {shown(name)}"
            raise BadValueError(summary, hint="write for instance `name,zone`")
        twice = next((field for index, field in enumerate(header) if field in header[:index]), None)
        if twice is not None:
            raise BadValueError(f"the header of {shown(name)} names the field {shown(twice)} twice", hint="rename one")
        return header

    def _of_glob(self, pattern: str, mark: int) -> list[Element]:
        directory = self._problems.sources.of(mark).directory
        found: list[Element] = []
        for path in self._files.matching(directory, pattern):
            stem, suffix = os.path.splitext(os.path.basename(path))
            each: dict[str, Native] = {"key": stem, "value": None, "path": os.path.relpath(path, directory)}
            if suffix in (".yaml", ".yml", ".json"):
                if path not in self._contents:
                    self._contents[path] = self._content(path)
                each["value"] = self._contents[path]
            found.append(Element(stem, each, Place(self._files.shown(path), 1)))
        if not found:
            self._problems.warning(mark, f"no file matches {shown(pattern)}", code="empty-include")
        return found

    def _content(self, path: str) -> Native:
        source = Source(self._files.shown(path), os.path.dirname(path), self._files.read_text(path))
        number = self._problems.sources.add(source)
        source.documents = read_documents(source.text, number, self._problems)
        return native(source.documents[0]) if source.documents else None

    def _of_inventory(self, path: str, node: Mapping) -> list[Element]:
        from pkiplan.manifest.inventory_files import read_inventory

        if path not in self._inventories:
            self._inventories[path] = read_inventory(path, self._files, self._problems)
        inventory = self._inventories[path]
        group = "all"
        if "group" in node and not is_null(node["group"]):
            given = node["group"]
            if given.__class__ is not str:
                wrong_type("the name of a group", given, node.value_mark("group"), self._problems)
                return []
            group = str(given)
            if group not in inventory.groups:
                self._problems.error(
                    node.value_mark("group"),
                    f"no group {shown(group)} in {shown(self._files.shown(path))}",
                    code="inventory",
                    hint=did_you_mean(group, inventory.groups),
                )
                return []
        return [
            Element(
                host,
                {"key": host, "value": variables, "groups": list(inventory.groups_of(host))},
                inventory.places.get(host),
            )
            for host, variables in inventory.hosts_of(group)
        ]


def _fields(row: list[str], header: list[str]) -> dict[str, Native]:
    """Return the fields of a row by their names."""
    if len(row) != len(header):
        hint = f"the fields are {listed(header)}; a field that holds a comma is written in quotes"
        count = "1 field" if len(row) == 1 else f"{len(row)} fields"
        raise BadValueError(f"{count}, the header has {len(header)}", hint=hint)
    return {name: field.strip() for name, field in zip(header, row, strict=True)}


def _element(key: str, value: Native, mark: int = 0) -> Element:
    return Element(str(key), _each(str(key), value), mark=mark)


def _each(key: str, value: Any) -> dict[str, Native]:
    return {"key": key, "value": value}


def _text(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


class ForEachType:
    """The schema of `for_each`."""

    wanted = "a list, a map, or a source"

    def read(self, node: Node, mark: int, problems: Problems) -> Node:  # noqa: ARG002
        """Leave the node to `ForEach`."""
        return node

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        sources: list[Schema] = [
            {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}
            for name, value in (
                ("var", {"type": "string", "description": "A variable that is a list or a map."}),
                (
                    "range",
                    {
                        "type": "array",
                        "items": {"type": ["integer", "string"]},
                        "minItems": 2,
                        "maxItems": 2,
                        "description": "From the first number to the last, both included.",
                    },
                ),
                (
                    "csv",
                    {
                        "type": "string",
                        "description": "A CSV file; its header names the fields, the first column is the key.",
                    },
                ),
                (
                    "glob",
                    {"type": "string", "description": "Files by pattern; the key is the name without its ending."},
                ),
            )
        ]
        inventory = {
            "type": "object",
            "properties": {
                "inventory": {"type": "string", "description": "A static Ansible inventory, INI or YAML."},
                "group": {"type": "string", "description": "One of its groups; default `all`."},
            },
            "required": ["inventory"],
            "additionalProperties": False,
        }
        return {
            "anyOf": [
                {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
                {"type": "string", "pattern": "\\{\\{"},
                *sources,
                inventory,
                {"type": "object", "not": {"anyOf": [{"required": [name]} for name in SOURCES]}},
            ]
        }
