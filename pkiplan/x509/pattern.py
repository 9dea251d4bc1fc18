"""What certificates of one profile and issuer have in common, byte for byte.

They differ in serial number, validity, subject, key, key identifier and subject alternative names. Where all the rest
is as in one that was examined, and these are as they are written here, by other code than what made the certificate,
it holds what was asked for: equal bytes decode to equal values. What cannot be written here is examined.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address

from pkiplan.model.extensions import EXTENSION_OIDS, Extension, SubjectAltName
from pkiplan.model.names import (
    ATTRIBUTE_BY_OID,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    StringType,
)
from pkiplan.model.observed import FileFacts, ObservedCertificate
from pkiplan.x509 import der
from pkiplan.x509.kept import Kept
from pkiplan.x509.keys import PublicKey, key_identifier_of_spki, key_spec
from pkiplan.x509.unsound_keys import weakness

NAMES_OID = EXTENSION_OIDS["subject_alt_name"]
_KEY_ID_OID = EXTENSION_OIDS["subject_key_identifier"]

# RFC 5280, appendix A.1; X.680, 8.4.
_SET = 0x31
_STRING_TAGS = {StringType.UTF8: der.UTF8_STRING, StringType.PRINTABLE: 0x13, StringType.IA5: 0x16}
# RFC 5280, 4.2.1.6.
_NAME_TAGS = {GeneralNameKind.EMAIL: 0x81, GeneralNameKind.DNS: 0x82, GeneralNameKind.URI: 0x86}
_ADDRESS_TAG = 0x87
# RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime after.
_UTC_TIME, _GENERALIZED_TIME, _FIRST_GENERALIZED_YEAR = 0x17, 0x18, 2050


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParts:
    """What is a certificate's own, beside its key identifier; without subject alternative names `names` is None."""

    serial: int
    not_before: datetime
    not_after: datetime
    subject: DistinguishedName
    public_key: PublicKey
    spki: bytes
    names: Extension | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """An examined certificate, cut where others of its profile and issuer differ.

    `extensions` are encoded, in order, with None in the place of what is a certificate's own.
    """

    examined: ObservedCertificate
    version: bytes
    inner_signature_algorithm: bytes
    outer_signature_algorithm: bytes
    extensions: tuple[tuple[str, bytes | None], ...]

    def signed_part(self, own: OwnParts) -> bytes | None:
        """Write what a certificate's signature is over (RFC 5280, 4.1.1.1).

        None where that cannot be written here, or would not be read back in the very same words.
        """
        try:
            own_extensions = {
                NAMES_OID: b"" if own.names is None else _names_extension(own.names),
                _KEY_ID_OID: _key_id_extension(key_identifier_of_spki(own.spki)),
            }
            fields = (
                self.version,
                der.encode_integer(own.serial),
                self.inner_signature_algorithm,
                self.examined.issuer_der,
                _validity(own.not_before, own.not_after),
                encoded_name(own.subject),
                own.spki,
            )
        except (ValueError, LookupError, OverflowError):
            return None
        listed = [own_extensions[oid] if encoded is None else encoded for oid, encoded in self.extensions]
        return der.encode(der.SEQUENCE, *fields, der.encode(der.CONTEXT_3, der.encode(der.SEQUENCE, *listed)))

    def signed_part_of(self, certificate: bytes, own: OwnParts, signature: bytes) -> bytes | None:
        """Return what the signature of a certificate is over, if it is this pattern with its own parts; else None."""
        signed_part = self.signed_part(own)
        if signed_part is None:
            return None
        bits = der.encode(der.BIT_STRING, b"\x00", signature)
        written = der.encode(der.SEQUENCE, signed_part, self.outer_signature_algorithm, bits)
        return signed_part if written == certificate else None

    def facts(
        self, certificate: bytes, own: OwnParts, verified_by: frozenset[str], *, file: FileFacts
    ) -> ObservedCertificate:
        """Describe a certificate that is written after this pattern, as reading it would."""
        examined = self.examined
        key_id = key_identifier_of_spki(own.spki)
        return ObservedCertificate(
            file=file,
            fingerprint_sha256=hashlib.sha256(certificate).hexdigest(),
            subject=own.subject,
            issuer=examined.issuer,
            subject_der=encoded_name(own.subject),
            issuer_der=examined.issuer_der,
            serial=own.serial,
            not_before=own.not_before,
            not_after=own.not_after,
            spki_sha256=hashlib.sha256(own.spki).hexdigest(),
            key_spec=key_spec(own.public_key),
            signature_digest=examined.signature_digest,
            signature_is_pss=examined.signature_is_pss,
            extensions=tuple(
                [
                    own.names if own.names is not None and extension.oid == NAMES_OID else extension
                    for extension in examined.extensions
                ]
            ),
            # Others issue without one, and it is no part of what is declared.
            subject_key_id=None if examined.subject_key_id is None else key_id,
            authority_key_id=examined.authority_key_id,
            has_foreign_aki=examined.has_foreign_aki,
            key_id_of_key=key_id,
            key_id_when_signed=key_id,
            verified_by=verified_by,
            version=examined.version,
            key_weakness=weakness(own.public_key),
        )


