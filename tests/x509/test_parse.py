from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from pkiplan.errors import KeyMaterialError
from pkiplan.model.keys import Curve, EcKeySpec, KeySpec, OtherKey, RsaKeySpec
from pkiplan.model.tree import LARGEST_PEM
from pkiplan.x509.keys import spki_sha256
from pkiplan.x509.parse import (
    certificate_facts,
    load_der_certificate,
    load_pem_certificates,
    load_public_key,
    load_request,
)
from tests.x509.other_encodings import (
    RSA_WITHOUT_NULL,
    RSASSA_PSS,
    Written,
    compressed,
    spelt_out,
    with_algorithm,
    written_otherwise,
)
from tests.x509.values import (
    EC,
    NO_FILE,
    NOT_AFTER,
    NOT_BEFORE,
    SERIAL,
    authority,
    certificate,
    issued,
    key_for,
    name,
    self_signed,
)

ROOT = self_signed(authority())
WEB = issued(certificate(), authority())
PEM = WEB.public_bytes(Encoding.PEM)
ROOT_PEM = ROOT.public_bytes(Encoding.PEM)
KEY_BLOCK = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(PEM, (WEB,), id="one certificate"),
        pytest.param(PEM + ROOT_PEM, (WEB, ROOT), id="several, in order"),
        pytest.param(b"Certificate:\n    Data: x\n" + PEM + b"\n\nend", (WEB,), id="with text around it"),
        pytest.param(KEY_BLOCK + PEM + KEY_BLOCK, (WEB,), id="beside a key"),
        pytest.param(PEM.replace(b"\n", b"\r\n"), (WEB,), id="with line ends of Windows"),
        pytest.param(PEM.replace(b" CERTIFICATE", b" X509 CERTIFICATE"), (WEB,), id="by its old name"),
    ],
)
def test_certificates_are_found_in_pem(data: bytes, found: tuple[x509.Certificate, ...]) -> None:
    assert load_pem_certificates(data) == found


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b" \n", "is empty", id="blanks"),
        pytest.param(b"\x00" * 99, "holds no certificate", id="zeroes"),
        pytest.param(KEY_BLOCK, "holds no certificate", id="a key alone"),
        pytest.param(
            PEM.replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE"), "openssl x509 -in FILE", id="OpenSSL's own form"
        ),
        pytest.param(PEM[:-40], "cut short", id="half a certificate"),
        pytest.param(PEM + PEM[:200], "cut short", id="a certificate and a half"),
        pytest.param(PEM.replace(b"MII", b"MIA", 1), "does not parse", id="a changed letter"),
        pytest.param(PEM.replace(b"MII", b"M!I", 1), "does not parse", id="no base64"),
        pytest.param(PEM * 65, "65 certificates are too many", id="too many"),
        pytest.param(b"x" * (LARGEST_PEM + 1), "too many for a certificate file", id="too large"),
    ],
)
def test_damage_is_said_in_words(data: bytes, why: str) -> None:
    with pytest.raises(KeyMaterialError, match=why):
        load_pem_certificates(data)


def test_a_certificate_is_described() -> None:
    facts = certificate_facts(WEB, file=NO_FILE, candidates=[ROOT.public_key(), key_for(RsaKeySpec(2048)).public_key()])

    assert facts.subject == name("O=Acme", "CN=www.acme.example")
    assert facts.issuer_der == ROOT.subject.public_bytes()
    assert (facts.serial, facts.not_before, facts.not_after) == (SERIAL + 1, NOT_BEFORE, NOT_AFTER)
    assert (facts.key_spec, facts.signature_digest, facts.signature_is_pss) == (EC, "sha256", False)
    assert facts.verified_by == {spki_sha256(ROOT.public_key())}
    assert facts.subject_key_id == facts.key_id_of_key
    assert facts.authority_key_id == certificate_facts(ROOT, file=NO_FILE).subject_key_id
    assert [extension.oid for extension in facts.extensions] == ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17"]
    assert (facts.version, facts.has_foreign_aki, facts.is_authority) == (3, False, False)


def test_a_self_issued_certificate_is_tried_under_its_own_key() -> None:
    assert certificate_facts(ROOT, file=NO_FILE).verified_by == {spki_sha256(ROOT.public_key())}


OTHERWISE = [
    pytest.param(EC, compressed, id="a compressed point"),
    pytest.param(EC, spelt_out, id="a curve spelt out"),
    pytest.param(RsaKeySpec(2048), with_algorithm(RSASSA_PSS), id="an RSA key bound to RSASSA-PSS"),
    pytest.param(RsaKeySpec(2048), with_algorithm(RSA_WITHOUT_NULL), id="an RSA key without NULL"),
]


