"""How a distinguished name will be encoded when it is signed (X.690, RFC 5280 4.1.2.4).

An issuer's name must equal its subject byte for byte (RFC 5280, 7.1), so the planner has to know what the subject of
an authority will be before it is signed. A test compares this with what the X.509 adapter really writes.
"""

from __future__ import annotations

from pkiplan.model.names import ATTRIBUTE_BY_OID, DistinguishedName, NameAttribute, StringType

SEQUENCE = 0x30
SET = 0x31
OBJECT_IDENTIFIER = 0x06
STRING_TAGS = {StringType.UTF8: 0x0C, StringType.PRINTABLE: 0x13, StringType.IA5: 0x16}


def encode_name(name: DistinguishedName) -> bytes:
    """Encode a name in DER, each attribute as the string type its attribute type asks for."""
    return _tagged(SEQUENCE, b"".join(_relative_name(rdn) for rdn in name.rdns))


def _relative_name(rdn: tuple[NameAttribute, ...]) -> bytes:
    # X.690, 11.6: the elements of a SET OF stand in ascending order of their encodings.
    return _tagged(SET, b"".join(sorted(_attribute(attribute) for attribute in rdn)))


def _attribute(attribute: NameAttribute) -> bytes:
    known = ATTRIBUTE_BY_OID.get(attribute.oid)
    tag = STRING_TAGS[known.string_type if known else StringType.UTF8]
    text = _tagged(tag, attribute.value.encode())
    return _tagged(SEQUENCE, _tagged(OBJECT_IDENTIFIER, _object_identifier(attribute.oid)) + text)


def _object_identifier(oid: str) -> bytes:
    first, second, *others = (int(arc) for arc in oid.split("."))
    return b"".join(_base_128(arc) for arc in (first * 40 + second, *others))


def _base_128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(number & 0x7F | 0x80)
    return bytes(reversed(octets))


def _tagged(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content
