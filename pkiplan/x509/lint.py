"""Rules that a certificate is held against before it is signed, and again after.

Every rule looks at a `Subject`: a certificate as it is declared, or as it is. What can only be seen of a finished
certificate (serial number, key identifiers) is looked at only there. A rule yields what is wrong, in values; its line
in `LINTS` says how much it weighs and which standard says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pkiplan.diagnostics import Diagnostic, Place, Severity
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGE_NAMES,
    EXTENDED_KEY_USAGES,
    EXTENSION_NAMES,
    EXTENSION_OIDS,
    AuthorityInfoAccess,
    BasicConstraints,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    PolicyConstraints,
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
)
from pkiplan.model.keys import EcKeySpec, EdKeySpec, ManagedKey, MlDsaKeySpec, ObservedKeySpec, OtherKey, RsaKeySpec
from pkiplan.model.names import DistinguishedName, GeneralName, GeneralNameKind
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.model.validity import INCLUSIVE_SECOND
from pkiplan.x509.name_constraints import constrained_names, violations
from pkiplan.x509.name_syntax import (
    attribute_problem,
    has_underscore,
    is_der,
    is_oid,
    name_problem,
    subtree_problem,
    uri_problem,
)

SERVER_AUTH = EXTENDED_KEY_USAGES["server_auth"]
CLIENT_AUTH = EXTENDED_KEY_USAGES["client_auth"]
OCSP_SIGNING = EXTENDED_KEY_USAGES["ocsp_signing"]
TIME_STAMPING = EXTENDED_KEY_USAGES["time_stamping"]
ANY_USAGE = EXTENDED_KEY_USAGES["any"]

# macOS and iOS refuse TLS server certificates that live longer, whoever issued them:
# https://support.apple.com/en-us/HT210176
LONGEST_SERVER_LIFETIME = timedelta(days=825)

# Smaller moduli are below every limit that is still in use (NIST SP 800-131A rev. 2, table 2); what `allow:
# [rsa-1024]` can ask for ends at 1024.
SMALLEST_RSA = 2048
SMALLEST_ALLOWED_RSA = 1024
ALLOW_RSA_1024 = "rsa-1024"

SOUND_DIGESTS = ("sha256", "sha384", "sha512")

# Above this, verifiers grow slow or refuse (CVE-2024-12243 in GnuTLS).
MANY_NAMES = 100

# RFC 5280, 4.2.1.4: explicitText "with a maximum size of 200 characters".
LONGEST_NOTICE = 200

# The ids of the rules that come with the extra `pkiplan[lint]` begin so; pkilint itself knows which there are.
PKILINT_PREFIX = "pkilint:"

_BUILT_IN_USAGES: dict[str, tuple[str, ...]] = {
    "server": (SERVER_AUTH,),
    "client": (CLIENT_AUTH,),
    "peer": (SERVER_AUTH, CLIENT_AUTH),
    "ocsp-signer": (OCSP_SIGNING,),
    "code-signing": (EXTENDED_KEY_USAGES["code_signing"],),
    "email": (EXTENDED_KEY_USAGES["email_protection"],),
    "timestamping": (TIME_STAMPING,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the rules look at: one certificate as declared or as it is, and the authorities above, nearest first.

    `is_authority` is what it is meant to be. `profile` is empty for a certificate that was only found. `key` of
    None is a key that is not known yet.
    """

    name: DistinguishedName
    extensions: tuple[Extension, ...]
    key: ObservedKeySpec | None
    digest: str | None
    is_pss: bool
    is_authority: bool
    is_self_issued: bool
    lifetime: timedelta | None
    profile: str = ""
    allow: Collection[str] = frozenset()
    observed: ObservedCertificate | None = None
    authorities: tuple[Subject, ...] = ()

    def extension(self, word: str) -> Extension | None:
        """Return an extension by the manifest's word."""
        oid = EXTENSION_OIDS[word]
        return next((extension for extension in self.extensions if extension.oid == oid), None)

    @property
    def basic_constraints(self) -> BasicConstraints | None:
        """Return basic constraints, or None where there are none."""
        return next((e.value for e in self.extensions if isinstance(e.value, BasicConstraints)), None)

    @property
    def key_usage(self) -> tuple[str, ...] | None:
        """List the key usages; None where they are not restricted."""
        return next((e.value.usages for e in self.extensions if isinstance(e.value, KeyUsage)), None)

    @property
    def extended_key_usage(self) -> tuple[str, ...]:
        """List the extended key usages; empty where they are not restricted."""
        return next((e.value.oids for e in self.extensions if isinstance(e.value, ExtendedKeyUsage)), ())

    @property
    def names(self) -> tuple[GeneralName, ...]:
        """List the subject alternative names."""
        return next((e.value.names for e in self.extensions if isinstance(e.value, SubjectAltName)), ())

    @property
    def name_constraints(self) -> NameConstraints | None:
        """Return the name constraints, or None where there are none."""
        return next((e.value for e in self.extensions if isinstance(e.value, NameConstraints)), None)

    @property
    def signing_key(self) -> ObservedKeySpec | None:
        """Return the key that signs this certificate, as far as it is known."""
        if self.is_self_issued:
            return self.key
        return self.authorities[0].key if self.authorities else None

    @property
    def is_server(self) -> bool:
        """Tell whether a TLS server is to show this certificate."""
        return not self.is_authority and SERVER_AUTH in self.extended_key_usage

    @property
    def is_client(self) -> bool:
        """Tell whether a TLS client is to show this certificate."""
        return not self.is_authority and CLIENT_AUTH in self.extended_key_usage


