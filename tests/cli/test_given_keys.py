"""Keys that are given: adopted, or only their public half, or a request; tried end to end."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, KeySpec, MlDsaKeySpec, RsaKeySpec
from pkiplan.x509.keys import PrivateKey, spki_der
from tests.cli.conftest import Here
from tests.x509.test_unsound_keys import fermat_key
from tests.x509.values import key_for

SITE = """\
version: 1
site: acme
directory: pki
authorities:
  root:
    subject: {{common_name: Acme Root}}
    key: {{type: ecdsa, curve: P-256, passphrase: none}}
certificates:
  web:
    issuer: root
    dns: [www.acme.example]
    {given}
"""


def private(key: PrivateKey, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes | None = None) -> bytes:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, form, encryption)


def public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def request(key: PrivateKey) -> bytes:
    digest = hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None
    return (
        x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest).public_bytes(Encoding.PEM)
    )


def forged(key: PrivateKey) -> bytes:
    """A request whose last octet, which is its signature's, was changed."""
    real = x509.load_pem_x509_csr(request(key)).public_bytes(Encoding.DER)
    return x509.load_der_x509_csr(real[:-1] + bytes([real[-1] ^ 1])).public_bytes(Encoding.PEM)


RSA, EC, ED, ML_DSA = RsaKeySpec(2048), EcKeySpec(Curve.P384), EdKeySpec("ed25519"), MlDsaKeySpec(44)

GIVEN = [
    pytest.param(
        "key: {type: rsa, size: 2048, path: given.pem}",
        RSA,
        private(key_for(RSA), PrivateFormat.TraditionalOpenSSL),
        id="an RSA key as PKCS#1",
    ),
    pytest.param(
        "key: {type: ecdsa, curve: P-384, path: given.pem}",
        EC,
        private(key_for(EC), PrivateFormat.TraditionalOpenSSL),
        id="an EC key as SEC1",
    ),
    pytest.param("key: {type: ed25519, path: given.pem}", ED, private(key_for(ED)), id="an Ed25519 key as PKCS#8"),
    pytest.param(
        "key: {type: rsa, size: 2048, path: given.pem, passphrase: {env: GIVEN}}",
        RSA,
        private(key_for(RSA), passphrase=b"top secret"),
        id="an encrypted key",
    ),
    pytest.param("key: {public_key: given.pem}", EC, public(key_for(EC)), id="a public key"),
    pytest.param("key: {public_key: given.pem}", ML_DSA, public(key_for(ML_DSA)), id="a public ML-DSA key"),
    pytest.param("key: {csr: given.pem}", RSA, request(key_for(RSA)), id="a request of an RSA key"),
    pytest.param("key: {csr: given.pem}", ED, request(key_for(ED)), id="a request of an Ed25519 key"),
]


@pytest.mark.parametrize(("given", "spec", "content"), GIVEN)
def test_a_given_key_is_certified_where_it_lies(
    given: str, spec: KeySpec, content: bytes, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "top secret")
    here.write(SITE.format(given=given))
    (here.directory / "given.pem").write_bytes(content)

    applied = here.run("apply", "--yes")

    assert applied.status == 0, applied.err
    made = x509.load_pem_x509_certificate((here.directory / "pki/certificates/web/cert.pem").read_bytes())
    assert spki_der(made.public_key()) == spki_der(key_for(spec).public_key())
    assert (here.directory / "given.pem").read_bytes() == content
    assert not (here.directory / "pki/certificates/web/key.pem").exists()
    assert here.run("plan", "--detailed-exitcode").status == 0


UNSOUND = fermat_key()
X25519 = x25519.X25519PrivateKey.generate()
# Of a group of 512 bits, by OpenSSL's `genpkey`.
DH = b"""\
-----BEGIN PRIVATE KEY-----
MIGcAgEAMFMGCSqGSIb3DQEDATBGAkEA75BxzwXCswE3sRyqraxuGcKsMGOIpbs/
fz893cMsg5fEfNPtfBGDB+imbukOFuMb3fo92G2H4H9m1Uu4yFxNlwIBAgRCAkAn
kRNM2oD6k+0LRQgYhEilXD0XFS02RSHZwNWbSTLLMgGY4J7PiND7TmeH/GpKWEl3
sPi2iDcxpx3njv/06wgT
-----END PRIVATE KEY-----
"""

REFUSED = [
    pytest.param(
        "key: {type: rsa, size: 2048, path: given.pem}", private(UNSOUND), "CVE-2022-26320", id="a Fermat key"
    ),
    pytest.param("key: {public_key: given.pem}", public(UNSOUND), "CVE-2022-26320", id="the public half of one"),
    pytest.param("key: {csr: given.pem}", request(UNSOUND), "CVE-2022-26320", id="a request of one"),
    pytest.param(
        "key: {type: rsa, size: 2048, path: given.pem}",
        private(key_for(EC)),
        "ecdsa P-384, declared is rsa 2048",
        id="a key of another type",
    ),
    pytest.param(
        "key: {type: ed25519, path: given.pem}",
        key_for(ED).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        "`ssh-keygen -p -m PKCS8 -f FILE` makes PKCS#8",
        id="a key in OpenSSH's own form",
    ),
    pytest.param(
        "key: {type: ed25519, path: given.pem}",
        X25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "it is a key of x25519, which cannot sign\n    way out  put a key of ed25519 at given.pem",
        id="a key that only agrees on keys",
    ),
    pytest.param("key: {type: rsa, size: 2048, path: given.pem}", DH, "a key of dh, which cannot sign", id="a DH key"),
    pytest.param(
        "key: {public_key: given.pem}",
        X25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "put a key that signs (RSA, ECDSA, Ed25519, Ed448 or ML-DSA) at given.pem",
        id="the public half of one that only agrees on keys",
    ),
    pytest.param(
        "key: {csr: given.pem}", forged(key_for(EC)), "not signed with its own key", id="a request that proves nothing"
    ),
    pytest.param(
        "key: {csr: given.pem}", public(key_for(EC)), "does not parse", id="a public key in place of a request"
    ),
    pytest.param("key: {public_key: given.pem}", b"", "does not parse", id="an empty file"),
    pytest.param("key: {type: rsa, path: given.pem}", b"x" * 2_000_000, "", id="two megabytes of something else"),
]


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")  # cryptography's, of the DH key
@pytest.mark.parametrize(("given", "content", "why"), REFUSED)
def test_a_given_key_that_cannot_be_used_stops_the_change(given: str, content: bytes, why: str, here: Here) -> None:
    here.write(SITE.format(given=given))
    (here.directory / "given.pem").write_bytes(content)
    before = here.files()

    planned = here.run("plan")

    assert planned.status == 1
    assert "certificate.web" in planned.out
    assert why in planned.out + planned.err
    # Nothing is ever put in place of what was given.
    here.run("apply", "--yes", "--no-verify")
    after = here.files()
    assert {path: after[path] for path in before} == before
    assert not any("web" in path for path in after)


def test_an_encrypted_key_that_is_unsound_is_seen_when_it_is_opened(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "top secret")
    here.write(SITE.format(given="key: {type: rsa, size: 2048, path: given.pem, passphrase: {env: GIVEN}}"))
    (here.directory / "given.pem").write_bytes(private(UNSOUND, passphrase=b"top secret"))

    assert here.run("plan").status == 0
    applied = here.run("apply", "--yes")

    assert applied.status == 1
    assert "CVE-2022-26320" in applied.out + applied.err
    assert not (here.directory / "pki/certificates").exists()
