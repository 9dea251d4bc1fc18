from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pkiplan.model.keys import PssBond, RsaKeySpec
from pkiplan.x509 import der
from pkiplan.x509.keys import spki_der
from pkiplan.x509.parse import certificate_facts
from pkiplan.x509.pem_lines import pem_block
from pkiplan.x509.private_keys import open_as_pkcs8, plain_pkcs8
from pkiplan.x509.pss_keys import RSASSA_PSS_OID, bond_of
from tests.x509.chains import Workshop
from tests.x509.other_encodings import (
    RSA_WITHOUT_NULL,
    RSASSA_PSS,
    RSASSA_PSS_SHA512,
    with_algorithm,
    written_otherwise,
)
from tests.x509.values import NO_FILE, key_for

KEY = key_for(RsaKeySpec(2048))
FREE = plain_pkcs8(KEY)
REQUEST = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())


def bound_key() -> bytes:
    version, _, content = der.single(KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).children()
    return pem_block(b"PRIVATE KEY", der.encode(der.SEQUENCE, version.encoded, RSASSA_PSS, content.encoded))


def bound_request() -> bytes:
    body, *rest = der.single(REQUEST.public_bytes(Encoding.DER)).children()
    version, subject, _, attributes = body.children()
    bound = der.encode(
        der.SEQUENCE, version.encoded, subject.encoded, with_algorithm(RSASSA_PSS)(KEY), attributes.encoded
    )
    return pem_block(b"CERTIFICATE REQUEST", der.encode(der.SEQUENCE, bound, *(part.encoded for part in rest)))


@pytest.mark.parametrize(
    ("pem", "is_bound"),
    [
        pytest.param(bound_key(), True, id="a key"),
        pytest.param(b"Bag Attributes\n" + bound_key(), True, id="with text before it"),
        pytest.param(pem_block(b"PUBLIC KEY", with_algorithm(RSASSA_PSS)(KEY)), True, id="a public key"),
        pytest.param(bound_request(), True, id="a request"),
        pytest.param(FREE, False, id="a key that is free"),
        pytest.param(pem_block(b"PUBLIC KEY", spki_der(KEY.public_key())), False, id="a public key that is free"),
        pytest.param(REQUEST.public_bytes(Encoding.PEM), False, id="a request of one"),
        pytest.param(bound_key().replace(b"PRIVATE", b"RSA PRIVATE"), False, id="a form that names no algorithm"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(pem_block(b"PRIVATE KEY", b"\x30\x00"), False, id="an empty one"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----!-----END PUBLIC KEY-----", False, id="no base64"),
    ],
)
def test_a_bond_is_seen(pem: bytes, is_bound: bool) -> None:
    assert bond_of(pem) == (PssBond() if is_bound else None)


def test_a_certificate_tells_that_its_key_is_bound() -> None:
    free = Workshop().root(key=KEY).certificate
    for written, bond in ((RSASSA_PSS, PssBond()), (RSA_WITHOUT_NULL, None), (RSASSA_PSS_SHA512, PssBond("sha512"))):
        certificate = written_otherwise(free, KEY, with_algorithm(written))

        assert certificate_facts(certificate, file=NO_FILE).key_pss_bond == bond
    assert certificate_facts(free, file=NO_FILE).key_pss_bond is None


@pytest.mark.parametrize(
    ("parameters", "bond"),
    [
        pytest.param("3000", PssBond("sha1"), id="all that is left out"),
        pytest.param("3005a203020115", PssBond("sha1", is_usual=False), id="a longer salt"),
        pytest.param("300fa00d300b0609608648016503040201", PssBond("sha256", is_usual=False), id="MGF1 with SHA-1"),
        pytest.param(
            "300fa00d300b060960864801650304020a",
            PssBond("algorithm 2.16.840.1.101.3.4.2.10", is_usual=False),
            id="another hash",
        ),
    ],
)
def test_the_parameters_of_a_bond_are_read(parameters: str, bond: PssBond) -> None:
    algorithm = der.encode(der.SEQUENCE, der.encode_oid(RSASSA_PSS_OID), bytes.fromhex(parameters))

    assert bond_of(pem_block(b"PUBLIC KEY", with_algorithm(algorithm)(KEY))) == bond


def test_a_plain_key_keeps_its_bond_when_it_is_served() -> None:
    assert open_as_pkcs8(bound_key(), ()) == bound_key()
    assert open_as_pkcs8(FREE, ()) == FREE
