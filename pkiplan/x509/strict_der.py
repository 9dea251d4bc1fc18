"""Whether bytes are DER throughout: every value inside of them too, as far as its tag tells what it is (X.690)."""

from __future__ import annotations

import re
from collections.abc import Callable

from pkiplan.x509 import der

_DEEPEST = 64
_CONSTRUCTED = 0x20
_SEQUENCES = (der.SEQUENCE, 0x31)


def is_der(value: bytes) -> bool:
    """Tell whether bytes are exactly one element, and so are those inside of it, each of the form that its tag asks."""
    try:
        _walk(der.single(value), depth=0)
    except der.DerError:
        return False
    return True


def _walk(element: der.Tlv, depth: int) -> None:
    if depth > _DEEPEST:
        raise der.DerError("nested too deep")
    if not _has_shortest_head(element):
        raise der.DerError("a tag or a length of more octets than it takes")
    is_universal = element.tag & 0xC0 == 0 and element.tag & 0x1F != 0x1F
    if element.tag & _CONSTRUCTED:
        if is_universal and element.tag not in _SEQUENCES:
            raise der.DerError("a value that DER keeps in one piece")  # 10.2
        for child in element.children():
            _walk(child, depth + 1)
    elif is_universal and not _FORMS.get(element.tag, _anything)(element.content):
        raise der.DerError(f"tag {element.tag:#04x} with what is none of its values")


def _has_shortest_head(element: der.Tlv) -> bool:
    """Tell whether tag and length take as few octets as they can (8.1.2.2, 8.1.2.4.2 and 10.1)."""
    head = element.encoded[: len(element.encoded) - len(element.content)]
    of_tag = 1
    if element.tag & 0x1F == 0x1F:
        of_tag += next(at for at in range(1, len(head)) if not head[at] & 0x80)
        if head[1] == 0x80 or (of_tag == 2 and head[1] < 0x1F):
            return False
    size = len(element.content)
    of_length = 1 if size < 0x80 else 1 + (size.bit_length() + 7) // 8
    return len(head) == of_tag + of_length


def _anything(_: bytes) -> bool:
    return True


def _nothing(content: bytes) -> bool:
    return not content


def _never(_: bytes) -> bool:
    return False


def _is_boolean(content: bytes) -> bool:
    return content in (b"\x00", b"\xff")  # 11.1


def _is_integer(content: bytes) -> bool:
    # 8.3.2: the first nine bits are not all alike.
    return len(content) == 1 or (len(content) > 1 and (content[0], content[1] >> 7) not in ((0, 0), (0xFF, 1)))


def _is_bit_string(content: bytes) -> bool:
    # 8.6.2 and 11.2.1: how many bits of the last octet are unused, and those are zero.
    if not content or content[0] > 7:
        return False
    return content[-1] & ((1 << content[0]) - 1) == 0 if len(content) > 1 else content[0] == 0


def _is_object_identifier(content: bytes) -> bool:
    # 8.19.2: each number ends with an octet whose first bit is clear, and does not begin with 0x80.
    starts = (at for at in range(len(content)) if at == 0 or not content[at - 1] & 0x80)
    return bool(content) and not content[-1] & 0x80 and all(content[at] != 0x80 for at in starts)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _matches(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern)
    return lambda content: compiled.fullmatch(content) is not None


_FORMS: dict[int, Callable[[bytes], bool]] = {
    0x00: _never,
    der.BOOLEAN: _is_boolean,
    der.INTEGER: _is_integer,
    der.BIT_STRING: _is_bit_string,
    0x05: _nothing,
    der.OBJECT_IDENTIFIER: _is_object_identifier,
    0x0A: _is_integer,
    der.UTF8_STRING: _is_utf8,
    0x10: _never,  # SEQUENCE and SET consist of values
    0x11: _never,
    0x17: _matches(rb"[0-9]{12}Z"),  # 11.8
    0x18: _matches(rb"[0-9]{14}(\.[0-9]*[1-9])?Z"),  # 11.7
    0x1C: lambda content: len(content) % 4 == 0,
    0x1E: lambda content: len(content) % 2 == 0,
}
