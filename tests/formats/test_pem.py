from __future__ import annotations

import pytest

from pkiplan.errors import KeyMaterialError
from pkiplan.formats import FORMATS
from pkiplan.formats.certificates import fingerprints, pem
from tests.contract.test_formats import CHAIN, LEAF, MATERIAL

COMBINED = FORMATS["pem-combined"]


@pytest.mark.parametrize(
    ("options", "order"),
    [
        pytest.param({}, ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE", "CERTIFICATE"], id="key first"),
        pytest.param(
            {"order": "certificate-first"},
            ["CERTIFICATE", "CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"],
            id="certificate first",
        ),
        pytest.param({"chain": False}, ["PRIVATE KEY", "CERTIFICATE"], id="without the chain"),
    ],
)
def test_blocks_stand_in_the_order_that_was_chosen(options: dict[str, str | bool], order: list[str]) -> None:
    data = COMBINED.encode(MATERIAL, None, options).decode()

    assert [
        line.strip("-").removeprefix("BEGIN ") for line in data.splitlines() if line.startswith("-----BEGIN")
    ] == order


def test_a_combined_file_without_its_key_is_damaged() -> None:
    with pytest.raises(KeyMaterialError, match="no private key"):
        COMBINED.read(pem((LEAF,)), (), {})


def test_the_key_of_a_combined_file_can_be_encrypted() -> None:
    data = COMBINED.encode(MATERIAL, b"secret", {})

    assert b"BEGIN ENCRYPTED PRIVATE KEY" in data
    assert COMBINED.read(data, (), {}).key_spki_sha256 is None
    assert COMBINED.read(data, (b"secret",), {}).key_spki_sha256 is not None


def test_a_chain_file_starts_with_the_certificate() -> None:
    data = FORMATS["pem-chain"].encode(MATERIAL, None, {})

    assert FORMATS["pem-chain"].read(data, (), {}).certificates == fingerprints((LEAF, *CHAIN))
