"""Just enough DER to cut a certificate into its parts and to write a few values (X.690).

`cryptography` decodes all extensions of a certificate or none; cut out here, each is looked at by itself. Names,
too, are wanted as they are encoded, not as they would be encoded again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
SEQUENCE = 0x30
BOOLEAN = 0x01
CONTEXT_0 = 0xA0
CONTEXT_3 = 0xA3


class DerError(ValueError):
    """The bytes are not what DER says they are."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One element: its tag (of several octets the first), its content, and all of it as encoded."""

    tag: int
    content: bytes
    encoded: bytes

    def children(self) -> list[Tlv]:
        """Cut the content into elements."""
        return list(elements(self.content))

    def expect(self, tag: int) -> Tlv:
        """Return the element itself if its tag is the wanted one."""
        if self.tag != tag:
            raise DerError(f"tag {self.tag:#04x} where {tag:#04x} belongs")
        return self


def elements(data: bytes) -> Iterator[Tlv]:
    """Cut bytes into the elements that follow one another in them."""
    position = 0
    while position < len(data):
        element, position = _element(data, position)
        yield element


def single(data: bytes) -> Tlv:
    """Read bytes that are exactly one element."""
    element, end = _element(data, 0)
    if end != len(data):
        raise DerError(f"{len(data) - end} bytes follow the end")
    return element


def _element(data: bytes, start: int) -> tuple[Tlv, int]:
    tag, content, end = _header(data, start)
    return Tlv(tag, data[content:end], data[start:end]), end


def _header(data: bytes, start: int) -> tuple[int, int, int]:
    """Read the head of an element: its tag, and where its content begins and ends."""
    if start + 2 > len(data):
        raise DerError("cut short")
    tag, position = data[start], start + 1
    if tag & 0x1F == 0x1F:
        position = _end_of_long_tag(data, position)
    length = data[position]
    position += 1
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or position + octets > len(data):
            raise DerError("a length that is indefinite or too long")
        length = int.from_bytes(data[position : position + octets], "big")
        position += octets
    end = position + length
    if end > len(data):
        raise DerError("cut short")
    return tag, position, end


def _end_of_long_tag(data: bytes, position: int) -> int:
    """Find the length of an element behind the further octets of its tag (X.690, 8.1.2.4)."""
    while position < len(data) and data[position] & 0x80:
        position += 1
    if position + 1 >= len(data):
        raise DerError("cut short")
    return position + 1


def encode(tag: int, *contents: bytes) -> bytes:
    """Write one element whose content is the given parts, one after another."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def encode_integer(value: int) -> bytes:
    """Write a non-negative integer."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encode_oid(dotted: str) -> bytes:
    """Write an object identifier given in dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return encode(OBJECT_IDENTIFIER, *(_base_128(arc) for arc in (first * 40 + second, *rest)))


def _base_128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | (arc & 0x7F))
    return bytes(reversed(octets))


def decode_oid(content: bytes) -> str:
    """Read the content of an object identifier into dotted form."""
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | (octet & 0x7F)
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs or content[-1] & 0x80:
        raise DerError("an object identifier that is cut short")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))


@dataclass(frozen=True, slots=True)
class RawExtension:
    """One extension as encoded: its OID, criticality, and the content of extnValue."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateParts:
    """The parts of a certificate as they are encoded (RFC 5280, 4.1)."""

    issuer: bytes
    subject: bytes
    subject_public_key_info: bytes
    inner_signature_algorithm: bytes
    outer_signature_algorithm: bytes
    listed_extensions: Tlv | None

    def extensions(self) -> tuple[RawExtension, ...]:
        """Cut the list of extensions apart."""
        return () if self.listed_extensions is None else tuple(_raw_extensions(self.listed_extensions))


@lru_cache(maxsize=64)
def certificate_parts(certificate: bytes) -> CertificateParts:
    """Cut a DER certificate into its parts."""
    parts = list(_spans(certificate, *_inside(certificate, (0, len(certificate)))))
    if len(parts) != 3:
        raise DerError("a certificate without its parts")
    fields = list(_spans(certificate, *_inside(certificate, parts[0])))
    if fields and certificate[fields[0][0]] == CONTEXT_0:
        del fields[0]
    if len(fields) < 6:
        raise DerError("a certificate without its fields")
    _, inner, issuer, _, subject, key_info, *others = (certificate[start:end] for start, end in fields)
    return CertificateParts(
        issuer=issuer,
        subject=subject,
        subject_public_key_info=key_info,
        inner_signature_algorithm=inner,
        outer_signature_algorithm=certificate[slice(*parts[1])],
        listed_extensions=next((single(other) for other in others if other[0] == CONTEXT_3), None),
    )


def _inside(data: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """Tell where the content of a SEQUENCE begins and ends that fills a span of some bytes."""
    tag, position, end = _header(data, span[0])
    if end != span[1]:
        raise DerError(f"{span[1] - end} bytes follow the end")
    if tag != SEQUENCE:
        raise DerError(f"tag {tag:#04x} where {SEQUENCE:#04x} belongs")
    return position, end


def _spans(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Tell where each element begins and ends; looking is all that it takes, where `elements` makes values."""
    while start < end:
        _, _, following = _header(data, start)
        if following > end:
            raise DerError("cut short")
        yield start, following
        start = following


def _raw_extensions(listed: Tlv) -> Iterator[RawExtension]:
    for extension in single(listed.content).expect(SEQUENCE).children():
        oid, *others = extension.expect(SEQUENCE).children()
        if not others:
            raise DerError("an extension without a value")
        critical = others[0].tag == BOOLEAN and others[0].content != b"\x00"
        yield RawExtension(
            decode_oid(oid.expect(OBJECT_IDENTIFIER).content), critical, others[-1].expect(OCTET_STRING).content
        )


def key_bits(subject_public_key_info: bytes) -> bytes:
    """Return the content of the BIT STRING subjectPublicKey, without the count of unused bits."""
    fields = list(_spans(subject_public_key_info, *_inside(subject_public_key_info, (0, len(subject_public_key_info)))))
    if len(fields) != 2:
        raise DerError("a public key without its bits")
    tag, position, end = _header(subject_public_key_info, fields[1][0])
    if tag != BIT_STRING:
        raise DerError(f"tag {tag:#04x} where {BIT_STRING:#04x} belongs")
    return subject_public_key_info[position + 1 : end]
