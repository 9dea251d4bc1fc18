from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pkiplan.diagnostics import Severity
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGES,
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
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
    UserNotice,
)
from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, ManagedKey, MlDsaKeySpec, OtherKey, RsaKeySpec
from pkiplan.model.names import DistinguishedName, OtherNameValue
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.model.validity import Validity
from pkiplan.x509.lint import LINTS, lint_certificate, lint_resource
from pkiplan.x509.lint.subject import declared_subject
from pkiplan.x509.parse import certificate_facts
from tests.x509.values import (
    AUTHORITY,
    EC,
    NO_FILE,
    SERVER,
    authority,
    certificate,
    dns,
    ext,
    general,
    issued,
    name,
    replaced,
    self_signed,
    without,
)

USAGES = EXTENDED_KEY_USAGES
DAY = timedelta(days=1)


def eku(*words: str, critical: bool = False) -> Extension:
    return ext("extended_key_usage", ExtendedKeyUsage(tuple(sorted(USAGES[word] for word in words))), critical=critical)


def usage(*words: str) -> Extension:
    return ext("key_usage", KeyUsage(words), critical=True)


def san(*names: object, critical: bool = False) -> Extension:
    return ext("subject_alt_name", SubjectAltName(tuple(names)), critical=critical)  # type: ignore[arg-type]


def server(*extensions: Extension, **changes: object) -> Resource:
    return certificate(**({"extensions": replaced(SERVER, *extensions)} | changes))


def root(*extensions: Extension, **changes: object) -> Resource:
    return authority(**({"extensions": replaced(AUTHORITY, *extensions)} | changes))


def issuing(*extensions: Extension, **changes: object) -> Resource:
    fields = {
        "address": "authority.issuing",
        "id": "issuing",
        "issuer": "authority.root",
        "profile": "issuing-ca",
        "subject": name("CN=Issuing"),
    }
    return root(*extensions, **(fields | changes))


def constrained(*permitted: object, excluded: tuple[object, ...] = ()) -> Resource:
    return issuing(ext("name_constraints", NameConstraints(permitted, excluded), critical=True))  # type: ignore[arg-type]


def codes(resource: Resource, *above: Resource) -> list[str]:
    return sorted({diagnostic.code for diagnostic in lint_resource(resource, above)})


def limit(path_length: int | None) -> Extension:
    return ext("basic_constraints", BasicConstraints(True, path_length), critical=True)


def for_key(spec: object, *words: str) -> Resource:
    return server(usage(*words), key=ManagedKey(spec=spec))  # type: ignore[arg-type]


def lasting(days: int) -> Resource:
    return server(validity=Validity(lifetime=timedelta(days=days, seconds=-1)))


EMPTY = DistinguishedName()
ACME = general("dns", "acme.example")
SOUND = [
    pytest.param(server(), (root(),), id="a server"),
    pytest.param(server(), (issuing(limit(0)), root(limit(1))), id="a server beneath two authorities"),
    pytest.param(root(), (), id="a root"),
    pytest.param(issuing(limit(0)), (root(),), id="an issuing authority"),
    pytest.param(
        certificate(
            RsaKeySpec(2048),
            issuer=None,
            validity=Validity(lifetime=timedelta(days=365, seconds=-1)),
            extensions=replaced(SERVER, usage("digital_signature", "key_encipherment")),
        ),
        (),
        id="the oldest job",
    ),
    pytest.param(server(eku("client_auth"), profile="client", subject=name("CN=alice")), (root(),), id="a client"),
    pytest.param(
        server(san(general("ip", "10.0.0.1"), general("dns", "*.acme.example"), critical=True), subject=EMPTY),
        (root(),),
        id="no subject",
    ),
    pytest.param(
        server(), (constrained(ACME, excluded=(general("ip", "0.0.0.0/0"),)), root()), id="within constraints"
    ),
    pytest.param(
        server(
            eku("ocsp_signing"), ext("ocsp_no_check", OcspNoCheck()), profile="ocsp-signer", subject=name("CN=OCSP")
        ),
        (issuing(eku("server_auth")), root()),
        id="an OCSP signer beneath an authority for servers",
    ),
    pytest.param(
        server(eku("time_stamping", critical=True), profile="timestamping", subject=name("CN=TSA")),
        (root(),),
        id="a time stamper",
    ),
    pytest.param(server(subject=name("CN=www.acme.example", "OU=IT")), (root(),), id="an organizational unit"),
    pytest.param(lasting(825), (root(),), id="as long as Apple takes"),
    pytest.param(
        certificate(MlDsaKeySpec(65), digest="sha256"), (root(),), id="a post-quantum key beneath a classic one"
    ),
]