def declared_subject(resource: Resource, authorities: tuple[Resource, ...] = ()) -> Subject:
    """See a declared resource as the rules see it."""
    validity = resource.validity
    lifetime = validity.lifetime
    if lifetime is None and validity.not_before is not None and validity.not_after is not None:
        lifetime = validity.not_after - validity.not_before
    return Subject(
        name=resource.subject,
        extensions=resource.extensions,
        key=resource.key.spec if isinstance(resource.key, ManagedKey) else None,
        digest=resource.digest,
        is_pss=resource.rsa_pss,
        is_authority=resource.is_authority,
        is_self_issued=resource.is_self_issued,
        lifetime=lifetime,
        profile=resource.profile,
        allow=resource.allow,
        authorities=tuple(declared_subject(authority) for authority in authorities),
    )


def observed_subject(
    certificate: ObservedCertificate,
    authorities: tuple[ObservedCertificate, ...] = (),
    *,
    allow: Collection[str] = frozenset(),
) -> Subject:
    """See a certificate that exists as the rules see it."""
    return Subject(
        name=certificate.subject,
        extensions=certificate.extensions,
        key=certificate.key_spec,
        digest=certificate.signature_digest,
        is_pss=certificate.signature_is_pss,
        is_authority=certificate.is_authority,
        is_self_issued=certificate.issuer_der == certificate.subject_der,
        lifetime=certificate.not_after - certificate.not_before,
        allow=allow,
        observed=certificate,
        authorities=tuple(observed_subject(authority) for authority in authorities),
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule found, with the way out where there is one."""

    summary: str
    hint: str = ""


Rule = Callable[[Subject], Iterable[Problem | str]]


@dataclass(frozen=True, slots=True)
class Lint:
    """One rule: how much it weighs, which standard says so, and the check itself."""

    severity: Severity
    citation: str
    rule: Rule


# Authorities


def authority_basic_constraints(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.9: an authority asserts cA, and the extension is critical."""
    if not subject.is_authority:
        return
    constraints, extension = subject.basic_constraints, subject.extension("basic_constraints")
    if constraints is None or extension is None or not constraints.is_authority:
        yield "an authority needs basic constraints that say so"
    elif not extension.critical:
        yield "the basic constraints of an authority must be critical"


def leaf_basic_constraints(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.9: what is no authority asserts neither cA, nor a path length, nor keyCertSign."""
    constraints = subject.basic_constraints
    if subject.is_authority:
        return
    if constraints is not None and constraints.is_authority:
        yield "basic constraints say that this certificate is an authority"
    elif constraints is not None and constraints.path_length is not None:
        yield "a path length belongs to authorities only"
    if "key_cert_sign" in (subject.key_usage or ()):
        yield "key usage key_cert_sign belongs to authorities only"


def authority_key_usage(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.3: an authority has key usage, and it allows signing certificates."""
    if not subject.is_authority:
        return
    if subject.key_usage is None:
        yield "an authority needs key usage key_cert_sign and crl_sign"
    elif "key_cert_sign" not in subject.key_usage:
        yield "the key usage of an authority lacks key_cert_sign"


def authority_subject(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.6: an authority has a subject."""
    if subject.is_authority and subject.name.is_empty:
        yield "an authority needs a subject"


def root_extended_key_usage(subject: Subject) -> Iterator[str]:
    """BR 7.1.2.1.2: a root has no extended key usage."""
    if subject.is_authority and subject.is_self_issued and subject.extended_key_usage:
        yield "a root should not restrict extended key usage; its issuing authorities should"


def path_length(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.9: no more authorities follow than the path length of each one above allows."""
    constraints = subject.basic_constraints
    if constraints is not None and constraints.path_length is not None and constraints.path_length < 0:
        yield f"path length {constraints.path_length} is negative"
    below = int(subject.is_authority)
    for authority in subject.authorities:
        limit = authority.basic_constraints.path_length if authority.basic_constraints else None
        if limit is not None and below > limit:
            beneath = "1 authority stands" if below == 1 else f"{below} authorities stand"
            yield f"the path length of `{authority.name}` is {limit}, but {beneath} beneath it"
        below += not authority.is_self_issued


def path_length_has_effect(subject: Subject) -> Iterator[str]:
    """RFC 5280, 6.1.4 (m): the smallest path length above holds, whatever is written below."""
    constraints = subject.basic_constraints
    if constraints is None or constraints.path_length is None:
        return
    for depth, authority in enumerate(subject.authorities):
        limit = authority.basic_constraints.path_length if authority.basic_constraints else None
        if limit is not None and constraints.path_length > limit - depth - 1 >= 0:
            yield (
                f"path length {constraints.path_length} has no effect: that of `{authority.name}` is {limit} and leaves"
                f" {limit - depth - 1} here"
            )


# Keys and signatures


def weak_key(subject: Subject) -> Iterator[Problem | str]:
    """NIST SP 800-131A rev. 2, table 2: RSA keys have 2048 bits or more."""
    key = subject.key
    if not isinstance(key, RsaKeySpec) or key.size >= SMALLEST_RSA:
        return
    if key.size < SMALLEST_ALLOWED_RSA:
        yield f"an RSA key of {key.size} bits is too weak"
    elif ALLOW_RSA_1024 not in subject.allow:
        yield Problem(
            f"an RSA key of {key.size} bits is too weak: {SMALLEST_RSA} bits or more are sound",
            f"if it must be, write `allow: [{ALLOW_RSA_1024}]` beside it",
        )


def unusual_key(subject: Subject) -> Iterator[str]:
    """BR 6.1.5: keys are of a kind that verifiers know, and an RSA modulus is a multiple of eight bits."""
    key = subject.key
    if isinstance(key, OtherKey):
        yield f"few programs know keys of type {key}"
    elif isinstance(key, RsaKeySpec) and key.size % 8:
        yield f"an RSA key of {key.size} bits is not a multiple of eight"


def weak_digest(subject: Subject) -> Iterator[str]:
    """RFC 9155 and BR 7.1.3.2: signatures over MD5 and SHA-1 can be forged."""
    if subject.digest is not None and subject.digest not in SOUND_DIGESTS:
        yield f"signatures with {subject.digest} are not sound; use one of {', '.join(SOUND_DIGESTS)}"


def digest_fits_key(subject: Subject) -> Iterator[str]:
    """RFC 8410, section 3, and RFC 9881, section 2: Ed25519, Ed448 and ML-DSA bring their own hash."""
    key = subject.signing_key
    brings_its_own = isinstance(key, EdKeySpec | MlDsaKeySpec)
    if key is None or isinstance(key, OtherKey):
        return
    if brings_its_own and subject.digest is not None:
        yield f"signatures of {key} keys bring their own hash, `{subject.digest}` cannot be chosen"
    if not brings_its_own and subject.digest is None:
        yield f"signatures of {key} keys need a digest"
    if subject.is_pss and not isinstance(key, RsaKeySpec):
        yield f"RSASSA-PSS needs an RSA key, the issuer's is {key}"


def key_usage_fits_key(subject: Subject) -> Iterator[str]:
    """RFC 3279, 2.3.1 (RSA); RFC 8813, section 3 (EC); RFC 8410, section 5 (EdDSA); RFC 9881, section 5 (ML-DSA)."""
    key, usages = subject.key, subject.key_usage or ()
    for usage in usages:
        if usage in _IMPOSSIBLE_USAGES.get(type(key), ()):
            yield f"a key of type {key} cannot be used for {usage}"


_ENCIPHERMENT = ("key_encipherment", "data_encipherment")
_IMPOSSIBLE_USAGES: Mapping[type, tuple[str, ...]] = {
    RsaKeySpec: ("key_agreement", "encipher_only", "decipher_only"),
    EcKeySpec: _ENCIPHERMENT,
    EdKeySpec: (*_ENCIPHERMENT, "key_agreement", "encipher_only", "decipher_only"),
    MlDsaKeySpec: (*_ENCIPHERMENT, "key_agreement", "encipher_only", "decipher_only"),
}


def key_usage_bits(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.3: at least one bit is set; the two `only` bits mean nothing without key_agreement."""
    usages = subject.key_usage
    if usages is None:
        return
    if not usages:
        yield "key usage allows nothing at all"
    only = [usage for usage in ("encipher_only", "decipher_only") if usage in usages]
    if only and "key_agreement" not in usages:
        yield f"key usage {only[0]} means nothing without key_agreement"


def tls_key_usage(subject: Subject) -> Iterator[str]:
    """RFC 8446, 4.4.2.2: the key usage of a TLS certificate allows digital_signature."""
    usages = subject.key_usage
    if (subject.is_server or subject.is_client) and usages is not None and "digital_signature" not in usages:
        yield "the key usage of a TLS certificate lacks digital_signature"


def rsa_server_key_usage(subject: Subject) -> Iterator[str]:
    """NSS (Firefox) refuses RSA server certificates whose key usage lacks keyEncipherment: RFC 5246, 7.4.2."""
    usages = subject.key_usage
    is_rsa_server = subject.is_server and isinstance(subject.key, RsaKeySpec)
    if is_rsa_server and usages is not None and "key_encipherment" not in usages:
        yield "NSS refuses an RSA server certificate without key usage key_encipherment"


# Extended key usage


def extended_key_usage_chain(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.12, as verifiers read it: an authority's extended key usage bounds what is below.

    An OCSP responder is authorized by its issuer directly (RFC 6960, 4.2.2.2), so it is not bounded.
    """
    for authority in subject.authorities:
        allowed = authority.extended_key_usage
        if not allowed or ANY_USAGE in allowed:
            continue
        beyond = [oid for oid in subject.extended_key_usage if oid not in (*allowed, OCSP_SIGNING)]
        if beyond:
            words = ", ".join(EXTENDED_KEY_USAGE_NAMES.get(oid, oid) for oid in beyond)
            yield f"extended key usage {words} is not among those of `{authority.name}`"


def extended_key_usage_profile(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.12: a certificate made for a purpose allows that purpose."""
    usages = subject.extended_key_usage
    for oid in _BUILT_IN_USAGES.get(subject.profile, ()):
        if usages and oid not in usages and ANY_USAGE not in usages:
            yield f"profile {subject.profile} is for {EXTENDED_KEY_USAGE_NAMES[oid]}, which extended key usage lacks"


def extended_key_usage_values(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.12: at least one purpose, each an object identifier."""
    extension = subject.extension("extended_key_usage")
    if extension is not None and isinstance(extension.value, ExtendedKeyUsage):
        if not extension.value.oids:
            yield "extended key usage lists no purpose"
        for oid in extension.value.oids:
            if not is_oid(oid):
                yield f"extended key usage `{oid}` is no object identifier"


def any_extended_key_usage(subject: Subject) -> Iterator[str]:
    """BR 7.1.2.7.10: anyExtendedKeyUsage lets a certificate be used for everything."""
    if not subject.is_authority and ANY_USAGE in subject.extended_key_usage:
        yield "extended key usage any allows every purpose; name those that are meant"


def time_stamping_alone(subject: Subject) -> Iterator[str]:
    """RFC 3161, 2.3: time stamping is the only purpose of its certificate, and critical."""
    extension = subject.extension("extended_key_usage")
    if subject.is_authority or extension is None or TIME_STAMPING not in subject.extended_key_usage:
        return
    if subject.extended_key_usage != (TIME_STAMPING,):
        yield "extended key usage time_stamping stands alone"
    if not extension.critical:
        yield "extended key usage time_stamping must be critical"


def ocsp_no_check(subject: Subject) -> Iterator[str]:
    """RFC 6960, 4.2.2.2.1, and BR 7.1.2.8.4: a responder's certificate need not be checked itself."""
    is_responder = not subject.is_authority and OCSP_SIGNING in subject.extended_key_usage
    if is_responder and subject.extension("ocsp_no_check") is None:
        yield "a certificate for OCSP signing should carry ocsp_no_check"


# Names


def subject_attributes(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.4 and appendix A.1: lengths in characters, and the characters of each string type."""
    for attribute in subject.name.attributes:
        if not is_oid(attribute.oid):
            yield f"subject attribute `{attribute.oid}` is no object identifier"
        elif problem := attribute_problem(attribute):
            yield f"subject: {problem}"


def alternative_names(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.6, and RFC 9549: names are written as their kind wants it."""
    extension = subject.extension("subject_alt_name")
    if extension is not None and isinstance(extension.value, SubjectAltName) and not extension.value.names:
        yield "the list of subject alternative names is empty"
    for name in subject.names:
        if problem := name_problem(name):
            yield problem


def underscore_in_dns(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.6: a DNS name has the preferred name syntax, which knows no underscore."""
    for name in subject.names:
        if name.kind is GeneralNameKind.DNS and has_underscore(str(name.value)):
            yield f"DNS name `{name.value}` has an underscore, which some verifiers refuse"


def some_identity(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.6: a certificate has a subject or subject alternative names."""
    if not subject.is_authority and subject.name.is_empty and not subject.names:
        yield "the certificate has neither a subject nor a name"


def subject_alt_name_critical(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.6: critical if the subject is empty."""
    extension = subject.extension("subject_alt_name")
    if extension is not None and subject.name.is_empty and not extension.critical:
        yield "subject alternative names must be critical where the subject is empty"


def subject_alt_name_not_critical(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.6: not critical if there is a subject; strict verifiers insist."""
    extension = subject.extension("subject_alt_name")
    if extension is not None and extension.critical and not subject.name.is_empty:
        yield "subject alternative names should not be critical where there is a subject"


def server_names(subject: Subject) -> Iterator[str]:
    """RFC 9525, section 2: a TLS server is known by its subject alternative names alone."""
    kinds = (GeneralNameKind.DNS, GeneralNameKind.IP, GeneralNameKind.URI)
    if subject.is_server and not any(name.kind in kinds for name in subject.names):
        yield "a TLS server needs a name: `dns` or `ip`"


def common_name_is_a_name(subject: Subject) -> Iterator[Problem]:
    """BR 7.1.4.3: the common name of a TLS server is one of its subject alternative names."""
    common_name = subject.name.common_name
    if not subject.is_server or common_name is None:
        return
    if common_name.lower() not in {str(name.value).lower() for name in subject.names}:
        yield Problem(
            f"common name `{common_name}` is not among the names of this TLS server",
            "add it to `dns`, or leave the common name out",
        )


def many_names(subject: Subject) -> Iterator[str]:
    """CVE-2024-12243: the time some verifiers take grows with the square of the number of names."""
    if len(subject.names) > MANY_NAMES:
        yield f"{len(subject.names)} names in one certificate make some verifiers slow"


# Name constraints


def names_within_constraints(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.10: every name lies within the constraints of every authority above."""
    names = constrained_names(subject.name, subject.names)
    for authority in subject.authorities:
        constraints = authority.name_constraints
        if constraints is not None:
            for violation in violations(names, constraints):
                yield f"{violation}, says `{authority.name}`"


def common_name_within_constraints(subject: Subject) -> Iterator[str]:
    """OpenSSL holds a common name that looks like a host against DNS constraints where there is no DNS name."""
    common_name = subject.name.common_name
    has_dns = any(name.kind is GeneralNameKind.DNS for name in subject.names)
    if subject.is_authority or has_dns or common_name is None:
        return
    host = GeneralName(GeneralNameKind.DNS, common_name)
    if "." not in common_name or name_problem(host) is not None:
        return
    for authority in subject.authorities:
        constraints = authority.name_constraints
        if constraints is not None:
            for violation in violations((host,), constraints):
                yield f"OpenSSL reads the common name as a host: {violation}, says `{authority.name}`"


def name_constraints_values(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.10: in authorities only, never empty, each subtree as its kind wants it."""
    constraints = subject.name_constraints
    if constraints is None:
        return
    if not subject.is_authority:
        yield "name constraints belong to authorities only"
    if not constraints.permitted and not constraints.excluded:
        yield "name constraints permit and exclude nothing"
    for tree in (*constraints.permitted, *constraints.excluded):
        if problem := subtree_problem(tree):
            yield f"name constraints: {problem}"


# Other extensions


def extension_once(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2: a certificate has each extension once."""
    oids = [extension.oid for extension in subject.extensions]
    for oid in sorted({oid for oid in oids if oids.count(oid) > 1}):
        yield f"extension {EXTENSION_NAMES.get(oid, oid)} stands there twice"


def other_extensions(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2: an extension is known by its OID, and its value is DER."""
    for extension in subject.extensions:
        if not isinstance(extension.value, OtherExtension):
            continue
        if not is_oid(extension.oid):
            yield f"extension `{extension.oid}` is no object identifier"
        elif not is_der(extension.value.der):
            yield f"the value of extension {extension.oid} is not DER"
        elif extension.oid in EXTENSION_NAMES and subject.observed is None:
            yield f"extension {extension.oid} has a word of its own: {EXTENSION_NAMES[extension.oid]}"


_MUST_BE_CRITICAL = ("name_constraints", "policy_constraints", "inhibit_any_policy")
_MUST_NOT_BE_CRITICAL = ("aia", "sia")
_SHOULD_BE_CRITICAL = ("key_usage",)
_SHOULD_NOT_BE_CRITICAL = ("crl_distribution_points", "tls_feature", "ocsp_no_check")


def must_be_critical(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.10, 4.2.1.11, 4.2.1.14: who does not understand these must refuse."""
    for word in _MUST_BE_CRITICAL:
        extension = subject.extension(word)
        if extension is not None and not extension.critical:
            yield f"extension {word} must be critical"


def must_not_be_critical(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.2.1 and 4.2.2.2: who does not understand these may go on."""
    for word in _MUST_NOT_BE_CRITICAL:
        extension = subject.extension(word)
        if extension is not None and extension.critical:
            yield f"extension {word} must not be critical"


def usual_criticality(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.3 and 4.2.1.13; RFC 7633, section 4; RFC 6960, 4.2.2.2.1: criticality as verifiers expect it."""
    for word in (*_SHOULD_BE_CRITICAL, *_SHOULD_NOT_BE_CRITICAL):
        extension = subject.extension(word)
        if extension is not None and extension.critical is not (word in _SHOULD_BE_CRITICAL):
            yield f"extension {word} should {'' if word in _SHOULD_BE_CRITICAL else 'not '}be critical"


def policies(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.4: each policy once, and notices of at most 200 characters."""
    value = _value(subject, "policies")
    if not isinstance(value, CertificatePolicies):
        return
    if not value.policies:
        yield "the list of policies is empty"
    seen: set[str] = set()
    for policy in value.policies:
        if not is_oid(policy.oid):
            yield f"policy `{policy.oid}` is no object identifier"
        if policy.oid in seen:
            yield f"policy {policy.oid} stands there twice"
        seen.add(policy.oid)
        yield from (problem for cps in policy.cps if (problem := uri_problem(cps)))
        for notice in policy.notices:
            if len(notice.text or "") > LONGEST_NOTICE:
                yield f"a notice of policy {policy.oid} has {len(notice.text or '')} characters, allowed are 200"
            if (notice.organization is None) is bool(notice.numbers):
                yield f"a notice of policy {policy.oid} needs organization and numbers together"


def policy_constraints(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.11 and 4.2.1.14: in authorities only, and never empty."""
    constraints, any_policy = _value(subject, "policy_constraints"), _value(subject, "inhibit_any_policy")
    if (constraints is not None or any_policy is not None) and not subject.is_authority:
        yield "policy constraints belong to authorities only"
    if isinstance(constraints, PolicyConstraints):
        numbers = (constraints.require_explicit_policy, constraints.inhibit_policy_mapping)
        if numbers == (None, None):
            yield "policy constraints require nothing"
        if any(number is not None and number < 0 for number in numbers):
            yield "policy constraints count certificates, a number is negative"
    if isinstance(any_policy, InhibitAnyPolicy) and any_policy.skip_certs < 0:
        yield "inhibit_any_policy counts certificates, the number is negative"


def locations(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.13, 4.2.2.1 and 4.2.2.2: at least one location, each a URI."""
    for word, uris in _locations(subject):
        if not uris:
            yield f"extension {word} names no location"
        yield from (f"{word}: {problem}" for uri in uris if (problem := uri_problem(uri)))
    for word in ("aia", "sia"):
        value = _value(subject, word)
        if isinstance(value, AuthorityInfoAccess | SubjectInfoAccess):
            for description in value.descriptions:
                if not is_oid(description.method):
                    yield f"{word}: access method `{description.method}` is no object identifier"


def plain_locations(subject: Subject) -> Iterator[str]:
    """RFC 5280, section 8: a location over TLS may need the very certificate that is being checked."""
    for word, uris in _locations(subject):
        if word != "sia":
            yield from (f"{word}: `{uri}` should be plain http" for uri in uris if uri.startswith(("https:", "ldaps:")))


def root_distribution_points(subject: Subject) -> Iterator[str]:
    """BR 7.1.2.1: nobody revokes a root, so it says nowhere to look."""
    if subject.is_self_issued and subject.extension("crl_distribution_points") is not None:
        yield "a self-signed certificate should not carry crl_distribution_points"


def tls_features(subject: Subject) -> Iterator[str]:
    """RFC 7633, section 4: features are extension numbers of TLS, each once."""
    value = _value(subject, "tls_feature")
    if not isinstance(value, TlsFeature):
        return
    if not value.features or any(not 0 <= feature <= 0xFFFF for feature in value.features):
        yield "tls_feature lists numbers from 0 to 65535, at least one"
    if len(set(value.features)) != len(value.features):
        yield "tls_feature lists a number twice"


def ocsp_no_check_is_a_responders(subject: Subject) -> Iterator[str]:
    """RFC 6960, 4.2.2.2.1: the extension is for the certificates of OCSP responders."""
    if isinstance(_value(subject, "ocsp_no_check"), OcspNoCheck) and OCSP_SIGNING not in subject.extended_key_usage:
        yield "ocsp_no_check belongs to certificates for OCSP signing"


def _value(subject: Subject, word: str) -> ExtensionValue | None:
    extension = subject.extension(word)
    return None if extension is None else extension.value


def _locations(subject: Subject) -> Iterator[tuple[str, tuple[str, ...]]]:
    for extension in subject.extensions:
        match extension.value:
            case CrlDistributionPoints(uris):
                yield "crl_distribution_points", uris
            case AuthorityInfoAccess(descriptions):
                yield "aia", tuple(description.uri for description in descriptions)
            case SubjectInfoAccess(descriptions):
                yield "sia", tuple(description.uri for description in descriptions)
            case _:
                pass


# Validity


def positive_lifetime(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.5: a certificate ends after it begins."""
    if subject.lifetime is not None and subject.lifetime <= timedelta(0):
        yield "the certificate ends before it begins"


def server_lifetime(subject: Subject) -> Iterator[Problem]:
    """Apple HT210176: a TLS server certificate lives at most 825 days, also beneath a private root."""
    if subject.is_server and subject.lifetime is not None:
        lifetime = subject.lifetime + INCLUSIVE_SECOND
        if lifetime > LONGEST_SERVER_LIFETIME:
            yield Problem(
                f"Apple's systems refuse a TLS server certificate of {lifetime.days} days",
                f"write `days: {LONGEST_SERVER_LIFETIME.days}` or less",
            )


# What only a finished certificate shows


def serial_number(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.2: positive, and at most 20 octets."""
    if subject.observed is not None:
        serial = subject.observed.serial
        if serial <= 0:
            yield "the serial number is not positive"
        elif serial.bit_length() > 159:
            yield "the serial number is longer than 20 octets"


def serial_number_entropy(subject: Subject) -> Iterator[str]:
    """BR 7.1: a serial number has at least 64 bits out of a random generator."""
    if subject.observed is not None and 0 < subject.observed.serial.bit_length() < 56:
        # Of 2^64 random numbers only one in 256 is shorter than 56 bits.
        yield f"serial number {subject.observed.serial} is too short to be random"


def version(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.1: extensions need version 3."""
    if subject.observed is not None and subject.observed.version != 3:
        yield f"the certificate is of version {subject.observed.version}"


def subject_key_identifier(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.2: an authority carries its key identifier; strict verifiers insist."""
    if subject.observed is not None and subject.is_authority and subject.observed.subject_key_id is None:
        yield "an authority needs a subject key identifier"


def authority_key_identifier(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.1: all but self-signed certificates name the key that signed them; strict verifiers insist."""
    if subject.observed is not None and not subject.is_self_issued and subject.observed.authority_key_id is None:
        yield "the certificate needs an authority key identifier"


def authority_key_identifier_alone(subject: Subject) -> Iterator[str]:
    """BR 7.1.2.11.1: issuer and serial number in the key identifier break the chain when the issuer is renewed."""
    if subject.observed is not None and subject.observed.has_foreign_aki:
        yield "the authority key identifier also names issuer and serial number"


_E, _W = Severity.ERROR, Severity.WARNING

LINTS: dict[str, Lint] = {
    "authority-basic-constraints": Lint(_E, "RFC 5280, 4.2.1.9", authority_basic_constraints),
    "leaf-basic-constraints": Lint(_E, "RFC 5280, 4.2.1.9", leaf_basic_constraints),
    "authority-key-usage": Lint(_E, "RFC 5280, 4.2.1.3", authority_key_usage),
    "authority-subject": Lint(_E, "RFC 5280, 4.1.2.6", authority_subject),
    "root-extended-key-usage": Lint(_W, "BR 7.1.2.1.2", root_extended_key_usage),
    "path-length": Lint(_E, "RFC 5280, 4.2.1.9", path_length),
    "path-length-has-effect": Lint(_W, "RFC 5280, 6.1.4 (m)", path_length_has_effect),
    "weak-key": Lint(_E, "NIST SP 800-131A rev. 2", weak_key),
    "unusual-key": Lint(_W, "BR 6.1.5", unusual_key),
    "weak-digest": Lint(_E, "RFC 9155; BR 7.1.3.2", weak_digest),
    "digest-fits-key": Lint(_E, "RFC 8410, 3; RFC 9881, 2", digest_fits_key),
    "key-usage-fits-key": Lint(_E, "RFC 3279, 2.3.1; RFC 8813, 3; RFC 8410, 5; RFC 9881, 5", key_usage_fits_key),
    "key-usage-bits": Lint(_E, "RFC 5280, 4.2.1.3", key_usage_bits),
    "tls-key-usage": Lint(_E, "RFC 8446, 4.4.2.2", tls_key_usage),
    "rsa-server-key-usage": Lint(_W, "RFC 5246, 7.4.2", rsa_server_key_usage),
    "extended-key-usage-chain": Lint(_E, "RFC 5280, 4.2.1.12", extended_key_usage_chain),
    "extended-key-usage-profile": Lint(_E, "RFC 5280, 4.2.1.12", extended_key_usage_profile),
    "extended-key-usage-values": Lint(_E, "RFC 5280, 4.2.1.12", extended_key_usage_values),
    "any-extended-key-usage": Lint(_W, "BR 7.1.2.7.10", any_extended_key_usage),
    "time-stamping-alone": Lint(_E, "RFC 3161, 2.3", time_stamping_alone),
    "ocsp-no-check": Lint(_W, "RFC 6960, 4.2.2.2.1", ocsp_no_check),
    "subject-attributes": Lint(_E, "RFC 5280, appendix A.1", subject_attributes),
    "alternative-names": Lint(_E, "RFC 5280, 4.2.1.6; RFC 9549", alternative_names),
    "underscore-in-dns": Lint(_W, "RFC 5280, 4.2.1.6", underscore_in_dns),
    "some-identity": Lint(_E, "RFC 5280, 4.1.2.6", some_identity),
    "subject-alt-name-critical": Lint(_E, "RFC 5280, 4.2.1.6", subject_alt_name_critical),
    "subject-alt-name-not-critical": Lint(_W, "RFC 5280, 4.2.1.6", subject_alt_name_not_critical),
    "server-names": Lint(_E, "RFC 9525, 2", server_names),
    "common-name-is-a-name": Lint(_E, "BR 7.1.4.3", common_name_is_a_name),
    "many-names": Lint(_W, "CVE-2024-12243", many_names),
    "names-within-constraints": Lint(_E, "RFC 5280, 4.2.1.10", names_within_constraints),
    "common-name-within-constraints": Lint(_W, "OpenSSL", common_name_within_constraints),
    "name-constraints-values": Lint(_E, "RFC 5280, 4.2.1.10", name_constraints_values),
    "extension-once": Lint(_E, "RFC 5280, 4.2", extension_once),
    "other-extensions": Lint(_E, "RFC 5280, 4.2", other_extensions),
    "must-be-critical": Lint(_E, "RFC 5280, 4.2.1.10, 4.2.1.11, 4.2.1.14", must_be_critical),
    "must-not-be-critical": Lint(_E, "RFC 5280, 4.2.2", must_not_be_critical),
    "usual-criticality": Lint(_W, "RFC 5280, 4.2.1.3, 4.2.1.13; RFC 7633, 4", usual_criticality),
    "policies": Lint(_E, "RFC 5280, 4.2.1.4", policies),
    "policy-constraints": Lint(_E, "RFC 5280, 4.2.1.11, 4.2.1.14", policy_constraints),
    "locations": Lint(_E, "RFC 5280, 4.2.1.13, 4.2.2", locations),
    "plain-locations": Lint(_W, "RFC 5280, 8", plain_locations),
    "root-distribution-points": Lint(_W, "BR 7.1.2.1", root_distribution_points),
    "tls-features": Lint(_E, "RFC 7633, 4", tls_features),
    "ocsp-no-check-is-a-responders": Lint(_W, "RFC 6960, 4.2.2.2.1", ocsp_no_check_is_a_responders),
    "positive-lifetime": Lint(_E, "RFC 5280, 4.1.2.5", positive_lifetime),
    "server-lifetime": Lint(_W, "Apple HT210176", server_lifetime),
    "serial-number": Lint(_E, "RFC 5280, 4.1.2.2", serial_number),
    "serial-number-entropy": Lint(_W, "BR 7.1", serial_number_entropy),
    "version": Lint(_E, "RFC 5280, 4.1.2.1", version),
    "subject-key-identifier": Lint(_E, "RFC 5280, 4.2.1.2", subject_key_identifier),
    "authority-key-identifier": Lint(_E, "RFC 5280, 4.2.1.1", authority_key_identifier),
    "authority-key-identifier-alone": Lint(_W, "BR 7.1.2.11.1", authority_key_identifier_alone),
}


def lint(
    subject: Subject, *, what: str = "", place: Place | None = None, disabled: Collection[str] = frozenset()
) -> tuple[Diagnostic, ...]:
    """Hold a certificate against every rule that is not disabled, in the order of the table."""
    return tuple(
        _diagnostic(name, rule, problem if isinstance(problem, Problem) else Problem(problem), what, place)
        for name, rule in LINTS.items()
        if name not in disabled
        for problem in rule.rule(subject)
    )


def _diagnostic(name: str, rule: Lint, problem: Problem, what: str, place: Place | None) -> Diagnostic:
    return Diagnostic(
        severity=rule.severity,
        summary=f"{what}: {problem.summary}" if what else problem.summary,
        code=name,
        place=place,
        hint=problem.hint or f"{rule.citation}; `lint: {{disable: [{name}]}}` silences this",
    )


def lint_resource(resource: Resource, authorities: tuple[Resource, ...] = ()) -> tuple[Diagnostic, ...]:
    """Hold a declared resource against the rules, with the authorities above it, nearest first."""
    return lint(
        declared_subject(resource, authorities),
        what=resource.address,
        place=resource.place,
        disabled=resource.lint_disabled,
    )


def lint_certificate(
    certificate: ObservedCertificate,
    authorities: tuple[ObservedCertificate, ...] = (),
    *,
    what: str = "",
    place: Place | None = None,
    allow: Collection[str] = frozenset(),
    disabled: Collection[str] = frozenset(),
) -> tuple[Diagnostic, ...]:
    """Hold a certificate that exists against the rules, with the authorities above it, nearest first."""
    return lint(observed_subject(certificate, authorities, allow=allow), what=what, place=place, disabled=disabled)
