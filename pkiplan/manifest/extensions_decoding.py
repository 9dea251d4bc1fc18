"""What a manifest says about extensions, read into the values of `model.extensions`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from pkiplan.manifest import names
from pkiplan.manifest.nodes import Mapping, Node, Plain, Templated
from pkiplan.manifest.problems import Problems, did_you_mean, shown
from pkiplan.manifest.subject import Subject, is_oid, object_identifier
from pkiplan.manifest.values import (
    INVALID,
    BadValueError,
    Boolean,
    Choice,
    Integer,
    Invalid,
    Key,
    Listed,
    OneOf,
    Schema,
    Table,
    Text,
    Wrapped,
    wrong_type,
)
from pkiplan.model.extensions import (
    ACCESS_METHODS,
    EXTENDED_KEY_USAGES,
    EXTENSION_NAMES,
    KEY_USAGES,
    AccessDescription,
    AuthorityInfoAccess,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectInfoAccess,
    TlsFeature,
    UserNotice,
)
from pkiplan.model.names import GeneralName, GeneralNameKind, OtherNameValue

LARGEST_DER = 65_536
_OID_KEY_PATTERN = r"^[0-2](\.(0|[1-9][0-9]*))+$"


def camel_case(word: str) -> str:
    """Write one of our words as RFC 5280 and OpenSSL do (`digital_signature` → `digitalSignature`)."""
    first, *rest = word.split("_")
    return first + "".join(part.capitalize() for part in rest)


# RFC 5280's spelling, so that the hint can translate it; nonRepudiation is contentCommitment's older name.
_KEY_USAGE_HINTS = {camel_case(word): f"write `{word}`" for word in KEY_USAGES if camel_case(word) != word} | {
    "cRLSign": "write `crl_sign`",
    "nonRepudiation": "write `content_commitment`",
    "non_repudiation": "write `content_commitment`",
}
_EKU_HINTS = {camel_case(word): f"write `{word}`" for word in EXTENDED_KEY_USAGES if camel_case(word) != word} | {
    "OCSPSigning": "write `ocsp_signing`",
    "timeStamping": "write `time_stamping`",
    "anyExtendedKeyUsage": "write `any`",
}


def _key_usage(usages: list[str]) -> KeyUsage:
    return KeyUsage(tuple(word for word in KEY_USAGES if word in usages))


def _purpose(text: str) -> str:
    oid = EXTENDED_KEY_USAGES.get(text)
    if oid is not None:
        return oid
    if is_oid(text):
        return text
    hint = _EKU_HINTS.get(text) or did_you_mean(text, EXTENDED_KEY_USAGES)
    raise BadValueError(f"unknown extended key usage {shown(text)}", code="unknown-value", hint=hint)


def _extended_key_usage(oids: list[str]) -> ExtendedKeyUsage:
    return ExtendedKeyUsage(tuple(sorted(set(oids))))


KEY_USAGE = Wrapped(
    Listed(Choice({word: word for word in KEY_USAGES}, forbidden=_KEY_USAGE_HINTS), _key_usage, of="key usages")
)
EXTENDED_KEY_USAGE = Wrapped(
    Listed(
        Text(
            "an extended key usage by word or OID",
            _purpose,
            pattern=f"^({'|'.join(EXTENDED_KEY_USAGES)})$|{_OID_KEY_PATTERN}",
        ),
        _extended_key_usage,
        of="extended key usages",
    )
)

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


def der_text(text: str) -> bytes:
    """Read DER written in hexadecimal (with or without colons and blanks) or base64."""
    compact = re.sub(r"[\s:]", "", text)
    try:
        if len(compact) % 2 == 0 and re.fullmatch("[0-9a-fA-F]+", compact):
            data = bytes.fromhex(compact)
        else:
            data = base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadValueError(
            f"{shown(text)} is neither hexadecimal nor base64", code="der", hint="write for instance `der: 0500`"
        ) from error
    if len(data) > LARGEST_DER:
        raise BadValueError(f"more than {LARGEST_DER} bytes of DER", code="der")
    if not _is_one_value(data):
        raise BadValueError(
            f"{shown(text)} is no DER: its length does not fit",
            code="der",
            hint="the bytes are those inside of extnValue, tag and length first",
        )
    return data


def _is_one_value(data: bytes) -> bool:
    """Tell whether bytes are exactly one value of DER, as far as tags and lengths go (X.690, 10.1)."""
    return bool(data) and _end_of_value(data, 0, len(data), 0) == len(data)


def _end_of_value(data: bytes, start: int, limit: int, depth: int) -> int:
    """Return where the value that begins at `start` ends, or -1 when it is damaged."""
    at = start + 2
    if at > limit or depth > 50:
        return -1
    if data[start] & 0x1F == 0x1F:  # a tag number of several bytes
        while at <= limit and data[at - 1] & 0x80:
            at += 1
        at += 1
        if at > limit:
            return -1
    length = data[at - 1]
    if length & 0x80:
        count = length & 0x7F
        digits = data[at : at + count]
        length = int.from_bytes(digits, "big")
        if not 0 < count <= 4 or len(digits) < count or digits[0] == 0 or length < 0x80:
            return -1
        at += count
    end = at + length
    if end > limit:
        return -1
    if data[start] & 0x20:  # constructed: what is inside must be values, too
        while at < end:
            at = _end_of_value(data, at, end, depth + 1)
            if at < 0:
                return -1
    return end


def asn1_text(text: str) -> tuple[bytes, str]:
    """Read a value in OpenSSL's generator syntax; the text goes along for the cnf."""
    from pkiplan.x509.asn1_generator import GeneratorError, generate

    if any(char < " " or "\x7f" <= char <= "\x9f" for char in text) or text != text.strip():
        raise BadValueError(f"a control character, or a blank at an end: {shown(text)}", code="control-character")
    try:
        return generate(text), text
    except GeneratorError as error:
        raise BadValueError(
            f"{shown(text)} is not in OpenSSL's generator syntax: {error}",
            code="asn1",
            hint="see ASN1_generate_nconf(3); write for instance `asn1: UTF8String:hello`",
        ) from error


