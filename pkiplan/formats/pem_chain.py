"""The certificate and the chain above it in one PEM file, leaf first (RFC 8446, 4.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from pkiplan.formats.base import FormatOptions, Options, OutputMaterial, PassphraseUse
from pkiplan.model.observed import OutputContents


class PemChainFormat(FormatOptions):
    """The certificate and its chain, without the root and without the key."""

    needs_key = False
    passphrase_use = PassphraseUse.NONE
    default_mode = 0o644

    def encode(self, material: OutputMaterial, passphrase: bytes | None, options: Options) -> bytes:  # noqa: ARG002 # the port
        """Encode the certificate and its chain."""
        from pkiplan.formats.certificates import pem

        return pem((material.certificate, *material.chain))

    def read(self, data: bytes, passphrases: Sequence[bytes], options: Options) -> OutputContents:  # noqa: ARG002 # the port
        """Tell which certificates a file holds."""
        from pkiplan.formats.certificates import fingerprints
        from pkiplan.x509.parse import load_pem_certificates
        from pkiplan.x509.pem_lines import demand_own_lines

        demand_own_lines(data)
        return OutputContents(certificates=fingerprints(load_pem_certificates(data)))
