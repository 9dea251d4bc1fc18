"""What every key backend keeps, whatever it is; a listed backend is a tested one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pkiplan.errors import KeyMaterialError, SecretError
from pkiplan.key_backends import KEY_BACKENDS
from pkiplan.key_backends.base import ExportsKey, KeyBackend, KeyDestination
from pkiplan.model.keys import Curve, EcKeySpec, KeyEncryption, KeySpec, ManagedKey
from pkiplan.x509.keys import key_spec, spki_der
from tests.x509.test_keys import EVERY_SPEC
from tests.x509.values import certificate, self_signed

EC = EcKeySpec(Curve.P256)
QUICK = KeyEncryption(rounds=1000)

pytestmark = pytest.mark.parametrize("backend", KEY_BACKENDS.values(), ids=KEY_BACKENDS.keys())


def destination(path: Path, spec: KeySpec = EC, passphrase: bytes | None = None) -> KeyDestination:
    return KeyDestination(path=str(path), storage=ManagedKey(spec=spec, encryption=QUICK), passphrase=passphrase)


@pytest.mark.parametrize("spec", EVERY_SPEC, ids=str)
def test_a_generated_key_is_of_its_type_and_signs(backend: KeyBackend, spec: KeySpec, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = backend.generate(spec, destination(path, spec))

    public_key, signing_key = backend.public_key(str(path), ()), backend.signing_key(str(path), ())
    assert key_spec(public_key) == spec
    assert spki_der(made) == spki_der(public_key)
    assert spki_der(signing_key.public_key()) == spki_der(public_key)


def test_two_keys_are_two(backend: KeyBackend, tmp_path: Path) -> None:
    backend.generate(EC, destination(tmp_path / "a"))
    backend.generate(EC, destination(tmp_path / "b"))

    assert backend.public_key(str(tmp_path / "a"), ()) != backend.public_key(str(tmp_path / "b"), ())


def test_a_key_is_never_overwritten(backend: KeyBackend, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    backend.generate(EC, destination(path))
    before = path.read_bytes()

    with pytest.raises(KeyMaterialError, match="never overwritten"):
        backend.generate(EC, destination(path))
    assert path.read_bytes() == before


def test_any_of_several_passphrases_opens_a_key(backend: KeyBackend, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    backend.generate(EC, destination(path, passphrase=b"right"))

    assert (
        backend.public_key(str(path), (b"wrong", b"right")) == backend.signing_key(str(path), (b"right",)).public_key()
    )


def test_a_wrong_passphrase_is_told_without_its_value(backend: KeyBackend, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    backend.generate(EC, destination(path, passphrase=b"right-secret"))

    with pytest.raises(SecretError, match=r"key\.pem: none of 2 passphrases opens the key") as caught:
        backend.signing_key(str(path), (b"wrong-secret", b"other-secret"))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(KeyMaterialError, match="no passphrase is given"):
        backend.signing_key(str(path), ())


def test_a_key_that_is_not_there_is_told(backend: KeyBackend, tmp_path: Path) -> None:
    with pytest.raises(KeyMaterialError, match="no such key"):
        backend.signing_key(str(tmp_path / "absent.pem"), ())


def test_an_exported_key_is_the_same(backend: KeyBackend, tmp_path: Path) -> None:
    if not isinstance(backend, ExportsKey):
        pytest.skip("this backend never gives a key away")
    path, copy = tmp_path / "key.pem", tmp_path / "copy.pem"
    backend.generate(EC, destination(path))
    backend.reencode(str(path), (), destination(copy, passphrase=b"new"))

    assert backend.key_to_export(str(copy), (b"new",)).public_key() == backend.public_key(str(path), ())
    assert b"BEGIN PRIVATE KEY" in backend.private_key_pem(str(copy), (b"new",))
    assert backend.public_key(str(copy), (b"new",)) == backend.public_key(str(path), ())
    assert path.exists()


def test_a_destination_does_not_show_its_passphrase(backend: KeyBackend, tmp_path: Path) -> None:
    assert "right" not in repr(destination(tmp_path, passphrase=b"right"))


def test_a_signing_key_is_one_that_certificates_are_signed_with(backend: KeyBackend, tmp_path: Path) -> None:
    from pkiplan.x509.issue import CertificateRequest, lint_request, sign
    from tests.x509.values import NOT_AFTER, NOT_BEFORE, SERIAL

    path = tmp_path / "key.pem"
    backend.generate(EC, destination(path))
    key = backend.signing_key(str(path), ())
    request = CertificateRequest(
        resource=certificate(issuer=None),
        public_key=key.public_key(),
        issuer=None,
        not_before=NOT_BEFORE,
        not_after=NOT_AFTER,
        serial=SERIAL,
    )

    assert sign(lint_request(request, ()), key).subject == self_signed(certificate(issuer=None)).subject
