"""Our own check of a certification path (RFC 5280, section 6.1).

An error is what any verifier refuses. A warning is what only strict ones refuse: OpenSSL's `-x509_strict`, which is
Python's default since 3.13, and cryptography's verifier.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGE_NAMES,
    EXTENSION_NAMES,
    BasicConstraints,
    ExtendedKeyUsage,
    KeyUsage,
    NameConstraints,
    OtherExtension,
    SubjectAltName,
)
from pkiplan.model.observed import FileFacts, ObservedCertificate
from pkiplan.x509.host_names import host_matches
from pkiplan.x509.keys import signature_verifies
from pkiplan.x509.lint import LINTS
from pkiplan.x509.lint.subject import ANY_USAGE, OCSP_SIGNING, observed_subject
from pkiplan.x509.name_constraints import constrained_names, violations
from pkiplan.x509.parse import certificate_facts

# A path longer than this is nobody's; and the work is bounded, because certificates can be made so that there are
# exponentially many paths (RFC 4158, 5.2; CVE-2024-0567 in GnuTLS).
LONGEST_PATH = 10
MOST_PATHS = 32
MOST_STEPS = 500

# What strict verifiers refuse and others do not.
STRICT_LINTS = (
    "authority-basic-constraints",
    "authority-key-usage",
    "authority-subject",
    "subject-key-identifier",
    "authority-key-identifier",
    "subject-alt-name-critical",
    "subject-alt-name-not-critical",
    "must-not-be-critical",
    "serial-number",
)

_NO_FILE = FileFacts(sha256="", mode=0, uid=0, gid=0, owner="", group="")


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a path: as it is, and as a value."""

    certificate: x509.Certificate
    facts: ObservedCertificate

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Link:
        """Look at a certificate."""
        return cls(certificate, certificate_facts(certificate, file=_NO_FILE))

    @property
    def is_self_issued(self) -> bool:
        """Tell whether subject and issuer are the same name."""
        return self.facts.issuer_der == self.facts.subject_der


