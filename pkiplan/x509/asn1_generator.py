"""OpenSSL's generator syntax for ASN.1 values (ASN1_generate_nconf(3)) → DER.

Of a cnf a value can refer to other sections (`SEQUENCE:section`); a manifest has none, so those are refused.
`tests/manifest/test_asn1_generator.py`
compares with what `openssl asn1parse -genstr` makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from pkiplan.x509.strict_der import is_der

LONGEST_TEXT = 16_384
LARGEST_INTEGER_DIGITS = 2_000


class GeneratorError(ValueError):
    """A text that is not in generator syntax."""


def generate(text: str) -> bytes:
    """Return the DER that a text in OpenSSL's generator syntax stands for."""
    if len(text) > LONGEST_TEXT:
        message = f"more than {LONGEST_TEXT} characters"
        raise GeneratorError(message)
    wrappers: list[Callable[[bytes], bytes]] = []
    implicit: tuple[int, int] | None = None
    form = "ASCII"
    rest = text.strip()
    while True:
        word, value, rest, had_value = _modifier(rest)
        if word in _TYPES:
            content = _TYPES[word](value if had_value else "", form)
            break
        if word in ("EXP", "EXPLICIT"):
            if value.endswith("U"):
                raise GeneratorError("an explicit tag is none of the universal ones")
            wrappers.append(_explicit(_tag(value), implicit))
            implicit = None
        elif word in ("IMP", "IMPLICIT"):
            if value.endswith("U") and value[:-1] not in _FREE_UNIVERSAL_TAGS:
                raise GeneratorError(f"the universal tag {value[:-1][:20]} says what a value is; give the type itself")
            if implicit is not None:
                raise GeneratorError("two implicit tags one after another")
            implicit = _tag(value)
        elif word in _WRAPPERS:
            wrappers.append(_wrapper(_WRAPPERS[word], implicit))
            implicit = None
        elif word in ("FORM", "FORMAT"):
            if value not in ("ASCII", "UTF8", "HEX", "BITLIST"):
                raise GeneratorError(f"unknown format `{value[:20]}`")
            form = value
        else:
            raise GeneratorError(f"unknown type or modifier `{word[:20]}`")
        if len(wrappers) > 20:  # as in OpenSSL: ASN1_FLAG_EXP_MAX
            raise GeneratorError("more than 20 wrappers")
    encoded = _retagged(content, implicit)
    for wrap in reversed(wrappers):
        encoded = wrap(encoded)
    if not is_der(encoded):
        raise GeneratorError("its tags do not fit its values")
    return encoded


def _modifier(text: str) -> tuple[str, str, str, bool]:
    """Split the first word off: `word:value,rest`; a type takes all that follows as its value."""
    match = re.match(r"\s*([A-Za-z0-9]+)\s*(:|,|$)", text)
    if match is None:
        raise GeneratorError("expected `TYPE:value`")
    word = match[1].upper()  # OpenSSL 3 does not look at case
    if word in ("SEQ", "SEQUENCE", "SET"):
        raise GeneratorError("a sequence or set takes a section of a cnf; give the value as `der:`")
    if word in _TYPES:
        return word, text[match.end() :] if match[2] == ":" else "", "", match[2] == ":"
    value, _, rest = text[match.end() :].partition(",") if match[2] == ":" else ("", "", text[match.end() :])
    if not rest:
        raise GeneratorError(f"`{match[1][:20]}` is not followed by a type")
    return word, value.strip(), rest, match[2] == ":"


# OCTET STRING and strings of any octets: OpenSSL reads what it made once more, and refuses what does not fit its tag.
_FREE_UNIVERSAL_TAGS = ("4", "12", "18", "19", "20", "22", "26", "27")
_CLASSES = {"": 0x80, "C": 0x80, "U": 0x00, "A": 0x40, "P": 0xC0}


def _tag(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})([UAPC]?)", text)
    if match is None:
        raise GeneratorError(f"`{text[:20]}` is no tag")
    return int(match[1]), _CLASSES[match[2]]


def _header(number: int, bits: int, length: int) -> bytes:
    if number < 31:
        out = bytes([bits | number])
    else:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | (number & 0x7F))
        out = bytes([bits | 0x1F, *reversed(digits)])
    if length < 0x80:
        return out + bytes([length])
    size = (length.bit_length() + 7) // 8
    return out + bytes([0x80 | size]) + length.to_bytes(size, "big")


