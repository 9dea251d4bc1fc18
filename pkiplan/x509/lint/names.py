"""Rules for subjects and subject alternative names."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.model.extensions import SubjectAltName
from pkiplan.model.names import ATTRIBUTE_BY_OID, GeneralNameKind
from pkiplan.x509.host_names import a_labels
from pkiplan.x509.lint.subject import Problem, Subject
from pkiplan.x509.name_constraints import EMAIL_ADDRESS_OID
from pkiplan.x509.name_syntax import attribute_problem, has_underscore, is_oid, name_problem

# Above this, verifiers grow slow or refuse (CVE-2024-12243 in GnuTLS).
MANY_NAMES = 100


def subject_attributes(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.4 and appendix A.1: lengths in characters, and the characters of each string type."""
    for attribute in subject.attributes:
        if attribute.oid not in ATTRIBUTE_BY_OID and not is_oid(attribute.oid):
            yield f"subject attribute `{attribute.oid}` is no object identifier"
        elif problem := attribute_problem(attribute):
            yield f"subject: {problem}"


def rdn_attributes(subject: Subject) -> Iterator[str]:
    """X.501, 9.3: the attributes of one RDN are of different types."""
    for rdn in subject.name.rdns:
        if len(rdn) == 1:
            continue
        oids = [attribute.oid for attribute in rdn]
        for oid in sorted({oid for oid in oids if oids.count(oid) > 1}):
            yield f"subject: an RDN has {oids.count(oid)} attributes of type {oid}"


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
    if not subject.name.is_empty:
        return
    extension = subject.extension("subject_alt_name")
    if extension is not None and not extension.critical:
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
    common_name = subject.common_name
    if not subject.is_server or common_name is None:
        return
    if _in_a_labels(common_name).lower() not in {str(name.value).lower() for name in subject.names}:
        yield Problem(
            f"common name `{common_name}` is not among the names of this TLS server",
            "add it to `dns`, or leave the common name out",
        )


def _in_a_labels(common_name: str) -> str:
    """Write a common name as the names are written; one that is no host stays as it is."""
    if common_name.isascii():
        return common_name
    wildcard = "*." if common_name.startswith("*.") else ""
    try:
        return wildcard + a_labels(common_name.removeprefix(wildcard))
    except UnicodeError:
        return common_name


def email_address_is_a_name(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.6: a mailbox is a subject alternative name, and in the subject only besides."""
    mailboxes = {str(name.value) for name in subject.names if name.kind is GeneralNameKind.EMAIL}
    for attribute in subject.attributes:
        if attribute.oid == EMAIL_ADDRESS_OID and attribute.value not in mailboxes:
            yield f"email address `{attribute.value}` of the subject should be among the names too: `email`"


def many_names(subject: Subject) -> Iterator[str]:
    """CVE-2024-12243: the time some verifiers take grows with the square of the number of names."""
    if len(subject.names) > MANY_NAMES:
        yield f"{len(subject.names)} names in one certificate make some verifiers slow"
