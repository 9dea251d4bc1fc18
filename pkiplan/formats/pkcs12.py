"""Key, certificate and chain as PKCS#12 (RFC 7292), as Java, Windows and macOS read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import KeyMaterialError
from pkiplan.formats.base import FormatOptions, Options, OptionValue, OutputMaterial, PassphraseUse
from pkiplan.model.observed import OutputContents

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

MODERN, LEGACY = "modern", "legacy"

# As many as every reader takes: Windows refuses more than 600,000, Java more than 5,000,000.
ROUNDS = {MODERN: 100_000, LEGACY: 2_048}


class Pkcs12Format(FormatOptions):
    """Key, certificate and chain in a PKCS#12 file.

    `compatibility: legacy` writes 3DES and SHA-1 for programs that know nothing newer, such as Windows before Server
    2019 and macOS before 15. The friendly name is the certificate's id.
    """

    needs_key = True
    passphrase_use = PassphraseUse.NEEDED
    default_mode = 0o600
    options: Mapping[str, tuple[OptionValue, ...]] = {"compatibility": (MODERN, LEGACY)}

    def encode(self, material: OutputMaterial, passphrase: bytes | None, options: Options) -> bytes:
        """Encode key, certificate and chain."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import pkcs12

        from pkiplan.formats.pkcs12_mac import with_mac

        if not passphrase:
            raise _failure("a PKCS#12 file needs a passphrase", "passphrase-needed")
        kind = str(self.chosen("compatibility", options))
        try:
            encoded = pkcs12.serialize_key_and_certificates(
                material.name.encode(),
                material.key,  # type: ignore[arg-type] # a key that PKCS#12 cannot hold is refused there
                material.certificate,
                material.chain,
                _encryption(kind, passphrase),
            )
        except (TypeError, ValueError, UnsupportedAlgorithm):
            # What cryptography raises may quote the passphrase.
            raise _failure("this key or passphrase cannot be written as PKCS#12", "pkcs12") from None
        return with_mac(encoded, passphrase, "sha1" if kind == LEGACY else "sha256", ROUNDS[kind])

    def read(self, data: bytes, passphrases: Sequence[bytes], options: Options) -> OutputContents:  # noqa: ARG002 # the port
        """Tell what a file holds; without a passphrase only how it is protected."""
        from cryptography.hazmat.primitives.serialization import pkcs12

        from pkiplan.formats.certificates import fingerprints
        from pkiplan.formats.pkcs12_mac import protection
        from pkiplan.model.tree import LARGEST_PEM
        from pkiplan.x509.keys import spki_sha256

        if len(data) > LARGEST_PEM:
            raise _failure(f"{len(data)} bytes are too many for a PKCS#12 file (at most {LARGEST_PEM})")
        found = protection(data)
        held = (("compatibility", found),)
        if not passphrases:
            return OutputContents(not_checked="what is inside shows only with its passphrase", options=held)
        for passphrase in passphrases:
            try:
                store = pkcs12.load_pkcs12(data, passphrase)
            except (ValueError, TypeError):
                continue
            own = () if store.cert is None else (store.cert.certificate,)
            certificates = (*own, *(other.certificate for other in store.additional_certs))
            key = None if store.key is None else spki_sha256(store.key.public_key())  # type: ignore[arg-type] # DH has none
            if key is None or not own:
                raise _failure("the PKCS#12 file lacks its key or certificate")
            return OutputContents(certificates=fingerprints(certificates), key_spki_sha256=key, options=held)
        raise _failure("no passphrase opens the PKCS#12 file")


def _encryption(kind: str, passphrase: bytes) -> KeySerializationEncryption:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import PrivateFormat
    from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS[kind])
    if kind == LEGACY:
        builder = builder.key_cert_algorithm(PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())  # noqa: S303 # what legacy means
    else:
        builder = builder.key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC).hmac_hash(hashes.SHA256())
    return builder.build(passphrase)


def _failure(summary: str, code: str = "damaged") -> KeyMaterialError:
    return KeyMaterialError(Diagnostic(summary=summary, code=code))
