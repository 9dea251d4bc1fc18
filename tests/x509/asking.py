"""What `openssl` and `certtool` say of a certificate."""

from __future__ import annotations

import subprocess

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.judges import require


def openssl_text(certificate: x509.Certificate, *options: str) -> str:
    return _run("openssl", "x509", "-noout", "-text", *options, data=certificate.public_bytes(Encoding.PEM))


def openssl_asn1(certificate: x509.Certificate) -> str:
    return _run("openssl", "asn1parse", data=certificate.public_bytes(Encoding.PEM))


def certtool_text(certificate: x509.Certificate) -> str:
    return _run("certtool", "--certificate-info", data=certificate.public_bytes(Encoding.PEM))


def _run(program: str, *arguments: str, data: bytes) -> str:
    done = subprocess.run([require(program), *arguments], input=data, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")
