"""What is not read again, because its bytes are those that were asked for, is what reading it would have given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import EXTENDED_KEY_USAGES, ExtendedKeyUsage, Extension, KeyUsage, SubjectAltName
from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, ManagedKey, MlDsaKeySpec, RsaKeySpec
from pkiplan.model.names import DistinguishedName, GeneralName, OtherNameValue
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.x509 import issue
from pkiplan.x509.issue import CertificateRequest, Issuer, LintedRequest, sign
from pkiplan.x509.keys import PublicKey, generate_key
from pkiplan.x509.parse import certificate_facts
from tests.x509.values import (
    EC,
    NOT_AFTER,
    NOT_BEFORE,
    SERIAL,
    SERVER,
    authority,
    certificate,
    dns,
    ext,
    general,
    key_for,
    name,
    replaced,
    self_signed,
    without,
)

RSA = RsaKeySpec(2048)
CLIENT = replaced(SERVER, ext("extended_key_usage", ExtendedKeyUsage((EXTENDED_KEY_USAGES["client_auth"],))))


def named(*names: GeneralName, critical: bool = False) -> Resource:
    return certificate(extensions=replaced(CLIENT, ext("subject_alt_name", SubjectAltName(names), critical=critical)))


def issuer_of(spec: object) -> Issuer:
    return Issuer.of(self_signed(authority(spec)))  # type: ignore[arg-type]


def asked(resource: Resource, issuer: Issuer, number: int, **changes: object) -> CertificateRequest:
    """Ask for one of many certificates: each has a serial number, subject and key of its own."""
    assert isinstance(resource.key, ManagedKey)
    own = DistinguishedName((*resource.subject.rdns, *name(f"OU=No. {number}").rdns))
    fields: dict[str, object] = {
        "resource": replace(resource, subject=own),
        "public_key": key_for(resource.key.spec, number).public_key(),
        "issuer": issuer,
        "not_before": NOT_BEFORE + timedelta(hours=number),
        "not_after": NOT_AFTER + timedelta(hours=number),
        "serial": SERIAL + number,
    }
    return CertificateRequest(**(fields | changes))  # type: ignore[arg-type]


class Examining:
    """Counts how many issued certificates are read, and keeps what was found out about each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        self.found: list[ObservedCertificate] = []
        real_read, real_examined = issue._read_and_compared, issue._examined

        def counted(one: x509.Certificate, request: CertificateRequest, signer: PublicKey) -> ObservedCertificate:
            self.read += request.issuer is not None
            return real_read(one, request, signer)

        def kept(one: x509.Certificate, request: CertificateRequest, signer: PublicKey) -> ObservedCertificate:
            found = real_examined(one, request, signer)
            if request.issuer is not None:
                self.found.append(found)
            return found

        monkeypatch.setattr(issue, "_read_and_compared", counted)
        monkeypatch.setattr(issue, "_examined", kept)


@pytest.fixture
def examining(monkeypatch: pytest.MonkeyPatch) -> Examining:
    return Examining(monkeypatch)


WRITTEN = [
    pytest.param(EC, certificate(), {}, id="a server"),
    pytest.param(EC, certificate(RSA), {}, id="an RSA key"),
    pytest.param(EC, certificate(EdKeySpec("ed25519"), digest="sha256"), {}, id="an Ed25519 key"),
    pytest.param(EC, certificate(MlDsaKeySpec(44), digest="sha256"), {}, id="an ML-DSA key"),
    pytest.param(RSA, certificate(), {}, id="signed with RSA"),
    pytest.param(RSA, certificate(rsa_pss=True, digest="sha384"), {}, id="signed with RSASSA-PSS"),
    pytest.param(EcKeySpec(Curve.P384), certificate(digest="sha384"), {}, id="signed with P-384"),
    pytest.param(EdKeySpec("ed448"), certificate(digest=None), {}, id="signed with Ed448"),
    pytest.param(EC, certificate(extensions=without(CLIENT, "subject_alt_name")), {}, id="no names"),
    pytest.param(
        EC,
        named(
            *dns("*.acme.example", "www.acme.example"),
            general("ip", "10.0.0.1"),
            general("ip", "2001:db8::1"),
            general("uri", "spiffe://acme.example/web"),
            general("email", "web@acme.example"),
        ),
        {},
        id="names of four kinds",
    ),
    pytest.param(EC, named(*dns("www.acme.example"), critical=True), {}, id="critical names"),
    pytest.param(EC, certificate(subject=name("C=SE", "DC=acme", "O=Å & Ö", "1.2.3.4=x")), {}, id="kinds of strings"),
    pytest.param(EC, certificate(), {"not_after": datetime(2050, 1, 1, tzinfo=UTC)}, id="a GeneralizedTime"),
    pytest.param(EC, certificate(), {"serial": 1}, id="a small serial number"),
    pytest.param(EC, certificate(), {"serial": (1 << 159) - 1}, id="the largest serial number"),
]


@pytest.mark.parametrize(("spec", "resource", "changes"), WRITTEN)
def test_what_is_told_of_a_certificate_that_was_not_read_is_what_reading_tells(
    examining: Examining, spec: object, resource: Resource, changes: dict[str, object]
) -> None:
    issuer, key = issuer_of(spec), key_for(spec)

    certificates = [sign(LintedRequest(asked(resource, issuer, number, **changes), ()), key) for number in range(3)]

    assert examining.read == 1
    assert examining.found == [
        certificate_facts(each, file=issue._NO_FILE, candidates=(issuer.public_key,)) for each in certificates
    ]