@pytest.mark.parametrize(("resource", "above"), SOUND)
def test_what_is_sound_is_met_with_silence(resource: Resource, above: tuple[Resource, ...]) -> None:
    assert lint_resource(resource, above) == ()


UNSOUND = [
    # authorities
    (
        "authority-basic-constraints",
        root(ext("basic_constraints", BasicConstraints(True))),
        (),
        "basic constraints that are not critical",
    ),
    ("authority-basic-constraints", authority(extensions=AUTHORITY[1:]), (), "an authority without basic constraints"),
    ("leaf-basic-constraints", server(limit(None)), (root(),), "a leaf that is an authority"),
    (
        "leaf-basic-constraints",
        server(ext("basic_constraints", BasicConstraints(False, 0))),
        (root(),),
        "a leaf with a path length",
    ),
    (
        "leaf-basic-constraints",
        server(usage("digital_signature", "key_cert_sign")),
        (root(),),
        "a leaf that signs certificates",
    ),
    ("authority-key-usage", authority(extensions=AUTHORITY[:1]), (), "an authority without key usage"),
    ("authority-key-usage", root(usage("crl_sign")), (), "an authority that signs no certificates"),
    ("authority-subject", root(subject=EMPTY), (), "an authority without a subject"),
    ("root-extended-key-usage", root(eku("server_auth")), (), "a root for one purpose"),
    ("path-length", issuing(), (root(limit(0)),), "an authority too deep"),
    ("path-length", server(), (issuing(), issuing(), root(limit(1))), "a leaf too deep"),
    ("path-length", root(limit(-1)), (), "a negative path length"),
    ("path-length-has-effect", issuing(limit(3)), (root(limit(1)),), "a path length above that of its issuer"),
    # keys
    ("weak-key", server(key=ManagedKey(spec=RsaKeySpec(1024)), allow=frozenset()), (root(),), "RSA 1024"),
    (
        "weak-key",
        server(key=ManagedKey(spec=RsaKeySpec(768)), allow=frozenset({"rsa-1024"})),
        (root(),),
        "RSA 768, whatever is allowed",
    ),
    ("unusual-key", server(key=ManagedKey(spec=RsaKeySpec(2049))), (root(),), "a modulus of 2049 bits"),
    ("weak-digest", server(digest="sha1"), (root(),), "SHA-1"),
    ("weak-digest", server(digest="md5"), (root(),), "MD5"),
    ("digest-fits-key", server(digest=None), (root(),), "no hash for an ECDSA issuer"),
    ("digest-fits-key", server(), (authority(EdKeySpec("ed25519")),), "a hash for an Ed25519 issuer"),
    ("digest-fits-key", server(rsa_pss=True), (root(),), "PSS with an ECDSA issuer"),
    ("key-usage-fits-key", for_key(EC, "digital_signature", "key_encipherment"), (root(),), "an EC key that encrypts"),
    (
        "key-usage-fits-key",
        for_key(EdKeySpec("ed25519"), "digital_signature", "key_agreement"),
        (root(),),
        "an Ed25519 key that agrees",
    ),
    (
        "key-usage-fits-key",
        for_key(MlDsaKeySpec(44), "digital_signature", "data_encipherment"),
        (root(),),
        "an ML-DSA key that encrypts",
    ),
    (
        "key-usage-fits-key",
        for_key(RsaKeySpec(2048), "digital_signature", "key_agreement"),
        (root(),),
        "an RSA key that agrees",
    ),
    ("key-usage-bits", server(usage()), (root(),), "key usage that allows nothing"),
    ("key-usage-bits", for_key(EC, "digital_signature", "encipher_only"), (root(),), "encipher_only alone"),
    (
        "tls-key-usage",
        for_key(RsaKeySpec(2048), "key_encipherment"),
        (root(),),
        "a server that cannot sign a handshake",
    ),
    (
        "rsa-server-key-usage",
        for_key(RsaKeySpec(2048), "digital_signature"),
        (root(),),
        "an RSA server that NSS refuses",
    ),
    # extended key usage
    (
        "extended-key-usage-chain",
        server(),
        (issuing(eku("client_auth")), root()),
        "a server beneath an authority for clients",
    ),
    ("extended-key-usage-profile", server(eku("client_auth")), (root(),), "a server for clients"),
    (
        "extended-key-usage-values",
        server(ext("extended_key_usage", ExtendedKeyUsage(("server",)))),
        (root(),),
        "a purpose that is no OID",
    ),
    ("extended-key-usage-values", server(ext("extended_key_usage", ExtendedKeyUsage(()))), (root(),), "no purpose"),
    ("any-extended-key-usage", server(eku("any")), (root(),), "every purpose"),
    (
        "time-stamping-alone",
        server(eku("time_stamping", "code_signing", critical=True), profile=""),
        (root(),),
        "time stamping among others",
    ),
    ("time-stamping-alone", server(eku("time_stamping"), profile=""), (root(),), "time stamping, not critical"),
    ("ocsp-no-check", server(eku("ocsp_signing"), profile=""), (root(),), "an OCSP signer that wants to be checked"),
    # names
    (
        "subject-attributes",
        server(subject=name("C=Sweden", "CN=www.acme.example")),
        (root(),),
        "a country of six letters",
    ),
    (
        "subject-attributes",
        server(subject=name("C=se", "CN=www.acme.example")),
        (root(),),
        "a country in small letters",
    ),
    (
        "subject-attributes",
        server(eku("client_auth"), profile="client", subject=name("CN=" + "ö" * 65)),
        (root(),),
        "65 characters of common name",
    ),
    ("subject-attributes", server(subject=name("O=", "CN=www.acme.example")), (root(),), "an empty organization"),
    ("subject-attributes", server(subject=name("O=a\nb", "CN=www.acme.example")), (root(),), "a line break"),
    (
        "subject-attributes",
        server(subject=name("serialNumber=ö", "CN=www.acme.example")),
        (root(),),
        "a serial number that is not printable",
    ),
    (
        "subject-attributes",
        server(subject=name("emailAddress=ö@x.example", "CN=www.acme.example")),
        (root(),),
        "email that is not ASCII",
    ),
    (
        "subject-attributes",
        server(subject=name("1.2.3.x=a", "CN=www.acme.example")),
        (root(),),
        "an attribute without OID",
    ),
    (
        "some-identity",
        server(subject=EMPTY, extensions=without(SERVER, "subject_alt_name", "extended_key_usage")),
        (root(),),
        "nobody at all",
    ),
    ("subject-alt-name-critical", server(subject=EMPTY), (root(),), "no subject, and names that are not critical"),
    (
        "subject-alt-name-not-critical",
        server(san(*dns("www.acme.example"), critical=True)),
        (root(),),
        "a subject, and names that are critical",
    ),
    ("server-names", certificate(extensions=without(SERVER, "subject_alt_name")), (root(),), "a server without a name"),
    (
        "server-names",
        server(san(general("email", "a@b.example")), subject=name("O=x")),
        (root(),),
        "a server with email alone",
    ),
    ("common-name-is-a-name", server(subject=name("CN=acme.example")), (root(),), "a common name that is no name"),
    ("rdn-attributes", server(subject=name("OU=a+OU=b", "CN=www.acme.example")), (root(),), "one type twice in an RDN"),
    (
        "normalized-notices",
        server(ext("policies", CertificatePolicies((Policy("1.2.3", notices=(UserNotice("a\u0308"),)),)))),
        (root(),),
        "a letter and its dots apart",
    ),
    (
        "email-address-is-a-name",
        server(
            san(*dns("www.acme.example"), general("email", "b@acme.example")),
            subject=name("CN=www.acme.example", "emailAddress=a@acme.example"),
        ),
        (root(),),
        "a mailbox in the subject alone",
    ),
    (
        "many-names",
        server(san(*dns(*(f"h{n}.acme.example" for n in range(101)), "www.acme.example"))),
        (root(),),
        "101 names",
    ),
    ("underscore-in-dns", server(san(*dns("www.acme.example", "a_b.acme.example"))), (root(),), "an underscore"),
    # constraints
    ("names-within-constraints", server(), (constrained(general("dns", "other.example")), root()), "another domain"),
    ("names-within-constraints", server(), (constrained(excluded=(ACME,)), root()), "an excluded domain"),
    (
        "names-within-constraints",
        server(),
        (issuing(), constrained(general("dns", "other.example"))),
        "constraints of the authority above the issuer",
    ),
    (
        "names-within-constraints",
        server(subject=name("C=NO")),
        (constrained(general("dir_name", name("C=SE"))), root()),
        "a subject elsewhere",
    ),
    (
        "names-within-constraints",
        issuing(),
        (constrained(general("dir_name", name("C=SE"))), root()),
        "an authority elsewhere",
    ),
    (
        "common-name-within-constraints",
        server(
            eku("client_auth"),
            profile="client",
            subject=name("CN=a.other.example"),
            extensions=without(replaced(SERVER, eku("client_auth")), "subject_alt_name"),
        ),
        (constrained(ACME), root()),
        "a common name that OpenSSL takes for a host",
    ),
    (
        "name-constraints-values",
        server(ext("name_constraints", NameConstraints((ACME,)), critical=True)),
        (root(),),
        "constraints in a leaf",
    ),
    ("name-constraints-values", constrained(), (root(),), "constraints without subtrees"),
    (
        "name-constraints-values",
        constrained(general("uri", "http://acme.example")),
        (root(),),
        "a URI where a host belongs",
    ),
    ("name-constraints-values", constrained(general("ip", "10.0.0.1")), (root(),), "an address without a mask"),
    # other extensions
    ("extension-once", certificate(extensions=(*SERVER, SERVER[0])), (root(),), "an extension twice"),
    (
        "other-extensions",
        server(Extension("1.2.3", False, OtherExtension("1.2.3", b"\x05"))),
        (root(),),
        "a value that is not DER",
    ),
    (
        "other-extensions",
        server(Extension("x", False, OtherExtension("x", b"\x05\x00"))),
        (root(),),
        "an extension without OID",
    ),
    (
        "other-extensions",
        server(Extension("2.5.29.35", False, OtherExtension("2.5.29.35", b"\x05\x00"))),
        (root(),),
        "an extension that has a word",
    ),
    (
        "critical-to-few",
        server(Extension("1.2.3", True, OtherExtension("1.2.3", b"\x05\x00"))),
        (root(),),
        "a critical extension of one's own",
    ),
    (
        "must-be-critical",
        issuing(ext("name_constraints", NameConstraints((ACME,)))),
        (root(),),
        "name constraints that are not critical",
    ),
    (
        "must-be-critical",
        issuing(ext("inhibit_any_policy", InhibitAnyPolicy(0))),
        (root(),),
        "inhibit_any_policy that is not critical",
    ),
    (
        "must-not-be-critical",
        server(
            ext(
                "aia",
                AuthorityInfoAccess((AccessDescription("1.3.6.1.5.5.7.48.1", "http://o.example"),)),
                critical=True,
            )
        ),
        (root(),),
        "a critical location",
    ),
    (
        "usual-criticality",
        server(ext("key_usage", KeyUsage(("digital_signature",)))),
        (root(),),
        "key usage that is not critical",
    ),
    ("usual-criticality", server(ext("tls_feature", TlsFeature((5,)), critical=True)), (root(),), "a critical feature"),
    (
        "policies",
        server(ext("policies", CertificatePolicies((Policy("1.2.3"), Policy("1.2.3"))))),
        (root(),),
        "a policy twice",
    ),
    (
        "policies",
        server(ext("policies", CertificatePolicies((Policy("1.2.3", (), (UserNotice("x" * 201),)),)))),
        (root(),),
        "a long notice",
    ),
    (
        "policies",
        server(ext("policies", CertificatePolicies((Policy("1.2.3", ("cps",)),)))),
        (root(),),
        "a CPS that is no URI",
    ),
    ("policies", server(ext("policies", CertificatePolicies((Policy("x"),)))), (root(),), "a policy without OID"),
    (
        "policies",
        server(ext("policies", CertificatePolicies((Policy("1.2.3", (), (UserNotice("x", None, (1,)),)),)))),
        (root(),),
        "numbers of nobody",
    ),
    (
        "policy-constraints",
        issuing(ext("policy_constraints", PolicyConstraints(), critical=True)),
        (root(),),
        "constraints that require nothing",
    ),
    (
        "policy-constraints",
        server(ext("inhibit_any_policy", InhibitAnyPolicy(0), critical=True)),
        (root(),),
        "inhibit_any_policy in a leaf",
    ),
    (
        "locations",
        server(ext("crl_distribution_points", CrlDistributionPoints(("acme",)))),
        (root(),),
        "a location that is no URI",
    ),
    ("locations", server(ext("crl_distribution_points", CrlDistributionPoints(()))), (root(),), "no location"),
    ("locations", server(ext("crl_distribution_points", CrlDistributionPoints(("ldap://",)))), (root(),), "no entry"),
    (
        "location-hosts",
        server(ext("crl_distribution_points", CrlDistributionPoints(("ldap:///CN=a?b",)))),
        (root(),),
        "a CRL of any LDAP server",
    ),
    (
        "location-hosts",
        server(ext("aia", AuthorityInfoAccess((AccessDescription("1.3.6.1.5.5.7.48.2", "LDAP:///CN=a?b"),)))),
        (root(),),
        "an issuer's certificate of any LDAP server",
    ),
    (
        "location-hosts",
        issuing(ext("sia", SubjectInfoAccess((AccessDescription("1.3.6.1.5.5.7.48.5", "ldaps:///CN=a?b"),)))),
        (root(),),
        "a repository of any LDAP server",
    ),
    (
        "plain-locations",
        server(ext("crl_distribution_points", CrlDistributionPoints(("https://a.example/c",)))),
        (root(),),
        "a CRL over TLS",
    ),
    (
        "root-distribution-points",
        root(ext("crl_distribution_points", CrlDistributionPoints(("http://a.example/c",)))),
        (),
        "a CRL for a root",
    ),
    ("tls-features", server(ext("tls_feature", TlsFeature(()))), (root(),), "no feature"),
    (
        "ocsp-no-check-is-a-responders",
        server(ext("ocsp_no_check", OcspNoCheck())),
        (root(),),
        "a server that need not be checked",
    ),
    (
        "known-to-verifiers",
        issuing(ext("policy_constraints", PolicyConstraints(0), critical=True)),
        (root(),),
        "policy constraints, which some refuse",
    ),
    (
        "known-to-verifiers",
        issuing(ext("inhibit_any_policy", InhibitAnyPolicy(0), critical=True)),
        (root(),),
        "inhibit_any_policy, which some refuse",
    ),
    ("known-to-verifiers", constrained(general("dir_name", name("C=SE"))), (root(),), "a constraint of subjects"),
    (
        "known-to-verifiers",
        issuing(ext("name_constraints", NameConstraints(excluded=(general("dir_name", name("C=SE")),)), critical=True)),
        (root(),),
        "subjects that are excluded",
    ),
    # validity
    ("positive-lifetime", server(validity=Validity(lifetime=timedelta(0))), (root(),), "no life"),
    ("server-lifetime", lasting(826), (root(),), "a day more than Apple takes"),
]


