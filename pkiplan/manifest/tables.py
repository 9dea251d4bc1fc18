"""Maps with known keys: what each key means, what is said of it, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass, field
from typing import Any

from pkiplan.hints import did_you_mean, listed
from pkiplan.manifest.nodes import Mapping, Node, Templated, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.values import (
    DECIMAL,
    INVALID,
    OID_HINT,
    BadValueError,
    Boolean,
    Invalid,
    Schema,
    ValueType,
    wrong_type,
)


@dataclass(eq=False, repr=False)
class Key:
    """What a key of a map means. `description` is a sentence; `default` says what holds without the key."""

    type: ValueType[Any]
    description: str
    default: str = ""
    examples: tuple[Any, ...] = ()
    # Which resources the key is for: "a" authorities, "c" certificates.
    kinds: str = "ac"
    # Whether a map given in two layers merges by key; else the higher layer's replaces it.
    merges: bool = False


@dataclass(eq=False, repr=False)
class Table:
    """A map with known keys; `build` makes the result of the fields that were given.

    `other` reads keys beyond the known ones (dotted OIDs); `removed` maps a word that people may expect to a hint.
    """

    keys: MappingABC[str, Key]
    wanted: str
    build: Callable[[dict[str, Any]], Any] = dict
    required: SequenceABC[str] = ()
    other: tuple[Callable[[str], str | None], ValueType[Any]] | None = None
    expected: MappingABC[str, str] = field(default_factory=dict)
    aliases: MappingABC[str, str] = field(default_factory=dict)
    other_pattern: str = ""

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read every known key, and report every other."""
        if node.__class__ is Templated:
            return INVALID
        if not isinstance(node, Mapping):
            return wrong_type(self.wanted, node, mark, problems)
        fields, is_sound = self.fields(node, problems)
        missing = [key for key in self.required if key not in fields and (key not in node or is_null(node[key]))]
        if missing:
            problems.error(mark, f"{listed(missing)} missing in {self.wanted}", code="missing-key")
        if missing or not is_sound:
            return INVALID
        try:
            return self.build(fields)
        except BadValueError as bad:
            where = node.value_mark(bad.key) if bad.key in node else mark
            problems.error(where, bad.summary, code=bad.code, hint=bad.hint)
        return INVALID

    def fields(self, node: Mapping, problems: Problems) -> tuple[dict[str, Any], bool]:
        """Read what is given; a null counts as not given. Tells whether all of it is sound."""
        fields: dict[str, Any] = {}
        is_sound = True
        for key, value, key_mark, value_mark in node.entries():
            name = self.aliases.get(key, key)
            definition = self.keys.get(name)
            reader = definition.type if definition is not None else None
            if reader is None and self.other is not None:
                other = self.other[0](key)
                if other is not None:
                    name, reader = other, self.other[1]
            if reader is None:
                hint = self.expected.get(key, "")
                if self.other is not None and key[:1].isdigit():
                    hint = OID_HINT
                unknown_key(key, key_mark, [*self.keys, *self.aliases], problems, hint=hint)
                is_sound = False
                continue
            if is_null(value):
                continue
            if name in fields:
                problems.error(
                    key_mark, f"`{key}` is `{name}`, which is given already", code="duplicate-key", at_key=True
                )
            read = reader.read(value, value_mark, problems)
            if read is INVALID:
                is_sound = False
            else:
                fields[name] = read
        return fields, is_sound

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        schema: Schema = {
            "type": "object",
            "properties": {name: key_schema(key) for name, key in self.keys.items()},
            "additionalProperties": False,
        }
        for alias, name in self.aliases.items():
            schema["properties"][alias] = {**key_schema(self.keys[name]), "description": f"Short for `{name}`."}
        if self.required:
            schema["required"] = list(self.required)
        if self.other is not None:
            schema["patternProperties"] = {self.other_pattern: nullable(self.other[1].schema())}
        return schema


def unknown_key(key: str, mark: int, known: SequenceABC[str], problems: Problems, *, hint: str = "") -> None:
    """Report a key that nobody knows, with the nearest known one."""
    problems.error(
        mark, f"unknown key {shown(key)}", code="unknown-key", hint=hint or did_you_mean(key, known), at_key=True
    )


def key_schema(key: Key) -> Schema:
    """Give the JSON Schema of a key with what is said about it; null, which unsets, is always allowed."""
    schema = nullable(key.type.schema())
    schema["description"] = key.description + (f" Default: {key.default}." if key.default else "")
    if key.examples:
        schema["examples"] = list(key.examples)
    default = _default_value(key.default)
    if default is not None:
        schema["default"] = default
    return schema


def _default_value(text: str) -> str | int | bool | None:
    """Return the default that a text names, where it names exactly one value."""
    word = text.strip('`"')
    if word in ("true", "false"):
        return word == "true"
    if DECIMAL.fullmatch(word) and '"' not in text:
        return int(word)
    return word if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", word) else None


def nullable(schema: Schema) -> Schema:
    """Allow null as well."""
    if set(schema) == {"anyOf"}:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


@dataclass(eq=False, repr=False)
class Wrapped:
    """A value, or `{values: …, critical: bool}`; the result is value and criticality (None: the default)."""

    type: ValueType[Any]
    build: Callable[[Any], Any] | None = None

    @property
    def wanted(self) -> str:
        """Name the value."""
        return self.type.wanted

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read the value and, where it is given, its criticality."""
        critical: bool | Invalid | None = None
        if isinstance(node, Mapping) and "values" in node:
            for key, _, key_mark, _ in node.entries():
                if key not in ("values", "critical"):
                    unknown_key(key, key_mark, ["values", "critical"], problems)
            if "critical" in node and not is_null(node["critical"]):
                critical = Boolean().read(node["critical"], node.value_mark("critical"), problems)
            value = self.type.read(node["values"], node.value_mark("values"), problems)
        else:
            value = self.type.read(node, mark, problems)
        if value is INVALID or critical is INVALID:
            return INVALID
        return (self.build(value) if self.build is not None else value, critical)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        value = self.type.schema()
        wrapped = {
            "type": "object",
            "properties": {
                "values": value,
                "critical": {
                    **Boolean().schema(),
                    "description": "Whether who does not know the extension must refuse.",
                },
            },
            "required": ["values"],
            "additionalProperties": False,
        }
        return {"anyOf": [*(value["anyOf"] if set(value) == {"anyOf"} else [value]), wrapped]}
