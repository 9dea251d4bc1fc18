"""TRUSTED CERTIFICATE, a form of PEM that only OpenSSL reads and writes (`openssl x509 -trustout`).

Behind the certificate stands what it is trusted for; that is a matter of who trusts it, and none of the certificate's.
"""

from __future__ import annotations

import base64
import binascii
import re

from pkiplan.x509 import der
from pkiplan.x509.pem_lines import pem_block

LABEL = b"TRUSTED CERTIFICATE"

_BLOCK = re.compile(rb"-----BEGIN %b-----(.*?)-----END %b-----" % (LABEL, LABEL), re.DOTALL)


def without_trust(data: bytes) -> bytes:
    """Write every such block of a PEM file as its certificate alone; all that follows stays on its line."""
    return _BLOCK.sub(_certificate_alone, data) if LABEL in data else data


def _certificate_alone(block: re.Match[bytes]) -> bytes:
    try:
        certificate = next(der.elements(base64.b64decode(b"".join(block[1].split()), validate=True)))
    except (binascii.Error, der.DerError, StopIteration):
        return block[0].replace(LABEL, b"CERTIFICATE")  # to be found damaged, in its place
    alone = pem_block(b"CERTIFICATE", certificate.encoded).rstrip()
    return alone + b"\n" * (block[0].count(b"\n") - alone.count(b"\n"))
