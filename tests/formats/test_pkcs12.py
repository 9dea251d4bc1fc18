from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pkiplan.errors import KeyMaterialError
from pkiplan.formats.base import OutputMaterial
from pkiplan.formats.pkcs12 import Pkcs12Format
from pkiplan.formats.pkcs12_mac import derive_mac_key, protection
from pkiplan.model.keys import MlDsaKeySpec
from tests.contract.test_formats import CHAIN, LEAF, MATERIAL
from tests.judges import require
from tests.x509.values import EC, key_for

FORMAT = Pkcs12Format()
SECRET = "pass phräse"
MODERN = FORMAT.encode(MATERIAL, SECRET.encode(), {})
LEGACY = FORMAT.encode(MATERIAL, SECRET.encode(), {"compatibility": "legacy"})


def openssl(data: bytes, *arguments: str) -> tuple[str, str]:
    command = [require("openssl"), "pkcs12", "-legacy", "-passin", f"pass:{SECRET}", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("data", [MODERN, LEGACY], ids=["modern", "legacy"])
def test_openssl_finds_key_certificates_and_name(data: bytes) -> None:
    printed, _ = openssl(data, "-nodes")

    assert load_pem_private_key(printed.encode(), None).public_key() == key_for(EC, 1).public_key()
    assert printed.count("BEGIN CERTIFICATE") == 1 + len(CHAIN)
    assert "friendlyName: web" in printed


@pytest.mark.judge("openssl")
def test_openssl_sees_as_many_rounds_before_the_check_as_before_the_key() -> None:
    """docs/adr/0003-encrypted-key-files.md: a check of fewer rounds would let passphrases be tried cheaply."""
    _, told = openssl(MODERN, "-info", "-noout")

    assert "MAC: sha256, Iteration 100000" in told
    assert told.count("PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256") == 2


@pytest.mark.judge("openssl")
def test_openssl_sees_what_legacy_means() -> None:
    _, told = openssl(LEGACY, "-info", "-noout")

    assert "MAC: sha1, Iteration 2048" in told
    assert told.count("pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048") == 2


@pytest.mark.judge("keytool")
@pytest.mark.parametrize("compatibility", ["modern", "legacy"])
def test_java_opens_it(tmp_path: Path, compatibility: str) -> None:
    (tmp_path / "web.p12").write_bytes(FORMAT.encode(MATERIAL, b"changeit", {"compatibility": compatibility}))
    command = [
        require("keytool"),
        "-list",
        "-v",
        "-storetype",
        "PKCS12",
        "-storepass",
        "changeit",
        "-keystore",
        str(tmp_path / "web.p12"),
    ]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    for line in (
        "Alias name: web",
        "Entry type: PrivateKeyEntry",
        "Certificate chain length: 1",
        "CN=www.acme.example",
    ):
        assert line in printed


def test_the_check_is_derived_as_the_standard_says() -> None:
    """A vector that OpenSSL and BouncyCastle test the function of RFC 7292 with."""
    key = derive_mac_key(b"smeg", bytes.fromhex("3D83C0E4546AC140"), "sha1", 1)

    assert key.hex().upper() == "8D967D88F6CAA9D714800AB3D48051D63F73A312"


def test_how_it_is_protected_shows_without_the_passphrase() -> None:
    assert (protection(MODERN), protection(LEGACY)) == ("modern", "legacy")
    assert FORMAT.read(MODERN, (), {}).options == (("compatibility", "modern"),)


def test_a_key_that_pkcs12_cannot_hold_is_told() -> None:
    material = OutputMaterial(certificate=LEAF, chain=(), key=key_for(MlDsaKeySpec(44)), name="web")

    with pytest.raises(KeyMaterialError, match="cannot be written as PKCS#12"):
        FORMAT.encode(material, b"x", {})


def test_a_passphrase_that_is_no_text_is_told_without_its_value() -> None:
    with pytest.raises(KeyMaterialError, match="cannot be written as PKCS#12") as caught:
        FORMAT.encode(MATERIAL, b"\xff\xfe", {})

    assert "xff" not in str(caught.value)
