"""Which kinds of key a certificate has, as far as a stack must know before it begins."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

# NIST, Computer Security Objects Register: sigAlgs 17 to 19 (RFC 9881).
_ML_DSA = {"2.16.840.1.101.3.4.3.17": "ML-DSA-44", "2.16.840.1.101.3.4.3.18": "ML-DSA-65"}
_ML_DSA["2.16.840.1.101.3.4.3.19"] = "ML-DSA-87"


def has_ml_dsa_key(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate's own key is ML-DSA."""
    return certificate.public_key_algorithm_oid.dotted_string in _ML_DSA


def needs_ml_dsa(certificate: x509.Certificate) -> bool:
    """Tell whether somebody who checks this certificate must know ML-DSA, for its key or its signature."""
    return has_ml_dsa_key(certificate) or certificate.signature_algorithm_oid.dotted_string in _ML_DSA


def is_short_rsa(certificate: x509.Certificate) -> bool:
    """Tell whether the key is RSA of fewer than 2048 bits, which TLS stacks refuse by default."""
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return False
    return isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048
