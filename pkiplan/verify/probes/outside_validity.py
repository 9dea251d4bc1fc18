"""Moments at which a certificate must be refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from pkiplan.verify import reasons

_MOMENT = timedelta(seconds=1)
# RFC 5280, 4.1.2.5: who ends so has no end, and no moment comes after it.
_NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def moments_outside(certificate: x509.Certificate) -> Iterator[tuple[str, datetime, str]]:
    """Give the first moment after a certificate's validity and the last before it: a word, when, and the reason."""
    if certificate.not_valid_after_utc < _NO_END:
        yield "expired", certificate.not_valid_after_utc + _MOMENT, reasons.EXPIRED
    yield "not-yet-valid", certificate.not_valid_before_utc - _MOMENT, reasons.NOT_YET_VALID
