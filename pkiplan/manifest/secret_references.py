"""References to secrets. A secret itself is never in a manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from pkiplan.hints import did_you_mean, listed
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.tables import Key, key_schema
from pkiplan.manifest.values import INVALID, BadValueError, Integer, Invalid, Listed, Schema, Text
from pkiplan.model.secret_references import (
    CommandSecret,
    EnvSecret,
    FdSecret,
    FileSecret,
    PromptSecret,
    SecretReference,
    SystemdSecret,
)

FORMS = "{env: NAME}, {file: path}, {command: [program, argument]}, {prompt: text}, {fd: N} or {systemd: NAME}"


def _variable(text: str) -> str:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", text):
        raise BadValueError(f"{shown(text)} is no name of an environment variable", code="secret")
    return text


def _credential(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._@:-]{1,255}", text) or text in (".", ".."):
        raise BadValueError(f"{shown(text)} is no name of a systemd credential", code="secret")
    return text


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise BadValueError(f"{shown(text)} is no path", code="path")
    return text


def _argument(text: str) -> str:
    if "\0" in text:
        raise BadValueError("a NUL in an argument", code="secret")
    return text


def _argv(arguments: list[str]) -> tuple[str, ...]:
    if not arguments[0]:
        raise BadValueError("a command without a program", code="secret")
    return tuple(arguments)


KEYS: dict[str, Key] = {
    "env": Key(Text("the name of an environment variable", _variable), "The value of an environment variable."),
    "file": Key(
        Text("a path", _path), "The first line of a file; a relative path counts from the manifest that names it."
    ),
    "command": Key(
        Listed(Text("an argument", _argument), _argv, single=False, least=1, of="arguments"),
        "The first line that a command prints; a list of program and arguments, run without a shell.",
        examples=(["pass", "show", "pki/root"],),
    ),
    "prompt": Key(Text("what to ask"), "What a person types at the terminal when asked."),
    "fd": Key(Integer(0, 1023), "The first line read from an inherited file descriptor."),
    "systemd": Key(
        Text("the name of a credential", _credential),
        "A credential that systemd passed to the unit (`LoadCredential=`).",
    ),
}
_MAKE: dict[str, Callable[[Any], SecretReference]] = {
    "env": EnvSecret,
    "file": FileSecret,
    "command": CommandSecret,
    "prompt": PromptSecret,
    "fd": FdSecret,
    "systemd": SystemdSecret,
}


class Secret:
    """One reference to a secret."""

    wanted = "a reference to a secret: " + FORMS

    def read(self, node: Node, mark: int, problems: Problems) -> SecretReference | Invalid:
        """Read a reference; a literal is an error that does not repeat it."""
        if node.__class__ is Templated:
            problems.error(
                mark,
                "a reference to a secret cannot come out of a template as text",
                code="literal-secret",
                hint=f"write {FORMS}",
            )
            return INVALID
        if not isinstance(node, Mapping):
            kind = "a list" if isinstance(node, Sequence) else "nothing" if is_null(node) else "the secret itself"
            # The value is kept out of the message, and `source_line` is dropped by `secret_problem`.
            secret_problem(problems, mark, f"expected a reference to a secret, not {kind}")
            return INVALID
        given = [key for key, value in node.items() if not is_null(value)]
        unknown = [key for key in node if key not in KEYS]
        for key in unknown:
            hint = _EXPECTED.get(key) or did_you_mean(key, KEYS)
            secret_problem(
                problems,
                node.key_mark(key),
                f"unknown kind of secret {shown(key)}",
                code="unknown-key",
                hint=hint,
                at_key=True,
            )
        if unknown:
            return INVALID
        if len(given) != 1:
            problems.error(mark, f"expected exactly one of {listed(KEYS)}", code="secret")
            return INVALID
        (kind,) = given
        value = KEYS[kind].type.read(node[kind], node.value_mark(kind), problems)
        if value is INVALID:
            return INVALID
        if kind == "file":
            value = from_base(value, node.value_mark(kind), problems)
        return _MAKE[kind](value)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return {
            "type": "object",
            "properties": {name: key_schema(key) for name, key in KEYS.items()},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }


class Passphrases:
    """A reference, a list of references (the first is written, all are tried), or `none`, alone or first in the list.

    The result is the pair of references and whether `none` was written.
    """

    wanted = Secret.wanted + ", or a list of them, or `none`"

    def read(self, node: Node, mark: int, problems: Problems) -> tuple[tuple[SecretReference, ...], bool] | Invalid:
        """Read one or several references."""
        if node.__class__ is str and node == "none":
            return (), True
        if isinstance(node, Sequence):
            items = list(zip(node, node.marks, strict=True))
            is_plain = bool(items) and is_none_word(items[0][0])
            read = [Secret().read(item, item_mark, problems) for item, item_mark in (items[1:] if is_plain else items)]
            if not items:
                problems.error(
                    mark, "an empty list of passphrases", code="empty", hint="write `none` where there is none"
                )
                return INVALID
            found = tuple(one for one in read if not isinstance(one, Invalid))
            return (found, is_plain) if len(found) == len(read) else INVALID
        one = Secret().read(node, mark, problems)
        return INVALID if one is INVALID else ((one,), False)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        one = Secret().schema()
        none = {"const": "none"}
        return {"anyOf": [one, {"type": "array", "items": {"anyOf": [one, none]}, "minItems": 1}, none]}


_LITERAL = f"secrets are never in a manifest; write {FORMS}"
_EXPECTED = {
    "environment": "did you mean `env`?",
    "variable": "did you mean `env`?",
    "path": "did you mean `file`?",
    "cmd": "did you mean `command`?",
    "exec": "did you mean `command`?",
    "ask": "did you mean `prompt`?",
    **dict.fromkeys(("value", "literal", "pass", "password", "passphrase", "text", "plain"), _LITERAL),
}


def secret_problem(
    problems: Problems,
    mark: int,
    summary: str,
    *,
    code: str = "literal-secret",
    hint: str = _LITERAL,
    at_key: bool = False,
) -> None:
    """Report a mistake without showing the line it stands in, because a secret may."""
    from dataclasses import replace

    problems.error(mark, summary, code=code, hint=hint, at_key=at_key)
    problems.found[-1] = replace(problems.found[-1], source_line=None)


def from_base(path: str, mark: int, problems: Problems) -> str:
    """Turn a path that counts from the manifest naming it into one that counts from the site's base."""
    if os.path.isabs(path):
        return os.path.normpath(path)
    base = problems.sources.all[0].directory
    directory = problems.sources.of(mark).directory
    return os.path.normpath(path) if directory == base else os.path.relpath(os.path.join(directory, path), base)


def is_none_word(node: Node) -> bool:
    """Tell whether a node is the word `none`."""
    return isinstance(node, str) and not isinstance(node, Plain | Templated) and node == "none"
