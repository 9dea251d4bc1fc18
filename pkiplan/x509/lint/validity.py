"""Rules for how long a certificate lives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pkiplan.model.validity import INCLUSIVE_SECOND
from pkiplan.x509.lint.subject import Form, Problem

# macOS and iOS refuse TLS server certificates that live longer, whoever issued them:
# https://support.apple.com/en-us/HT210176
LONGEST_SERVER_LIFETIME = timedelta(days=825)


def positive_lifetime(form: Form) -> Iterator[str]:
    """RFC 5280, 4.1.2.5: a certificate ends after it begins."""
    if form.lifetime is not None and form.lifetime <= timedelta(0):
        yield "the certificate ends before it begins"


def server_lifetime(form: Form) -> Iterator[Problem]:
    """Apple HT210176: a TLS server certificate lives at most 825 days, also beneath a private root."""
    if form.is_server and form.lifetime is not None:
        lifetime = form.lifetime + INCLUSIVE_SECOND
        if lifetime > LONGEST_SERVER_LIFETIME:
            yield Problem(
                f"Apple's systems refuse a TLS server certificate of {lifetime.days} days",
                f"write `days: {LONGEST_SERVER_LIFETIME.days}` or less",
            )
