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
    """One element: its tag (a single octet), its content, and all of it as encoded."""

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
    if start + 2 > len(data):
        raise DerError("cut short")
    tag, first = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise DerError("a tag of several octets")
    position = start + 2
    length = first
    if first & 0x80:
        octets = first & 0x7F
        if not 1 <= octets <= 4 or position + octets > len(data):
            raise DerError("a length that is indefinite or too long")
        length = int.from_bytes(data[position : position + octets], "big")
        position += octets
    end = position + length
    if end > len(data):
        raise DerError("cut short")
    return Tlv(tag, data[position:end], data[start:end]), end


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
    parts = single(certificate).expect(SEQUENCE).children()
    if len(parts) != 3:
        raise DerError("a certificate without its parts")
    fields = parts[0].expect(SEQUENCE).children()
    if fields and fields[0].tag == CONTEXT_0:
        del fields[0]
    if len(fields) < 6:
        raise DerError("a certificate without its fields")
    _, inner, issuer, _, subject, key_info, *others = fields
    return CertificateParts(
        issuer=issuer.encoded,
        subject=subject.encoded,
        subject_public_key_info=key_info.encoded,
        inner_signature_algorithm=inner.encoded,
        outer_signature_algorithm=parts[1].encoded,
        listed_extensions=next((other for other in others if other.tag == CONTEXT_3), None),
    )


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
    fields = single(subject_public_key_info).expect(SEQUENCE).children()
    if len(fields) != 2:
        raise DerError("a public key without its bits")
    return fields[1].expect(BIT_STRING).content[1:]
