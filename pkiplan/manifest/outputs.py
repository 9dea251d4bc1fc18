"""Further files made from a certificate and its key: `outputs:`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pkiplan.formats import FORMATS
from pkiplan.formats.base import PassphraseUse
from pkiplan.hints import listed
from pkiplan.manifest.keys import GROUP, MODE, OWNER
from pkiplan.manifest.nodes import Mapping, Node, Sequence, Templated
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.secret_references import Passphrases
from pkiplan.manifest.tables import Key, Table
from pkiplan.manifest.values import (
    INVALID,
    BadValueError,
    Boolean,
    Choice,
    Invalid,
    Schema,
    Text,
    ValueType,
    wrong_type,
)
from pkiplan.model.keys import FileAttributes
from pkiplan.model.resource import CERTIFICATE_FILE, CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, KEY_FILE, Output

# Formats are light to import; what they work with is not.
_OPTIONS: dict[str, tuple[Any, ...]] = {
    name: values for output_format in FORMATS.values() for name, values in output_format.options.items()
}
_OWN_FILES = frozenset({CERTIFICATE_FILE, KEY_FILE, CHAIN_FILE, FULLCHAIN_FILE, CNF_FILE})


def file_name(text: str) -> str:
    """Read the name of a file in the certificate's own directory."""
    if text in ("", ".", "..") or "/" in text or "\\" in text:
        raise BadValueError(
            f"{shown(text)} is no name of a file",
            code="unsafe-path",
            hint="an output lies in the certificate's own directory: write a name without slashes",
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


def _option_type(values: tuple[Any, ...]) -> ValueType[Any]:
    if all(isinstance(value, bool) for value in values):
        return Boolean()
    return Choice({str(value): value for value in values})


def _option_key(name: str) -> Key:
    formats = [known for known, output_format in FORMATS.items() if name in output_format.options]
    values = _OPTIONS[name]
    default = str(values[0]).lower() if isinstance(values[0], bool) else str(values[0])
    return Key(_option_type(values), f"{_OPTION_TEXTS[name]} For {listed(formats)}.", f"`{default}`")


_OPTION_TEXTS = {
    "order": "In which order key and certificate stand in the file.",
    "chain": "Whether the chain follows the certificate.",
    "compatibility": "Which ciphers protect the file: `legacy` for Windows Server 2016 and Java 8 before 8u301.",
}


def _build(fields: dict[str, Any]) -> Output:
    name = fields["format"]
    output_format = FORMATS[name]
    mode = fields.get("mode", output_format.default_mode)
    if output_format.needs_key and mode & 0o007:
        raise BadValueError(
            f"mode {mode:04o} would give the private key in `{fields['path']}` to everybody",
            code="mode",
            hint='write for instance `"0640"` with a `group`',
            key="mode",
        )
    options = {option: fields[option] for option in _OPTIONS if option in fields}
    wrong = output_format.check_options(options)
    if wrong:
        raise BadValueError(f"format `{name}`: {wrong[0]}", code="format-option", key=next(iter(options)))
    passphrases, is_plain = fields.get("passphrase", ((), False))
    if passphrases and is_plain:
        raise BadValueError(
            "`none` in a list is for keys, which are opened before they are written plain; an output is made anew",
            code="conflict",
            key="passphrase",
        )
    if output_format.passphrase_use is PassphraseUse.NEEDED and not passphrases:
        raise BadValueError(
            f"format `{name}` needs a passphrase",
            code="missing-key",
            hint="write for instance `passphrase: {env: P12_PASSPHRASE}`",
        )
    if output_format.passphrase_use is PassphraseUse.NONE and passphrases:
        raise BadValueError(
            f"format `{name}` has nothing that a passphrase would protect", code="conflict", key="passphrase"
        )
    return Output(
        format=name,
        path=fields["path"],
        attributes=FileAttributes(mode=mode, owner=fields.get("owner"), group=fields.get("group")),
        passphrases=passphrases,
        options=tuple(sorted(options.items())),
    )


_FORMAT_HINTS = {
    "p12": "did you mean `pkcs12`?",
    "pfx": "did you mean `pkcs12`?",
    "pem": "did you mean `pem-combined` (key, certificate and chain) or `pem-chain`?",
    "jks": "Java reads `pkcs12`",
}

TABLE = Table(
    {
        "format": Key(
            Choice({name: name for name in FORMATS}, forbidden=_FORMAT_HINTS),
            "`pem-combined` holds key, certificate and chain; `pkcs12` the same for Java and Windows; "
            "`der` the certificate alone; "
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
        "passphrase": Key(
            Passphrases(),
            "Where the passphrase comes from that protects the file.",
            examples=({"env": "P12_PASSPHRASE"},),
        ),
        **{name: _option_key(name) for name in _OPTIONS},
    },
    "an output: `format` and `path`",
    _build,
    required=("format", "path"),
    expected={
        "file": "did you mean `path`?",
        "name": "did you mean `path`?",
        "type": "did you mean `format`?",
        "password": "did you mean `passphrase`?",
    },
)


class _OneOutput:
    wanted = TABLE.wanted

    def read(self, node: Node, mark: int, problems: Problems) -> Output | Invalid:
        read = TABLE.read(node, mark, problems)
        return read if isinstance(read, Invalid) else replace(read, place=problems.sources.place(mark))

    def schema(self) -> Schema:
        return TABLE.schema()


class Outputs:
    """The outputs of a certificate."""

    wanted = "a list of outputs, each with `format` and `path`"

    def read(self, node: Node, mark: int, problems: Problems) -> tuple[Output, ...] | Invalid:
        """Read a list of outputs, no two of which may write one file."""
        if node.__class__ is Templated:
            return INVALID
        if not isinstance(node, Sequence):
            return wrong_type(
                self.wanted,
                node,
                mark,
                problems,
                hint="put it in a list: `outputs: [{format: …, path: …}]`" if isinstance(node, Mapping) else "",
            )
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
        return {"type": "array", "items": TABLE.schema()}
