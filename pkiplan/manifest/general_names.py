"""Names of every kind, and the subtrees of names that constrain an authority (RFC 5280, 4.2.1.6 and 4.2.1.10)."""

from __future__ import annotations

from typing import Any

from pkiplan.manifest import names
from pkiplan.manifest.der_values import ASN1, DER, exactly_one
from pkiplan.manifest.nodes import Node
from pkiplan.manifest.problems import Problems
from pkiplan.manifest.subject import Subject, object_identifier
from pkiplan.manifest.tables import Key, Table, Wrapped
from pkiplan.manifest.values import INVALID, BadValueError, Invalid, Listed, Schema, Text
from pkiplan.model.extensions import NameConstraints
from pkiplan.model.names import GeneralName, GeneralNameKind, OtherNameValue

_OID = Text("an object identifier", object_identifier)


class _DirName:
    """A directory name."""

    wanted = Subject.wanted

    def read(self, node: Node, mark: int, problems: Problems) -> GeneralName | Invalid:
        """Read a name; an empty one names nobody."""
        read = Subject().read(node, mark, problems)
        if isinstance(read, Invalid):
            return INVALID
        if read.is_empty:
            problems.error(mark, "an empty directory name", code="empty")
            return INVALID
        return GeneralName(GeneralNameKind.DIR_NAME, read)

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return Subject().schema()


def _other_name(fields: dict[str, Any]) -> GeneralName:
    exactly_one(fields, "der", "asn1")
    der = fields["der"] if "der" in fields else fields["asn1"][0]
    return GeneralName(GeneralNameKind.OTHER_NAME, OtherNameValue(fields["oid"], der))


_OTHER_NAME = Table(
    {
        "oid": Key(_OID, "The type of the name."),
        "der": Key(DER.type, "The value of the name as DER, in hexadecimal or base64."),
        "asn1": Key(ASN1.type, "The value of the name in OpenSSL's generator syntax."),
    },
    "an otherName: `oid`, and `der` or `asn1`",
    _other_name,
    required=("oid",),
)

_DNS = Text("a DNS name", names.dns, pattern=names.DNS_PATTERN, examples=("www.example.com",))
_IP = Text("an IP address", names.ip, pattern=r"^[0-9A-Fa-f:.]+$", examples=("10.0.0.2", "2001:db8::2"))
GENERAL_NAMES: dict[str, Key] = {
    "dns": Key(
        Listed(_DNS, of="DNS names"),
        "DNS names, one or a list. Written in Unicode they are stored as A-labels; a wildcard may only be the whole "
        "leftmost label.",
        examples=(["www.example.com", "*.example.com"],),
    ),
    "ip": Key(
        Listed(_IP, of="IP addresses"),
        "IP addresses, v4 or v6, one or a list.",
        examples=(["10.0.0.2", "2001:db8::2"],),
    ),
    "uri": Key(
        Listed(Text("a URI", names.uri, pattern=names.URI_PATTERN), of="URIs"),
        "URIs, one or a list.",
        examples=(["spiffe://example.com/web"],),
    ),
    "email": Key(
        Listed(Text("a mailbox", names.email, pattern=names.EMAIL_PATTERN), of="mailboxes"),
        "Mailboxes, one or a list.",
        examples=(["ops@example.com"],),
    ),
    "upn": Key(
        Listed(Text("a user principal name", names.upn), of="user principal names"),
        "User principal names, as Active Directory wants them for smart cards.",
        examples=(["ops@corp.example"],),
    ),
    "rid": Key(
        Listed(Text("an object identifier", names.rid), of="object identifiers"), "Registered IDs: object identifiers."
    ),
    "dir_name": Key(Listed(_DirName(), of="subjects"), "Directory names, each written like a subject."),
    "other_name": Key(
        Listed(_OTHER_NAME, of="otherNames"),
        "Names of any other type, by OID.",
        examples=([{"oid": "1.3.6.1.5.5.7.8.7", "asn1": "IA5STRING:_xmpp-client.example.com"}],),
    ),
}


def _subtrees(fields: dict[str, Any]) -> tuple[GeneralName, ...]:
    found = {name for values in fields.values() for name in values}
    if not found:
        raise BadValueError("an empty set of subtrees", code="empty", hint="name at least one, or leave the key out")
    return tuple(sorted(found, key=lambda name: name.sort_key))


_SUBTREES = Table(
    {
        "dns": Key(
            Listed(Text("a domain", names.dns_subtree), of="domains"), "Domains, each for itself and all beneath it."
        ),
        "ip": Key(
            Listed(Text("a network", names.ip_subtree), of="networks"),
            "Networks in CIDR form.",
            examples=(["10.0.0.0/8"],),
        ),
        "uri": Key(
            Listed(Text("a host", names.uri_subtree), of="hosts"),
            "Hosts of URIs; `.example.com` stands for all hosts beneath it.",
        ),
        "email": Key(
            Listed(Text("a mailbox, host or domain", names.email_subtree), of="mailboxes, hosts or domains"),
            "Mailboxes, hosts, or `.example.com` for all hosts beneath it.",
        ),
        "dir_name": Key(Listed(_DirName(), of="subjects"), "Directory names, each for itself and all beneath it."),
    },
    "subtrees by kind of name",
    _subtrees,
)


def _name_constraints(fields: dict[str, Any]) -> NameConstraints:
    if not fields:
        raise BadValueError("neither `permitted` nor `excluded` (RFC 5280, 4.2.1.10)", code="empty")
    return NameConstraints(permitted=fields.get("permitted", ()), excluded=fields.get("excluded", ()))


NAME_CONSTRAINTS_TABLE = Table(
    {
        "permitted": Key(
            _SUBTREES,
            "Names below must fall in one of these subtrees, for each kind of name that is listed.",
            merges=True,
        ),
        "excluded": Key(_SUBTREES, "Names below must not fall in any of these subtrees.", merges=True),
    },
    "name constraints: `permitted`, `excluded`",
    _name_constraints,
)
NAME_CONSTRAINTS = Wrapped(NAME_CONSTRAINTS_TABLE)