def names_apart(extensions: tuple[Extension, ...]) -> tuple[Extension | None, tuple[Extension, ...]]:
    """Part the subject alternative names, which are a certificate's own, from the extensions that its profile gives."""
    names = next((extension for extension in extensions if extension.oid == NAMES_OID), None)
    return names, tuple([extension for extension in extensions if extension.oid != NAMES_OID])


def pattern_of(certificate: bytes, examined: ObservedCertificate, own: OwnParts) -> Pattern | None:
    """Cut an examined certificate where others differ from it; None where it cannot be put together again."""
    parts = der.certificate_parts(certificate)
    signed_part = der.single(certificate).children()[0]
    if parts.listed_extensions is None:
        return None
    listed = der.single(parts.listed_extensions.content).children()
    pattern = Pattern(
        examined=examined,
        version=signed_part.children()[0].encoded,
        inner_signature_algorithm=parts.inner_signature_algorithm,
        outer_signature_algorithm=parts.outer_signature_algorithm,
        extensions=tuple(
            (raw.oid, None if raw.oid in (NAMES_OID, _KEY_ID_OID) else extension.encoded)
            for raw, extension in zip(parts.extensions(), listed, strict=True)
        ),
    )
    return pattern if pattern.signed_part(own) == signed_part.encoded else None


class _NotReadAsWrittenError(ValueError):
    """A value that is sound, but that is read back from a certificate in another order or spelling."""


# A certificate's subject stands in what is signed, and in what is told of it.
_NAMES: Kept[bytes] = Kept(most=64)


def encoded_name(name: DistinguishedName) -> bytes:
    """Write a distinguished name (RFC 5280, 4.1.2.4); raise ValueError where an RDN has several attributes."""
    return _NAMES.get(
        id(name), name, lambda: der.encode(der.SEQUENCE, *[_rdn(attribute) for (attribute,) in name.rdns])
    )


# Organization and country are those of the whole site.
@lru_cache(maxsize=32)
def _rdn(attribute: NameAttribute) -> bytes:
    known = ATTRIBUTE_BY_OID.get(attribute.oid)
    tag = _STRING_TAGS[StringType.UTF8 if known is None else known.string_type]
    text = der.encode(tag, attribute.value.encode())
    return der.encode(_SET, der.encode(der.SEQUENCE, _oid(attribute.oid), text))


@lru_cache(maxsize=64)
def _validity(not_before: datetime, not_after: datetime) -> bytes:
    return der.encode(der.SEQUENCE, _time(not_before), _time(not_after))


def _time(moment: datetime) -> bytes:
    if moment.tzinfo is not UTC or moment.microsecond:
        raise _NotReadAsWrittenError
    if moment.year < _FIRST_GENERALIZED_YEAR:
        return der.encode(_UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode())
    return der.encode(_GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}".encode())


def _key_id_extension(key_id: bytes) -> bytes:
    return _extension(_KEY_ID_OID, der.encode(der.OCTET_STRING, key_id), critical=False)


def _names_extension(extension: Extension) -> bytes:
    if not isinstance(extension.value, SubjectAltName):
        raise _NotReadAsWrittenError
    names = extension.value.names
    if len(names) > 1 and names != tuple(sorted(names, key=lambda name: name.sort_key)):
        raise _NotReadAsWrittenError
    return _extension(NAMES_OID, der.encode(der.SEQUENCE, *map(_general_name, names)), critical=extension.critical)


def _general_name(name: GeneralName) -> bytes:
    text = name.value
    if not isinstance(text, str):
        raise _NotReadAsWrittenError
    if name.kind is GeneralNameKind.IP:
        address = ip_address(text)
        usual, tag, content = str(address), _ADDRESS_TAG, address.packed
    else:
        usual = text.lower() if name.kind is GeneralNameKind.DNS else text
        tag, content = _NAME_TAGS[name.kind], text.encode("ascii")
    if text != usual:
        raise _NotReadAsWrittenError
    return der.encode(tag, content)


def _extension(oid: str, value: bytes, *, critical: bool) -> bytes:
    mark = der.encode(der.BOOLEAN, b"\xff") if critical else b""
    return der.encode(der.SEQUENCE, _oid(oid), mark, der.encode(der.OCTET_STRING, value))


@lru_cache(maxsize=64)
def _oid(dotted: str) -> bytes:
    return der.encode_oid(dotted)