@pytest.mark.parametrize(("spec", "write"), OTHERWISE)
def test_a_key_has_one_digest_however_a_certificate_encodes_it(spec: KeySpec, write: Written) -> None:
    root, key = self_signed(authority(spec)), key_for(spec)
    ours = certificate_facts(root, file=NO_FILE)

    facts = certificate_facts(written_otherwise(root, key, write), file=NO_FILE, candidates=[key.public_key()])

    assert facts.spki_sha256 == spki_sha256(key.public_key())
    assert facts.verified_by == {facts.spki_sha256}
    assert (facts.key_spec, facts.key_id_when_signed) == (spec, ours.key_id_of_key)
    # RFC 5280, 4.2.1.2 (1), speaks of the bits as they are.
    assert (facts.key_id_of_key == ours.key_id_of_key) is (write is not compressed)


def odd(**changes: object) -> x509.Certificate:
    """A certificate that pkiplan would never issue."""
    key = ec.generate_private_key(ec.SECP256R1())
    fields = {"subject": x509.Name([]), "public_key": key.public_key(), "serial": 7} | changes
    builder = (
        x509.CertificateBuilder().issuer_name(x509.Name([])).not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    )
    builder = builder.subject_name(fields["subject"]).public_key(fields["public_key"]).serial_number(fields["serial"])  # type: ignore[arg-type]
    for extension in changes.get("extensions", ()):  # type: ignore[attr-defined]
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, fields.get("digest", hashes.SHA256()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("certificate", "spec"),
    [
        pytest.param(odd(), EcKeySpec(Curve.P256), id="no extension at all"),
        pytest.param(
            odd(public_key=x25519.X25519PrivateKey.generate().public_key()),
            OtherKey("x25519"),
            id="a key that cannot sign",
        ),
        pytest.param(
            odd(public_key=ec.generate_private_key(ec.SECP256K1()).public_key()),
            OtherKey("ecdsa secp256k1"),
            id="another curve",
        ),
        pytest.param(odd(digest=hashes.SHA3_256()), EcKeySpec(Curve.P256), id="a hash that no manifest names"),
    ],
)
def test_odd_certificates_are_described_too(certificate: x509.Certificate, spec: object) -> None:
    assert certificate_facts(certificate, file=NO_FILE).key_spec == spec


def test_an_authority_key_identifier_with_issuer_and_serial_is_noticed() -> None:
    identifier = x509.AuthorityKeyIdentifier(b"x" * 20, [x509.DirectoryName(x509.Name([]))], 5)

    assert certificate_facts(odd(extensions=[identifier]), file=NO_FILE).has_foreign_aki


def test_public_keys_and_requests_are_read() -> None:
    key = key_for(EC)
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())

    assert (
        load_public_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        == key.public_key()
    )
    assert load_request(request.public_bytes(Encoding.PEM)) == key.public_key()


def test_a_request_must_be_signed_with_its_own_key() -> None:
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key_for(EC), hashes.SHA256())
    encoded = bytearray(request.public_bytes(Encoding.DER))
    encoded[-1] ^= 1
    import base64

    pem = (
        b"-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(bytes(encoded))
        + b"-----END CERTIFICATE REQUEST-----\n"
    )
    with pytest.raises(KeyMaterialError, match="not signed with its own key"):
        load_request(pem)


def test_a_key_that_cannot_sign_is_refused() -> None:
    data = x25519.X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(KeyMaterialError, match="x25519"):
        load_public_key(data)


@pytest.mark.parametrize("load", [load_public_key, load_request, load_der_certificate])
@pytest.mark.parametrize("data", [b"", b"x", KEY_BLOCK, PEM[:50]], ids=["empty", "letter", "key", "half"])
def test_other_readers_say_damage_in_words(load: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        load(data)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_changed_certificate_leads_to_a_traceback(data: st.DataObject) -> None:
    encoded = bytearray(WEB.public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 6))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(KeyMaterialError):
        certificate_facts(load_der_certificate(bytes(encoded)), file=NO_FILE, candidates=[ROOT.public_key()])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_lead_to_a_traceback(data: bytes) -> None:
    for load in (load_pem_certificates, load_der_certificate, load_public_key, load_request):
        for each in (data, b"-----BEGIN CERTIFICATE-----\n" + data + b"\n-----END CERTIFICATE-----"):
            with contextlib.suppress(KeyMaterialError):
                load(each)