def _value(number: int, content: bytes, bits: int = 0) -> bytes:
    return _header(number, bits, len(content)) + content


def _retagged(encoded: bytes, tag: tuple[int, int] | None) -> bytes:
    """Replace the outer tag; whether a value is constructed stays."""
    if tag is None:
        return encoded
    at = 1
    if encoded[0] & 0x1F == 0x1F:
        while encoded[at] & 0x80:
            at += 1
        at += 1
    at += 1 + (encoded[at] & 0x7F if encoded[at] & 0x80 else 0)
    return _value(tag[0], encoded[at:], tag[1] | (encoded[0] & 0x20))


def _explicit(tag: tuple[int, int], implicit: tuple[int, int] | None) -> Callable[[bytes], bytes]:
    if implicit is not None:
        raise GeneratorError("an implicit tag before an explicit one")
    return lambda content: _value(tag[0], content, tag[1] | 0x20)


_WRAPPERS = {"SEQWRAP": (16, 0x20, b""), "SETWRAP": (17, 0x20, b""), "OCTWRAP": (4, 0, b""), "BITWRAP": (3, 0, b"\0")}


def _wrapper(kind: tuple[int, int, bytes], implicit: tuple[int, int] | None) -> Callable[[bytes], bytes]:
    number, constructed, prefix = kind
    return lambda content: _retagged(_value(number, prefix + content, constructed), implicit)


def _as_text_alone(form: str, kind: str) -> None:
    if form != "ASCII":
        raise GeneratorError(f"{kind} has no format {form}")


def _boolean(text: str, form: str) -> bytes:
    _as_text_alone(form, "a boolean")
    words = {"TRUE": 0xFF, "true": 0xFF, "Y": 0xFF, "y": 0xFF, "YES": 0xFF, "yes": 0xFF}
    words |= dict.fromkeys(("FALSE", "false", "N", "n", "NO", "no"), 0)
    if text not in words:
        raise GeneratorError(f"`{text[:20]}` is no boolean")
    return _value(1, bytes([words[text]]))


def _null(text: str, _form: str) -> bytes:
    if text:
        raise GeneratorError("NULL has no value")
    return _value(5, b"")


def _integer(number: int) -> Callable[[str, str], bytes]:
    def make(text: str, form: str) -> bytes:
        _as_text_alone(form, "an integer")
        match = re.fullmatch(r"(-?)(?:0[xX]([0-9A-Fa-f]+)|([0-9]+))", text)
        if match is None or len(text) > LARGEST_INTEGER_DIGITS:
            raise GeneratorError(f"`{text[:20]}` is no integer")
        value = int(match[2], 16) if match[2] else int(match[3])
        value = -value if match[1] else value
        return _value(
            number,
            value.to_bytes(
                (value.bit_length() if value >= 0 else (value + 1).bit_length()) // 8 + 1, "big", signed=True
            ),
        )

    return make


def _object(text: str, form: str) -> bytes:
    _as_text_alone(form, "an object identifier")
    if not re.fullmatch(r"[0-2](?:\.(?:0|[1-9][0-9]{0,38}))+", text):
        raise GeneratorError(f"`{text[:40]}` is no object identifier in dotted form")
    first, second, *others = (int(arc) for arc in text.split("."))
    if first < 2 and second > 39:
        raise GeneratorError(f"`{text[:40]}` is no object identifier")
    out = bytearray()
    for arc in (first * 40 + second, *others):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | (arc & 0x7F))
        out += bytes(reversed(digits))
    return _value(6, bytes(out))


def _time(number: int, pattern: str) -> Callable[[str, str], bytes]:
    def make(text: str, form: str) -> bytes:
        if form != "ASCII" or not re.fullmatch(pattern, text) or not _is_moment(text):
            raise GeneratorError(
                f"`{text[:30]}` is no time such as `{'270131120000Z' if number == 23 else '20270131120000Z'}`"
            )
        return _value(number, text.encode())

    return make