@pytest.mark.parametrize(("code", "resource", "above"), [pytest.param(*row[:3], id=row[3]) for row in UNSOUND])
def test_what_is_unsound_is_found_by_its_rule(code: str, resource: Resource, above: tuple[Resource, ...]) -> None:
    found = [diagnostic for diagnostic in lint_resource(resource, above) if diagnostic.code == code]

    assert found
    assert all(
        diagnostic.severity is LINTS[code].severity and diagnostic.place == resource.place for diagnostic in found
    )
    assert all(
        diagnostic.summary.startswith(f"{resource.address}: ") and not diagnostic.summary.endswith(".")
        for diagnostic in found
    )


@pytest.mark.parametrize(("code", "resource", "above"), [pytest.param(*row[:3], id=row[3]) for row in UNSOUND])
def test_a_rule_can_be_silenced(code: str, resource: Resource, above: tuple[Resource, ...]) -> None:
    assert code not in codes(replace(resource, lint_disabled=frozenset({code})), *above)


def test_an_ldap_location_without_a_host_stops_nothing() -> None:
    anywhere = server(ext("crl_distribution_points", CrlDistributionPoints(("ldap:///CN=a?b;binary", "http://a/c"))))

    assert [(each.code, each.severity) for each in lint_resource(anywhere, (root(),))] == [
        ("location-hosts", Severity.WARNING)
    ]


