from __future__ import annotations

import itertools
import warnings

import pytest
from cryptography import x509

from pkiplan.model.extensions import SubjectAltName
from pkiplan.model.names import DistinguishedName, GeneralName, OtherNameValue
from pkiplan.x509.names import from_general_name, from_x509_name, parse_name, to_general_name, to_x509_name
from tests.x509.asking import openssl_asn1, openssl_text
from tests.x509.values import SERVER, certificate, dns, ext, general, name, replaced, self_signed

SUBJECT = name(
    "DC=example",
    "C=SE",
    "ST=Skåne",
    "O=Acme, Inc.+OU=Ställe",
    "serialNumber=A-1",
    "dnQualifier=q",
    "CN=wwœ",
    "emailAddress=a@b.example",
    "1.2.3.4=own",
)


def test_a_subject_comes_back_as_it_went() -> None:
    assert from_x509_name(to_x509_name(SUBJECT)) == SUBJECT
    assert parse_name(to_x509_name(SUBJECT).public_bytes()) == SUBJECT
    assert parse_name(to_x509_name(DistinguishedName()).public_bytes()) == DistinguishedName()


def test_the_attributes_of_a_multi_valued_rdn_are_a_set() -> None:
    one, other = name("CN=a+OU=b"), name("OU=b+CN=a")

    assert to_x509_name(one).public_bytes() == to_x509_name(other).public_bytes()
    assert from_x509_name(to_x509_name(one)) == from_x509_name(to_x509_name(other))


@pytest.mark.judge("openssl")
def test_openssl_reads_the_string_types_of_the_standard() -> None:
    lines = openssl_asn1(
        self_signed(certificate(issuer=None, subject=SUBJECT, profile="", extensions=SERVER[:2]))
    ).splitlines()

    found = {}
    for line, following in itertools.pairwise(lines):
        if ":domainComponent" in line or "OBJECT" in line:
            found[line.rpartition(":")[2]] = following.partition("prim:")[2].split(":")[0].strip()
    assert found["countryName"] == found["serialNumber"] == found["dnQualifier"] == "PRINTABLESTRING"
    assert found["domainComponent"] == found["emailAddress"] == "IA5STRING"
    assert found["commonName"] == found["organizationName"] == found["1.2.3.4"] == "UTF8STRING"


@pytest.mark.judge("openssl")
def test_openssl_reads_the_subject_we_wrote() -> None:
    text = openssl_text(
        self_signed(certificate(issuer=None, subject=SUBJECT, profile="", extensions=SERVER[:2])),
        "-nameopt",
        "RFC2253,utf8,-esc_msb",
    )

    assert r"Subject: 1.2.3.4=#0C036F776E,emailAddress=a@b.example,CN=wwœ,dnQualifier=q,serialNumber=A-1" in text
    assert r"O=Acme\, Inc.+OU=Ställe,ST=Skåne,C=SE,DC=example" in text


def test_sixty_four_characters_of_two_bytes_are_sixty_four_characters() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert from_x509_name(to_x509_name(name("CN=" + "ö" * 64))).common_name == "ö" * 64


NAMES = [
    general("dns", "www.acme.example"),
    general("dns", "*.acme.example"),
    general("ip", "10.0.0.2"),
    general("ip", "2001:db8::2"),
    general("uri", "https://acme.example/x?y=z#f"),
    general("email", "ops@acme.example"),
    general("upn", "käthe@acme.example"),
    general("rid", "1.2.3.4.5"),
    general("dir_name", name("C=SE", "CN=x")),
    general("other_name", OtherNameValue("1.2.3.4", bytes.fromhex("0c0161"))),
]


@pytest.mark.parametrize("each", NAMES, ids=str)
def test_a_general_name_comes_back_as_it_went(each: GeneralName) -> None:
    assert from_general_name(to_general_name(each)) == each


def test_a_dns_name_is_read_in_lower_case() -> None:
    assert from_general_name(x509.DNSName("WWW.Acme.Example")) == general("dns", "www.acme.example")


def test_a_principal_name_that_is_no_text_stays_an_other_name() -> None:
    odd = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), bytes.fromhex("0202ffff"))

    assert from_general_name(odd).value == OtherNameValue("1.3.6.1.4.1.311.20.2.3", bytes.fromhex("0202ffff"))


@pytest.mark.parametrize(
    "each",
    [general("dns", "bücher.example"), general("ip", "10.0.0.300"), general("rid", "1"), general("dns", name("CN=x"))],
    ids=str,
)
def test_a_name_that_cannot_be_written_is_a_value_error(each: GeneralName) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_general_name(each)


@pytest.mark.judge("openssl")
def test_openssl_reads_every_kind_of_name() -> None:
    resource = certificate(
        issuer=None,
        extensions=replaced(SERVER, ext("subject_alt_name", SubjectAltName((*dns("www.acme.example"), *NAMES[1:])))),
    )

    text = openssl_text(self_signed(resource))

    wanted = (
        "DNS:*.acme.example",
        "IP Address:10.0.0.2",
        "IP Address:2001:DB8:0:0:0:0:0:2",
        "URI:https://acme.example/x?y=z#f",
        "email:ops@acme.example",
        "Registered ID:1.2.3.4.5",
        "DirName:/C=SE/CN=x",
        "othername: UPN::käthe@acme.example",
    )
    assert [each for each in wanted if each not in text] == []
