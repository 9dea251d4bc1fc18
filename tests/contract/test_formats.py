"""What every output format keeps, whatever it is; a listed format is a tested one."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkiplan.errors import KeyMaterialError, SecretError
from pkiplan.formats import FORMATS
from pkiplan.formats.base import Options, OutputFormat, OutputMaterial, PassphraseUse
from pkiplan.formats.certificates import fingerprints
from pkiplan.model.keys import RsaKeySpec
from pkiplan.x509.keys import spki_sha256
from tests.x509.values import EC, authority, certificate, issued, key_for, name, self_signed

LEAF = issued(certificate(), authority())
CHAIN = (self_signed(authority(subject=name("CN=one"))), self_signed(authority(subject=name("CN=two"))))
MATERIAL = OutputMaterial(certificate=LEAF, chain=CHAIN, key=key_for(EC, 1), name="web")
SECRET = b"a secret"

every_format = pytest.mark.parametrize("output_format", FORMATS.values(), ids=FORMATS.keys())


def choices(output_format: OutputFormat) -> Iterator[Options]:
    """Every combination of the options of a format."""
    names = list(output_format.options)
    for values in itertools.product(*output_format.options.values()):
        yield dict(zip(names, values, strict=True))


def passphrase(output_format: OutputFormat) -> bytes | None:
    return SECRET if output_format.passphrase_use is PassphraseUse.NEEDED else None


EVERY_CHOICE = [
    pytest.param(output_format, options, id=f"{word} {options or ''}")
    for word, output_format in FORMATS.items()
    for options in choices(output_format)
]


@pytest.mark.parametrize(("output_format", "options"), EVERY_CHOICE)
def test_what_is_encoded_is_read_back(output_format: OutputFormat, options: Options) -> None:
    secret = passphrase(output_format)
    data = output_format.encode(MATERIAL, secret, options)

    contents = output_format.read(data, (b"wrong", secret) if secret else (), options)
    assert contents.not_checked is None
    assert contents.certificates[0] == fingerprints((LEAF,))[0]
    assert contents.certificates[1:] in ((), fingerprints(CHAIN))
    assert contents.key_spki_sha256 == (spki_sha256(LEAF.public_key()) if output_format.needs_key else None)


@pytest.mark.parametrize(("output_format", "options"), EVERY_CHOICE)
def test_the_options_that_show_are_those_that_were_chosen(output_format: OutputFormat, options: Options) -> None:
    secret = passphrase(output_format)
    data = output_format.encode(MATERIAL, secret, options)

    assert dict(output_format.read(data, (secret,) if secret else (), {}).options) == options
    assert output_format.check_options(options) == []


@every_format
def test_wrong_options_are_told(output_format: OutputFormat) -> None:
    assert "unknown option `colour`" in output_format.check_options({"colour": "red"})[0]
    for option in output_format.options:
        assert "allowed are" in output_format.check_options({option: "nonsense"})[0]
        assert "allowed are" in output_format.check_options({option: 1})[0]


@every_format
def test_a_file_with_a_key_is_for_its_owner_alone(output_format: OutputFormat) -> None:
    assert output_format.default_mode == (0o600 if output_format.needs_key else 0o644)


@every_format
@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"0\x82", b"-----BEGIN CERTIFICATE-----", b"x" * (2 << 20)],
    ids=["empty", "NUL", "cut", "begun", "huge"],
)
def test_damage_is_said_in_words(output_format: OutputFormat, data: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        output_format.read(data, (SECRET,), {})


@every_format
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_lead_to_a_traceback(output_format: OutputFormat, data: st.DataObject) -> None:
    encoded = bytearray(output_format.encode(MATERIAL, passphrase(output_format), _quick(output_format)))
    for _ in range(data.draw(st.integers(1, 5))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))

    for passphrases in ((), (SECRET,)):
        with contextlib.suppress(KeyMaterialError, SecretError):
            output_format.read(bytes(encoded), passphrases, {})


def _quick(output_format: OutputFormat) -> Options:
    return {"compatibility": "legacy"} if "compatibility" in output_format.options else {}


@every_format
def test_no_passphrase_leaks(output_format: OutputFormat) -> None:
    if output_format.passphrase_use is PassphraseUse.NONE:
        pytest.skip("takes no passphrase")
    data = output_format.encode(MATERIAL, SECRET, _quick(output_format))

    assert SECRET not in data
    assert b"BEGIN PRIVATE KEY" not in data
    with pytest.raises((KeyMaterialError, SecretError)) as caught:
        output_format.read(data, (b"another secret",), {})
    assert "secret" not in str(caught.value)


@every_format
def test_a_needed_passphrase_is_missed(output_format: OutputFormat) -> None:
    if output_format.passphrase_use is not PassphraseUse.NEEDED:
        pytest.skip("needs no passphrase")
    with pytest.raises(KeyMaterialError, match="needs a passphrase"):
        output_format.encode(MATERIAL, None, {})
    assert output_format.read(output_format.encode(MATERIAL, SECRET, {}), (), {}).not_checked


def test_material_does_not_show_its_key() -> None:
    assert "key=" not in repr(MATERIAL)


def test_another_key_shows() -> None:
    other = OutputMaterial(certificate=LEAF, chain=(), key=key_for(RsaKeySpec(2048)), name="web")
    data = FORMATS["pem-combined"].encode(other, None, {})

    assert FORMATS["pem-combined"].read(data, (), {}).key_spki_sha256 != spki_sha256(LEAF.public_key())


def test_the_table_is_light_to_import() -> None:
    """Manifests are checked against it in every plan; cryptography takes a tenth of a second to load."""
    program = "import sys, pkiplan.formats, pkiplan.key_backends; print('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