def _is_moment(text: str) -> bool:
    # RFC 5280, 4.1.2.5.1: years of two digits are those from 1950 to 2049.
    text = text if len(text) == 15 else ("20" if text < "50" else "19") + text
    try:
        datetime.strptime(text.replace("Z", "+0000"), "%Y%m%d%H%M%S%z")
    except ValueError:
        return False
    return True


def _octets(text: str, form: str) -> bytes:
    if form == "HEX":
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
            raise GeneratorError(f"`{text[:30]}` is not hexadecimal")
        return bytes.fromhex(text)
    if form == "BITLIST":
        raise GeneratorError("BITLIST is a format of BITSTRING")
    if form == "UTF8":
        raise GeneratorError("UTF8 is a format of strings of characters")
    return _text(text, form)


def _octet_string(text: str, form: str) -> bytes:
    return _value(4, _octets(text, form))


def _bit_string(text: str, form: str) -> bytes:
    if form != "BITLIST":
        return _value(3, b"\0" + _octets(text, form))
    bits: set[int] = set()
    for word in filter(None, (word.strip() for word in text.split(","))):
        if not re.fullmatch("[0-9]{1,3}", word) or int(word) > 256:
            raise GeneratorError(f"`{word[:20]}` is no number of a bit")
        bits.add(int(word))
    if not bits:
        raise GeneratorError("a list of no bits")
    size = max(bits) // 8 + 1
    content = bytearray(size)
    for bit in bits:
        content[bit // 8] |= 0x80 >> (bit % 8)
    return _value(3, bytes([7 - max(bits) % 8]) + bytes(content))


def _text(text: str, form: str) -> bytes:
    if form == "ASCII" and not text.isascii():
        raise GeneratorError("characters beyond ASCII need `FORMAT:UTF8,` before the type")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise GeneratorError("half a surrogate pair") from error


def _string(number: int, encoding: str, allowed: str | None = None) -> Callable[[str, str], bytes]:
    def make(text: str, form: str) -> bytes:
        if form not in ("ASCII", "UTF8"):
            raise GeneratorError(f"the format {form} is not for strings")
        _text(text, form)
        if allowed is not None and not re.fullmatch(allowed, text):
            raise GeneratorError(f"a character that this type of string cannot hold: `{text[:30]}`")
        try:
            return _value(number, text.encode(encoding))
        except UnicodeEncodeError as error:
            raise GeneratorError(f"a character that this type of string cannot hold: `{text[:30]}`") from error

    return make


_TYPES: dict[str, Callable[[str, str], bytes]] = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), _boolean),
    "NULL": _null,
    **dict.fromkeys(("INT", "INTEGER"), _integer(2)),
    **dict.fromkeys(("ENUM", "ENUMERATED"), _integer(10)),
    **dict.fromkeys(("OID", "OBJECT"), _object),
    **dict.fromkeys(("UTCTIME", "UTC"), _time(23, r"[0-9]{12}Z")),
    **dict.fromkeys(("GENTIME", "GENERALIZEDTIME"), _time(24, r"[0-9]{14}Z")),
    **dict.fromkeys(("OCT", "OCTETSTRING"), _octet_string),
    **dict.fromkeys(("BITSTR", "BITSTRING"), _bit_string),
    **dict.fromkeys(("UTF8", "UTF8STRING"), _string(12, "utf-8")),
    **dict.fromkeys(("UNIV", "UNIVERSALSTRING"), _string(28, "utf-32-be")),
    **dict.fromkeys(("IA5", "IA5STRING"), _string(22, "ascii")),
    **dict.fromkeys(("BMP", "BMPSTRING"), _string(30, "utf-16-be", "[\x00-\uffff]*")),
    **dict.fromkeys(("PRINTABLE", "PRINTABLESTRING"), _string(19, "ascii", r"[A-Za-z0-9 '()+,\-./:=?]*")),
    **dict.fromkeys(("VISIBLE", "VISIBLESTRING"), _string(26, "ascii", "[ -~]*")),
    **dict.fromkeys(("T61", "T61STRING", "TELETEXSTRING"), _string(20, "latin-1")),
    **dict.fromkeys(("NUMERIC", "NUMERICSTRING"), _string(18, "ascii", "[0-9 ]*")),
    **dict.fromkeys(("GENERALSTRING", "GENSTR"), _string(27, "utf-8")),
}
