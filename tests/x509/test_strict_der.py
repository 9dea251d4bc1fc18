from __future__ import annotations

import pytest

from pkiplan.manifest.der_values import der_text
from pkiplan.manifest.values import BadValueError
from pkiplan.x509.strict_der import is_der

DER = [
    ("an empty sequence", "3000"),
    ("true and false", "30060101ff010100"),
    ("small numbers", "3009 020100 020180 02017f"),
    ("numbers that need their first octet", "3008 02020080 0202ff7f"),
    ("bits", "3007 030100 03020780"),
    ("an object identifier", "06062a864886f70d"),
    ("text", "0c02c3a9"),
    ("a moment", "170d3237303133313132303030305a"),
    ("a moment with a fraction", "1811 3230323730313331313230303030 2e35 5a"),
    ("a tag of several octets", "9f2a0105"),
    ("a tag of several octets inside", "3005 bf2a02 0500"),
    ("anything under a tag of one's own", "8003ffffff"),
    ("a length that needs an octet of its own", "048180" + "61" * 128),
    ("the least tag of several octets", "9f1f00"),
]
OTHERWISE = [
    ("nothing", ""),
    ("a length that needs no octet of its own", "3081030201ff"),
    ("one of them, inside", "3004 02810105"),
    ("a length with a zero too many", "04820080" + "61" * 128),
    ("a tag that fits into one octet", "9f1e00"),
    ("a tag with a zero too many", "9f802a00"),
    ("two values", "05000500"),
    ("a length that does not fit", "0402aa"),
    ("a tag that has no end", "9fffff"),
    ("a tag that is all there is", "9f2a"),
    ("true by another number", "010101"),
    ("a boolean of two octets", "01020000"),
    ("no number", "0200"),
    ("a number with a zero too many", "02020001"),
    ("a negative number with an octet too many", "0202ff80"),
    ("no bits", "0300"),
    ("nine unused bits", "03020900"),
    ("unused bits of nothing", "030101"),
    ("an unused bit that is set", "03020101"),
    ("a NULL of something", "050100"),
    ("an object identifier of nothing", "0600"),
    ("an object identifier that is cut short", "060180"),
    ("an object identifier with a zero too many", "06032a8001"),
    ("no UTF-8", "0c02c328"),
    ("a moment without seconds", "170b323730313331313230305a"),
    ("half a character of a BMPString", "1e0161"),
    ("a sequence in one piece", "1000"),
    ("an octet string in pieces", "2403040161"),
    ("the end of contents", "30020000"),
    ("one of them, deep inside", "3006 3004 a002 0200"),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=sentence) for sentence, text in DER])
def test_der_is_known(text: str) -> None:
    assert is_der(bytes.fromhex(text))
    assert der_text(text) == bytes.fromhex(text)


@pytest.mark.parametrize("text", [pytest.param(text, id=sentence) for sentence, text in OTHERWISE])
def test_what_is_not_der_is_known(text: str) -> None:
    assert not is_der(bytes.fromhex(text))
    with pytest.raises(BadValueError):
        der_text(text)
