"""Rules for authorities, and for what claims to be one."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.x509.lint.subject import Form, Subject


def authority_basic_constraints(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.9: an authority asserts cA, and the extension is critical."""
    if not form.is_authority:
        return
    constraints, extension = form.basic_constraints, form.extension("basic_constraints")
    if constraints is None or extension is None or not constraints.is_authority:
        yield "an authority needs basic constraints that say so"
    elif not extension.critical:
        yield "the basic constraints of an authority must be critical"


def leaf_basic_constraints(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.9: what is no authority asserts neither cA, nor a path length, nor keyCertSign."""
    constraints = form.basic_constraints
    if form.is_authority:
        return
    if constraints is not None and constraints.is_authority:
        yield "basic constraints say that this certificate is an authority"
    elif constraints is not None and constraints.path_length is not None:
        yield "a path length belongs to authorities only"
    if "key_cert_sign" in (form.key_usage or ()):
        yield "key usage key_cert_sign belongs to authorities only"


def authority_key_usage(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.3: an authority has key usage, and it allows signing certificates."""
    if not form.is_authority:
        return
    if form.key_usage is None:
        yield "an authority needs key usage key_cert_sign and crl_sign"
    elif "key_cert_sign" not in form.key_usage:
        yield "the key usage of an authority lacks key_cert_sign"


def authority_subject(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.6: an authority has a subject."""
    if subject.is_authority and subject.name.is_empty:
        yield "an authority needs a subject"


def root_extended_key_usage(form: Form) -> Iterator[str]:
    """BR 7.1.2.1.2: a root has no extended key usage."""
    if form.is_authority and form.is_self_issued and form.extended_key_usage:
        yield "a root should not restrict extended key usage; its issuing authorities should"


def path_length(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.9: no more authorities follow than the path length of each one above allows."""
    constraints = form.basic_constraints
    if constraints is not None and constraints.path_length is not None and constraints.path_length < 0:
        yield f"path length {constraints.path_length} is negative"
    below = int(form.is_authority)
    for authority in form.authorities:
        limit = authority.basic_constraints.path_length if authority.basic_constraints else None
        if limit is not None and below > limit:
            beneath = "1 authority stands" if below == 1 else f"{below} authorities stand"
            yield f"the path length of `{authority.name}` is {limit}, but {beneath} beneath it"
        below += not authority.is_self_issued


def path_length_has_effect(form: Form) -> Iterator[str]:
    """RFC 5280, 6.1.4 (m): the smallest path length above holds, whatever is written below."""
    constraints = form.basic_constraints
    if constraints is None or constraints.path_length is None:
        return
    for depth, authority in enumerate(form.authorities):
        limit = authority.basic_constraints.path_length if authority.basic_constraints else None
        if limit is not None and constraints.path_length > limit - depth - 1 >= 0:
            yield (
                f"path length {constraints.path_length} has no effect: that of `{authority.name}` is {limit} and leaves"
                f" {limit - depth - 1} here"
            )
