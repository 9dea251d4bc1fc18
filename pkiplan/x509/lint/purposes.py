"""Rules for extended key usage: what a certificate is for."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.model.extensions import EXTENDED_KEY_USAGE_NAMES, EXTENDED_KEY_USAGES, ExtendedKeyUsage
from pkiplan.x509.lint.subject import ANY_USAGE, CLIENT_AUTH, OCSP_SIGNING, SERVER_AUTH, TIME_STAMPING, Form
from pkiplan.x509.name_syntax import is_oid

_BUILT_IN_USAGES: dict[str, tuple[str, ...]] = {
    "server": (SERVER_AUTH,),
    "client": (CLIENT_AUTH,),
    "peer": (SERVER_AUTH, CLIENT_AUTH),
    "ocsp-signer": (OCSP_SIGNING,),
    "code-signing": (EXTENDED_KEY_USAGES["code_signing"],),
    "email": (EXTENDED_KEY_USAGES["email_protection"],),
    "timestamping": (TIME_STAMPING,),
}


def extended_key_usage_chain(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.12, as verifiers read it: an authority's extended key usage bounds what is below.

    An OCSP responder is authorized by its issuer directly (RFC 6960, 4.2.2.2), so it is not bounded.
    """
    for authority in form.authorities:
        allowed = authority.extended_key_usage
        if not allowed or ANY_USAGE in allowed:
            continue
        beyond = [oid for oid in form.extended_key_usage if oid not in (*allowed, OCSP_SIGNING)]
        if beyond:
            words = ", ".join(EXTENDED_KEY_USAGE_NAMES.get(oid, oid) for oid in beyond)
            yield f"extended key usage {words} is not among those of `{authority.name}`"


def extended_key_usage_profile(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.12: a certificate made for a purpose allows that purpose."""
    usages = form.extended_key_usage
    for oid in _BUILT_IN_USAGES.get(form.profile, ()):
        if usages and oid not in usages and ANY_USAGE not in usages:
            yield f"profile {form.profile} is for {EXTENDED_KEY_USAGE_NAMES[oid]}, which extended key usage lacks"


def extended_key_usage_values(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.12: at least one purpose, each an object identifier."""
    extension = form.extension("extended_key_usage")
    if extension is not None and isinstance(extension.value, ExtendedKeyUsage):
        if not extension.value.oids:
            yield "extended key usage lists no purpose"
        for oid in extension.value.oids:
            if not is_oid(oid):
                yield f"extended key usage `{oid}` is no object identifier"


def any_extended_key_usage(form: Form) -> Iterator[str]:
    """BR 7.1.2.7.10: anyExtendedKeyUsage lets a certificate be used for everything."""
    if not form.is_authority and ANY_USAGE in form.extended_key_usage:
        yield "extended key usage any allows every purpose; name those that are meant"


def time_stamping_alone(form: Form) -> Iterator[str]:
    """RFC 3161, 2.3: time stamping is the only purpose of its certificate, and critical."""
    extension = form.extension("extended_key_usage")
    if form.is_authority or extension is None or TIME_STAMPING not in form.extended_key_usage:
        return
    if form.extended_key_usage != (TIME_STAMPING,):
        yield "extended key usage time_stamping stands alone"
    if not extension.critical:
        yield "extended key usage time_stamping must be critical"


def ocsp_no_check(form: Form) -> Iterator[str]:
    """RFC 6960, 4.2.2.2.1, and BR 7.1.2.8.4: a responder's certificate need not be checked itself."""
    is_responder = not form.is_authority and OCSP_SIGNING in form.extended_key_usage
    if is_responder and form.extension("ocsp_no_check") is None:
        yield "a certificate for OCSP signing should carry ocsp_no_check"
