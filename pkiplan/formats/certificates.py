"""Certificates as formats write and name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate


def fingerprints(certificates: Iterable[Certificate]) -> tuple[str, ...]:
    """Return SHA-256 over each certificate, in hex."""
    return tuple(hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest() for certificate in certificates)


def pem(certificates: Iterable[Certificate]) -> bytes:
    """Write certificates one after another in PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
