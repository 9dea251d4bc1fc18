"""Rules for name constraints, and for the names beneath them."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.model.names import GeneralName, GeneralNameKind
from pkiplan.x509.lint.subject import Form, Subject
from pkiplan.x509.name_constraints import constrained_names, violations
from pkiplan.x509.name_syntax import name_problem, subtree_problem


def names_within_constraints(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.10: every name lies within the constraints of every authority above."""
    for authority in subject.authorities:
        constraints = authority.name_constraints
        if constraints is not None:
            for violation in violations(constrained_names(subject.name, subject.names), constraints):
                yield f"{violation}, says `{authority.name}`"


def common_name_within_constraints(subject: Subject) -> Iterator[str]:
    """OpenSSL holds a common name that looks like a host against DNS constraints where there is no DNS name."""
    common_name = subject.common_name
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


def known_to_verifiers(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.10, 4.2.1.11 and 4.2.1.14: verifiers that do not know what an authority demands refuse it.

    Who that is was asked in `tests/x509/chain_judges.py` and `tests/examples/test_judges.py`.
    """
    constraints = form.name_constraints
    for words, trees in (
        ("GnuTLS and cryptography refuse", constraints.excluded if constraints else ()),
        ("cryptography refuses", constraints.permitted if constraints else ()),
    ):
        if any(tree.kind is GeneralNameKind.DIR_NAME for tree in trees):
            yield f"name constraints: {words} everything beneath constraints of directory names"
    if form.extension("policy_constraints") is not None:
        yield "GnuTLS, NSS and cryptography refuse everything beneath policy_constraints, which they do not know"
    if form.extension("inhibit_any_policy") is not None:
        yield "NSS and cryptography refuse everything beneath inhibit_any_policy, which they do not know"


def name_constraints_values(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.10: in authorities only, never empty, each subtree as its kind wants it."""
    constraints = form.name_constraints
    if constraints is None:
        return
    if not form.is_authority:
        yield "name constraints belong to authorities only"
    if not constraints.permitted and not constraints.excluded:
        yield "name constraints permit and exclude nothing"
    for tree in (*constraints.permitted, *constraints.excluded):
        if problem := subtree_problem(tree):
            yield f"name constraints: {problem}"
