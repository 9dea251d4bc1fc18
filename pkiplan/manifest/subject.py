"""Distinguished names: a map in canonical order, or text by RFC 4514."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pkiplan.hints import did_you_mean
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.values import INVALID, OID_HINT, BadValueError, Invalid, Schema, wrong_type
from pkiplan.model.names import (
    ATTRIBUTE_BY_OID,
    ATTRIBUTE_TYPES,
    AttributeType,
    DistinguishedName,
    NameAttribute,
    StringType,
    holds_control_character,
)

OID = re.compile(r"(?:[01]\.(?:0|[1-9]|[1-3][0-9])|2\.(?:0|[1-9][0-9]{0,17}))(?:\.(?:0|[1-9][0-9]{0,38}))*")
LONGEST_VALUE = 10_000
MOST_ATTRIBUTES = 100
OID_PATTERN = r"^[0-2](\.(0|[1-9][0-9]*))+$"

# The manifest's words, and OpenSSL's short names in any case (`CN`, `emailAddress`, RFC 4514's `STREET`).
_BY_NAME: dict[str, AttributeType] = {attribute.name: attribute for attribute in ATTRIBUTE_TYPES}
_BY_SHORT_NAME = {attribute.short_name.upper(): attribute for attribute in ATTRIBUTE_TYPES} | {
    "STREET": _BY_NAME["street_address"],
    "S": _BY_NAME["state_or_province"],
    "SP": _BY_NAME["state_or_province"],
    "E": _BY_NAME["email_address"],
    "EMAIL": _BY_NAME["email_address"],
    "USERID": _BY_NAME["user_id"],
    "T": _BY_NAME["title"],
    "SURNAME": _BY_NAME["surname"],
    "GIVENNAME": _BY_NAME["given_name"],
}
_POSITION = {attribute.oid: index for index, attribute in enumerate(ATTRIBUTE_TYPES)}
# X.680, 41.4 (PrintableString).
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
_EXPECTED = {
    "name": "did you mean `common_name`?",
    "state": "did you mean `state_or_province`?",
    "province": "did you mean `state_or_province`?",
    "city": "did you mean `locality`?",
    "email": "did you mean `email_address`?",
    "org": "did you mean `organization`?",
    "street": "did you mean `street_address`?",
}


def is_oid(text: str) -> bool:
    """Tell whether a text is an object identifier in dotted form."""
    return len(text) <= 256 and OID.fullmatch(text) is not None


def object_identifier(text: str) -> str:
    """Read an object identifier in dotted form."""
    if not is_oid(text):
        raise _no_oid(text)
    return text


def _no_oid(text: str) -> BadValueError:
    return BadValueError(f"{shown(text)} is no object identifier", code="oid", hint=OID_HINT)


def _unknown_attribute(name: str, known: Iterable[str]) -> BadValueError:
    if name[:1].isdigit():
        return _no_oid(name)
    hint = _EXPECTED.get(name) or did_you_mean(name, known)
    return BadValueError(f"unknown attribute {shown(name)} of a subject", code="unknown-key", hint=hint)


def attribute_oid(name: str) -> str | None:
    """Return the OID of a naming attribute by word, short name or OID, or None when nobody knows it."""
    attribute = _BY_NAME.get(name) or _BY_SHORT_NAME.get(name.upper())
    if attribute is not None:
        return attribute.oid
    return name if is_oid(name) else None


# openssl-req(1), -subj: `/type0=value0/type1=value1`.
_OPENSSL_FORM = re.compile(r"\s*/[A-Za-z0-9.]+=")


def check_value(oid: str, value: str) -> str:
    """Return the text of an attribute if a certificate, and its openssl.cnf, can hold it exactly."""
    attribute = ATTRIBUTE_BY_OID.get(oid)
    name = attribute.name if attribute else oid
    if not value:
        raise BadValueError(f"an empty `{name}`", code="empty", hint="leave the key out")
    if len(value) > LONGEST_VALUE:
        raise BadValueError(f"`{name}` has {len(value):,} characters: {shown(value)}", code="too-long")
    if holds_control_character(value):
        raise BadValueError(f"a control character in `{name}`: {shown(value)}", code="control-character")
    if value != value.strip(" "):
        raise BadValueError(
            f"`{name}` begins or ends with a blank: {shown(value)}",
            code="blank",
            hint=f"write {shown(value.strip(' '))}",
        )
    if attribute is None:
        return value
    length = len(value)
    if attribute.max_length is not None and not attribute.min_length <= length <= attribute.max_length:
        allowed = f"at most {attribute.max_length}"
        hint = ""
        if attribute.min_length == attribute.max_length:
            allowed = f"exactly {attribute.max_length}"
            hint = "write the two letters of ISO 3166-1, such as `SE`" if attribute.name == "country" else ""
        raise BadValueError(
            f"`{name}` has {length} characters, {allowed} may stand there (RFC 5280, appendix A.1): {shown(value)}",
            code="too-long" if length > attribute.max_length else "too-short",
            hint=hint,
        )
    if attribute.name == "country" and not re.fullmatch("[A-Z]{2}", value):
        hint = (
            f"write `{value.upper()}`" if re.fullmatch("[A-Za-z]{2}", value) else "write the two letters of ISO 3166-1"
        )
        raise BadValueError(f"`country` is no two capital letters: {shown(value)}", code="country", hint=hint)
    if attribute.string_type is StringType.PRINTABLE and not _PRINTABLE.fullmatch(value):
        raise BadValueError(
            f"`{name}` may only hold ASCII letters, digits and `'()+,-./:=?` (PrintableString): {shown(value)}",
            code="character",
        )
    if attribute.string_type is StringType.IA5 and not value.isascii():
        raise BadValueError(f"`{name}` may only hold ASCII (IA5String): {shown(value)}", code="character")
    return value


class Subject:
    """A distinguished name: a map of attributes (values may be lists), or text by RFC 4514."""

    wanted = "a subject: a map of attributes, or text such as `CN=web,O=Acme`"

    def read(self, node: Node, mark: int, problems: Problems) -> DistinguishedName | Invalid:
        """Read a name."""
        if isinstance(node, Mapping):
            return self._read_map(node, problems)
        if node.__class__ is Templated:
            return INVALID
        if isinstance(node, str) and not isinstance(node, Plain):
            try:
                return parse_rfc4514(node)
            except BadValueError as bad:
                problems.error(mark, bad.summary, code=bad.code, hint=bad.hint)
                return INVALID
        return wrong_type(self.wanted, node, mark, problems)

    def _read_map(self, node: Mapping, problems: Problems) -> DistinguishedName | Invalid:
        attributes: list[NameAttribute] = []
        is_sound = True
        if len(node) > MOST_ATTRIBUTES:
            problems.error(
                node.mark, f"a subject of {len(node)} attributes, at most {MOST_ATTRIBUTES} are read", code="too-large"
            )
            return INVALID
        given: dict[str, str] = {}
        for key, value, key_mark, value_mark in node.entries():
            plain = _plain_attribute(key, value) if value.__class__ is str else None
            if plain is not None and plain.oid not in given:
                given[plain.oid] = key
                attributes.append(plain)
                continue
            oid = attribute_oid(key)
            if oid is None:
                bad = _unknown_attribute(key, _BY_NAME)
                problems.error(key_mark, bad.summary, code=bad.code, hint=bad.hint, at_key=True)
                is_sound = False
                continue
            if oid in given:
                problems.error(
                    key_mark,
                    f"`{key}` is the same attribute as `{given[oid]}`",
                    code="duplicate-key",
                    at_key=True,
                    hint="give several values as a list",
                )
                is_sound = False
            given[oid] = key
            if is_null(value):
                continue
            for element, mark in _elements(value, value_mark):
                text = _attribute_value(oid, element, mark, problems)
                if text is INVALID:
                    is_sound = False
                else:
                    attributes.append(NameAttribute(oid, text))
        if not is_sound:
            return INVALID
        if len(attributes) > MOST_ATTRIBUTES:
            problems.error(
                node.mark,
                f"a subject of {len(attributes)} attributes, at most {MOST_ATTRIBUTES} are read",
                code="too-large",
            )
            return INVALID
        if len(attributes) > 1:
            attributes.sort(key=_canonical_position)
        return DistinguishedName(tuple((attribute,) for attribute in attributes))

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        value: Schema = {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]
        }
        properties: dict[str, Any] = {}
        for attribute in ATTRIBUTE_TYPES:
            one: Schema = {"type": "string"}
            limit = f"At most {attribute.max_length} characters." if attribute.max_length else "Any length."
            if attribute.name == "country":
                one["pattern"] = "^[A-Z]{2}$|\\{\\{"
                limit = "Two capital letters (ISO 3166-1)."
            properties[attribute.name] = {
                "anyOf": [one, {"type": "array", "items": one}, {"type": "null"}],
                "description": f"{attribute.short_name} ({attribute.oid}). {limit}",
            }
        other = {attribute.short_name for attribute in ATTRIBUTE_TYPES} | set(_BY_SHORT_NAME)
        mapping: Schema = {
            "type": "object",
            "properties": properties,
            "patternProperties": {
                OID_PATTERN: value,
                f"^({'|'.join(sorted(_any_case(name) for name in other))})$": value,
            },
            "additionalProperties": False,
        }
        return {"anyOf": [mapping, {"type": "string"}]}


@lru_cache(maxsize=4096)
def _plain_attribute(key: str, value: str) -> NameAttribute | None:
    """Make an attribute of text that is right; what is wrong is told by those who know its place."""
    oid = attribute_oid(key)
    if oid is None:
        return None
    try:
        return NameAttribute(oid, check_value(oid, value))
    except BadValueError:
        return None


def _canonical_position(attribute: NameAttribute) -> tuple[int, str]:
    position = _POSITION.get(attribute.oid)
    return (len(_POSITION), attribute.oid) if position is None else (position, "")


def _any_case(name: str) -> str:
    return "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else char for char in name)


def _elements(value: Node, mark: int) -> list[tuple[Node, int]]:
    if isinstance(value, Sequence):
        return list(zip(value, value.marks, strict=True))
    return [(value, mark)]


def _attribute_value(oid: str, node: Node, mark: int, problems: Problems) -> str | Invalid:
    if node.__class__ is Templated:
        return INVALID
    if node.__class__ is not str:
        hint = f'write it in quotes: `"{node}"`' if isinstance(node, Plain) and not is_null(node) else ""
        return wrong_type("text", node, mark, problems, hint=hint, template="… | string")
    try:
        return check_value(oid, node)
    except BadValueError as bad:
        problems.error(mark, bad.summary, code=bad.code, hint=bad.hint)
    return INVALID


def parse_rfc4514(text: str) -> DistinguishedName:
    """Read a name by RFC 4514: the last RDN of the text is the certificate's first, `+` joins a multi-valued RDN."""
    if not text.strip():
        return DistinguishedName()
    if _OPENSSL_FORM.match(text):
        raise BadValueError(
            f"a subject as OpenSSL's `-subj` takes it: {shown(text)}",
            code="subject-text",
            hint=f"write it by RFC 4514, the last RDN first: {shown(_as_rfc4514(text))}, or as a map",
        )
    rdns = [
        tuple(sorted(_rdn(part), key=lambda a: (_POSITION.get(a.oid, 99), a.oid, a.value)))
        for part in _split(text, ",")
    ]
    return DistinguishedName(tuple(reversed(rdns)))


