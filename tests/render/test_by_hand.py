"""The promise of the cnf: OpenSSL goes on in pkiplan's tree, and makes what pkiplan makes."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.model.extensions import (
    AccessDescription,
    AuthorityInfoAccess,
    BasicConstraints,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    Extension,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectInfoAccess,
    TlsFeature,
    UserNotice,
)
from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, ManagedKey, RsaKeySpec
from pkiplan.model.names import OtherNameValue
from pkiplan.model.resource import CrlSettings, Resource
from pkiplan.model.secret_references import EnvSecret
from pkiplan.model.validity import Validity
from pkiplan.x509 import der
from tests.judges import require
from tests.render.sites import (
    AUTHORITY_EXTENSIONS,
    LEAF_EXTENSIONS,
    NOT_BEFORE,
    Tree,
    alternative,
    authority,
    days,
    dn,
    extension,
    general,
    lay_out,
    leaf,
    run,
    usual_site,
)

pytestmark = pytest.mark.judge("openssl")


@pytest.fixture
def openssl() -> str:
    return require("openssl")


def commands_of(tree: Tree, resource: Resource) -> list[str]:
    """Take the commands from the header of the cnf, as a person would."""
    text = (tree.directory(resource) / "openssl.cnf").read_text()
    return [line.removeprefix("#   ") for line in text.split("\n") if line.startswith("#   openssl ")]


def made_by_hand(openssl: str, tree: Tree, resource: Resource, *further: str) -> x509.Certificate:
    """Run the commands of the header and return the certificate they made."""
    directory = tree.directory(resource)
    for command in commands_of(tree, resource)[: 1 if resource.is_self_issued else 2]:
        program, *arguments = shlex.split(command)
        assert program == "openssl"
        run(openssl, *arguments, *(["-batch", *further] if arguments[0] == "ca" else []), cwd=directory)
    name = directory.name
    return x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())


def fields(certificate: x509.Certificate) -> dict[str, Any]:
    """Take apart what the manifest and the keys say of a certificate, as encoded; not number and dates."""
    parts = der.certificate_parts(certificate.public_bytes(Encoding.DER))
    return {
        "version": certificate.version,
        "subject": parts.subject,
        "issuer": parts.issuer,
        "public key": parts.subject_public_key_info,
        "signature algorithm": signature_algorithm(certificate, parts.inner_signature_algorithm),
        "extensions": [(e.oid, e.critical, e.value.hex()) for e in parts.extensions()],
    }


def signature_algorithm(certificate: x509.Certificate, encoded: bytes) -> Any:
    """Take RSASSA-PSS by its meaning: OpenSSL 1.1.1 leaves out the NULL of its hashes (RFC 4055, 2.1 allows both)."""
    parameters = certificate.signature_algorithm_parameters
    if not isinstance(parameters, padding.PSS):
        return encoded
    digest = certificate.signature_hash_algorithm
    assert digest is not None
    return "RSASSA-PSS", digest.name, parameters._mgf._algorithm.name, parameters._salt_length


def others(name: str, value: OtherExtension, *, critical: bool = False) -> Extension:
    return Extension(name, critical, value)


AL = LEAF_EXTENSIONS
HOSTILE = "${subject::0.O} $ENV::HOME #; \"q\" 'a' `b` \\ [ req ] .include /etc/passwd, a=b"

CERTIFICATES: list[Any] = [
    pytest.param(leaf(), id="a usual server"),
    pytest.param(leaf(spec=RsaKeySpec(2048)), id="an RSA key"),
    pytest.param(leaf(spec=EdKeySpec("ed25519")), id="an Ed25519 key"),
    pytest.param(leaf(spec=EcKeySpec(Curve.P521)), id="a P-521 key"),
    pytest.param(leaf(issuer="root"), id="issued by a root"),
    pytest.param(leaf(issuer="root", rsa_pss=True, digest="sha384"), id="signed with RSA-PSS"),
    pytest.param(leaf(issuer=None, digest="sha256"), id="self-signed"),
    pytest.param(leaf(issuer=None, digest=None, spec=EdKeySpec("ed448")), id="self-signed with Ed448"),
    pytest.param(leaf(directory="certificates/node/a1"), id="an element of a for_each"),
    pytest.param(leaf(directory="hosts/my server/%2Ehidden"), id="a directory with blanks and percents"),
    pytest.param(leaf(subject=dn(("CN", HOSTILE[:64]), ("O", HOSTILE[20:]))), id="OpenSSL's own syntax in the subject"),
    pytest.param(
        leaf(subject=dn(("CN", "räksmörgås 😀 \u202eלד"), ("O", "株式会社"))), id="beyond ASCII and right to left"
    ),
    pytest.param(
        leaf(subject=dn(("OU", "one"), ("OU", "two"), [("O", "Acme"), ("OU", "three")], ("CN", "x"))),
        id="repeated attributes and a multi-valued RDN",
    ),
    pytest.param(
        leaf(
            subject=dn(
                ("DC", "example"),
                ("DC", "acme"),
                ("C", "SE"),
                ("ST", "Skåne"),
                ("L", "Malmö"),
                ("postalCode", "211 20"),
                ("street", "Gatan 1, tr. 2/3"),
                ("O", "Acme+Co"),
                ("organizationIdentifier", "NTRSE-556"),
                ("SN", "Å"),
                ("GN", "B"),
                ("initials", "ÅB"),
                ("generationQualifier", "III"),
                ("pseudonym", "x"),
                ("title", "Dr"),
                ("OU", "It's"),
                ("dnQualifier", "q (1)"),
                ("serialNumber", "123-4"),
                ("UID", "u"),
                ("CN", "n"),
                ("emailAddress", "a@acme.example"),
            )
        ),
        id="every attribute there is",
    ),
    pytest.param(leaf(subject=dn(("1.3.6.1.4.1.99999.7", "own"), ("CN", "x"))), id="an attribute by OID"),
    pytest.param(
        leaf(subject=dn([("CN", "x"), ("1.3.6.1.4.1.99999.7", "own")])), id="an attribute by OID in a multi-valued RDN"
    ),
    pytest.param(
        leaf(subject=dn(), extensions=(*AL, alternative(general("dns", "a.example"), critical=True))),
        id="an empty subject",
    ),
    pytest.param(
        leaf(
            extensions=(
                *AL,
                alternative(
                    general("dns", "*.acme.example"),
                    general("dns", "xn--bcher-kva.example"),
                    general("ip", "10.0.0.1"),
                    general("ip", "2001:db8::2"),
                    general("ip", "::ffff:10.0.0.1"),
                    general("uri", "ldap://h/CN=foo,OU=bar?a;b#c$d'e"),
                    general("uri", "spiffe://acme.example/ns/a"),
                    general("email", "o'neil@acme.example"),
                    general("upn", "räk,smörgås;x@acme.example"),
                    general("rid", "1.3.6.1.4.1.99999.1"),
                    general("dir_name", dn(("C", "SE"), ("O", "Acme, Inc."), [("CN", "a"), ("OU", "b")])),
                    general("dir_name", dn(("CN", "a"))),
                    general("other_name", OtherNameValue("1.3.6.1.4.1.99999.2", der.encode(der.UTF8_STRING, b"x,y"))),
                ),
            )
        ),
        id="every kind of name",
    ),
    pytest.param(
        leaf(
            extensions=(
                *AL,
                alternative(
                    general("dns", "a.example"),
                    general("dir_name", dn(("O", "Räksmörgås"))),
                    general("other_name", OtherNameValue("1.3.6.1.4.1.99999.2", der.encode_integer(5))),
                ),
            )
        ),
        id="names that OpenSSL has no words for",
    ),
    pytest.param(
        leaf(
            extensions=(
                AL[0],
                extension(
                    "key_usage", KeyUsage(("digital_signature", "content_commitment", "key_agreement", "decipher_only"))
                ),
                extension(
                    "extended_key_usage",
                    ExtendedKeyUsage(
                        ("1.3.6.1.4.1.311.20.2.2", "1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.7.3.8", "2.5.29.37.0")
                    ),
                    critical=True,
                ),
                alternative(general("dns", "a.example")),
                extension(
                    "policies",
                    CertificatePolicies(
                        (
                            Policy("2.23.140.1.2.1"),
                            Policy(
                                "1.3.6.1.4.1.99999.3",
                                cps=("http://acme.example/cps;1", "http://acme.example/#2"),
                                notices=(UserNotice("räksmörgås, #1; $x"), UserNotice("UTF8:x")),
                            ),
                        )
                    ),
                ),
                extension(
                    "crl_distribution_points",
                    CrlDistributionPoints(("http://a.example/1.crl", "ldap://h/cn=a,dc=b?x;y")),
                ),
                extension(
                    "aia",
                    AuthorityInfoAccess(
                        (
                            AccessDescription("1.3.6.1.5.5.7.48.2", "http://a.example/ca"),
                            AccessDescription("1.3.6.1.5.5.7.48.1", "http://ocsp.example"),
                            AccessDescription("1.3.6.1.5.5.7.48.2", "http://b.example/ca"),
                        )
                    ),
                ),
                extension(
                    "sia",
                    SubjectInfoAccess(
                        (
                            AccessDescription("1.3.6.1.5.5.7.48.3", "http://tsa.example"),
                            AccessDescription("1.3.6.1.5.5.7.48.5", "http://repo.example"),
                        )
                    ),
                ),
                extension("tls_feature", TlsFeature((5, 17, 300))),
                extension("ocsp_no_check", OcspNoCheck()),
                others("1.3.6.1.4.1.99999.10", OtherExtension("1.3.6.1.4.1.99999.10", bytes.fromhex("0c0161"))),
                others(
                    "1.3.6.1.4.1.99999.11",
                    OtherExtension("1.3.6.1.4.1.99999.11", b"\x0c\x07a,b;c$d", "UTF8String:a,b;c$d"),
                    critical=True,
                ),
                others(
                    "1.3.6.1.4.1.99999.9",
                    OtherExtension("1.3.6.1.4.1.99999.9", bytes.fromhex("3003020101"), "SEQUENCE:subject"),
                ),
                others(
                    "2.5.29.9",
                    OtherExtension("2.5.29.9", b"\x0c\x03\xc3\xa5b", "UTF8:åb"),
                ),
            )
        ),
        id="every extension of a leaf",
    ),
    pytest.param(
        leaf(
            extensions=(
                *AL,
                alternative(general("dns", "a.example")),
                extension(
                    "policies", CertificatePolicies((Policy("1.2.3.4", notices=(UserNotice("x", "Acme", (1, 2)),)),))
                ),
            )
        ),
        id="a notice that OpenSSL has no words for",
    ),
    pytest.param(leaf(validity=Validity(not_before=NOT_BEFORE, lifetime=timedelta(days=3))), id="a declared start"),
    pytest.param(
        leaf(validity=Validity(not_before=NOT_BEFORE, not_after=datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))),
        id="declared dates to the last second of 2049",
    ),
    pytest.param(
        leaf(validity=Validity(not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))),
        id="no end (RFC 5280, 4.1.2.5)",
    ),
    pytest.param(leaf(validity=Validity()), id="until the issuer ends"),
    pytest.param(leaf(validity=days(0.5)), id="half a day"),
]

AUTHORITIES: list[Any] = [
    pytest.param(authority("sub", "issuing"), id="a usual authority"),
    pytest.param(authority("other", spec=EcKeySpec(Curve.P256)), id="another root"),
    pytest.param(authority("other", spec=EdKeySpec("ed25519"), digest=None), id="a root with Ed25519"),
    pytest.param(authority("other", rsa_pss=True, digest="sha512"), id="a root that signs with RSA-PSS"),
    pytest.param(
        authority(
            "sub",
            "root",
            crl=CrlSettings(url="http://pki.acme.example/a,b;c.crl", days=3),
            extensions=(
                extension("basic_constraints", BasicConstraints(is_authority=True, path_length=0), critical=True),
                AUTHORITY_EXTENSIONS[1],
                extension(
                    "name_constraints",
                    NameConstraints(
                        permitted=(
                            general("dns", "acme.example"),
                            general("ip", "10.0.0.0/8"),
                            general("ip", "2001:db8::/32"),
                            general("uri", ".acme.example"),
                            general("email", "acme.example"),
                            general("upn", "acme.example"),
                            general("dir_name", dn(("C", "SE"), ("O", "Acme"))),
                        ),
                        excluded=(
                            general("dns", ""),
                            general("ip", "0.0.0.0/0"),
                            general("ip", "::/0"),
                            general("dir_name", dn(("C", "NO"))),
                        ),
                    ),
                    critical=True,
                ),
                extension("policies", CertificatePolicies((Policy("2.5.29.32.0"),))),
                extension("policy_constraints", PolicyConstraints(0, 3), critical=True),
                extension("inhibit_any_policy", InhibitAnyPolicy(2), critical=True),
            ),
        ),
        id="every extension of an authority",
    ),
    pytest.param(
        authority(
            "sub",
            "root",
            extensions=(
                *AUTHORITY_EXTENSIONS,
                extension(
                    "name_constraints",
                    NameConstraints(excluded=(general("dir_name", dn(("O", "Räksmörgås"))),)),
                    critical=True,
                ),
            ),
        ),
        id="constraints that OpenSSL has no words for",
    ),
]


@pytest.mark.parametrize("resource", [*CERTIFICATES, *AUTHORITIES])
def test_openssl_makes_the_same_certificate_with_the_commands_of_the_header(
    resource: Resource, openssl: str, tmp_path: Path
) -> None:
    tree = lay_out(usual_site(resource, base=str(tmp_path)))
    own = tree.certificate(resource)
    before = datetime.now(UTC)

    # A declared end of a self-signed certificate needs OpenSSL 3.4; none of the rows has one.
    made = made_by_hand(openssl, tree, resource)

    assert fields(made) == fields(own)
    validity = resource.validity
    if validity.not_before:
        assert made.not_valid_before_utc == validity.not_before
    if validity.not_after:
        assert made.not_valid_after_utc == validity.not_after
    elif validity.not_before:
        assert made.not_valid_after_utc == own.not_valid_after_utc
    else:
        declared = (validity.lifetime or timedelta(days=1095)) + timedelta(seconds=1)
        assert made.not_valid_after_utc - before == pytest.approx(
            max(declared, timedelta(days=1)), abs=timedelta(minutes=2)
        )


@pytest.mark.parametrize("resource", [*CERTIFICATES, *AUTHORITIES])
def test_openssl_verifies_what_it_made_and_what_pkiplan_made(resource: Resource, openssl: str, tmp_path: Path) -> None:
    """Only that the signature and the chain fit; content is compared above."""
    tree = lay_out(usual_site(resource, base=str(tmp_path)))
    own = tree.certificate(resource)
    issuer = tree.site.issuer_of(resource) or resource

    tree.certificate(resource).verify_directly_issued_by(tree.certificate(issuer))

    assert made_by_hand(openssl, tree, resource).signature_algorithm_oid == own.signature_algorithm_oid


def test_an_authority_signs_requests_that_no_manifest_names_and_crls(openssl: str, tmp_path: Path) -> None:
    issuing = authority("issuing", "root", crl=CrlSettings(url="http://pki.acme.example/issuing.crl", days=3))
    site = usual_site(leaf(), base=str(tmp_path))
    site = replace(site, resources={**site.resources, issuing.address: issuing})
    tree = lay_out(site)
    directory = tree.directory(issuing)
    config = ("-config", "openssl.cnf")
    run(
        openssl,
        "req",
        *config,
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/O=Else/CN=x",
        "-keyout",
        "k",
        "-out",
        "r",
        cwd=directory,
    )

    run(openssl, "ca", *config, "-batch", "-notext", "-in", "r", "-out", "c.pem", cwd=directory)
    run(openssl, "ca", *config, "-revoke", "c.pem", cwd=directory)
    run(openssl, "ca", *config, "-gencrl", "-out", "crl.pem", cwd=directory)

    made = x509.load_pem_x509_certificate((directory / "c.pem").read_bytes())
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    points = made.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [name.value for point in points for name in point.full_name or ()] == ["http://pki.acme.example/issuing.crl"]
    crl = x509.load_pem_x509_crl((directory / "crl.pem").read_bytes())
    assert [entry.serial_number for entry in crl] == [made.serial_number]
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - crl.last_update_utc == timedelta(days=3)
    # pkiplan's own lines are still there, and its certificate is known by its number.
    assert len((directory / "index.txt").read_text().splitlines()) == 2


def test_encrypted_keys_are_taken_by_passin_as_the_header_says(openssl: str, tmp_path: Path) -> None:
    secret = (EnvSecret("P"),)
    root = authority("root", key=ManagedKey(spec=RsaKeySpec(2048), passphrases=secret))
    sub = authority("sub", "root", key=ManagedKey(spec=EcKeySpec(Curve.P384), passphrases=secret))
    site = usual_site(sub, base=str(tmp_path))
    site = replace(site, resources={**site.resources, root.address: root})
    tree = lay_out(site, {root.address: b"top secret", sub.address: b"top secret"})
    directory = tree.directory(sub)
    header = (directory / "openssl.cnf").read_text().split("[ req ]")[0]

    for command in commands_of(tree, sub)[:2]:
        extra = ["-batch"] if "openssl ca" in command else []
        run(openssl, *shlex.split(command)[1:], *extra, "-passin", "stdin", cwd=directory, stdin=b"top secret\n")

    assert header.count("-passin") == 2
    made = x509.load_pem_x509_certificate((directory / "sub.pem").read_bytes())
    assert fields(made) == fields(tree.certificate(sub))


def test_adopted_files_are_named_where_they_lie(openssl: str, tmp_path: Path) -> None:
    inside, outside = tmp_path / "site" / "old", tmp_path / "elsewhere"
    inside.mkdir(parents=True)
    outside.mkdir()
    root = authority(
        "root",
        key=ManagedKey(spec=RsaKeySpec(2048), path=str(outside / "root key.pem"), is_adopted=True),
        cert_path=str(inside / "root.pem"),
    )
    web = leaf(issuer="root", key=ManagedKey(spec=EcKeySpec(Curve.P256), path=str(inside / "web.key"), is_adopted=True))
    site = usual_site(web, base=str(tmp_path / "site"))
    site = replace(site, resources={root.address: root, web.address: web})
    tree = lay_out(site)
    (tree.directory(root) / "cert.pem").rename(inside / "root.pem")

    made = made_by_hand(openssl, tree, web)

    assert fields(made) == fields(tree.certificate(web))
    text = (tree.directory(web) / "openssl.cnf").read_text()
    assert "-key ../../../old/web.key" in text
    assert "\ncertificate = ../../../old/root.pem\n" in text
    assert f"\nprivate_key = {outside}/root key.pem\n" in text
