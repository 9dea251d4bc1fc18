from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pkiplan.x509.encoded import certificate_der, certificate_pem
from pkiplan.x509.keys import public_key_of_spki, spki_der
from pkiplan.x509.pem_lines import pem_block
from tests.x509.values import EC, SERVER, authority, certificate, issued, key_for

# More than are kept.
MANY = 200


def test_each_certificate_of_many_is_encoded_as_the_library_does() -> None:
    web = issued(certificate(EC, extensions=SERVER), authority(EC))
    encoded = web.public_bytes(Encoding.DER)

    for _ in range(MANY):
        other = issued(certificate(EC, extensions=SERVER), authority(EC))

        assert certificate_der(other) == other.public_bytes(Encoding.DER)
        assert certificate_pem(other) == other.public_bytes(Encoding.PEM)
        assert certificate_der(web) == encoded
        assert certificate_pem(web) == web.public_bytes(Encoding.PEM)


def test_each_public_key_of_many_is_encoded_as_itself() -> None:
    spki = spki_der(key_for(EC).public_key())

    for number in range(MANY):
        key = key_for(EC, number % 3).public_key()
        usual = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

        assert spki_der(key) == usual
        assert spki_der(public_key_of_spki(usual)) == usual
        assert spki_der(public_key_of_spki(spki)) == spki


def test_lines_of_pem_are_of_64_characters() -> None:
    lines = pem_block(b"X", bytes(97)).splitlines()

    assert lines == [b"-----BEGIN X-----", b"A" * 64, b"A" * 64, b"AA==", b"-----END X-----"]
