"""Rules that a certificate is held against before it is signed, and again after.

Every rule looks at a `Subject`: a certificate as it is declared, or as it is. Many look at its `Form` alone, which the
certificates of one profile share. What can only be seen of a finished certificate (serial number, key identifiers) is
looked at only there. A rule yields what is wrong, in values; its line in `LINTS` says how much it weighs and which
standard says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from pkiplan.diagnostics import Diagnostic, Place, Severity
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.x509.lint import authorities, constraints, extensions, finished, keys, names, purposes, validity
from pkiplan.x509.lint import surroundings as around
from pkiplan.x509.lint.subject import Form, Problem, Subject, Surroundings, declared_subject, observed_subject

__all__ = [
    "LINTS",
    "ON_THE_COMMAND_LINE",
    "PKILINT_PREFIX",
    "Lint",
    "lint",
    "lint_certificate",
    "lint_file_certificate",
    "lint_resource",
]

# The ids of the rules that come with the extra `pkiplan[lint]` begin so; pkilint itself knows which there are.
PKILINT_PREFIX = "pkilint:"

Rule = Callable[[Subject], Iterable[Problem | str]]
FormRule = Callable[[Form], Iterable[Problem | str]]


@dataclass(frozen=True, slots=True)
class Lint:
    """One rule: how much it weighs, which standard says so, and the check itself."""

    severity: Severity
    citation: str
    rule: Rule

    @property
    def text(self) -> str:
        """Say in one sentence what the rule asks for."""
        return (self.rule.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True, slots=True)
class FormLint(Lint):
    """A rule that looks at the form alone, so that it is asked once for all certificates of that form."""

    rule: FormRule


@dataclass(frozen=True, slots=True)
class FinishedLint(Lint):
    """A rule that looks at what only a certificate that exists can show, so that it is asked of no other."""


@dataclass(frozen=True, slots=True)
class FoundLint(FinishedLint):
    """A rule that looks at what a certificate was found with, so that it is asked of those in files alone."""


_E, _W = Severity.ERROR, Severity.WARNING

LINTS: dict[str, Lint] = {
    "authority-basic-constraints": FormLint(_E, "RFC 5280, 4.2.1.9", authorities.authority_basic_constraints),
    "leaf-basic-constraints": FormLint(_E, "RFC 5280, 4.2.1.9", authorities.leaf_basic_constraints),
    "authority-key-usage": FormLint(_E, "RFC 5280, 4.2.1.3", authorities.authority_key_usage),
    "authority-subject": Lint(_E, "RFC 5280, 4.1.2.6", authorities.authority_subject),
    "root-extended-key-usage": FormLint(_W, "BR 7.1.2.1.2", authorities.root_extended_key_usage),
    "path-length": FormLint(_E, "RFC 5280, 4.2.1.9", authorities.path_length),
    "path-length-has-effect": FormLint(_W, "RFC 5280, 6.1.4 (m)", authorities.path_length_has_effect),
    "weak-key": FormLint(_E, "NIST SP 800-131A rev. 2", keys.weak_key),
    "unsound-key": FinishedLint(_E, "CVE-2017-15361; CVE-2022-26320; FIPS 186-5, A.1.1", keys.unsound_key),
    "unusual-key": FormLint(_W, "BR 6.1.5", keys.unusual_key),
    "weak-digest": Lint(_E, "RFC 9155; BR 7.1.3.2", keys.weak_digest),
    "weak-digest-of-anchor": FoundLint(_W, "RFC 5280, 6.1", keys.weak_digest_of_anchor),
    "digest-fits-key": FormLint(_E, "RFC 8410, 3; RFC 9881, 2", keys.digest_fits_key),
    "key-usage-fits-key": FormLint(
        _E, "RFC 3279, 2.3.1; RFC 8813, 3; RFC 8410, 5; RFC 9881, 5", keys.key_usage_fits_key
    ),
    "key-usage-bits": FormLint(_E, "RFC 5280, 4.2.1.3", keys.key_usage_bits),
    "tls-key-usage": FormLint(_E, "RFC 8446, 4.4.2.2", keys.tls_key_usage),
    "rsa-server-key-usage": FormLint(_W, "RFC 5246, 7.4.2", keys.rsa_server_key_usage),
    "extended-key-usage-chain": FormLint(_E, "RFC 5280, 4.2.1.12", purposes.extended_key_usage_chain),
    "extended-key-usage-profile": FormLint(_E, "RFC 5280, 4.2.1.12", purposes.extended_key_usage_profile),
    "extended-key-usage-values": FormLint(_E, "RFC 5280, 4.2.1.12", purposes.extended_key_usage_values),
    "any-extended-key-usage": FormLint(_W, "BR 7.1.2.7.10", purposes.any_extended_key_usage),
    "time-stamping-alone": FormLint(_E, "RFC 3161, 2.3", purposes.time_stamping_alone),
    "ocsp-no-check": FormLint(_W, "RFC 6960, 4.2.2.2.1", purposes.ocsp_no_check),
    "subject-attributes": Lint(_E, "RFC 5280, appendix A.1", names.subject_attributes),
    "rdn-attributes": Lint(_E, "X.501, 9.3", names.rdn_attributes),
    "alternative-names": Lint(_E, "RFC 5280, 4.2.1.6; RFC 9549", names.alternative_names),
    "underscore-in-dns": Lint(_W, "RFC 5280, 4.2.1.6", names.underscore_in_dns),
    "some-identity": Lint(_E, "RFC 5280, 4.1.2.6", names.some_identity),
    "subject-alt-name-critical": Lint(_E, "RFC 5280, 4.2.1.6", names.subject_alt_name_critical),
    "subject-alt-name-not-critical": Lint(_W, "RFC 5280, 4.2.1.6", names.subject_alt_name_not_critical),
    "server-names": Lint(_E, "RFC 9525, 2", names.server_names),
    "common-name-is-a-name": Lint(_E, "BR 7.1.4.3", names.common_name_is_a_name),
    "email-address-is-a-name": Lint(_W, "RFC 5280, 4.1.2.6", names.email_address_is_a_name),
    "many-names": Lint(_W, "CVE-2024-12243", names.many_names),
    "names-within-constraints": Lint(_E, "RFC 5280, 4.2.1.10", constraints.names_within_constraints),
    "common-name-within-constraints": Lint(_W, "OpenSSL", constraints.common_name_within_constraints),
    "name-constraints-values": FormLint(_E, "RFC 5280, 4.2.1.10", constraints.name_constraints_values),
    "known-to-verifiers": FormLint(_W, "RFC 5280, 4.2.1.10, 4.2.1.11, 4.2.1.14", constraints.known_to_verifiers),
    "extension-once": Lint(_E, "RFC 5280, 4.2", extensions.extension_once),
    "other-extensions": Lint(_E, "RFC 5280, 4.2", extensions.other_extensions),
    "critical-to-few": FormLint(_W, "RFC 5280, 4.2", extensions.critical_to_few),
    "must-be-critical": FormLint(_E, "RFC 5280, 4.2.1.10, 4.2.1.11, 4.2.1.14", extensions.must_be_critical),
    "must-not-be-critical": FormLint(_E, "RFC 5280, 4.2.2", extensions.must_not_be_critical),
    "usual-criticality": FormLint(_W, "RFC 5280, 4.2.1.3, 4.2.1.13; RFC 7633, 4", extensions.usual_criticality),
    "policies": FormLint(_E, "RFC 5280, 4.2.1.4", extensions.policies),
    "normalized-notices": FormLint(_W, "RFC 5280, 4.2.1.4", extensions.normalized_notices),
    "policy-constraints": FormLint(_E, "RFC 5280, 4.2.1.11, 4.2.1.14", extensions.policy_constraints),
    "locations": FormLint(_E, "RFC 5280, 4.2.1.13, 4.2.2", extensions.locations),
    "location-hosts": FormLint(_W, "RFC 5280, 4.2.1.13, 4.2.2", extensions.location_hosts),
    "plain-locations": FormLint(_W, "RFC 5280, 8", extensions.plain_locations),
    "root-distribution-points": FormLint(_W, "BR 7.1.2.1", extensions.root_distribution_points),
    "tls-features": FormLint(_E, "RFC 7633, 4", extensions.tls_features),
    "ocsp-no-check-is-a-responders": FormLint(_W, "RFC 6960, 4.2.2.2.1", extensions.ocsp_no_check_is_a_responders),
    "positive-lifetime": FormLint(_E, "RFC 5280, 4.1.2.5", validity.positive_lifetime),
    "server-lifetime": FormLint(_W, "Apple HT210176", validity.server_lifetime),
    "serial-number": FinishedLint(_E, "RFC 5280, 4.1.2.2", finished.serial_number),
    "serial-number-entropy": FinishedLint(_W, "BR 7.1", finished.serial_number_entropy),
    "version": FinishedLint(_E, "RFC 5280, 4.1.2.1", finished.version),
    "subject-key-identifier": FinishedLint(_E, "RFC 5280, 4.2.1.2", finished.subject_key_identifier),
    "authority-key-identifier": FinishedLint(_E, "RFC 5280, 4.2.1.1", finished.authority_key_identifier),
    "authority-key-identifier-alone": FinishedLint(_W, "BR 7.1.2.11.1", finished.authority_key_identifier_alone),
    "signature": FoundLint(_E, "RFC 5280, 6.1.3 (a) (1)", around.signature),
    "signature-fits-bond": FoundLint(_E, "RFC 4055, 1.2, 3.3", around.signature_fits_bond),
    "issuer-is-an-authority": FoundLint(_E, "RFC 5280, 6.1.4 (k), (n)", around.issuer_is_an_authority),
    "issuer-key-identifier": FoundLint(_E, "RFC 5280, 4.2.1.1", around.issuer_key_identifier),
    "named-curve": FoundLint(_E, "RFC 5480, 2.1.1", around.named_curve),
    "within-validity": FoundLint(_W, "RFC 5280, 6.1.3 (a) (2)", around.within_validity),
    "outlives-issuer": FoundLint(_W, "RFC 5280, 6.1", around.outlives_issuer),
    "chain-order": FoundLint(_W, "RFC 8446, 4.4.2", around.chain_order),
}

# What is asked of each certificate, whatever is said of its form: declared, finished, and found in a file.
_OF_EACH = {name: rule for name, rule in LINTS.items() if not isinstance(rule, FormLint)}
_OF_FOUND = tuple([(name, rule.rule) for name, rule in _OF_EACH.items()])
_OF_FINISHED = tuple([(name, rule.rule) for name, rule in _OF_EACH.items() if not isinstance(rule, FoundLint)])
_OF_DECLARED = tuple([(name, rule.rule) for name, rule in _OF_EACH.items() if not isinstance(rule, FinishedLint)])

_POSITIONS = {name: position for position, name in enumerate(LINTS)}

# How a person silences a rule for what a manifest declares, and for what is only a file.
_IN_A_MANIFEST = "`lint: {{disable: [{}]}}`"
ON_THE_COMMAND_LINE = "`--disable {}`"


def lint(
    subject: Subject,
    *,
    what: str = "",
    place: Place | None = None,
    disabled: Collection[str] = frozenset(),
    silencer: str = _IN_A_MANIFEST,
) -> tuple[Diagnostic, ...]:
    """Hold a certificate against every rule that is not disabled, in the order of the table."""
    found = []
    for name, told in _told(subject):
        if name in disabled:
            continue
        rule = LINTS[name]
        problem = told if isinstance(told, Problem) else Problem(told)
        hint = problem.hint if subject.surroundings is None else ""
        found.append(
            Diagnostic(
                severity=rule.severity,
                summary=f"{what}: {problem.summary}" if what else problem.summary,
                code=name,
                place=place,
                hint=hint or f"{rule.citation}; {silencer.format(name)} silences this",
            )
        )
    return tuple(found)


def _told(subject: Subject) -> list[tuple[str, Problem | str]]:
    """Give what the rules say of a certificate, each with the rule's name, in the order of the table."""
    told = [(name, problem) for name, rule in _rules_for(subject) for problem in rule(subject)]
    of_form = _told_of_form(subject.form)
    return sorted((*of_form, *told), key=lambda one: _POSITIONS[one[0]]) if of_form else told


