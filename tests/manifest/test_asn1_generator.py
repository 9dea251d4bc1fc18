"""OpenSSL's generator syntax, compared with OpenSSL."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pkiplan.x509.asn1_generator import GeneratorError, generate
from tests.judges import require

TEXTS = [
    "UTF8String:hello", "FORMAT:UTF8,UTF8:héllo", "INT:-129", "INT:-128", "INT:128", "INT:0x1FFFF", "INT:0", "BOOL:TRUE",
    "BOOLEAN:no", "OID:1.3.6.1.4.1.99999.1", "OBJECT:2.999.3", "EXP:0,IA5:x", "IMP:5,OCT:ab", "OCTWRAP,SEQWRAP,INT:5",
    "NULL", "FORMAT:HEX,OCT:00ff", "FORMAT:BITLIST,BITSTR:1,5,9", "FORM:BITLIST,BITSTRING:1,5", "UTC:270131120000Z",
    "GENTIME:20270131120000Z", "BMP:ab", "UNIV:a", "PRINTABLE:ab c", "VISIBLE:x y", "IMP:40A,INT:5", "ENUM:7", "T61:abc",
    "EXP:3P,EXP:100,INT:5", "UTF8: lead", "GENSTR:ab", "IMPLICIT:1,SEQWRAP,INT:3", "NUMERIC:12 3", "OCT:a,b",
    "FORMAT:HEX,BITSTR:f0", "BITWRAP,INT:1", "FORMAT:UTF8,GENSTR:é", "FORMAT:UTF8,T61:é", "IMP:12U,IA5:ab", "UTC:000229000000Z", "GENTIME:20000229235959Z",
]  # fmt: skip


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("text", TEXTS)
def test_openssl_makes_the_same(tmp_path: Path, text: str) -> None:
    out = tmp_path / "value.der"
    command = [require("openssl"), "asn1parse", "-genstr", text, "-noout", "-out", str(out)]

    subprocess.run(command, check=True, capture_output=True)

    assert generate(text) == out.read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "UTF9:x", "INT:", "INT: 5", "INT:x", "BOOL:maybe", "NULL:x", "OID:1", "OID:1.40.1", "OID:SN", "SEQ:section",
        "SET:section", "EXP:0", "EXP:x,INT:5", "IMP:1,IMP:2,INT:5", "IMP:1,EXP:2,", "IMP:2,EXP:0,INT:5", "FORMAT:HEX,OCT:0", "FORMAT:WHAT,OCT:00",
        "UTF8:é", "IA5:é", "PRINTABLE:a_b", "NUMERIC:a", "UTC:2027", "BITSTR:é", "FORMAT:BITLIST,BITSTR:a", "FORMAT:BITLIST,OCT:1",
        "FORMAT:UTF8,BITSTR:a", "FORMAT:UTF8,OCT:a", "FORMAT:HEX,OCT:", "FORMAT:HEX,BITSTR:00 ff", "FORMAT:HEX,INT:1", "FORMAT:UTF8,ENUM:1",
        "FORMAT:HEX,BOOL:y", "FORMAT:UTF8,OID:1.2.3", "FORMAT:BITLIST,BITSTR:", "IMP:3U,OCT:ab", "IMP:4U,SETWRAP,INT:1", "IMP:2U,UTF8:a", "EXP:2U,INT:1",
        "UTC:261301000000Z", "UTC:260229000000Z", "UTC:990101000060Z", "GENTIME:20260101240000Z", "GENTIME:21000229000000Z",
        "SEQWRAP," * 30 + "INT:1", "INT:" + "9" * 5000, "UTF8:" + "x" * 20_000, "BMP:\U0001f600", "UTF8:\ud800",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError):
        generate(text)
