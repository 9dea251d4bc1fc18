from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    BasicConstraints,
    Extension,
    OtherExtension,
    SubjectAltName,
    TlsFeature,
)
from pkiplan.model.keys import KeySpec, ObservedKeySpec, RsaKeySpec
from pkiplan.x509 import issue, pkilint_rules
from pkiplan.x509.issue import CertificateRequest, Issuer, LintedRequest, lint_request, sign
from pkiplan.x509.keys import PrivateKey, key_identifier
from pkiplan.x509.names import to_x509_name
from pkiplan.x509.parse import certificate_facts
from tests.x509.asking import certtool_text, openssl_asn1, openssl_text
from tests.x509.test_keys import EVERY_SPEC
from tests.x509.values import (
    EC,
    NO_FILE,
    NOT_AFTER,
    NOT_BEFORE,
    SERIAL,
    SERVER,
    authority,
    certificate,
    dns,
    ext,
    issued,
    key_for,
    name,
    replaced,
    self_signed,
)


def request(**changes: object) -> CertificateRequest:
    fields = {
        "resource": certificate(issuer=None),
        "public_key": key_for(EC).public_key(),
        "issuer": None,
        "not_before": NOT_BEFORE,
        "not_after": NOT_AFTER,
        "serial": SERIAL,
    } | changes
    return CertificateRequest(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", EVERY_SPEC, ids=str)
def test_every_type_of_key_signs_and_is_signed(spec: KeySpec) -> None:
    web = issued(certificate(spec, digest=certificate(EC).digest), authority(EC))
    beneath = issued(certificate(digest=authority(spec).digest), authority(spec))

    assert certificate_facts(web, file=NO_FILE).key_spec == spec
    assert certificate_facts(beneath, file=NO_FILE, candidates=[key_for(spec).public_key()]).verified_by


@pytest.mark.judge("openssl")
def test_rsa_pss_has_the_parameters_of_the_standard() -> None:
    text = openssl_text(self_signed(certificate(RsaKeySpec(2048), issuer=None, rsa_pss=True, digest="sha384")))

    for line in ("rsassaPss", "Hash Algorithm: sha384", "Mask Algorithm: mgf1 with sha384", "Salt Length: 0x30"):
        assert line in text


def test_extensions_stand_in_the_order_of_the_cnf() -> None:
    other = Extension("1.2.3.4", False, OtherExtension("1.2.3.4", b"\x05\x00"))
    shuffled = (other, *reversed(replaced(SERVER, ext("tls_feature", TlsFeature((5,))))))

    found = [e.oid.dotted_string for e in self_signed(certificate(issuer=None, extensions=shuffled)).extensions]
    assert found == [*(oid for oid in EXTENSION_OIDS.values() if oid in found), "1.2.3.4"]


def test_key_identifiers_are_never_critical_and_name_the_key_alone() -> None:
    root, web = self_signed(authority()), issued(certificate(), authority())

    own = web.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    above = web.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert (own.critical, above.critical) == (False, False)
    assert own.value.digest == key_identifier(web.public_key())
    assert above.value == x509.AuthorityKeyIdentifier(key_identifier(root.public_key()), None, None)


def test_the_issuers_name_and_key_identifier_are_copied() -> None:
    """Byte for byte, even where we would have written them otherwise (RFC 5280, 4.1.2.4 and 4.2.1.1)."""
    subject_der = bytes.fromhex("300d310b3009060355040313024341")  # a PrintableString where we write UTF8String
    issuer = Issuer(subject_der, b"another id", key_for(EC, 1).public_key())

    web = sign(lint_request(request(resource=certificate(), issuer=issuer), ()), key_for(EC, 1))
    facts = certificate_facts(web, file=NO_FILE)
    assert facts.issuer_der == subject_der != to_x509_name(name("CN=CA")).public_bytes()
    assert facts.authority_key_id == b"another id"


@pytest.mark.judge("openssl")
@pytest.mark.parametrize(
    ("not_after", "encoded"),
    [
        pytest.param(
            datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), "UTCTIME           :491231235959Z", id="the last UTCTime"
        ),
        pytest.param(
            datetime(2050, 1, 1, tzinfo=UTC), "GENERALIZEDTIME   :20500101000000Z", id="the first GeneralizedTime"
        ),
        pytest.param(datetime(2028, 2, 29, 12, tzinfo=UTC), "UTCTIME           :280229120000Z", id="a leap day"),
        pytest.param(
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "GENERALIZEDTIME   :99991231235959Z", id="the end of time"
        ),
    ],
)
def test_times_are_encoded_as_the_standard_wants_them(not_after: datetime, encoded: str) -> None:
    assert encoded in openssl_asn1(self_signed(certificate(issuer=None), not_after=not_after))


