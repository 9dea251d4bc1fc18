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
    from pkiplan.x509 import der

    try:
        der.single(data)
    except der.DerError:
        return False
    return True


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