def test_the_weak_key_comes_with_the_line_that_allows_it() -> None:
    weak = server(key=ManagedKey(spec=RsaKeySpec(1024)), allow=frozenset())

    assert "allow: [rsa-1024]" in next(d.hint for d in lint_resource(weak, (root(),)) if d.code == "weak-key")
    assert "weak-key" not in codes(replace(weak, allow=frozenset({"rsa-1024"})), root())


def test_a_mailbox_of_the_subject_that_is_a_name_too_is_fine() -> None:
    both = san(*dns("www.acme.example"), general("email", "a@acme.example"))
    subject = name("CN=www.acme.example", "emailAddress=a@acme.example")

    assert codes(server(both, subject=subject), root()) == []


@pytest.mark.parametrize(
    "common_name", ["bücher.example", "BÜCHER.example", "*.bücher.example", "xn--bcher-kva.example"]
)
def test_a_common_name_in_unicode_is_a_name_in_a_labels(common_name: str) -> None:
    names = san(*dns("xn--bcher-kva.example", "*.xn--bcher-kva.example"))

    assert codes(server(names, subject=name(f"CN={common_name}")), root()) == []


@pytest.mark.parametrize("common_name", ["büchér.example", "bü cher", "😀", "*.ü.*"])
def test_a_common_name_in_unicode_may_be_no_name(common_name: str) -> None:
    assert codes(server(subject=name(f"CN={common_name}")), root()) == ["common-name-is-a-name"]


