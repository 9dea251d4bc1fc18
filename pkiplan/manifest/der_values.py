"""Values that only DER can say, in hexadecimal, in base64 or in OpenSSL's generator syntax."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from pkiplan.manifest.problems import shown
from pkiplan.manifest.tables import Key
from pkiplan.manifest.values import BadValueError, Text

LARGEST_DER = 65_536


def der_text(text: str) -> bytes:
    """Read DER written in hexadecimal (with or without colons and blanks) or base64."""
    compact = re.sub(r"[\s:]", "", text)
    try:
        if len(compact) % 2 == 0 and re.fullmatch("[0-9a-fA-F]+", compact):
            data = bytes.fromhex(compact)
        else:
            data = base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadValueError(
            f"{shown(text)} is neither hexadecimal nor base64", code="der", hint="write for instance `der: 0500`"
        ) from error
    if len(data) > LARGEST_DER:
        raise BadValueError(f"more than {LARGEST_DER} bytes of DER", code="der")
    from pkiplan.x509.strict_der import is_der

    if not _is_one_value(data):
        raise BadValueError(
            f"{shown(text)} is no DER: its length does not fit",
            code="der",
            hint="the bytes are those inside of extnValue, tag and length first",
        )
    if not is_der(data):
        raise BadValueError(
            f"{shown(text)} is no DER: a value in it is not written as DER wants it",
            code="der",
            hint="`openssl asn1parse -inform DER` reads the bytes back; X.690 says how each type is written",
        )
    return data


def _is_one_value(data: bytes) -> bool:
    """Tell whether bytes are exactly one value of DER, as far as tags and lengths go (X.690, 10.1)."""
    return bool(data) and _end_of_value(data, 0, len(data), 0) == len(data)


def _end_of_value(data: bytes, start: int, limit: int, depth: int) -> int:
    """Return where the value that begins at `start` ends, or -1 when it is damaged."""
    at = start + 2
    if at > limit or depth > 50:
        return -1
    if data[start] & 0x1F == 0x1F:  # a tag number of several bytes
        while at <= limit and data[at - 1] & 0x80:
            at += 1
        at += 1
        if at > limit:
            return -1
    length = data[at - 1]
    if length & 0x80:
        count = length & 0x7F
        digits = data[at : at + count]
        length = int.from_bytes(digits, "big")
        if not 0 < count <= 4 or len(digits) < count or digits[0] == 0 or length < 0x80:
            return -1
        at += count
    end = at + length
    if end > limit:
        return -1
    if data[start] & 0x20:  # constructed: what is inside must be values, too
        while at < end:
            at = _end_of_value(data, at, end, depth + 1)
            if at < 0:
                return -1
    return end


def asn1_text(text: str) -> tuple[bytes, str]:
    """Read a value in OpenSSL's generator syntax; the text goes along for the cnf."""
    from pkiplan.x509.asn1_generator import GeneratorError, generate

    if any(char < " " or "\x7f" <= char <= "\x9f" for char in text) or text != text.strip():
        raise BadValueError(f"a control character, or a blank at an end: {shown(text)}", code="control-character")
    try:
        return generate(text), text
    except GeneratorError as error:
        raise BadValueError(
            f"{shown(text)} is not in OpenSSL's generator syntax: {error}",
            code="asn1",
            hint="see ASN1_generate_nconf(3); write for instance `asn1: UTF8String:hello`",
        ) from error


DER = Key(
    Text("DER in hexadecimal or base64", der_text, raw=True),
    "The value as DER, in hexadecimal or base64.",
    examples=("0500",),
)
ASN1 = Key(
    Text("a value in OpenSSL's generator syntax", asn1_text),
    "The value in OpenSSL's generator syntax (ASN1_generate_nconf(3)).",
    examples=("UTF8String:hello",),
)


def exactly_one(fields: dict[str, Any], first: str, second: str) -> None:
    """Refuse both, and neither; raises `BadValueError`."""
    if first in fields and second in fields:
        raise BadValueError(
            f"`{first}` and `{second}` exclude each other", code="conflict", hint="leave one of them out"
        )
    if first not in fields and second not in fields:
        raise BadValueError(
            f"expected either `{first}` or `{second}`",
            code="missing-key",
            hint="write for instance `asn1: UTF8String:hello`",
        )
