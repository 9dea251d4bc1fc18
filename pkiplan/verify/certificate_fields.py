"""Two certificates compared field by field, as they are encoded (RFC 5280, 4.1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509

from pkiplan.model.extensions import EXTENSION_NAMES
from pkiplan.plan.descriptions import value_text
from pkiplan.x509 import der
from pkiplan.x509.extensions import UNDECODABLE, CertificateExtensions
from pkiplan.x509.names import parse_name

PUBLIC_KEY = "public key"
NOT_BEFORE = "not before"
NOT_AFTER = "not after"
SUBJECT_KEY_ID = "subject_key_identifier"
AUTHORITY_KEY_ID = "authority_key_identifier"
EXTENSION_ORDER = "order of extensions"

_VALIDITY = "validity"
_EXTENSIONS = "extensions"
_BODY = ("version", "serial number", "signature algorithm", "issuer", _VALIDITY, "subject", PUBLIC_KEY)

_NAMES = ("issuer", "subject")
_TIMES = (NOT_BEFORE, NOT_AFTER)
_SHOWN = 24


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field in which two certificates differ; a field that is not there is None."""

    field: str
    declared: str | None
    openssl: str | None

    def __str__(self) -> str:
        """Write both sides on one line."""
        return f"{self.field}: {self.declared or 'absent'} → {self.openssl or 'absent'}"


def differences(
    declared: x509.Certificate, made: x509.Certificate, *, ignoring: Collection[str] = ()
) -> tuple[FieldDifference, ...]:
    """List the fields in which what is signed differs, in the order of a certificate."""
    if declared.tbs_certificate_bytes == made.tbs_certificate_bytes:
        return ()
    ours, theirs = signed_fields(declared), signed_fields(made)
    our_words, their_words = _extension_words(declared), _extension_words(made)
    found = [
        FieldDifference(name, our_words.get(name), their_words.get(name))
        if our_words.get(name) != their_words.get(name)
        else FieldDifference(name, *_shown(name, ours.get(name), theirs.get(name)))
        for name in dict.fromkeys((*ours, *theirs))
        if name not in ignoring and ours.get(name) != theirs.get(name)
    ]
    return tuple(found)


def difference_of_bytes(declared: bytes, made: bytes) -> FieldDifference:
    """Show where two encodings begin to differ."""
    return FieldDifference("encoding", *_hex_pair(declared, made))


def tbs_with(certificate: x509.Certificate, other: x509.Certificate, names: Collection[str]) -> bytes:
    """Return what is signed in a certificate, with its public key or extensions of these names from another."""
    theirs = {name: element.encoded for name, element in (*_body(other), *_extensions(other)) if name in names}
    extensions = [theirs.get(name, element.encoded) for name, element in _extensions(certificate)]
    listed = der.encode(der.CONTEXT_3, der.encode(der.SEQUENCE, *extensions))
    return der.encode(
        der.SEQUENCE,
        *(listed if name == _EXTENSIONS else theirs.get(name, element.encoded) for name, element in _body(certificate)),
    )


def signed_fields(certificate: x509.Certificate) -> dict[str, bytes]:
    """Cut what is signed into its fields, each as encoded; an extension with its OID and criticality."""
    fields: dict[str, bytes] = {}
    for name, element in _body(certificate):
        if name == _VALIDITY:
            fields[NOT_BEFORE], fields[NOT_AFTER] = (time.encoded for time in element.children())
        elif name != _EXTENSIONS:
            fields[name] = element.encoded
    extensions = _extensions(certificate)
    fields |= {name: element.content for name, element in extensions}
    fields[EXTENSION_ORDER] = ", ".join(name for name, _ in extensions).encode()
    return fields


def _body(certificate: x509.Certificate) -> list[tuple[str, der.Tlv]]:
    """Name the parts of what is signed, in their order."""
    parts = der.single(certificate.tbs_certificate_bytes).expect(der.SEQUENCE).children()
    names = [*_BODY]
    if parts[0].tag != der.CONTEXT_0:
        names.remove("version")
    further = [
        _EXTENSIONS if part.tag == der.CONTEXT_3 else f"field [{part.tag & 0x1F}]" for part in parts[len(names) :]
    ]
    return list(zip([*names, *further], parts, strict=True))


def _extensions(certificate: x509.Certificate) -> list[tuple[str, der.Tlv]]:
    listed = next((part for name, part in _body(certificate) if name == _EXTENSIONS), None)
    if listed is None:
        return []
    extensions = der.single(listed.content).expect(der.SEQUENCE).children()
    return [(_extension_name(der.decode_oid(e.children()[0].content)), e) for e in extensions]


def _extension_name(oid: str) -> str:
    return EXTENSION_NAMES.get(oid, oid)


def _extension_words(certificate: x509.Certificate) -> dict[str, str]:
    """Write extensions in the words of the manifest; where both sides read alike, their octets tell the difference."""
    try:
        extensions = CertificateExtensions(certificate).all()
    except UNDECODABLE:
        return {}
    return {
        _extension_name(extension.oid): value_text(extension.value) + (" (critical)" if extension.critical else "")
        for extension in extensions
    }


def _shown(name: str, declared: bytes | None, made: bytes | None) -> tuple[str | None, str | None]:
    if name in _NAMES:
        texts = [None if side is None else str(parse_name(side)) for side in (declared, made)]
        # Names that read alike differ in their string types.
        if texts[0] != texts[1]:
            return texts[0], texts[1]
    if name in _TIMES:
        return _time(declared), _time(made)
    if name == EXTENSION_ORDER:
        return _text(declared), _text(made)
    return _hex_pair(declared, made)


def _time(encoded: bytes | None) -> str | None:
    return None if encoded is None else der.single(encoded).content.decode("ascii", "replace")


def _text(encoded: bytes | None) -> str | None:
    return None if encoded is None else encoded.decode()


def _hex_pair(declared: bytes | None, made: bytes | None) -> tuple[str | None, str | None]:
    """Write both sides in hex, from a little before the first byte that differs."""
    start = 0
    if declared is not None and made is not None:
        differing = (i for i, (ours, theirs) in enumerate(zip(declared, made, strict=False)) if ours != theirs)
        start = max(0, next(differing, min(len(declared), len(made))) - 2)
    return _hex(declared, start), _hex(made, start)


def _hex(encoded: bytes | None, start: int) -> str | None:
    if encoded is None:
        return None
    end = start + _SHOWN
    return f"{'…' if start else ''}{encoded[start:end].hex()}{'…' if len(encoded) > end else ''}"
