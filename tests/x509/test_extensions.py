from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pkiplan.model.extensions import (
    ACCESS_METHODS,
    EXTENDED_KEY_USAGES,
    EXTENSION_NAMES,
    EXTENSION_OIDS,
    KEY_USAGES,
    AccessDescription,
    AuthorityInfoAccess,
    BasicConstraints,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
    UserNotice,
)
from pkiplan.x509.extensions import CertificateExtensions, decode, encode
from tests.x509.asking import openssl_text
from tests.x509.values import (
    AUTHORITY,
    NOT_AFTER,
    NOT_BEFORE,
    authority,
    dns,
    ext,
    general,
    name,
    replaced,
    self_signed,
)

OCSP, ISSUERS = ACCESS_METHODS["ocsp"], ACCESS_METHODS["ca_issuers"]

VALUES: list[ExtensionValue] = [
    BasicConstraints(is_authority=True, path_length=0),
    BasicConstraints(is_authority=False),
    KeyUsage(KEY_USAGES),
    KeyUsage(("key_cert_sign", "crl_sign")),
    ExtendedKeyUsage(tuple(sorted((*EXTENDED_KEY_USAGES.values(), "1.2.3.4")))),
    SubjectAltName((*dns("a.example", "b.example"), general("ip", "10.0.0.1"))),
    NameConstraints(
        (
            general("dns", ".acme.example"),
            general("dns", "acme.example"),
            general("ip", "10.0.0.0/8"),
            general("uri", ".acme.example"),
            general("email", "acme.example"),
            general("dir_name", name("C=SE")),
        ),
        (general("ip", "0.0.0.0/0"), general("ip", "::/0")),
    ),
    CertificatePolicies(
        (
            Policy("1.2.3"),
            Policy(
                "2.23.140.1.2.1", ("http://a.example/cps",), (UserNotice("be ware", "Acme", (1, 2)), UserNotice("ö"))
            ),
        )
    ),
    PolicyConstraints(0, None),
    PolicyConstraints(None, 3),
    InhibitAnyPolicy(0),
    CrlDistributionPoints(("http://a.example/1.crl", "http://a.example/2.crl")),
    AuthorityInfoAccess(
        (AccessDescription(OCSP, "http://o.example"), AccessDescription(ISSUERS, "http://a.example/ca.der"))
    ),
    SubjectInfoAccess((AccessDescription(ACCESS_METHODS["ca_repository"], "http://a.example/repo"),)),
    TlsFeature((5,)),
    TlsFeature((5, 10, 17)),
    OcspNoCheck(),
    OtherExtension("1.2.3.4", bytes.fromhex("0c0568656c6c6f")),
]
_WORDS = {
    BasicConstraints: "basic_constraints",
    KeyUsage: "key_usage",
    ExtendedKeyUsage: "extended_key_usage",
    SubjectAltName: "subject_alt_name",
    NameConstraints: "name_constraints",
    CertificatePolicies: "policies",
    PolicyConstraints: "policy_constraints",
    InhibitAnyPolicy: "inhibit_any_policy",
    CrlDistributionPoints: "crl_distribution_points",
    AuthorityInfoAccess: "aia",
    SubjectInfoAccess: "sia",
    TlsFeature: "tls_feature",
    OcspNoCheck: "ocsp_no_check",
}


def oid_of(value: ExtensionValue) -> str:
    return value.oid if isinstance(value, OtherExtension) else EXTENSION_OIDS[_WORDS[type(value)]]


def test_every_extension_of_the_manifest_is_tried() -> None:
    tried = {EXTENSION_NAMES.get(oid_of(value)) for value in VALUES}

    assert {*EXTENSION_OIDS} - tried == {"subject_key_identifier", "authority_key_identifier"}