def _rules_for(subject: Subject) -> tuple[tuple[str, Rule], ...]:
    """Give the rules that are asked of each certificate, not of its form, by name."""
    if subject.surroundings is not None:
        return _OF_FOUND
    return _OF_DECLARED if subject.observed is None else _OF_FINISHED


@lru_cache(maxsize=1024)
def _told_of_form(form: Form) -> tuple[tuple[str, Problem | str], ...]:
    """Give what the rules for forms say of one, each with the rule's name."""
    rules = [(name, rule.rule) for name, rule in LINTS.items() if isinstance(rule, FormLint)]
    return tuple([(name, problem) for name, rule in rules for problem in rule(form)])


def lint_resource(resource: Resource, above: tuple[Resource, ...] = ()) -> tuple[Diagnostic, ...]:
    """Hold a declared resource against the rules, with the authorities above it, nearest first."""
    return lint(
        declared_subject(resource, above), what=resource.address, place=resource.place, disabled=resource.lint_disabled
    )


def lint_certificate(
    certificate: ObservedCertificate,
    above: tuple[ObservedCertificate, ...] = (),
    *,
    what: str = "",
    place: Place | None = None,
    allow: Collection[str] = frozenset(),
    disabled: Collection[str] = frozenset(),
) -> tuple[Diagnostic, ...]:
    """Hold a certificate that exists against the rules, with the authorities above it, nearest first."""
    return lint(observed_subject(certificate, above, allow=allow), what=what, place=place, disabled=disabled)


def lint_file_certificate(
    certificate: ObservedCertificate,
    above: tuple[ObservedCertificate, ...],
    surroundings: Surroundings,
    *,
    what: str,
    place: Place,
    disabled: Collection[str],
) -> tuple[Diagnostic, ...]:
    """Hold a certificate of a file, whoever made it, against the rules and against those it was found with."""
    subject = observed_subject(certificate, above, surroundings=surroundings)
    return lint(subject, what=what, place=place, disabled=disabled, silencer=ON_THE_COMMAND_LINE)
