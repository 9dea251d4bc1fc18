"""Key, certificate and chain in one PEM file, as HAProxy, lighttpd, stunnel and MongoDB read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pkiplan.formats.base import FormatOptions, Options, OptionValue, OutputMaterial, PassphraseUse
from pkiplan.model.observed import OutputContents

KEY_FIRST, CERTIFICATE_FIRST = "key-first", "certificate-first"


class PemCombinedFormat(FormatOptions):
    """Key, certificate and chain in one PEM file.

    `order` puts the key before or after the certificates, `chain: false` leaves the chain out. With a passphrase
    the key is encrypted PKCS#8.
    """

    needs_key = True
    passphrase_use = PassphraseUse.OPTIONAL
    default_mode = 0o600
    options: Mapping[str, tuple[OptionValue, ...]] = {"order": (KEY_FIRST, CERTIFICATE_FIRST), "chain": (True, False)}

    def encode(self, material: OutputMaterial, passphrase: bytes | None, options: Options) -> bytes:
        """Encode key, certificate and chain."""
        from pkiplan.formats.certificates import pem
        from pkiplan.model.keys import KeyEncryption, KeyForm
        from pkiplan.x509.private_keys import encode_private_key

        assert material.key is not None
        chain = material.chain if self.chosen("chain", options) else ()
        certificates = pem((material.certificate, *chain))
        key = encode_private_key(material.key, KeyForm.PKCS8, KeyEncryption(), passphrase)
        return key + certificates if self.chosen("order", options) == KEY_FIRST else certificates + key

    def read(self, data: bytes, passphrases: Sequence[bytes], options: Options) -> OutputContents:  # noqa: ARG002 # the port
        """Tell which certificates and which key a file holds; those of an encrypted key only with a passphrase."""
        from pkiplan.formats.certificates import fingerprints
        from pkiplan.x509.keys import spki_sha256
        from pkiplan.x509.parse import load_pem_certificates
        from pkiplan.x509.pem_lines import demand_own_lines
        from pkiplan.x509.private_keys import describe_key_pem, open_private_key

        demand_own_lines(data)
        certificates = load_pem_certificates(data)
        public_key = describe_key_pem(data).public_key
        if public_key is None and passphrases:
            public_key = open_private_key(data, passphrases, to_sign=False).public_key()
        is_key_first = data.index(b"PRIVATE KEY-----") < data.index(b"CERTIFICATE-----")
        return OutputContents(
            certificates=fingerprints(certificates),
            key_spki_sha256=None if public_key is None else spki_sha256(public_key),
            options=(("chain", len(certificates) > 1), ("order", KEY_FIRST if is_key_first else CERTIFICATE_FIRST)),
        )
