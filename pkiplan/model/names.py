"""Distinguished names and general names (RFC 5280, 4.1.2.4 and 4.2.1.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

# RFC 4514, 2.4.
_ESCAPES = str.maketrans({char: f"\\{char}" for char in ',+"\\<>;'})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def holds_control_character(text: str) -> bool:
    """Tell whether a text holds what ends a line, controls a device, or is no character (half a surrogate pair)."""
    return _CONTROL.search(text) is not None


class StringType(StrEnum):
    """The ASN.1 string an attribute's value is encoded as (RFC 5280, appendix A.1)."""

    UTF8 = "UTF8String"
    PRINTABLE = "PrintableString"
    IA5 = "IA5String"


@dataclass(frozen=True, slots=True)
class AttributeType:
    """A naming attribute: our word, OpenSSL's short name, OID, limit in characters, string type."""

    name: str
    short_name: str
    oid: str
    max_length: int | None
    string_type: StringType = StringType.UTF8
    min_length: int = 1


# Upper bounds: RFC 5280, appendix A.1 (ub-*); X.520 for street and postal code.
# The order is the canonical one in which a subject given as a map is written
# (CA/Browser Forum BR 7.1.4.2: DC, C, ST, L, postalCode, street, O, SN, GN, OU, CN).
ATTRIBUTE_TYPES: tuple[AttributeType, ...] = (
    AttributeType("domain_component", "DC", "0.9.2342.19200300.100.1.25", 63, StringType.IA5),
    AttributeType("country", "C", "2.5.4.6", 2, StringType.PRINTABLE, 2),
    AttributeType("state_or_province", "ST", "2.5.4.8", 128),
    AttributeType("locality", "L", "2.5.4.7", 128),
    AttributeType("postal_code", "postalCode", "2.5.4.17", 40),
    AttributeType("street_address", "street", "2.5.4.9", 128),
    AttributeType("organization", "O", "2.5.4.10", 64),
    AttributeType("organization_identifier", "organizationIdentifier", "2.5.4.97", 256),
    AttributeType("surname", "SN", "2.5.4.4", 64),
    AttributeType("given_name", "GN", "2.5.4.42", 64),
    AttributeType("initials", "initials", "2.5.4.43", 64),
    AttributeType("generation_qualifier", "generationQualifier", "2.5.4.44", 64),
    AttributeType("pseudonym", "pseudonym", "2.5.4.65", 128),
    AttributeType("title", "title", "2.5.4.12", 64),
    AttributeType("organizational_unit", "OU", "2.5.4.11", 64),
    AttributeType("dn_qualifier", "dnQualifier", "2.5.4.46", None, StringType.PRINTABLE),
    AttributeType("serial_number", "serialNumber", "2.5.4.5", 64, StringType.PRINTABLE),
    AttributeType("user_id", "UID", "0.9.2342.19200300.100.1.1", 256),
    AttributeType("common_name", "CN", "2.5.4.3", 64),
    AttributeType("email_address", "emailAddress", "1.2.840.113549.1.9.1", 255, StringType.IA5),
)

ATTRIBUTE_BY_OID = {attribute.oid: attribute for attribute in ATTRIBUTE_TYPES}
COMMON_NAME_OID = "2.5.4.3"


@dataclass(frozen=True, slots=True)
class NameAttribute:
    """One attribute of a relative distinguished name: an OID and its text."""

    oid: str
    value: str


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A name as an ordered sequence of RDNs, first to last as in the certificate; each RDN is a set."""

    rdns: tuple[tuple[NameAttribute, ...], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether the name has no attribute at all."""
        return not self.rdns

    @property
    def attributes(self) -> tuple[NameAttribute, ...]:
        """List every attribute, first to last."""
        return tuple([attribute for rdn in self.rdns for attribute in rdn])

    @property
    def common_name(self) -> str | None:
        """Return the last common name, the most specific one, or None."""
        return next((a.value for a in reversed(self.attributes) if a.oid == COMMON_NAME_OID), None)

    def __str__(self) -> str:
        """Write the name as `C=SE, O=Acme, CN=web`, first RDN first, `+` inside a multi-valued RDN."""
        return ", ".join(" + ".join(_attribute_text(a) for a in rdn) for rdn in self.rdns) or "(empty)"


def _attribute_text(attribute: NameAttribute) -> str:
    known = ATTRIBUTE_BY_OID.get(attribute.oid)
    return f"{known.short_name if known else attribute.oid}={attribute.value.translate(_ESCAPES)}"


class GeneralNameKind(StrEnum):
    """The forms of a general name that a manifest can declare; the value is the manifest's word."""

    DNS = "dns"
    IP = "ip"
    URI = "uri"
    EMAIL = "email"
    UPN = "upn"
    RID = "rid"
    DIR_NAME = "dir_name"
    OTHER_NAME = "other_name"


# How general names are sorted when a site is made; certificate and cnf carry this order.
GENERAL_NAME_ORDER = tuple(GeneralNameKind)

UPN_OID = "1.3.6.1.4.1.311.20.2.3"


@dataclass(frozen=True, slots=True)
class OtherNameValue:
    """An otherName: the OID of its type and the DER of its value (without the [0] tag)."""

    type_id: str
    der: bytes

    def __str__(self) -> str:
        return f"{self.type_id};DER:{self.der.hex()}"


@dataclass(frozen=True, slots=True)
class GeneralName:
    """One name of a certificate, or one subtree of a name constraint.

    The value of `dns` is an A-label name in lower case; of `ip` the canonical text of an address, or
    of a network with prefix length in a name constraint; `uri` and `email` (a mailbox, or in a
    constraint a host or domain) ASCII text; of `upn` the text of a user principal name; of `rid` a
    dotted OID; of `dir_name` a distinguished name; of `other_name` type and DER.
    """

    kind: GeneralNameKind
    value: str | DistinguishedName | OtherNameValue

    @property
    def sort_key(self) -> tuple[int, str]:
        """Give the position of this name among the others of a certificate."""
        return (GENERAL_NAME_ORDER.index(self.kind), str(self.value))

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.value}"
