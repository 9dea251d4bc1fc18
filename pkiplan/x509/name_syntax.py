"""What names may look like: subject attributes and general names, each with what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from pkiplan.model.names import (
    ATTRIBUTE_BY_OID,
    AttributeType,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    OtherNameValue,
    StringType,
    holds_control_character,
)
from pkiplan.x509.strict_der import is_der

COUNTRY_OID = "2.5.4.6"

# X.680, 41.4: what a PrintableString can hold.
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
# RFC 5280, 4.2.1.6 wants the preferred name syntax of RFC 1034, 3.5, in its relaxed form of RFC 1123, 2.1.
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LABEL_WITH_UNDERSCORES = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_LDAP_OF_ANY_HOST = re.compile(r"(ldaps?://)/", re.IGNORECASE)
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


# Organization and country are those of the whole site.
@lru_cache(maxsize=32)
def attribute_problem(attribute: NameAttribute) -> str | None:
    """Say what is wrong with one attribute of a subject; lengths are counted in characters."""
    known = ATTRIBUTE_BY_OID.get(attribute.oid)
    name, value = (known.name if known else attribute.oid), attribute.value
    if not value:
        return f"{name} is empty"
    if holds_control_character(value):
        return f"{name} {value!r} holds a control character"
    if known is None:
        return None
    if len(value) < known.min_length or (known.max_length is not None and len(value) > known.max_length):
        return f"{name} `{_cut(value)}` has {len(value)} characters, allowed are {_bounds(known)}"
    if attribute.oid == COUNTRY_OID and not (value.isascii() and value.isalpha() and value.isupper()):
        return f"country `{value}` is not two capital letters (ISO 3166)"
    if known.string_type is StringType.PRINTABLE and not _PRINTABLE.fullmatch(value):
        return f"{name} `{value}` holds characters that a PrintableString cannot"
    if known.string_type is StringType.IA5 and not value.isascii():
        return f"{name} `{value}` holds characters that are not ASCII"
    return None


def _bounds(known: AttributeType) -> str:
    if known.min_length == known.max_length:
        return str(known.max_length)
    return f"{known.min_length} to {known.max_length}"


def _cut(value: str) -> str:
    return value if len(value) <= 40 else f"{value[:39]}…"


# A name is looked at when it is asked for, and again in the certificate.
@lru_cache(maxsize=32)
def name_problem(name: GeneralName) -> str | None:
    """Say what is wrong with one subject alternative name."""
    match name.kind, name.value:
        case GeneralNameKind.DNS, str(text):
            return dns_problem(text)
        case GeneralNameKind.IP, str(text):
            return _address_problem(text)
        case GeneralNameKind.EMAIL, str(text):
            return _mailbox_problem(text)
        case GeneralNameKind.URI, str(text):
            return uri_problem(text)
        case GeneralNameKind.UPN, str(text):
            return "a user principal name is empty" if not text else _control_problem("user principal name", text)
        case GeneralNameKind.RID, str(text):
            return None if is_oid(text) else f"`{text}` is no object identifier"
        case GeneralNameKind.DIR_NAME, DistinguishedName() as directory_name:
            return next(_directory_name_problems(directory_name), None)
        case GeneralNameKind.OTHER_NAME, OtherNameValue() as other:
            return _other_name_problem(other)
    return f"`{name}` has a value that does not fit its kind"


def dns_problem(text: str) -> str | None:
    """Say what is wrong with a DNS name; a wildcard may only be the whole leftmost label (RFC 9525, 6.3)."""
    if not text.isascii():
        return f"DNS name `{text}` is not ASCII (RFC 9549: international names are A-labels)"
    host = text.removeprefix("*.")
    labels = host.split(".")
    if "*" in host:
        return f"DNS name `{text}` has a wildcard that is not its whole leftmost label"
    if host != text and len(labels) < 2:
        return f"DNS name `{text}` has a wildcard right beneath a top-level domain"
    if len(text) > 253:
        return f"DNS name `{_cut(text)}` has {len(text)} characters, allowed are 253"
    wrong = next((label for label in labels if not _LABEL_WITH_UNDERSCORES.fullmatch(label)), None)
    if wrong is not None:
        return f"DNS name {_cut(text)!r} has a label {_cut(wrong)!r} that no host can have"
    if labels[-1].isdigit():
        return f"DNS name `{text}` looks like an address; it belongs under `ip`"
    return None


def has_underscore(text: str) -> bool:
    """Tell whether a DNS name is one that only underscores keep from being a host name."""
    return "_" in text and not all(_LABEL.fullmatch(label) for label in text.removeprefix("*.").split("."))


def _address_problem(text: str) -> str | None:
    try:
        ip_address(text)
    except ValueError:
        if "/" in text:
            return f"address `{text}` has a mask, which only belongs in name constraints"
        return f"`{text}` is no IP address"
    return None


def _mailbox_problem(text: str) -> str | None:
    local, at, host = text.rpartition("@")
    if not text.isascii():
        return f"email `{text}` is not ASCII"
    is_local = _ATOM.fullmatch(local) or (
        len(local) > 2 and local.startswith('"') and local.endswith('"') and not holds_control_character(local)
    )
    if not at or not is_local or len(local) > 64 or dns_problem(host) is not None or host.startswith("*"):
        return f"email `{_cut(text)}` is no mailbox (RFC 5321, 4.1.2)"
    return None


def uri_problem(text: str) -> str | None:
    """Say what is wrong with a URI, which must be absolute and ASCII (RFC 5280, 4.2.1.6)."""
    if not text.isascii() or holds_control_character(text) or any(char in text for char in ' <>"{}|\\^`'):
        return f"URI `{_cut(text)}` holds characters that a URI cannot (RFC 3986, 2)"
    try:
        parts = urlsplit(text)
    except ValueError:
        return f"`{_cut(text)}` is no URI"
    if not parts.scheme or not (parts.netloc or parts.path):
        return f"URI `{_cut(text)}` is not absolute"
    if "//" in text.partition(":")[2][:2] and not parts.hostname and parts.scheme != "file":
        return f"URI `{_cut(text)}` names no host"
    return None


def location_problem(text: str) -> str | None:
    """Say what is wrong with the URI of a location; one of LDAP need not name a host (RFC 5280, 4.2.1.13)."""
    return uri_problem(_LDAP_OF_ANY_HOST.sub(r"\1host/", text))


def is_ldap_of_any_host(text: str) -> bool:
    """Tell whether a location is to be asked for at whatever LDAP server a client happens to know."""
    return _LDAP_OF_ANY_HOST.match(text) is not None


def _control_problem(what: str, text: str) -> str | None:
    return f"{what} {text!r} holds a control character" if holds_control_character(text) else None


def _directory_name_problems(name: DistinguishedName) -> Iterator[str]:
    if name.is_empty:
        yield "a directory name is empty"
    for attribute in name.attributes:
        problem = attribute_problem(attribute)
        if problem is not None:
            yield f"directory name: {problem}"


def _other_name_problem(other: OtherNameValue) -> str | None:
    if not is_oid(other.type_id):
        return f"otherName type `{other.type_id}` is no object identifier"
    return None if is_der(other.der) else f"otherName {other.type_id}: the value is not DER"


def subtree_problem(name: GeneralName) -> str | None:
    """Say what is wrong with one subtree of a name constraint."""
    match name.kind, name.value:
        case GeneralNameKind.DNS, str(text):
            return None if not text else dns_problem(text.removeprefix("."))
        case GeneralNameKind.EMAIL, str(text):
            return _mailbox_problem(text) if "@" in text else None if not text else dns_problem(text.removeprefix("."))
        case GeneralNameKind.URI, str(text):
            return None if not text else _uri_subtree_problem(text)
        case GeneralNameKind.IP, str(text):
            return None if "/" in text else f"address `{text}` needs a mask in name constraints"
        case GeneralNameKind.DIR_NAME, DistinguishedName():
            return None
    return name_problem(name)


def _uri_subtree_problem(text: str) -> str | None:
    if ":" in text or "/" in text:
        return f"URI subtree `{text}` is not a host or domain alone (RFC 5280, 4.2.1.10)"
    return dns_problem(text.removeprefix("."))


@lru_cache(maxsize=32)
def is_oid(text: str) -> bool:
    """Tell whether a text is an object identifier in dotted form."""
    if not _OID.fullmatch(text) or len(text) > 256:
        return False
    first, second, *_ = (int(arc) for arc in text.split("."))
    return first == 2 or second < 40