_DER = Key(
    Text("DER in hexadecimal or base64", der_text, raw=True),
    "The value as DER, in hexadecimal or base64.",
    examples=("0500",),
)
_ASN1 = Key(
    Text("a value in OpenSSL's generator syntax", asn1_text),
    "The value in OpenSSL's generator syntax (ASN1_generate_nconf(3)).",
    examples=("UTF8String:hello",),
)


def _exactly_one(fields: dict[str, Any], first: str, second: str) -> None:
    if first in fields and second in fields:
        raise BadValueError(
            f"`{first}` and `{second}` exclude each other", code="conflict", hint="leave one of them out"
        )
    if first not in fields and second not in fields:
        raise BadValueError(
            f"expected either `{first}` or `{second}`",
            code="missing-key",
            hint="write for instance `asn1: UTF8String:hello`",
        )


def _other_name(fields: dict[str, Any]) -> GeneralName:
    _exactly_one(fields, "der", "asn1")
    der = fields["der"] if "der" in fields else fields["asn1"][0]
    return GeneralName(GeneralNameKind.OTHER_NAME, OtherNameValue(fields["oid"], der))


_OTHER_NAME = Table(
    {
        "oid": Key(_OID, "The type of the name."),
        "der": Key(_DER.type, "The value of the name as DER, in hexadecimal or base64."),
        "asn1": Key(_ASN1.type, "The value of the name in OpenSSL's generator syntax."),
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


def _notice(fields: dict[str, Any]) -> UserNotice:
    if not fields:
        raise BadValueError("an empty notice", code="empty")
    if ("organization" in fields) != ("numbers" in fields):
        raise BadValueError(
            "`organization` and `numbers` of a notice go together (RFC 5280, 4.2.1.4)", code="missing-key"
        )
    return UserNotice(
        text=fields.get("text"), organization=fields.get("organization"), numbers=fields.get("numbers", ())
    )


def _display_text(text: str) -> str:
    if not 1 <= len(text) <= 200:
        raise BadValueError(f"a notice has 1 to 200 characters, not {len(text)} (RFC 5280, 4.2.1.4)", code="too-long")
    if any(not char.isprintable() for char in text):
        raise BadValueError(f"a control character in the notice {shown(text)}", code="control-character")
    if text != text.strip():
        raise BadValueError(f"the notice {shown(text)} begins or ends with a blank", code="blank")
    return text


_TEXT_200 = Text("text of at most 200 characters", _display_text)
_NOTICE = OneOf(
    "a notice: text, or `text`, `organization` and `numbers`",
    text=Text("a notice", lambda text: UserNotice(text=_display_text(text))),
    mapping=Table(
        {
            "text": Key(_TEXT_200, "What is shown to a relying party."),
            "organization": Key(_TEXT_200, "Whose numbered notices are meant."),
            "numbers": Key(Listed(Integer(0, 2**31 - 1), of="numbers"), "Which of its notices."),
        },
        "a notice",
        _notice,
    ),
)
ANY_POLICY = "2.5.29.32.0"


def _policy_oid(text: str) -> str:
    return ANY_POLICY if text == "any" else object_identifier(text)


def _policy(fields: dict[str, Any]) -> Policy:
    return Policy(fields["oid"], cps=fields.get("cps", ()), notices=fields.get("notice", ()))


def _policies(policies: list[Policy]) -> CertificatePolicies:
    oids = [policy.oid for policy in policies]
    twice = next((oid for oid in oids if oids.count(oid) > 1), None)
    if twice is not None:
        raise BadValueError(f"policy `{twice}` is named twice (RFC 5280, 4.2.1.4)", code="duplicate")
    return CertificatePolicies(tuple(policies))


POLICIES = Wrapped(
    Listed(
        OneOf(
            "a policy: an OID, `any`, or a map of `oid`, `cps` and `notice`",
            text=Text("an OID or `any`", lambda text: Policy(_policy_oid(text))),
            mapping=Table(
                {
                    "oid": Key(Text("an OID or `any`", _policy_oid), "The policy."),
                    "cps": Key(
                        Listed(Text("a URI", names.uri_text, pattern=names.URI_PATTERN), of="URIs"),
                        "Where the certification practice statement is.",
                    ),
                    "notice": Key(Listed(_NOTICE, of="notices"), "What is shown to a relying party."),
                },
                "a policy",
                _policy,
                required=("oid",),
            ),
        ),
        _policies,
        least=1,
        of="policies",
    )
)


def _policy_constraints(fields: dict[str, Any]) -> PolicyConstraints:
    if not fields:
        raise BadValueError("an empty `policy_constraints` (RFC 5280, 4.2.1.11)", code="empty")
    return PolicyConstraints(**fields)


POLICY_CONSTRAINTS = Wrapped(
    Table(
        {
            "require_explicit_policy": Key(
                Integer(0, 1000), "After how many certificates an explicit policy is required."
            ),
            "inhibit_policy_mapping": Key(Integer(0, 1000), "After how many certificates policy mapping is inhibited."),
        },
        "policy constraints",
        _policy_constraints,
    )
)
INHIBIT_ANY_POLICY = Wrapped(OneOf("a whole number", text=Integer(0, 1000)), InhibitAnyPolicy)

_URIS = Listed(Text("a URI", names.uri_text, pattern=names.URI_PATTERN), of="URIs")
CRL_DISTRIBUTION_POINTS = Wrapped(
    Listed(
        Text("a URI", names.uri_text, pattern=names.URI_PATTERN),
        lambda uris: CrlDistributionPoints(tuple(uris)),
        of="URIs",
    )
)


def _access(fields: dict[str, Any]) -> tuple[AccessDescription, ...]:
    known = {**ACCESS_METHODS}
    return tuple(AccessDescription(known.get(name, name), uri) for name, uris in fields.items() for uri in uris)


def _aia(fields: dict[str, Any]) -> AuthorityInfoAccess:
    return AuthorityInfoAccess(_access(fields))


def _sia(fields: dict[str, Any]) -> SubjectInfoAccess:
    return SubjectInfoAccess(_access(fields))


def _oid_or_none(text: str) -> str | None:
    return text if is_oid(text) else None


AIA = Wrapped(
    Table(
        {
            "ocsp": Key(_URIS, "Where the issuer's OCSP responder is.", examples=("http://ocsp.example.com",)),
            "ca_issuers": Key(
                _URIS, "Where the issuer's certificate is.", examples=("http://pki.example.com/issuing.crt",)
            ),
        },
        "URIs by access method: `ocsp`, `ca_issuers`, or an OID",
        _aia,
        other=(_oid_or_none, _URIS),
        other_pattern=_OID_KEY_PATTERN,
    )
)
SIA = Wrapped(
    Table(
        {
            "ca_repository": Key(_URIS, "Where what the authority publishes is."),
            "time_stamping": Key(_URIS, "Where the timestamping service is."),
        },
        "URIs by access method: `ca_repository`, `time_stamping`, or an OID",
        _sia,
        other=(_oid_or_none, _URIS),
        other_pattern=_OID_KEY_PATTERN,
    )
)

# RFC 7633 and the TLS registry.
_FEATURES = {"status_request": 5, "status_request_v2": 17}


class _Feature:
    wanted = "a TLS feature: `status_request` (must-staple), `status_request_v2`, or its number"

    def read(self, node: Node, mark: int, problems: Problems) -> int | Invalid:
        if node.__class__ is Templated:
            return INVALID
        if isinstance(node, Plain):
            return Integer(0, 65535).read(node, mark, problems)
        if isinstance(node, str):
            if node in _FEATURES:
                return _FEATURES[node]
            hint = "did you mean `status_request`?" if "staple" in node else did_you_mean(node, _FEATURES)
            problems.error(mark, f"unknown TLS feature {shown(node)}", code="unknown-value", hint=hint)
            return INVALID
        return wrong_type(self.wanted, node, mark, problems)

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": list(_FEATURES)}, Integer(0, 65535).schema()]}


TLS_FEATURE = Wrapped(
    Listed(_Feature(), lambda numbers: TlsFeature(tuple(sorted(set(numbers)))), least=1, of="TLS features")
)
OCSP_NO_CHECK = Wrapped(Boolean(), lambda is_on: OcspNoCheck() if is_on else None)


def _other_oid(text: str) -> str | None:
    return text if is_oid(text) and text not in EXTENSION_NAMES else None


def _other_extension(fields: dict[str, Any]) -> tuple[bytes, str | None, bool]:
    _exactly_one(fields, "der", "asn1")
    der, asn1 = (fields["der"], None) if "der" in fields else fields["asn1"]
    return der, asn1, fields.get("critical", False)


_OTHER_EXTENSION = Table(
    {
        "der": _DER,
        "asn1": _ASN1,
        "critical": Key(Boolean(), "Whether who does not know the extension must refuse.", "false"),
    },
    "an extension: `der` or `asn1`, and `critical`",
    _other_extension,
)


class OtherExtensions:
    """Extensions by OID."""

    wanted = "extensions by OID"

    def read(self, node: Node, mark: int, problems: Problems) -> Any:
        """Read a map of OIDs; what the manifest has a word for is refused here."""
        if node.__class__ is Templated:
            return INVALID
        if not isinstance(node, Mapping):
            return wrong_type(self.wanted, node, mark, problems)
        is_sound = True
        for key, _, key_mark, _ in node.entries():
            if key in EXTENSION_NAMES or key in _OWN_IDENTIFIERS:
                word = EXTENSION_NAMES.get(key, key)
                hint = (
                    "it is always there, made from the key"
                    if "key_identifier" in word
                    else f"write `{word}:` beside `extensions:`"
                )
                hint = {"basic_constraints": "write `path_length:`", "subject_alt_name": "write `dns:`, `ip:`, …"}.get(
                    word, hint
                )
                problems.error(
                    key_mark, f"`{key}` has a word of its own", code="known-extension", hint=hint, at_key=True
                )
                is_sound = False
        if not is_sound:
            return INVALID
        read = _OTHER_EXTENSIONS.read(node, mark, problems)
        if read is INVALID:
            return INVALID
        return tuple(
            (oid, OtherExtension(oid, der, asn1), critical) for oid, (der, asn1, critical) in sorted(read.items())
        )

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return _OTHER_EXTENSIONS.schema()


_OWN_IDENTIFIERS = ("subject_key_identifier", "authority_key_identifier")
_OTHER_EXTENSIONS = Table({}, "extensions by OID", other=(_other_oid, _OTHER_EXTENSION), other_pattern=_OID_KEY_PATTERN)
