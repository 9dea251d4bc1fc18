"""What a manifest says about extensions, read into the values of `model.extensions`."""

from __future__ import annotations

from typing import Any

from pkiplan.hints import did_you_mean, listed
from pkiplan.manifest import names
from pkiplan.manifest.der_values import ASN1, DER, exactly_one
from pkiplan.manifest.nodes import Mapping, Node, Plain, Templated
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.subject import is_oid, object_identifier
from pkiplan.manifest.tables import Key, Table, Wrapped
from pkiplan.manifest.values import (
    INVALID,
    BadValueError,
    Boolean,
    Choice,
    Integer,
    Invalid,
    Listed,
    OneOf,
    Schema,
    Text,
    wrong_type,
)
from pkiplan.model.extensions import (
    ACCESS_METHODS,
    EXTENDED_KEY_USAGES,
    EXTENSION_NAMES,
    EXTENSION_OIDS,
    KEY_USAGES,
    AccessDescription,
    AuthorityInfoAccess,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    InhibitAnyPolicy,
    KeyUsage,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectInfoAccess,
    TlsFeature,
    UserNotice,
)
from pkiplan.model.names import holds_control_character

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
    if text[:1].isdigit():
        return object_identifier(text)
    known = f"known: {listed(sorted(EXTENDED_KEY_USAGES))}; any other is written as its OID"
    hint = _EKU_HINTS.get(text) or did_you_mean(text, EXTENDED_KEY_USAGES, otherwise=known)
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
    if holds_control_character(text):
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


_METHOD_ORDER = {oid: position for position, oid in enumerate(ACCESS_METHODS.values())}


def _access(fields: dict[str, Any]) -> tuple[AccessDescription, ...]:
    described = [
        AccessDescription(ACCESS_METHODS.get(name, name), uri) for name, uris in fields.items() for uri in uris
    ]
    # A map has no order; the locations of one method have theirs.
    return tuple(sorted(described, key=lambda one: (_METHOD_ORDER.get(one.method, len(_METHOD_ORDER)), one.method)))


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
    exactly_one(fields, "der", "asn1")
    der, asn1 = (fields["der"], None) if "der" in fields else fields["asn1"]
    return der, asn1, fields.get("critical", False)


_OTHER_EXTENSION = Table(
    {
        "der": DER,
        "asn1": ASN1,
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
        others = Mapping(node.mark)
        for key, value, key_mark, value_mark in node.entries():
            if key in EXTENSION_NAMES or key in EXTENSION_OIDS:
                _has_a_word_of_its_own(key, key_mark, problems)
            else:
                others.put(key, value, key_mark, value_mark)
        read = _OTHER_EXTENSIONS.read(others, mark, problems)
        if read is INVALID or len(others) < len(node):
            return INVALID
        return tuple(
            (oid, OtherExtension(oid, der, asn1), critical) for oid, (der, asn1, critical) in sorted(read.items())
        )

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        return _OTHER_EXTENSIONS.schema()


def _has_a_word_of_its_own(key: str, mark: int, problems: Problems) -> None:
    word = EXTENSION_NAMES.get(key, key)
    hint = (
        "it is always there, made from the key" if "key_identifier" in word else f"write `{word}:` beside `extensions:`"
    )
    hint = {"basic_constraints": "write `path_length:`", "subject_alt_name": "write `dns:`, `ip:`, …"}.get(word, hint)
    why = "is not given under `extensions:`" if key == word else "has a word of its own"
    problems.error(mark, f"`{key}` {why}", code="known-extension", hint=hint, at_key=True)


_OTHER_EXTENSIONS = Table({}, "extensions by OID", other=(_other_oid, _OTHER_EXTENSION), other_pattern=_OID_KEY_PATTERN)