@pytest.mark.judge("certtool")
def test_gnutls_reads_a_certificate_of_ours() -> None:
    text = certtool_text(issued(certificate(), authority()))

    for line in (
        "Subject: CN=www.acme.example,O=Acme",
        "Issuer: CN=Acme Root,O=Acme,C=SE",
        "DNSname: www.acme.example",
        "ECDSA-SHA256",
        "TLS WWW Server.",
        "Digital signature.",
        "Certificate Authority (CA): FALSE",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"serial": 0}, "serial number", id="serial 0"),
        pytest.param({"serial": -5}, "serial number", id="a negative serial"),
        pytest.param({"serial": 1 << 159}, "serial number", id="21 octets of serial"),
        pytest.param({"not_after": NOT_BEFORE}, "validity", id="no life at all"),
        pytest.param({"not_before": NOT_AFTER + timedelta(days=1)}, "validity", id="ends before it begins"),
        pytest.param({"not_before": datetime(1949, 1, 1, tzinfo=UTC)}, "validity", id="before UTCTime"),
        pytest.param({"public_key": key_for(RsaKeySpec(2048)).public_key()}, "the key is rsa 2048", id="another key"),
        pytest.param(
            {"resource": certificate()}, "not for the declared issuer", id="self-signed where an issuer is declared"
        ),
        pytest.param({"resource": certificate(issuer=None, digest="sha1")}, "sha1", id="a forgeable hash"),
        pytest.param(
            {"resource": certificate(issuer=None, subject=name("CN=x"))}, "is not among the names", id="a lint"
        ),
    ],
)
def test_an_unsound_request_is_never_signed(change: dict[str, object], why: str) -> None:
    with pytest.raises(PkiplanError, match=why) as caught:
        lint_request(request(**change), ())

    assert all(diagnostic.place is not None for diagnostic in caught.value.diagnostics)


def test_every_problem_of_a_request_is_told_at_once() -> None:
    with pytest.raises(PkiplanError) as caught:
        lint_request(request(serial=0, not_after=NOT_BEFORE, resource=certificate(issuer=None, digest="sha1")), ())

    assert {diagnostic.code for diagnostic in caught.value.diagnostics} >= {"serial-number", "validity", "weak-digest"}


def test_another_key_than_the_issuers_does_not_sign() -> None:
    with pytest.raises(PkiplanError, match="signing key is not the issuer's"):
        sign(lint_request(request(), ()), key_for(EC, 1))


def test_what_cannot_be_encoded_is_told_with_its_place() -> None:
    """Such a request can only be made past the lint."""
    broken = LintedRequest(
        request(resource=certificate(issuer=None, extensions=(ext("basic_constraints", BasicConstraints(False, 3)),))),
        (),
    )

    with pytest.raises(PkiplanError, match="cannot be encoded") as caught:
        sign(broken, key_for(EC))
    assert caught.value.diagnostics[0].place == broken.request.resource.place


def test_a_signature_that_does_not_verify_is_never_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    other = self_signed(certificate(issuer=None, subject=name("CN=www.acme.example")))
    monkeypatch.setattr(issue, "_sign", lambda *_: other)
    with pytest.raises(PkiplanError, match="not what was asked for: subject"):
        sign(lint_request(request(), ()), key_for(EC))


def test_a_signature_by_another_algorithm_is_never_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSASSA-PSS and PKCS #1 v1.5 are made with one key and one digest, and both verify (RFC 4055)."""
    rsa = RsaKeySpec(2048)
    plain = self_signed(certificate(rsa, issuer=None))
    asked = request(resource=certificate(rsa, issuer=None, rsa_pss=True), public_key=key_for(rsa).public_key())
    monkeypatch.setattr(issue, "_sign", lambda *_: plain)

    with pytest.raises(PkiplanError, match="not what was asked for: signature algorithm"):
        sign(lint_request(asked, ()), key_for(rsa))


def test_repr_of_a_request_shows_no_key() -> None:
    assert "Key object" not in repr(request())


def test_names_are_compared_as_sets_after_signing() -> None:
    names = SubjectAltName((*dns("www.acme.example"), *dns("a.example")))

    web = self_signed(certificate(issuer=None, extensions=replaced(SERVER, ext("subject_alt_name", names))))
    assert len(certificate_facts(web, file=NO_FILE).extension("subject_alt_name").names) == 2  # type: ignore[union-attr]


@pytest.fixture
def signed_with(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Tell which keys signed something, in order."""
    keys: list[object] = []
    real = issue._sign

    def watched(request: CertificateRequest, signing_key: PrivateKey, signer: ObservedKeySpec) -> x509.Certificate:
        keys.append(signing_key)
        return real(request, signing_key, signer)

    monkeypatch.setattr(issue, "_sign", watched)
    return keys


def test_an_authoritys_key_signs_nothing_that_a_throw_away_key_did_not_sign_before(
    monkeypatch: pytest.MonkeyPatch, signed_with: list[object]
) -> None:
    """The rehearsal is linted; when that fails, the real key was never asked."""
    self_signed(authority())
    assert len(signed_with) == 2
    assert signed_with[0] is not key_for(EC)
    assert signed_with[1] is key_for(EC)

    monkeypatch.setattr(issue, "lint_certificate", lambda *_, **__: (Diagnostic(summary="unsound"),))
    with pytest.raises(PkiplanError, match="unsound"):
        self_signed(authority())
    assert len(signed_with) == 3


def test_where_pkilint_is_installed_a_leaf_is_rehearsed_too(
    monkeypatch: pytest.MonkeyPatch, signed_with: list[object]
) -> None:
    leaf = certificate(issuer=None)
    monkeypatch.setattr(pkilint_rules, "is_installed", lambda: False)
    self_signed(leaf)
    assert signed_with == [key_for(EC)]

    monkeypatch.setattr(pkilint_rules, "is_installed", lambda: True)
    monkeypatch.setattr(pkilint_rules, "lint_with_pkilint", lambda *_, **__: (Diagnostic(summary="pkilint says no"),))
    with pytest.raises(PkiplanError, match="pkilint says no"):
        self_signed(leaf)
    assert signed_with.count(key_for(EC)) == 1


def test_what_was_linted_is_what_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = issue._rehearse
    later = NOT_AFTER + timedelta(days=1)
    monkeypatch.setattr(issue, "_rehearse", lambda given, spec: real(replace(given, not_after=later), spec))
    with pytest.raises(PkiplanError, match="what was signed is not what was linted"):
        self_signed(authority())
