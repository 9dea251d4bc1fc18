"""A certification path judged by OpenSSL without a handshake, for certificates that no TLS peer uses."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from cryptography import x509
from OpenSSL import crypto

from pkiplan.verify.reasons import verification_reason
from pkiplan.verify.results import Reason
from pkiplan.verify.stacks import openssl_hooks


class Purpose(IntEnum):
    """What a path is judged for, by OpenSSL's numbers (openssl/x509.h, X509_PURPOSE_…)."""

    TLS_CLIENT = 1
    TLS_SERVER = 2
    EMAIL = 4
    ANY = 7
    TIMESTAMPING = 9
    CODE_SIGNING = 10


def path_refusal(
    certificate: x509.Certificate,
    above: tuple[x509.Certificate, ...],
    anchor: x509.Certificate,
    *,
    time: datetime,
    purpose: Purpose = Purpose.ANY,
    strict: bool = True,
) -> Reason | None:
    """Say why a path from a certificate to the one trusted root is refused, or None when it is accepted."""
    store = crypto.X509Store()
    store.add_cert(openssl_hooks.openssl_certificate(anchor))
    store.set_time(time)
    if strict:
        store.set_flags(crypto.X509StoreFlags.X509_STRICT)
    openssl_hooks.set_store_purpose(store, purpose)
    untrusted = [openssl_hooks.openssl_certificate(authority) for authority in above]
    context = crypto.X509StoreContext(store, openssl_hooks.openssl_certificate(certificate), untrusted)
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        number, _depth, words = error.errors
        return verification_reason(number, words, "")
    return None