Path = tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a path: valid when, for which purpose (an OID), for which host."""

    at: datetime
    purpose: str | None = None
    host: str | None = None
    smallest_rsa: int = 2048


def check_chain(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    question: Question,
) -> tuple[Diagnostic, ...]:
    """Find the best path from a certificate to an anchor, and tell what is wrong with it; nothing is good news."""
    best: tuple[Diagnostic, ...] | None = None
    pool = [Link.of(certificate) for certificate in intermediates]
    trusted = [Link.of(certificate) for certificate in anchors]
    for number, path in enumerate(_Search(pool, trusted).paths((Link.of(leaf),))):
        found = tuple(_problems(path, question))
        if best is None or _weight(found) < _weight(best):
            best = found
        if not best or number + 1 == MOST_PATHS:
            break
    if best is None:
        return (_error("no-path", 0, "no chain of signatures leads to a trusted certificate"),)
    return best


def _weight(found: Collection[Diagnostic]) -> tuple[int, int]:
    errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
    return errors, len(found)


class _Search:
    """Looks for paths to an anchor; those whose key identifiers fit come first, and the work is bounded."""

    def __init__(self, pool: Sequence[Link], anchors: Sequence[Link]) -> None:
        self._anchors = anchors
        self._issuers = (*anchors, *pool)
        self._steps = 0

    def paths(self, path: Path) -> Iterator[Path]:
        """List the ways to go on from a path."""
        self._steps += 1
        last = path[-1]
        if any(last.certificate == anchor.certificate for anchor in self._anchors):
            yield path
            return
        if len(path) == LONGEST_PATH:
            return
        for issuer in sorted(self._issuers, key=lambda link: not _key_ids_fit(last, link)):
            if self._steps >= MOST_STEPS:
                return
            is_next = issuer.facts.subject_der == last.facts.issuer_der and not _is_in(path, issuer)
            if is_next and _is_signed_by(last, issuer):
                yield from self.paths((*path, issuer))


def _is_in(path: Path, link: Link) -> bool:
    """Tell whether an authority, which is a name and a key, is in a path already (RFC 4158, 5.2)."""
    authority = (link.facts.subject_der, link.facts.spki_sha256)
    return any((each.facts.subject_der, each.facts.spki_sha256) == authority for each in path)


def _is_signed_by(link: Link, issuer: Link) -> bool:
    try:
        public_key = issuer.certificate.public_key()
    except Exception:  # noqa: BLE001 # whatever cryptography makes of a foreign key: it signed nothing
        return False
    return signature_verifies(link.certificate, public_key)


def _key_ids_fit(link: Link, issuer: Link) -> bool:
    wanted, own = link.facts.authority_key_id, issuer.facts.subject_key_id
    return wanted is None or own is None or wanted == own


def _error(code: str, depth: int, summary: str) -> Diagnostic:
    return Diagnostic(summary=f"{_WHERE.get(depth, f'authority {depth} above')}: {summary}", code=code)


_WHERE = {0: "certificate", 1: "its issuer"}


def _problems(path: Path, question: Question) -> Iterator[Diagnostic]:
    for depth, link in enumerate(path):
        yield from _each(link, depth, question)
        if depth:
            yield from _authority(link, depth, path)
        if depth + 1 < len(path) and not _key_ids_fit(link, path[depth + 1]):
            yield _error("key-identifier", depth, "its authority key identifier is not that of its issuer")
    yield from _name_constraints(path)
    yield from _leaf(path[0], question, is_anchor=len(path) == 1)
    yield from _purposes(path, question.purpose)
    yield from _strictness(path)


def _each(link: Link, depth: int, question: Question) -> Iterator[Diagnostic]:
    facts = link.facts
    if question.at < facts.not_before:
        yield _error("not-yet-valid", depth, f"is not valid before {facts.not_before:%Y-%m-%d %H:%M:%S} UTC")
    if question.at > facts.not_after:
        yield _error("expired", depth, f"expired {facts.not_after:%Y-%m-%d %H:%M:%S} UTC")
    for extension in facts.extensions:
        if extension.critical and isinstance(extension.value, OtherExtension):
            name = EXTENSION_NAMES.get(extension.oid, extension.oid)
            yield _error("critical-extension", depth, f"the critical extension {name} is not understood")
    oids = [extension.oid for extension in facts.extensions]
    if len(set(oids)) != len(oids):
        yield _error("extension-once", depth, "an extension stands there twice")
    if not link.is_self_issued and facts.signature_digest in ("md5", "sha1"):
        yield _error("weak-digest", depth, f"is signed with {facts.signature_digest}")
    size = getattr(facts.key_spec, "size", None)
    if size is not None and size < question.smallest_rsa:
        yield _error("weak-key", depth, f"its RSA key has {size} bits")


def _authority(link: Link, depth: int, path: Path) -> Iterator[Diagnostic]:
    facts = link.facts
    constraints, usage = facts.extension("basic_constraints"), facts.extension("key_usage")
    if facts.version != 3:
        yield _error("version", depth, f"an authority of version {facts.version} has no extensions")
    if not isinstance(constraints, BasicConstraints) or not constraints.is_authority:
        yield _error("not-an-authority", depth, "issues certificates but is no authority")
    elif constraints.path_length is not None:
        # RFC 5280, 6.1.4 (l): self-issued certificates do not count, and neither does the last one.
        between = sum(not below.is_self_issued for below in path[1:depth])
        if between > constraints.path_length:
            yield _error("path-length", depth, f"its path length is {constraints.path_length}, {between} follow")
    if isinstance(usage, KeyUsage) and "key_cert_sign" not in usage.usages:
        yield _error("key-usage", depth, "its key usage does not allow signing certificates")


def _name_constraints(path: Path) -> Iterator[Diagnostic]:
    for depth, authority in enumerate(path[1:], start=1):
        constraints = authority.facts.extension("name_constraints")
        if not isinstance(constraints, NameConstraints):
            continue
        for below_depth, below in enumerate(path[:depth]):
            # RFC 5280, 6.1.3 (b): self-issued certificates are spared, unless they are the last.
            if below.is_self_issued and below_depth:
                continue
            alternatives = below.facts.extension("subject_alt_name")
            names = alternatives.names if isinstance(alternatives, SubjectAltName) else ()
            for violation in violations(constrained_names(below.facts.subject, names), constraints):
                yield _error("name-constraints", below_depth, violation)


def _leaf(link: Link, question: Question, *, is_anchor: bool) -> Iterator[Diagnostic]:
    facts = link.facts
    alternatives, usage = facts.extension("subject_alt_name"), facts.extension("key_usage")
    names = alternatives.names if isinstance(alternatives, SubjectAltName) else ()
    if question.host is not None and not host_matches(question.host, names):
        yield _error("host-name", 0, f"is not for `{question.host}`")
    if facts.is_authority and not is_anchor:
        yield _warning("leaf-is-authority", 0, "is an authority itself")
    if question.purpose is not None and isinstance(usage, KeyUsage) and "digital_signature" not in usage.usages:
        yield _warning("key-usage", 0, "its key usage does not allow signing a handshake")


def _purposes(path: Path, purpose: str | None) -> Iterator[Diagnostic]:
    # RFC 5280 leaves open whether an authority bounds the usages below; verifiers do (lint: extended-key-usage-chain).
    if purpose is None:
        return
    word = EXTENDED_KEY_USAGE_NAMES.get(purpose, purpose)
    for depth, link in enumerate(path):
        usages = link.facts.extension("extended_key_usage")
        if not isinstance(usages, ExtendedKeyUsage) or {purpose, ANY_USAGE} & set(usages.oids):
            continue
        if depth == 0:
            yield _error("purpose", depth, f"its extended key usage lacks {word}")
        elif purpose != OCSP_SIGNING:
            yield _error("purpose", depth, f"its extended key usage does not allow {word} below")


def _strictness(path: Path) -> Iterator[Diagnostic]:
    for depth, link in enumerate(path):
        subject = observed_subject(link.facts)
        for name in STRICT_LINTS:
            for problem in LINTS[name].rule(subject):
                yield _warning(name, depth, problem if isinstance(problem, str) else problem.summary)


def _warning(code: str, depth: int, summary: str) -> Diagnostic:
    error = _error(code, depth, summary)
    return Diagnostic(severity=Severity.WARNING, summary=error.summary, code=code)