def carrying(*extensions: x509.Extension[x509.ExtensionType]) -> x509.Certificate:
    """A certificate that carries what no lint would let pass."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        x509.Name([]),
        x509.Name([]),
        key.public_key(),
        7,
        NOT_BEFORE.replace(tzinfo=None),
        NOT_AFTER.replace(tzinfo=None),
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256())


def raw(oid: str, content: str, *, critical: bool = False) -> x509.Extension[x509.ExtensionType]:
    identifier = x509.ObjectIdentifier(oid)
    return x509.Extension(identifier, critical, x509.UnrecognizedExtension(identifier, bytes.fromhex(content)))


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_extension_comes_back_from_a_certificate_as_it_went(value: ExtensionValue, critical: bool) -> None:
    oid = oid_of(value)

    found = CertificateExtensions(carrying(x509.Extension(x509.ObjectIdentifier(oid), critical, encode(value)))).all()
    assert found == (Extension(oid, critical, value),)


def test_sets_are_sorted_when_they_are_read() -> None:
    usages = x509.ExtendedKeyUsage(
        [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2"), x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]
    )

    read = decode(x509.Extension(usages.oid, False, usages))
    assert read.value == ExtendedKeyUsage(("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"))


SAN, CONSTRAINTS, FEATURES, USAGE = (
    EXTENSION_OIDS[word] for word in ("subject_alt_name", "name_constraints", "tls_feature", "key_usage")
)
POINTS, AIA = EXTENSION_OIDS["crl_distribution_points"], EXTENSION_OIDS["aia"]


@pytest.mark.parametrize(
    ("oid", "content"),
    [
        pytest.param(SAN, "3003820100", id="a DNS name that is a NUL is still text"),
        pytest.param(SAN, "300382017f", id="a DNS name that is a delete"),
        pytest.param(SAN, "30038201ff", id="a DNS name that is not ASCII"),
        pytest.param(SAN, "300702", id="cut short"),
        pytest.param(SAN, "", id="empty"),
        pytest.param(SAN, "3006a304300204ff", id="an X.400 address"),
        pytest.param(SAN, "30058703010203", id="an IP address of three octets"),
        pytest.param(CONSTRAINTS, "300ea00c300a87080a000000ff00ff00", id="a mask with holes"),
        pytest.param(FEATURES, "3003020100ff", id="bytes after the end"),
        pytest.param(FEATURES, "3003040105", id="a feature that is no number"),
        pytest.param(USAGE, "0303078000", id="a bit string with too many octets"),
        pytest.param(EXTENSION_OIDS["basic_constraints"], "30030101ff00", id="bytes after basic constraints"),
        pytest.param(EXTENSION_OIDS["policies"], "30073005060355 1d20".replace(" ", ""), id="policies"),
        pytest.param(POINTS, "3006300481020780", id="a distribution point with reasons alone"),
        pytest.param(AIA, "3013301106082b0601050507300182057f3a2f2f78", id="a location that is a DNS name"),
        pytest.param("2.5.29.16", "3000", id="an extension that nobody uses any more"),
        pytest.param("2.5.29.14", "0000", id="a key identifier that is no octet string"),
        pytest.param("2.5.29.35", "ff", id="an authority key identifier that is nothing"),
    ],
)
def test_decoding_never_fails(oid: str, content: str) -> None:
    """What cryptography refuses keeps its bytes, and its neighbours are read all the same."""
    neighbour = x509.BasicConstraints(ca=True, path_length=1)
    extensions = [raw(oid, content, critical=True)]
    if oid != neighbour.oid.dotted_string:
        extensions.append(x509.Extension(neighbour.oid, True, neighbour))

    found = CertificateExtensions(carrying(*extensions)).all()
    assert found[0].oid == oid
    assert found[0].critical
    if isinstance(found[0].value, OtherExtension):
        assert found[0].value.der.hex() == content
    assert (
        found[1:]
        == (Extension(EXTENSION_OIDS["basic_constraints"], True, BasicConstraints(True, 1)),)[: len(found) - 1]
    )


def test_a_distribution_point_that_says_more_keeps_its_bytes() -> None:
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://a.example")], None, frozenset({x509.ReasonFlags.key_compromise}), None
    )
    points = x509.CRLDistributionPoints([point])

    found = CertificateExtensions(carrying(x509.Extension(points.oid, False, points))).all()
    assert found == (Extension(POINTS, False, OtherExtension(POINTS, points.public_bytes())),)


@pytest.mark.judge("openssl")
def test_openssl_reads_every_extension() -> None:
    everything = replaced(
        AUTHORITY,
        *(
            Extension(
                oid_of(value),
                _WORDS.get(type(value)) in ("name_constraints", "policy_constraints", "inhibit_any_policy"),
                value,
            )
            for value in VALUES
            if not isinstance(value, BasicConstraints | KeyUsage | PolicyConstraints | TlsFeature)
        ),
        ext("policy_constraints", PolicyConstraints(0, 3), critical=True),
        ext("tls_feature", TlsFeature((5, 17))),
    )

    text = openssl_text(self_signed(authority(extensions=everything)))

    wanted = (
        "CA:TRUE",
        "Certificate Sign, CRL Sign",
        "TLS Web Server Authentication",
        "Any Extended Key Usage",
        "1.2.3.4",
        "DNS:a.example, DNS:b.example, IP Address:10.0.0.1",
        "Permitted:",
        "DNS:.acme.example",
        "IP:10.0.0.0/255.0.0.0",
        "Excluded:",
        "CPS: http://a.example/cps",
        "Explicit Text: be ware",
        "Organization: Acme",
        "Numbers: 1, 2",
        "Require Explicit Policy:0",
        "Inhibit Policy Mapping:3",
        "URI:http://a.example/1.crl",
        "OCSP - URI:http://o.example",
        "CA Issuers - URI:http://a.example/ca.der",
        "CA Repository - URI:http://a.example/repo",
        "status_request, status_request_v2",
        "OCSP No Check",
    )
    assert [each for each in wanted if each not in text] == []
