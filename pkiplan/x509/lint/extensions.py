"""Rules for the other extensions: each once, criticality, and what stands in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from pkiplan.model.extensions import (
    EXTENSION_NAMES,
    AuthorityInfoAccess,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtensionValue,
    InhibitAnyPolicy,
    OcspNoCheck,
    OtherExtension,
    PolicyConstraints,
    SubjectInfoAccess,
    TlsFeature,
)
from pkiplan.x509.lint.subject import OCSP_SIGNING, Form, Subject
from pkiplan.x509.name_syntax import is_ldap_of_any_host, is_oid, location_problem, uri_problem
from pkiplan.x509.strict_der import is_der


def extension_once(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2: a certificate has each extension once."""
    oids = [extension.oid for extension in subject.extensions]
    several = () if len(set(oids)) == len(oids) else {oid for oid in oids if oids.count(oid) > 1}
    for oid in sorted(several):
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


# What X.509 itself defines, and RFC 5280 after it: more programs know those.
_STANDARD_ARC = "2.5.29."


def critical_to_few(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2: a verifier that does not know a critical extension refuses the certificate."""
    for extension in form.extensions:
        is_known = not isinstance(extension.value, OtherExtension) or extension.oid.startswith(_STANDARD_ARC)
        if extension.critical and not is_known:
            yield f"extension {extension.oid} is critical: whoever does not know it refuses the certificate"


# RFC 5280, 4.2.1.4: explicitText "with a maximum size of 200 characters".
LONGEST_NOTICE = 200

_MUST_BE_CRITICAL = ("name_constraints", "policy_constraints", "inhibit_any_policy")
_MUST_NOT_BE_CRITICAL = ("aia", "sia")
_SHOULD_BE_CRITICAL = ("key_usage",)
_SHOULD_NOT_BE_CRITICAL = ("crl_distribution_points", "tls_feature", "ocsp_no_check")


def must_be_critical(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.10, 4.2.1.11, 4.2.1.14: who does not understand these must refuse."""
    for word in _MUST_BE_CRITICAL:
        extension = form.extension(word)
        if extension is not None and not extension.critical:
            yield f"extension {word} must be critical"


def must_not_be_critical(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.2.1 and 4.2.2.2: who does not understand these may go on."""
    for word in _MUST_NOT_BE_CRITICAL:
        extension = form.extension(word)
        if extension is not None and extension.critical:
            yield f"extension {word} must not be critical"


def usual_criticality(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.3 and 4.2.1.13; RFC 7633, section 4; RFC 6960, 4.2.2.2.1: criticality as verifiers expect it."""
    for word in (*_SHOULD_BE_CRITICAL, *_SHOULD_NOT_BE_CRITICAL):
        extension = form.extension(word)
        if extension is not None and extension.critical is not (word in _SHOULD_BE_CRITICAL):
            yield f"extension {word} should {'' if word in _SHOULD_BE_CRITICAL else 'not '}be critical"


def policies(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.4: each policy once, and notices of at most 200 characters."""
    value = _value(form, "policies")
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
            length = len(notice.text or "")
            if length > LONGEST_NOTICE:
                yield f"a notice of policy {policy.oid} has {length} characters, allowed are {LONGEST_NOTICE}"
            if (notice.organization is None) is bool(notice.numbers):
                yield f"a notice of policy {policy.oid} needs organization and numbers together"


def normalized_notices(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.4: the text of a notice is in Unicode's normal form C."""
    value = _value(form, "policies")
    if isinstance(value, CertificatePolicies):
        for policy in value.policies:
            for notice in policy.notices:
                if notice.text is not None and not unicodedata.is_normalized("NFC", notice.text):
                    yield f"a notice of policy {policy.oid} is not in normal form C: `{notice.text}`"


def policy_constraints(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.11 and 4.2.1.14: in authorities only, and never empty."""
    constraints, any_policy = _value(form, "policy_constraints"), _value(form, "inhibit_any_policy")
    if (constraints is not None or any_policy is not None) and not form.is_authority:
        yield "policy constraints belong to authorities only"
    if isinstance(constraints, PolicyConstraints):
        numbers = (constraints.require_explicit_policy, constraints.inhibit_policy_mapping)
        if numbers == (None, None):
            yield "policy constraints require nothing"
        if any(number is not None and number < 0 for number in numbers):
            yield "policy constraints count certificates, a number is negative"
    if isinstance(any_policy, InhibitAnyPolicy) and any_policy.skip_certs < 0:
        yield "inhibit_any_policy counts certificates, the number is negative"


def locations(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.13, 4.2.2.1 and 4.2.2.2: at least one location, each a URI."""
    for word, uris in _locations(form):
        if not uris:
            yield f"extension {word} names no location"
        yield from (f"{word}: {problem}" for uri in uris if (problem := location_problem(uri)))
    for word in ("aia", "sia"):
        value = _value(form, word)
        if isinstance(value, AuthorityInfoAccess | SubjectInfoAccess):
            for description in value.descriptions:
                if not is_oid(description.method):
                    yield f"{word}: access method `{description.method}` is no object identifier"


def location_hosts(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.13, 4.2.2.1 and 4.2.2.2: an LDAP location names the host to ask, not whichever a client knows."""
    for word, uris in _locations(form):
        yield from (f"{word}: `{uri}` names no host" for uri in uris if is_ldap_of_any_host(uri))


def plain_locations(form: Form) -> Iterator[str]:
    """RFC 5280, section 8: a location over TLS may need the very certificate that is being checked."""
    for word, uris in _locations(form):
        if word != "sia":
            yield from (
                f"{word}: `{uri}` should be plain http" for uri in uris if uri.lower().startswith(("https:", "ldaps:"))
            )


def root_distribution_points(form: Form) -> Iterator[str]:
    """BR 7.1.2.1: nobody revokes a root, so it says nowhere to look."""
    if form.is_self_issued and form.extension("crl_distribution_points") is not None:
        yield "a self-signed certificate should not carry crl_distribution_points"


def tls_features(form: Form) -> Iterator[str]:
    """RFC 7633, section 4: features are extension numbers of TLS, each once."""
    value = _value(form, "tls_feature")
    if not isinstance(value, TlsFeature):
        return
    if not value.features or any(not 0 <= feature <= 0xFFFF for feature in value.features):
        yield "tls_feature lists numbers from 0 to 65535, at least one"
    if len(set(value.features)) != len(value.features):
        yield "tls_feature lists a number twice"


def ocsp_no_check_is_a_responders(form: Form) -> Iterator[str]:
    """RFC 6960, 4.2.2.2.1: the extension is for the certificates of OCSP responders."""
    if isinstance(_value(form, "ocsp_no_check"), OcspNoCheck) and OCSP_SIGNING not in form.extended_key_usage:
        yield "ocsp_no_check belongs to certificates for OCSP signing"


def _value(form: Form, word: str) -> ExtensionValue | None:
    extension = form.extension(word)
    return None if extension is None else extension.value


def _locations(form: Form) -> Iterator[tuple[str, tuple[str, ...]]]:
    for extension in form.extensions:
        match extension.value:
            case CrlDistributionPoints(uris):
                yield "crl_distribution_points", uris
            case AuthorityInfoAccess(descriptions):
                yield "aia", tuple(description.uri for description in descriptions)
            case SubjectInfoAccess(descriptions):
                yield "sia", tuple(description.uri for description in descriptions)
            case _:
                pass