def _as_rfc4514(text: str) -> str:
    """Write a subject of OpenSSL's form (`/C=SE/CN=web`) as RFC 4514 does (`CN=web,C=SE`)."""
    return ",".join(part.replace(",", "\\,") for part in reversed(_split(text, "/")) if part)


def _rdn(text: str) -> list[NameAttribute]:
    attributes = [_attribute(part) for part in _split(text, "+")]
    if len({attribute.oid for attribute in attributes}) < len(attributes):
        raise BadValueError(
            f"the same attribute twice in one RDN: {shown(text)}",
            code="subject-text",
            hint="`+` joins attributes of different types (X.501, 9.3); write a comma for two of one type",
        )
    return attributes


def _attribute(text: str) -> NameAttribute:
    name, equals, value = text.strip(" ").partition("=")
    name = name.strip(" ")
    if not equals or not name:
        raise BadValueError(
            f"expected `type=value` in a subject, not {shown(text)}",
            code="subject-text",
            hint="a comma in a value is written `\\,`",
        )
    oid = attribute_oid(name.removeprefix("OID.").removeprefix("oid."))
    if oid is None:
        raise _unknown_attribute(name, [attribute.short_name for attribute in ATTRIBUTE_TYPES])
    return NameAttribute(oid, check_value(oid, _unescaped(value)))


