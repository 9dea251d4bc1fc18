"""The certificate alone, in DER."""

from __future__ import annotations

from collections.abc import Sequence

from pkiplan.formats.base import FormatOptions, Options, OutputMaterial, PassphraseUse
from pkiplan.model.observed import OutputContents


class DerFormat(FormatOptions):
    """The certificate alone, in DER."""

    needs_key = False
    passphrase_use = PassphraseUse.NONE
    default_mode = 0o644

    def encode(self, material: OutputMaterial, passphrase: bytes | None, options: Options) -> bytes:  # noqa: ARG002 # the port
        """Encode the certificate."""
        from cryptography.hazmat.primitives.serialization import Encoding

        return material.certificate.public_bytes(Encoding.DER)

    def read(self, data: bytes, passphrases: Sequence[bytes], options: Options) -> OutputContents:  # noqa: ARG002 # the port
        """Tell which certificate a file holds."""
        from pkiplan.formats.certificates import fingerprints
        from pkiplan.x509.parse import load_der_certificate

        return OutputContents(certificates=fingerprints((load_der_certificate(data),)))
