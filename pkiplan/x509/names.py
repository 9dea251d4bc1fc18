"""Distinguished and general names, between the model and `cryptography`."""

from __future__ import annotations

import warnings
from functools import lru_cache
from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.x509.name import _ASN1Type

from pkiplan.model.names import (
    ATTRIBUTE_BY_OID,
    UPN_OID,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    OtherNameValue,
    StringType,
)
from pkiplan.x509 import der

# cryptography counts a common name's bytes and warns beyond 64; RFC 5280, appendix A.1, counts characters, which
# the lint does.
warnings.filterwarnings("ignore", message="Attribute's length must be", category=UserWarning)

_STRING_TYPES: dict[StringType, _ASN1Type] = {
    StringType.UTF8: _ASN1Type.UTF8String,
    StringType.PRINTABLE: _ASN1Type.PrintableString,
    StringType.IA5: _ASN1Type.IA5String,
}


def to_x509_name(name: DistinguishedName) -> x509.Name:
    """Encode a distinguished name; the string types are those of `ATTRIBUTE_TYPES`, UTF8String for others."""
    return x509.Name([_to_x509_rdn(rdn) for rdn in name.rdns])


# Organization and country are those of the whole site.
@lru_cache(maxsize=32)
def _to_x509_rdn(rdn: tuple[NameAttribute, ...]) -> x509.RelativeDistinguishedName:
    return x509.RelativeDistinguishedName([_to_x509_attribute(attribute) for attribute in rdn])


def _to_x509_attribute(attribute: NameAttribute) -> x509.NameAttribute[str | bytes]:
    known = ATTRIBUTE_BY_OID.get(attribute.oid)
    string_type = None if known is None else _STRING_TYPES[known.string_type]
    return x509.NameAttribute(
        x509.ObjectIdentifier(attribute.oid),
        attribute.value,
        string_type,
        _validate=False,
    )


def from_x509_name(name: x509.Name) -> DistinguishedName:
    """Decode a distinguished name; the attributes of a multi-valued RDN are sorted by OID and text."""
    return DistinguishedName(
        tuple(
            tuple(sorted((_from_x509_attribute(attribute) for attribute in rdn), key=lambda a: (a.oid, a.value)))
            for rdn in name.rdns
        )
    )


def _from_x509_attribute(attribute: x509.NameAttribute[str | bytes]) -> NameAttribute:
    value = attribute.value
    # RFC 4514, 2.4: what is no text is written as # and hex.
    return NameAttribute(attribute.oid.dotted_string, value if isinstance(value, str) else f"#{value.hex()}")


# Most certificates of a site have one issuer.
@lru_cache(maxsize=64)
def parse_name(encoded: bytes) -> DistinguishedName:
    """Decode a name from its DER."""
    return from_x509_name(x509.Name.from_bytes(encoded))


def to_general_name(name: GeneralName) -> x509.GeneralName:
    """Encode a general name; raises ValueError for one that cannot be written."""
    match name.kind, name.value:
        case GeneralNameKind.DNS, str(text):
            return x509.DNSName(text)
        case GeneralNameKind.IP, str(text):
            return x509.IPAddress(ip_network(text) if "/" in text else ip_address(text))
        case GeneralNameKind.URI, str(text):
            return x509.UniformResourceIdentifier(text)
        case GeneralNameKind.EMAIL, str(text):
            return x509.RFC822Name(text)
        case GeneralNameKind.UPN, str(text):
            return x509.OtherName(x509.ObjectIdentifier(UPN_OID), der.encode(der.UTF8_STRING, text.encode()))
        case GeneralNameKind.RID, str(text):
            return x509.RegisteredID(x509.ObjectIdentifier(text))
        case GeneralNameKind.DIR_NAME, DistinguishedName() as directory_name:
            return x509.DirectoryName(to_x509_name(directory_name))
        case GeneralNameKind.OTHER_NAME, OtherNameValue(type_id, value):
            return x509.OtherName(x509.ObjectIdentifier(type_id), value)
    raise ValueError(f"`{name}` is no {name.kind.value} name")


def from_general_name(name: x509.GeneralName) -> GeneralName:
    """Decode a general name; DNS names come in lower case, because case has no meaning in them (RFC 4343)."""
    match name:
        case x509.DNSName():
            return GeneralName(GeneralNameKind.DNS, name.value.lower())
        case x509.IPAddress():
            return GeneralName(GeneralNameKind.IP, str(name.value))
        case x509.UniformResourceIdentifier():
            return GeneralName(GeneralNameKind.URI, name.value)
        case x509.RFC822Name():
            return GeneralName(GeneralNameKind.EMAIL, name.value)
        case x509.RegisteredID():
            return GeneralName(GeneralNameKind.RID, name.value.dotted_string)
        case x509.DirectoryName():
            return GeneralName(GeneralNameKind.DIR_NAME, from_x509_name(name.value))
        case x509.OtherName():
            return _from_other_name(name.type_id.dotted_string, name.value)
    raise ValueError(f"a general name of kind {type(name).__name__} is not known")


def _from_other_name(type_id: str, value: bytes) -> GeneralName:
    if type_id == UPN_OID:
        try:
            text = der.single(value).expect(der.UTF8_STRING).content.decode()
        except ValueError:
            pass
        else:
            return GeneralName(GeneralNameKind.UPN, text)
    return GeneralName(GeneralNameKind.OTHER_NAME, OtherNameValue(type_id, value))