def _split(text: str, separator: str) -> list[str]:
    parts, start, index = [], 0, 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == separator:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def _unescaped(value: str) -> str:
    """Undo RFC 4514's escapes (2.4); blanks around the value that are not escaped do not belong to it."""
    value = value.lstrip(" ")
    while value.endswith(" ") and not re.search(r"(?:^|[^\\])(?:\\\\)*\\ $", value):
        value = value[:-1]
    if value.startswith("#"):
        raise BadValueError(
            f"a value in hexadecimal is not read: {shown(value)}", code="subject-text", hint="write the text itself"
        )
    out = bytearray()
    index = 0
    while index < len(value):
        char = value[index]
        if char == "\\":
            pair = value[index + 1 : index + 3]
            if re.fullmatch("[0-9a-fA-F]{2}", pair):
                out.append(int(pair, 16))
                index += 3
                continue
            if not pair or pair[0] not in ' "#+,;<=>\\':
                raise BadValueError(
                    f"a backslash that escapes nothing: {shown(value)}", code="subject-text", hint="write `\\\\`"
                )
            char = pair[0]
            index += 1
        elif char in '"<>;':
            raise BadValueError(f"`{char}` needs a backslash before it: {shown(value)}", code="subject-text")
        out += char.encode("utf-8", "surrogatepass")
        index += 1
    try:
        return out.decode()
    except UnicodeDecodeError as error:
        raise BadValueError(f"the escapes are no UTF-8: {shown(value)}", code="subject-text") from error
