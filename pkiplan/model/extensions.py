"""Certificate extensions as values (RFC 5280, 4.2).

Subject and authority key identifiers are not declared: every certificate pkiplan issues carries both, by
SHA-1 of the key as RFC 5280, 4.2.1.2 (1) and OpenSSL's `hash` have it, never critical.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pkiplan.model.names import GeneralName

# OID and the word the manifest uses, in the order in which a certificate and its cnf carry them.
# subject_key_identifier and authority_key_identifier stand in this order too.
EXTENSION_OIDS: dict[str, str] = {
    "basic_constraints": "2.5.29.19",
    "key_usage": "2.5.29.15",
    "extended_key_usage": "2.5.29.37",
    "subject_key_identifier": "2.5.29.14",
    "authority_key_identifier": "2.5.29.35",
    "subject_alt_name": "2.5.29.17",
    "name_constraints": "2.5.29.30",
    "policies": "2.5.29.32",
    "policy_constraints": "2.5.29.36",
    "inhibit_any_policy": "2.5.29.54",
    "crl_distribution_points": "2.5.29.31",
    "aia": "1.3.6.1.5.5.7.1.1",
    "sia": "1.3.6.1.5.5.7.1.11",
    "tls_feature": "1.3.6.1.5.5.7.1.24",
    "ocsp_no_check": "1.3.6.1.5.5.7.48.1.5",
}
EXTENSION_NAMES: dict[str, str] = {oid: name for name, oid in EXTENSION_OIDS.items()}

# RFC 5280, 4.2.1.3, in bit order.
KEY_USAGES: tuple[str, ...] = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

# RFC 5280, 4.2.1.12 and the registrations that tools know by name.
EXTENDED_KEY_USAGES: dict[str, str] = {
    "server_auth": "1.3.6.1.5.5.7.3.1",
    "client_auth": "1.3.6.1.5.5.7.3.2",
    "code_signing": "1.3.6.1.5.5.7.3.3",
    "email_protection": "1.3.6.1.5.5.7.3.4",
    "time_stamping": "1.3.6.1.5.5.7.3.8",
    "ocsp_signing": "1.3.6.1.5.5.7.3.9",
    "ipsec_ike": "1.3.6.1.5.5.7.3.17",
    "smartcard_logon": "1.3.6.1.4.1.311.20.2.2",
    "any": "2.5.29.37.0",
}
EXTENDED_KEY_USAGE_NAMES: dict[str, str] = {oid: name for name, oid in EXTENDED_KEY_USAGES.items()}

ACCESS_METHODS: dict[str, str] = {
    "ocsp": "1.3.6.1.5.5.7.48.1",
    "ca_issuers": "1.3.6.1.5.5.7.48.2",
    "ca_repository": "1.3.6.1.5.5.7.48.5",
    "time_stamping": "1.3.6.1.5.5.7.48.3",
}


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """Whether the subject is an authority, and how many authorities may follow below it."""

    is_authority: bool
    path_length: int | None = None


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """The usages of `KEY_USAGES`, in that order."""

    usages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExtendedKeyUsage:
    """Purposes as dotted OIDs, sorted as text."""

    oids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubjectAltName:
    """The names of the subject, sorted by `GeneralName.sort_key`."""

    names: tuple[GeneralName, ...]


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Subtrees that names below an authority must, and must not, fall in; each sorted."""

    permitted: tuple[GeneralName, ...] = ()
    excluded: tuple[GeneralName, ...] = ()


@dataclass(frozen=True, slots=True)
class UserNotice:
    """A user notice of a policy: free text, and a reference of organization and numbers."""

    text: str | None = None
    organization: str | None = None
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One certificate policy with its qualifiers, in declared order."""

    oid: str
    cps: tuple[str, ...] = ()
    notices: tuple[UserNotice, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificatePolicies:
    """The policies under which the certificate was issued, in declared order."""

    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class PolicyConstraints:
    """After how many certificates explicit policies are required, or mapping is inhibited."""

    require_explicit_policy: int | None = None
    inhibit_policy_mapping: int | None = None


@dataclass(frozen=True, slots=True)
class InhibitAnyPolicy:
    """After how many certificates anyPolicy no longer counts."""

    skip_certs: int


@dataclass(frozen=True, slots=True)
class CrlDistributionPoints:
    """Where the issuer's CRL lies; one distribution point a URI, in declared order."""

    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessDescription:
    """An access method as dotted OID, and a URI."""

    method: str
    uri: str


@dataclass(frozen=True, slots=True)
class AuthorityInfoAccess:
    """How to reach the issuer's OCSP responder and certificate, in declared order."""

    descriptions: tuple[AccessDescription, ...]


@dataclass(frozen=True, slots=True)
class SubjectInfoAccess:
    """How to reach what the subject offers, in declared order."""

    descriptions: tuple[AccessDescription, ...]


@dataclass(frozen=True, slots=True)
class TlsFeature:
    """TLS features by number (RFC 7633), sorted; 5 is status_request, known as must-staple."""

    features: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OcspNoCheck:
    """The responder's certificate itself needs no revocation check (RFC 6960, 4.2.2.2.1)."""


@dataclass(frozen=True, slots=True)
class OtherExtension:
    """An extension given by OID with the DER of its value (the content of extnValue).

    `asn1` is the text in OpenSSL's generator syntax where the manifest gave it so, for the cnf to say the
    same; it takes no part in equality.
    """

    oid: str
    der: bytes
    asn1: str | None = field(default=None, compare=False)


ExtensionValue = (
    BasicConstraints
    | KeyUsage
    | ExtendedKeyUsage
    | SubjectAltName
    | NameConstraints
    | CertificatePolicies
    | PolicyConstraints
    | InhibitAnyPolicy
    | CrlDistributionPoints
    | AuthorityInfoAccess
    | SubjectInfoAccess
    | TlsFeature
    | OcspNoCheck
    | OtherExtension
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: its OID, its criticality and its value."""

    oid: str
    critical: bool
    value: ExtensionValue