BAD_NAMES = [
    ("dns", "bücher.example"),
    ("dns", "a b.example"),
    ("dns", "-a.example"),
    ("dns", "a-.example"),
    ("dns", "a..example"),
    ("dns", ""),
    ("dns", "a.example."),
    ("dns", "www.*.example"),
    ("dns", "w*.example"),
    ("dns", "*"),
    ("dns", "*.example"),
    ("dns", "*.*.example"),
    ("dns", "10.0.0.1"),
    ("dns", "a" * 64 + ".example"),
    ("dns", ".".join(["abcdefgh"] * 29)),
    ("dns", "a\n.example"),
    ("dns", "a\0.example"),
    ("dns", "a,DNS:b.example"),
    ("ip", "10.0.0.0/8"),
    ("ip", "10.0.0.256"),
    ("ip", "10.1"),
    ("email", "nobody"),
    ("email", "a@"),
    ("email", "@a.example"),
    ("email", "a b@a.example"),
    ("email", "ö@a.example"),
    ("email", "a@-x.example"),
    ("uri", "acme"),
    ("uri", "http://"),
    ("uri", "http://a b"),
    ("uri", "http://ö.example"),
    ("uri", "http://[::1"),
    ("upn", ""),
    ("upn", "a\nb"),
    ("rid", "1"),
    ("rid", "3.1"),
    ("rid", "1.40"),
    ("dir_name", EMPTY),
    ("dir_name", name("C=Sweden")),
    ("other_name", OtherNameValue("1.2", b"\x0c\x05a")),
    ("other_name", OtherNameValue("x", b"\x05\x00")),
]


