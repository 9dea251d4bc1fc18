"""A certificate as bytes: compared, and written to several files, but encoded once."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.x509.kept import Kept
from pkiplan.x509.pem_lines import pem_block

# By identity: to tell by its value which certificate one is takes as long as to encode it.
_DER: Kept[bytes] = Kept(most=64)
_PEM: Kept[bytes] = Kept(most=64)


def certificate_der(certificate: x509.Certificate) -> bytes:
    """Encode a certificate as DER."""
    return _DER.get(id(certificate), certificate, lambda: certificate.public_bytes(Encoding.DER))


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Encode a certificate as PEM."""
    return _PEM.get(id(certificate), certificate, lambda: pem_block(b"CERTIFICATE", certificate_der(certificate)))
