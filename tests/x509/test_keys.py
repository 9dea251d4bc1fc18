from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, x25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, KeySpec, MlDsaKeySpec, OtherKey, RsaKeySpec
from pkiplan.x509 import der
from pkiplan.x509.keys import (
    default_digest,
    generate_key,
    key_identifier,
    key_spec,
    public_key_facts,
    signature_verifies,
    spki_der,
)
from tests.x509.asking import openssl_text
from tests.x509.values import certificate, key_for, self_signed

EVERY_SPEC: list[KeySpec] = [
    RsaKeySpec(2048),
    *(EcKeySpec(curve) for curve in Curve),
    EdKeySpec("ed25519"),
    EdKeySpec("ed448"),
    *(MlDsaKeySpec(parameter_set) for parameter_set in (44, 65, 87)),
]


@pytest.mark.parametrize("spec", EVERY_SPEC, ids=str)
def test_a_generated_key_is_of_its_type(spec: KeySpec) -> None:
    public_key = key_for(spec).public_key()

    assert public_key_facts(public_key) == (spec, hashlib.sha256(spki_der(public_key)).hexdigest())


def test_an_rsa_key_has_the_size_asked_for() -> None:
    assert key_spec(generate_key(RsaKeySpec(1024)).public_key()) == RsaKeySpec(1024)


@pytest.mark.parametrize(
    ("public_key", "description"),
    [
        pytest.param(ec.generate_private_key(ec.SECP256K1()).public_key(), "ecdsa secp256k1", id="another curve"),
        pytest.param(dsa.generate_private_key(1024).public_key(), "dsa 1024", id="DSA"),
        pytest.param(x25519.X25519PrivateKey.generate().public_key(), "x25519", id="a key that cannot sign"),
    ],
)
def test_a_key_that_no_manifest_declares_is_described(public_key: CertificatePublicKeyTypes, description: str) -> None:
    assert key_spec(public_key) == OtherKey(description)


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        (RsaKeySpec(4096), "sha256"),
        (EcKeySpec(Curve.P256), "sha256"),
        (EcKeySpec(Curve.P384), "sha384"),
        (EcKeySpec(Curve.P521), "sha512"),
        (EdKeySpec("ed25519"), None),
        (MlDsaKeySpec(65), None),
    ],
    ids=str,
)
def test_a_key_signs_with_the_hash_of_its_strength(spec: KeySpec, digest: str | None) -> None:
    assert default_digest(spec) == digest


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("spec", EVERY_SPEC[:6], ids=str)
def test_openssl_computes_the_same_key_identifier(spec: KeySpec) -> None:
    issued = self_signed(certificate(spec, issuer=None))

    printed = openssl_text(issued, "-ext", "subjectKeyIdentifier").rpartition("Identifier:")[2].split()[0]
    assert bytes.fromhex(printed.replace(":", "")) == key_identifier(key_for(spec).public_key())


@pytest.mark.parametrize("spec", EVERY_SPEC, ids=str)
def test_only_the_signing_key_verifies(spec: KeySpec) -> None:
    issued = self_signed(certificate(spec, issuer=None))

    assert signature_verifies(issued, key_for(spec).public_key())
    for other in EVERY_SPEC:
        assert not signature_verifies(issued, key_for(other, 1).public_key()), other


def test_rsa_pss_verifies_too() -> None:
    assert signature_verifies(
        self_signed(certificate(RsaKeySpec(2048), issuer=None, rsa_pss=True)), key_for(RsaKeySpec(2048)).public_key()
    )


def test_keys_that_cannot_sign_verify_nothing() -> None:
    issued = self_signed(certificate(issuer=None))

    assert not signature_verifies(issued, x25519.X25519PrivateKey.generate().public_key())


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x80\x00\x00", b"\x30\x84\xff\xff\xff\xff", b"\x1f\x81\x00", b"\x30\x02\x04\x05"],
    ids=bytes.hex,
)
def test_what_is_not_der_is_a_der_error(data: bytes) -> None:
    with pytest.raises(der.DerError):
        der.certificate_parts(data)


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.1.11", "2.5.29.17", "2.999.1", "0.9.2342.19200300.100.1.25"])
def test_object_identifiers_come_back_as_they_went(dotted: str) -> None:
    assert der.decode_oid(der.single(der.encode_oid(dotted)).content) == dotted