@pytest.mark.parametrize(("kind", "value"), BAD_NAMES, ids=repr)
def test_a_name_that_its_kind_does_not_allow_is_an_error(kind: str, value: object) -> None:
    assert "alternative-names" in codes(server(san(*dns("www.acme.example"), general(kind, value))), root())


GOOD_NAMES = [
    ("dns", "localhost"),
    ("dns", "xn--bcher-kva.example"),
    ("dns", "*.a.example"),
    ("dns", "1.a.example"),
    ("dns", "a--b.example"),
    ("ip", "2001:db8::1"),
    ("email", "first.last+tag@a.example"),
    ("email", '"a b"@a.example'),
    ("uri", "spiffe://acme.example/web"),
    ("uri", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    ("uri", "http://[2001:db8::1]:8080/x"),
    ("upn", "käthe@acme"),
    ("rid", "2.999"),
    ("dir_name", name("C=SE")),
    ("other_name", OtherNameValue("1.2", b"\x0c\x01a")),
]


@pytest.mark.parametrize(("kind", "value"), GOOD_NAMES, ids=repr)
def test_a_name_that_its_kind_allows_is_none(kind: str, value: object) -> None:
    assert "alternative-names" not in codes(server(san(*dns("www.acme.example"), general(kind, value))), root())


def observed(resource: Resource, *above: Resource) -> ObservedCertificate:
    return certificate_facts(issued(resource, *above) if above else self_signed(resource), file=NO_FILE)


def test_what_we_issue_is_met_with_silence() -> None:
    assert lint_certificate(observed(server(), root()), (observed(root()),)) == ()
    assert lint_certificate(observed(root())) == ()


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("serial-number", {"serial": 0}),
        ("serial-number", {"serial": 1 << 160}),
        ("serial-number-entropy", {"serial": 1}),
        ("version", {"version": 1}),
        ("authority-key-identifier", {"authority_key_id": None}),
        ("authority-key-identifier-alone", {"has_foreign_aki": True}),
        ("weak-digest", {"signature_digest": "sha1"}),
        ("unsound-key", {"key_weakness": "its primes are close together"}),
        ("unusual-key", {"key_spec": OtherKey("dsa 1024")}),
        ("server-lifetime", {"not_after": observed(server(), root()).not_after + 900 * DAY}),
        ("common-name-is-a-name", {"subject": name("CN=x")}),
    ],
)
def test_what_only_a_finished_certificate_shows_is_found(code: str, changes: dict[str, object]) -> None:
    broken = replace(observed(server(), root()), **changes)  # type: ignore[arg-type]

    assert code in {diagnostic.code for diagnostic in lint_certificate(broken)}


