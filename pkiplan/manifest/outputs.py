"""Further files made from a certificate and its key: `outputs:`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pkiplan.manifest.keys import GROUP, MODE, OWNER
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.secret_references import Passphrases
from pkiplan.manifest.values import (
    INVALID,
    BadValueError,
    Choice,
    Invalid,
    Key,
    Schema,
    Table,
    Text,
    wrong_type,
)
from pkiplan.model.keys import FileAttributes
from pkiplan.model.resource import CERTIFICATE_FILE, CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, KEY_FILE, Output

# The formats by name, and whether the file holds the private key (then nobody else may read it).
FORMAT_NAMES: dict[str, bool] = {"pem-combined": True, "pkcs12": True, "der": False, "pem-chain": False}
_OWN_FILES = frozenset(
    {CERTIFICATE_FILE, KEY_FILE, CHAIN_FILE, FULLCHAIN_FILE, CNF_FILE}
)


def file_name(text: str) -> str:
    """Read the name of a file in the certificate's own directory."""
    if text in ("", ".", "..") or "/" in text or "\\" in text:
        raise BadValueError(
            f"{shown(text)} is no name of a file", code="unsafe-path", hint="an output lies in the certificate's own directory: write a name without slashes"
        )
    if any(char < " " or "\x7f" <= char <= "\x9f" for char in text):
        raise BadValueError(f"a control character in the name {shown(text)}", code="unsafe-path")
    if text.startswith(".."):
        raise BadValueError(f"{shown(text)}: names that begin with two dots are pkiplan's own", code="unsafe-path")
    if text.casefold() in _OWN_FILES:
        raise BadValueError(f"`{text}` is written by pkiplan itself", code="two-writers", hint="choose another name")
    if len(text.encode("utf-8", "replace")) > 200 or text != text.strip():
        raise BadValueError(f"{shown(text)} is no name of a file", code="unsafe-path")
    return text


class _Options:
    """Options of a format: a flat map of text, numbers and booleans."""

    wanted = "options of the format: a map of text, numbers or booleans"

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        if node.__class__ is Templated:
            return INVALID
        if not isinstance(node, Mapping):
            return wrong_type(self.wanted, node, mark, problems)
        options: dict[str, str | int | bool] = {}
        for key, value, _, value_mark in node.entries():
            if isinstance(value, Mapping | Sequence | Templated):
                return wrong_type("text, a number or a boolean", value, value_mark, problems)
            if not is_null(value):
                options[key] = _scalar(value)
        return options

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": {"type": ["string", "integer", "boolean", "null"]}}


def _scalar(value: Node) -> str | int | bool:
    if isinstance(value, Plain):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        if re.fullmatch("0|[1-9][0-9]{0,17}", value):
            return int(value)
    return str(value)


def _build(fields: dict[str, Any]) -> Output:
    name = fields["format"]
    holds_key = FORMAT_NAMES[name]
    mode = fields.get("mode", 0o600 if holds_key else 0o644)
    if holds_key and mode & 0o007:
        raise BadValueError(
            f"mode {mode:04o} would give the private key in `{fields['path']}` to everybody", code="mode", hint='write for instance `"0640"` with a `group`'
        )
    options = fields.get("options", {})
    wrong = _wrong_options(name, options)
    if wrong:
        raise BadValueError(f"format `{name}`: {wrong[0]}", code="format-option")
    return Output(
        format=name,
        path=fields["path"],
        attributes=FileAttributes(mode=mode, owner=fields.get("owner"), group=fields.get("group")),
        passphrases=fields.get("passphrase", ((), False))[0],
        options=tuple(sorted(options.items())),
    )


def _wrong_options(name: str, options: dict[str, Any]) -> list[str]:
    if not options:
        return []
    from pkiplan.formats import FORMATS

    return list(FORMATS[name].check_options(options))


_FORMAT_HINTS = {
    "p12": "did you mean `pkcs12`?",
    "pfx": "did you mean `pkcs12`?",
    "pem": "did you mean `pem-combined` (key, certificate and chain) or `pem-chain`?",
    "jks": "Java reads `pkcs12`",
}

_TABLE = Table(
    {
        "format": Key(
            Choice({name: name for name in FORMAT_NAMES}, forbidden=_FORMAT_HINTS),
            "`pem-combined` holds key, certificate and chain; `pkcs12` the same for Java and Windows; `der` the certificate alone; "
            "`pem-chain` the certificate and its chain.",
        ),
        "path": Key(
            Text("the name of a file", file_name, pattern=r"^(?!\.\.)[^/\\]+$"),
            "The name of the file, in the certificate's own directory.",
            examples=("web.p12",),
        ),
        "mode": Key(MODE, "Permission bits, in octal.", '"0600" where the key is inside, else "0644"', ("0640",)),
        "owner": Key(OWNER, "Who shall own the file, by name or number."),
        "group": Key(GROUP, "The group of the file, by name or number.", examples=("haproxy",)),
        "passphrase": Key(Passphrases(), "Where the passphrase comes from that protects the file.", examples=({"env": "P12_PASSPHRASE"},)),
        "options": Key(_Options(), "Options of the format."),
    },
    "an output: `format` and `path`",
    _build,
    required=("format", "path"),
    expected={"file": "did you mean `path`?", "name": "did you mean `path`?", "type": "did you mean `format`?", "password": "did you mean `passphrase`?"},
)


class _OneOutput:
    wanted = _TABLE.wanted

    def read(self, node: Node, mark: int, problems: Problems) -> Output | Invalid:
        read = _TABLE.read(node, mark, problems)
        return read if isinstance(read, Invalid) else replace(read, place=problems.sources.place(mark))

    def schema(self) -> Schema:
        return _TABLE.schema()


class Outputs:
    """The outputs of a certificate."""

    wanted = "a list of outputs, each with `format` and `path`"

    def read(self, node: Node, mark: int, problems: Problems) -> tuple[Output, ...] | Invalid:
        """Read a list of outputs, no two of which may write one file."""
        if node.__class__ is Templated:
            return INVALID
        if not isinstance(node, Sequence):
            return wrong_type(self.wanted, node, mark, problems, hint="put it in a list: `outputs: [{format: …, path: …}]`" if isinstance(node, Mapping) else "")
        outputs: list[Output] = []
        writers: dict[str, int] = {}
        is_sound = True
        for item, item_mark in zip(node, node.marks, strict=True):
            output = _OneOutput().read(item, item_mark, problems)
            if isinstance(output, Invalid):
                is_sound = False
                continue
            first = writers.setdefault(output.path.casefold(), item_mark)
            if first != item_mark:
                problems.error(
                    item_mark,
                    f"two outputs write the file {shown(output.path)}",
                    code="two-writers",
                    notes=[problems.note(first, "the first one is here")],
                )
                is_sound = False
            outputs.append(output)
        return tuple(outputs) if is_sound else INVALID

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return {"type": "array", "items": _TABLE.schema()}