NOT_WRITTEN = [
    pytest.param(certificate(subject=name("O=Acme+OU=IT", "CN=www.acme.example")), id="an RDN of two attributes"),
    pytest.param(named(*dns("b.acme.example", "a.acme.example")), id="names in another order"),
    pytest.param(named(*dns("WWW.acme.example")), id="a name in capitals"),
    pytest.param(named(general("ip", "2001:DB8::1")), id="an address in capitals"),
    pytest.param(named(general("dir_name", name("CN=web"))), id="a directory name"),
    pytest.param(named(general("other_name", OtherNameValue("1.2.3", b"\x05\x00"))), id="a name of another kind"),
]


@pytest.mark.parametrize("resource", NOT_WRITTEN)
def test_what_is_read_back_in_other_words_is_read(examining: Examining, resource: Resource) -> None:
    issuer = issuer_of(EC)

    for number in range(2):
        sign(LintedRequest(asked(resource, issuer, number), ()), key_for(EC))

    assert examining.read == 2


def test_another_time_zone_is_read(examining: Examining) -> None:
    issuer = issuer_of(EC)
    here = {"not_before": NOT_BEFORE.astimezone(timezone(timedelta(hours=2)))}

    for number in range(2):
        sign(LintedRequest(asked(certificate(), issuer, number, **here), ()), key_for(EC))

    assert examining.read == 2


def test_a_pattern_is_of_one_profile_one_issuer_and_one_algorithm(examining: Examining) -> None:
    one, another = issuer_of(EC), Issuer.of(self_signed(authority(subject=name("CN=Another"))))
    usage = ext("key_usage", KeyUsage(("digital_signature",)), critical=False)

    for resource, issuer in (
        (certificate(), one),
        (certificate(), another),
        (certificate(digest="sha384"), one),
        (certificate(extensions=replaced(SERVER, usage)), one),
        (certificate(extensions=CLIENT), one),
        (certificate(extensions=without(CLIENT, "subject_alt_name")), one),
    ):
        sign(LintedRequest(asked(resource, issuer, 1), ()), key_for(EC))

    assert examining.read == 6


def by_another_key(request: CertificateRequest) -> x509.Certificate:
    return issue._build(request, generate_key(EC), EC)


def otherwise(**changes: object) -> Callable[[CertificateRequest], x509.Certificate]:
    return lambda request: issue._build(replace(request, **changes), key_for(EC), EC)  # type: ignore[arg-type]


def with_extensions(*new: Extension) -> Callable[[CertificateRequest], x509.Certificate]:
    def built(request: CertificateRequest) -> x509.Certificate:
        resource = replace(request.resource, extensions=replaced(request.resource.extensions, *new))
        return issue._build(replace(request, resource=resource), key_for(EC), EC)

    return built


WRONG = [
    ("signature", by_another_key),
    ("public key", otherwise(public_key=key_for(EC, 7).public_key())),
    ("subject", otherwise(resource=certificate())),
    ("issuer", otherwise(issuer=replace(issuer_of(EC), subject_der=bytes.fromhex("3000")))),
    ("serial number", otherwise(serial=SERIAL + 99)),
    ("validity", otherwise(not_after=NOT_AFTER + timedelta(days=9))),
    ("signature algorithm", lambda request: issue._build(_with_digest(request), key_for(EC), EC)),
    ("extensions", with_extensions(ext("key_usage", KeyUsage(("key_agreement",)), critical=True))),
    ("extensions", with_extensions(ext("subject_alt_name", SubjectAltName(dns("evil.example"))))),
    ("extensions", with_extensions(ext("subject_alt_name", SubjectAltName(dns("www.acme.example")), critical=True))),
    ("authority key identifier", otherwise(issuer=replace(issuer_of(EC), key_id=b"other"))),
]


def _with_digest(request: CertificateRequest) -> CertificateRequest:
    return replace(request, resource=replace(request.resource, digest="sha512"))


@pytest.mark.parametrize(("what", "made"), WRONG)
def test_whatever_else_was_signed_is_never_handed_out(
    monkeypatch: pytest.MonkeyPatch, what: str, made: Callable[[CertificateRequest], x509.Certificate]
) -> None:
    issuer = issuer_of(EC)
    sign(LintedRequest(asked(certificate(), issuer, 1), ()), key_for(EC))
    monkeypatch.setattr(issue, "_sign", lambda request, *_: made(request))

    with pytest.raises(PkiplanError, match=f"not what was asked for: .*{what}"):
        sign(LintedRequest(asked(certificate(), issuer, 2), ()), key_for(EC))


def test_two_algorithms_in_one_certificate_are_never_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5280, 4.1.1.2: the one that is signed and the one beside it are the same."""
    issuer, real = issuer_of(EC), issue._sign
    sign(LintedRequest(asked(certificate(), issuer, 1), ()), key_for(EC))

    def mixed(request: CertificateRequest, *arguments: object) -> x509.Certificate:
        encoded = real(request, *arguments).public_bytes(Encoding.DER)  # type: ignore[arg-type]
        sha256, sha384 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040303")
        first, middle, last = encoded.split(sha256)
        return x509.load_der_x509_certificate(sha384.join((sha256.join((first, middle)), last)))

    monkeypatch.setattr(issue, "_sign", mixed)
    with pytest.raises(PkiplanError, match="not what was asked for: signature"):
        sign(LintedRequest(asked(certificate(), issuer, 2), ()), key_for(EC))