def test_an_authority_without_a_key_identifier_is_found() -> None:
    assert "subject-key-identifier" in {
        d.code for d in lint_certificate(replace(observed(root()), subject_key_id=None))
    }


@pytest.mark.parametrize(("resource", "above"), [pytest.param(*row[1:3], id=row[3]) for row in UNSOUND])
def test_what_is_asked_once_for_a_form_is_what_each_certificate_is_told(
    resource: Resource, above: tuple[Resource, ...]
) -> None:
    named_otherwise = replace(resource, subject=name("CN=other.acme.example"))

    for each in (resource, named_otherwise, resource):
        subject = declared_subject(each, above)
        told = {
            code: [problem if isinstance(problem, str) else problem.summary for problem in lint.rule(subject)]
            for code, lint in LINTS.items()
        }

        assert [(found.code, found.summary) for found in lint_resource(each, above)] == [
            (code, f"{each.address}: {summary}") for code, summaries in told.items() for summary in summaries
        ]


# Tried on files, in tests/cli/test_lint.py.
BESIDE_OTHERS = {
    "signature",
    "signature-fits-bond",
    "weak-digest-of-anchor",
    "issuer-is-an-authority",
    "issuer-key-identifier",
    "within-validity",
    "outlives-issuer",
    "named-curve",
    "chain-order",
}


def test_every_rule_is_tried_here_and_cites_its_standard() -> None:
    tried = {row[0] for row in UNSOUND} | {
        "alternative-names",
        "serial-number",
        "serial-number-entropy",
        "version",
        "subject-key-identifier",
        "authority-key-identifier",
        "authority-key-identifier-alone",
        "unsound-key",
        *BESIDE_OTHERS,
    }

    assert set(LINTS) == tried
    for lint in LINTS.values():
        assert lint.citation
        assert lint.rule.__doc__
        assert lint.severity in Severity


def test_a_curve_is_no_reason_for_silence() -> None:
    assert codes(for_key(EcKeySpec(Curve.P521), "digital_signature", "data_encipherment"), root()) == [
        "key-usage-fits-key"
    ]
