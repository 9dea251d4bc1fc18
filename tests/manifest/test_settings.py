"""What a manifest says, as the values of the model."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pkiplan.model.extensions import (
    EXTENSION_NAMES,
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
    TlsFeature,
    UserNotice,
)
from pkiplan.model.keys import (
    Curve,
    EcKeySpec,
    EdKeySpec,
    ExternalKey,
    FileAttributes,
    KeyForm,
    KeySpec,
    ManagedKey,
    MlDsaKeySpec,
    RsaKeySpec,
)
from pkiplan.model.names import GeneralName, GeneralNameKind
from pkiplan.model.resource import CrlSettings, Resource
from pkiplan.model.secret_references import CommandSecret, EnvSecret, FdSecret, FileSecret, PromptSecret, SystemdSecret
from pkiplan.model.validity import Validity
from tests.manifest.loading import HEAD, certificate, load_text, mistakes, site_of

SECOND = timedelta(seconds=1)


def extension(resource: Resource, name: str) -> Extension | None:
    return next((found for found in resource.extensions if EXTENSION_NAMES.get(found.oid) == name), None)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("rsa", RsaKeySpec(2048)),
        ("rsa-3072", RsaKeySpec(3072)),
        ("ecdsa", EcKeySpec(Curve.P256)),
        ("ecdsa-p384", EcKeySpec(Curve.P384)),
        ("ecdsa-p521", EcKeySpec(Curve.P521)),
        ("ed25519", EdKeySpec("ed25519")),
        ("ed448", EdKeySpec("ed448")),
        ("ml-dsa-44", MlDsaKeySpec(44)),
        ("ml-dsa-65", MlDsaKeySpec(65)),
        ("ml-dsa-87", MlDsaKeySpec(87)),
        ("{type: rsa, size: 4096}", RsaKeySpec(4096)),
        ("{size: 3072, type: rsa}", RsaKeySpec(3072)),
        ("{type: ecdsa, curve: P-521}", EcKeySpec(Curve.P521)),
        ("{type: ed25519}", EdKeySpec("ed25519")),
    ],
)
def test_keys(tmp_path: Path, text: str, spec: KeySpec) -> None:
    assert certificate(tmp_path, f"key: {text}").key == ManagedKey(spec=spec)


def test_an_authority_has_a_stronger_key_where_it_gives_none(tmp_path: Path) -> None:
    site = site_of(tmp_path, "version: 1\nauthorities:\n  a: {}\n  b: {key: rsa}\n")

    assert [resource.key.spec for resource in site] == [EcKeySpec(Curve.P384), RsaKeySpec(4096)]


def test_a_small_rsa_key_is_allowed_by_the_line_that_the_error_names(tmp_path: Path) -> None:
    found = certificate(tmp_path, "key: rsa-1024\nallow: [rsa-1024]")

    assert found.key.spec == RsaKeySpec(1024)
    assert found.allow == {"rsa-1024"}


def test_a_key_file_has_form_passphrases_mode_and_owner(tmp_path: Path) -> None:
    body = (
        "key: {type: rsa, form: pkcs8, mode: 0640, owner: root, group: 33, encryption: {rounds: 700000}, passphrase: "
        "[{env: A}, {file: b/c}, {command: [pass, show]}, {prompt: who?}, {fd: 3}, {systemd: cred}]}"
    )
    key = certificate(tmp_path, body).key

    assert isinstance(key, ManagedKey)
    assert key.passphrases == (
        EnvSecret("A"),
        FileSecret("b/c"),
        CommandSecret(("pass", "show")),
        PromptSecret("who?"),
        FdSecret(3),
        SystemdSecret("cred"),
    )
    assert key.attributes == FileAttributes(mode=0o640, owner="root", group="33")
    assert (key.form, key.encryption.rounds, key.is_adopted) == (KeyForm.PKCS8, 700_000, False)


def test_number_of_a_user_is_as_it_is_observed(tmp_path: Path) -> None:
    found = certificate(tmp_path, 'owner: "007"\ngroup: "4294967294"')

    assert (found.attributes.owner, found.attributes.group) == ("7", "4294967294")


@pytest.mark.parametrize("number", ["4294967295", "9999999999"])
def test_number_that_chown_takes_for_none_is_refused_with_its_place(tmp_path: Path, number: str) -> None:
    loaded = load_text(tmp_path, HEAD + f'certificates:\n  web: {{issuer: issuing, owner: "{number}"}}\n')

    told = [(found.summary, found.hint) for found in loaded.diagnostics if found.place]
    assert (f"`{number}` is no number of a user or group", "the largest is 4294967294") in told


def test_passphrase_none_says_that_a_plain_file_is_meant(tmp_path: Path) -> None:
    key = certificate(tmp_path, "key: {passphrase: none}").key

    assert isinstance(key, ManagedKey)
    assert key.plain_is_intended
    assert key.passphrases == ()


def test_none_first_in_a_list_of_passphrases_writes_a_plain_file_and_opens_with_the_rest(tmp_path: Path) -> None:
    key = certificate(tmp_path, "key: {type: rsa, form: pkcs1, passphrase: [none, {env: OLD}]}").key

    assert isinstance(key, ManagedKey)
    assert (key.is_encrypted, key.written_with, key.passphrases) == (False, (), (EnvSecret("OLD"),))


def test_adopted_keys_and_keys_elsewhere_lie_where_the_manifest_says(tmp_path: Path) -> None:
    adopted = certificate(tmp_path, "key: {type: rsa, path: old/web.key}\ncert_path: old/web.pem")
    request = certificate(tmp_path, "key: {csr: /srv/web.csr}")
    public = certificate(tmp_path, "key: {public_key: web.pub, type: rsa}")

    assert adopted.key == ManagedKey(spec=RsaKeySpec(2048), path=f"{tmp_path}/old/web.key", is_adopted=True)
    assert adopted.cert_path == f"{tmp_path}/old/web.pem"
    assert request.key == ExternalKey(path="/srv/web.csr", is_request=True)
    assert public.key == ExternalKey(path=f"{tmp_path}/web.pub", is_request=False, spec=RsaKeySpec(2048))
    usage = extension(public, "key_usage")
    assert usage is not None
    assert usage.value == KeyUsage(("digital_signature", "key_encipherment"))


@pytest.mark.parametrize(
    ("text", "validity"),
    [
        ("days: 90", Validity(lifetime=timedelta(days=90) - SECOND)),
        ("lifetime: 12h", Validity(lifetime=timedelta(hours=12) - SECOND)),
        ("lifetime: 10y", Validity(lifetime=timedelta(days=3650) - SECOND)),
        ("lifetime: 1d12h", Validity(lifetime=timedelta(hours=36) - SECOND)),
        ("lifetime: until-issuer", Validity()),
        ("not_after: 2027-12-31T23:59:59Z", Validity(not_after=datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC))),
        ("not_after: 2027-12-31T23:59:59+02:00", Validity(not_after=datetime(2027, 12, 31, 21, 59, 59, tzinfo=UTC))),
        ("not_after: 2028-01-01", Validity(not_after=datetime(2028, 1, 1, tzinfo=UTC))),
        (
            "not_before: 2027-01-01\ndays: 1",
            Validity(not_before=datetime(2027, 1, 1, tzinfo=UTC), lifetime=timedelta(days=1) - SECOND),
        ),
        ("days: 5\nbackdate: 1h", Validity(lifetime=timedelta(days=5) - SECOND, backdate=timedelta(hours=1))),
        ("days: 5\nbackdate: 0s", Validity(lifetime=timedelta(days=5) - SECOND, backdate=timedelta())),
    ],
)
def test_validity(tmp_path: Path, text: str, validity: Validity) -> None:
    assert certificate(tmp_path, text).validity == validity


@pytest.mark.parametrize(
    ("text", "expected"), [("30d", timedelta(days=30)), ("1/3", Fraction(1, 3)), ("72h", timedelta(days=3))]
)
def test_renew_before(tmp_path: Path, text: str, expected: Any) -> None:
    assert certificate(tmp_path, f"renew_before: {text}").renew_before == expected


def test_names_of_every_kind_are_sorted_and_said_once(tmp_path: Path) -> None:
    body = (
        "dns: [b.example, a.example, '*.a.example', BÜCHER.example, a.example]\nip: [2001:0db8::0002, 10.0.0.2]\n"
        "uri: spiffe://a/b\nemail: ops@bücher.example\nupn: [ops@corp]\nrid: [1.2.3]\ndir_name: [{common_name: x}]\n"
        "other_name: [{oid: 1.2.3.4, asn1: 'UTF8:hi'}]"
    )
    text = (
        HEAD + "certificates:\n  web:\n    issuer: issuing\n" + "".join(f"    {line}\n" for line in body.splitlines())
    )

    names = [str(name) for name in site_of(tmp_path, text).resources["certificate.web"].names]

    assert names == [
        "dns:*.a.example",
        "dns:a.example",
        "dns:b.example",
        "dns:xn--bcher-kva.example",
        "ip:10.0.0.2",
        "ip:2001:db8::2",
        "uri:spiffe://a/b",
        "email:ops@xn--bcher-kva.example",
        "upn:ops@corp",
        "rid:1.2.3",
        "dir_name:CN=x",
        "other_name:1.2.3.4;DER:0c026869",
    ]


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("{common_name: a.example, country: SE, organization: Acme}", "C=SE, O=Acme, CN=a.example"),
        ("{country: NO}", "C=NO"),
        ("{organizational_unit: [B, A], O: Acme, 1.3.6.1.4.1.1.1: x}", "O=Acme, OU=B, OU=A, 1.3.6.1.4.1.1.1=x"),
        ("'CN=a.example,OU=x+O=Acme\\, Inc.,C=SE'", "C=SE, O=Acme\\, Inc. + OU=x, CN=a.example"),
        ("'cn=a.example, o = Acme \\C3\\BC'", "O=Acme ü, CN=a.example"),
        ("'OID.2.5.4.3=a.example'", "CN=a.example"),
        ("''", "(empty)"),
        ("{}", "(empty)"),
    ],
)
def test_subjects(tmp_path: Path, text: str, subject: str) -> None:
    assert str(certificate(tmp_path, f"subject: {text}").subject) == subject


def test_what_is_no_server_is_called_by_its_id_unless_it_says_otherwise(tmp_path: Path) -> None:
    text = HEAD + (
        "defaults: {subject: {organization: Acme}}\n"
        "certificates:\n"
        "  ops: {issuer: issuing, profile: client}\n"
        "  bot: {issuer: issuing, profile: client, subject: {common_name: null}}\n"
        "  node: {for_each: [a1], issuer: issuing, profile: client}\n"
        "  me: {self_signed: true, dns: [localhost, b.example]}\n"
        "  web: {issuer: issuing, dns: [a.example]}\n"
    )

    subjects = {resource.address: str(resource.subject) for resource in site_of(tmp_path, text)}

    assert subjects == {
        "authority.root": "O=Acme, CN=root",
        "authority.issuing": "O=Acme, CN=issuing",
        "certificate.bot": "O=Acme",
        "certificate.me": "O=Acme, CN=localhost",
        'certificate.node["a1"]': "O=Acme, CN=a1",
        "certificate.ops": "O=Acme, CN=ops",
        "certificate.web": "O=Acme",
    }


@pytest.mark.parametrize(
    ("subject", "whole"),
    [
        pytest.param("'CN=Ops,O=Acme'", "O=Acme, CN=Ops", id="text with a common name"),
        pytest.param("'O=Acme'", "O=Acme", id="text without one"),
        pytest.param("'2.5.4.3=Ops'", "CN=Ops", id="text with the OID"),
        pytest.param("'CN={{ 1 + 1 }}'", "CN=2", id="a template that makes text"),
        pytest.param("{Cn: Ops}", "CN=Ops", id="a short name in any case"),
        pytest.param("{2.5.4.3: Ops}", "CN=Ops", id="an OID"),
    ],
)
def test_a_subject_that_is_text_or_has_a_common_name_gets_no_other(tmp_path: Path, subject: str, whole: str) -> None:
    text = (
        "version: 1\nprofiles: {named: {extends: client, subject: " + subject + "}}\n"
        "authorities:\n  root: {subject: " + subject + "}\n"
        "certificates:\n"
        "  own: {issuer: root, profile: client, subject: " + subject + "}\n"
        "  below: {issuer: root, profile: named}\n"
        "  each: {for_each: [a1], issuer: root, profile: client, subject: " + subject + "}\n"
        "  me: {self_signed: true, profile: client, subject: " + subject + "}\n"
    )

    subjects = {str(resource.subject) for resource in site_of(tmp_path, text)}

    assert subjects == {whole}


def test_a_subject_that_is_unset_is_made_anew(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {certificates: {subject: {common_name: x}}}\nauthorities: {root: {}}\n"
        "certificates: {ops: {issuer: root, profile: client, subject: null}}\n"
    )

    assert str(site_of(tmp_path, text).resources["certificate.ops"].subject) == "CN=ops"


@pytest.mark.parametrize(
    ("text", "name", "critical", "value"),
    [
        ("key: rsa", "key_usage", True, KeyUsage(("digital_signature", "key_encipherment"))),
        ("key: ed25519", "key_usage", True, KeyUsage(("digital_signature",))),
        (
            "key_usage: [key_agreement, digital_signature]",
            "key_usage",
            True,
            KeyUsage(("digital_signature", "key_agreement")),
        ),
        ("key_usage: {values: [crl_sign], critical: false}", "key_usage", False, KeyUsage(("crl_sign",))),
        ("profile: peer", "extended_key_usage", False, ExtendedKeyUsage(("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"))),
        ("profile: timestamping", "extended_key_usage", True, ExtendedKeyUsage(("1.3.6.1.5.5.7.3.8",))),
        ("extended_key_usage: [1.2.3, any]", "extended_key_usage", False, ExtendedKeyUsage(("1.2.3", "2.5.29.37.0"))),
        ("profile: ocsp-signer", "ocsp_no_check", False, OcspNoCheck()),
        ("tls_feature: [status_request, 17, 5]", "tls_feature", False, TlsFeature((5, 17))),
        (
            "policies: [1.2.3, any, {oid: 1.2.4, cps: http://a/, notice: [hello, {text: x, organization: Acme, numbers: [1, 2]}]}]",
            "policies",
            False,
            CertificatePolicies(
                (
                    Policy("1.2.3"),
                    Policy("2.5.29.32.0"),
                    Policy("1.2.4", ("http://a/",), (UserNotice("hello"), UserNotice("x", "Acme", (1, 2)))),
                )
            ),
        ),
        (
            'policies: [{oid: 1.2.4, notice: "usage\\u00a0: \U0001f469\u200d\U0001f52c"}]',
            "policies",
            False,
            CertificatePolicies((Policy("1.2.4", (), (UserNotice("usage\xa0: \U0001f469\u200d\U0001f52c"),)),)),
        ),
        (
            "aia: {1.2.3: http://x/, ca_issuers: [http://c/], ocsp: http://o/}",
            "aia",
            False,
            AuthorityInfoAccess(
                (
                    AccessDescription("1.3.6.1.5.5.7.48.1", "http://o/"),
                    AccessDescription("1.3.6.1.5.5.7.48.2", "http://c/"),
                    AccessDescription("1.2.3", "http://x/"),
                )
            ),
        ),
        (
            "crl_distribution_points: http://a/x.crl",
            "crl_distribution_points",
            False,
            CrlDistributionPoints(("http://a/x.crl",)),
        ),
    ],
)
def test_extensions(tmp_path: Path, text: str, name: str, critical: bool, value: object) -> None:
    found = extension(certificate(tmp_path, text), name)

    assert found is not None
    assert (found.critical, found.value) == (critical, value)


def test_extensions_of_authorities(tmp_path: Path) -> None:
    text = (
        "version: 1\nauthorities:\n  root: {}\n  issuing:\n    issuer: root\n    path_length: 3\n"
        "    name_constraints: {permitted: {dns: [b.example, a.example]}, excluded: {ip: [0.0.0.0/0, '::/0']}}\n"
        "    policy_constraints: {require_explicit_policy: 0}\n    inhibit_any_policy: 2\n"
    )
    issuing = site_of(tmp_path, text).resources["authority.issuing"]

    def name(kind: GeneralNameKind, value: str) -> GeneralName:
        return GeneralName(kind, value)

    assert [(EXTENSION_NAMES[found.oid], found.critical, found.value) for found in issuing.extensions] == [
        ("basic_constraints", True, BasicConstraints(is_authority=True, path_length=3)),
        ("key_usage", True, KeyUsage(("key_cert_sign", "crl_sign"))),
        (
            "name_constraints",
            True,
            NameConstraints(
                (name(GeneralNameKind.DNS, "a.example"), name(GeneralNameKind.DNS, "b.example")),
                (name(GeneralNameKind.IP, "0.0.0.0/0"), name(GeneralNameKind.IP, "::/0")),
            ),
        ),
        ("policy_constraints", True, PolicyConstraints(0, None)),
        ("inhibit_any_policy", True, InhibitAnyPolicy(2)),
    ]


def test_other_extensions_come_last_by_oid(tmp_path: Path) -> None:
    body = "extensions: {1.2.9: {der: 'BQA=', critical: true}, 1.2.3: {asn1: 'UTF8:hi'}}\ntls_feature: [5]"

    last = certificate(tmp_path, body).extensions[-2:]

    assert last == (
        Extension("1.2.3", False, OtherExtension("1.2.3", b"\x0c\x02hi", "UTF8:hi")),
        Extension("1.2.9", True, OtherExtension("1.2.9", b"\x05\x00")),
    )
    assert isinstance(last[0].value, OtherExtension)
    assert last[0].value.asn1 == "UTF8:hi"


def test_alternative_names_are_critical_exactly_when_the_subject_is_empty(tmp_path: Path) -> None:
    empty = extension(certificate(tmp_path, ""), "subject_alt_name")
    named = extension(certificate(tmp_path, "subject: {organization: Acme}"), "subject_alt_name")

    assert empty is not None
    assert named is not None
    assert (empty.critical, named.critical) == (True, False)


def test_the_issuers_crl_is_named_in_what_it_issues(tmp_path: Path) -> None:
    text = (
        "version: 1\nauthorities:\n  root: {crl: {url: 'http://a/root.crl'}}\n  issuing: {issuer: root, crl: {days: 3}}\n"
        "certificates:\n  a: {issuer: root, dns: [a.example]}\n"
        "  b: {issuer: root, dns: [a.example], crl_distribution_points: []}\n"
        "  c: {issuer: root, dns: [a.example], crl_distribution_points: null}\n"
        "  d: {issuer: root, profile: ocsp-signer}\n"
        "  e: {issuer: issuing, dns: [a.example]}\n"
    )
    site = site_of(tmp_path, text)

    points = {resource.id: resource.extension("crl_distribution_points") for resource in site}
    expected = CrlDistributionPoints(("http://a/root.crl",))
    assert points == {"root": None, "issuing": expected, "a": expected, "b": None, "c": None, "d": None, "e": None}
    assert site.resources["authority.root"].crl == CrlSettings(url="http://a/root.crl", days=180)
    assert site.resources["authority.issuing"].crl == CrlSettings(url=None, days=3)


@pytest.mark.parametrize(
    ("issuer_key", "digest"),
    [
        ("rsa", "sha256"),
        ("ecdsa-p256", "sha256"),
        ("ecdsa-p384", "sha384"),
        ("ecdsa-p521", "sha512"),
        ("ed25519", None),
        ("ml-dsa-65", None),
    ],
)
def test_the_digest_follows_the_issuers_key(tmp_path: Path, issuer_key: str, digest: str | None) -> None:
    text = f"version: 1\nauthorities:\n  root: {{key: {issuer_key}}}\ncertificates:\n  web: {{issuer: root, key: rsa, dns: [a.example]}}\n"

    assert site_of(tmp_path, text).resources["certificate.web"].digest == digest


def test_rsa_pss_is_for_rsa_issuers(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {rsa_pss: true, digest: sha512}\nauthorities:\n  r: {key: rsa}\n  e: {key: ed25519}\n"
        "certificates:\n  a: {issuer: r, dns: [a.example]}\n  b: {issuer: e, dns: [a.example]}\n"
    )

    found = {resource.id: (resource.rsa_pss, resource.digest) for resource in site_of(tmp_path, text)}

    assert found == {"r": (True, "sha512"), "e": (False, None), "a": (True, "sha512"), "b": (False, None)}


def test_outputs_have_mode_owner_passphrase_and_options(tmp_path: Path) -> None:
    body = (
        "outputs:\n  - {format: pkcs12, path: web.p12, passphrase: {env: P}, compatibility: legacy}\n"
        "  - {format: pem-combined, path: haproxy.pem, mode: '0640', group: haproxy, chain: false}\n"
        "  - {format: der, path: web.der}"
    )
    pkcs12, combined, der = certificate(tmp_path, body).outputs

    assert (pkcs12.passphrases, pkcs12.options, pkcs12.attributes.mode) == (
        ((EnvSecret("P"),)),
        (("compatibility", "legacy"),),
        0o600,
    )
    assert (combined.attributes, combined.options) == (FileAttributes(mode=0o640, group="haproxy"), (("chain", False),))
    assert der.attributes.mode == 0o644


def test_a_site_has_directories_and_says_what_lies_outside(tmp_path: Path) -> None:
    inside = site_of(tmp_path, HEAD + "site: acme\ndirectory: tree/pki\ntemplates: cnf\nverify_before_switch: true\n")
    outside = site_of(
        tmp_path,
        HEAD
        + "directory: /etc/ssl/acme\ncertificates:\n  a: {issuer: root, dns: [a.example], key: {type: rsa, path: ../k.pem}}\n",
    )

    assert (inside.name, inside.directory, inside.templates) == ("acme", f"{tmp_path}/tree/pki", f"{tmp_path}/cnf")
    assert inside.verify_before_switch
    assert inside.outside == ()
    assert outside.outside == tuple(sorted(["/etc/ssl/acme", f"{tmp_path.parent}/k.pem"]))


def test_resources_are_ordered_issuers_first_else_by_address(tmp_path: Path) -> None:
    text = (
        "version: 1\nauthorities:\n  z: {path_length: 2}\n  a: {issuer: m, path_length: 0}\n  m: {issuer: z, path_length: 1}\n"
        "certificates:\n  y: {issuer: a, dns: [a.example]}\n  b: {issuer: z, dns: [a.example]}\n"
    )

    assert list(site_of(tmp_path, text).resources) == [
        "authority.z",
        "authority.m",
        "authority.a",
        "certificate.b",
        "certificate.y",
    ]


def test_directories_of_ids_and_elements(tmp_path: Path) -> None:
    text = HEAD + (
        "certificates:\n  node:\n    for_each: ['a/b', '.x', 'å']\n    issuer: issuing\n    profile: client\n"
        "  web: {issuer: issuing, dns: [a.example], dir: edge/web}\n"
    )

    directories = [resource.directory for resource in site_of(tmp_path, text)]

    assert directories == [
        "authorities/root", "authorities/issuing", "certificates/node/%2Ex", "certificates/node/a%2Fb",
        "certificates/node/%C3%A5", "edge/web",
    ]  # fmt: skip


def test_verify_rules_name_addresses(tmp_path: Path) -> None:
    text = HEAD + (
        "certificates:\n  web: {issuer: issuing, dns: [a.example]}\n  ops: {for_each: [a], issuer: issuing, profile: client}\n"
        "verify:\n  - {server: web, client: 'ops[a]', expect: refused, versions: [1.3, '1.2'], at: 2027-01-01, host_name: A.example}\n"
        "  - {connect: '[::1]:443', server: web, client: none, starttls: smtp}\n"
    )
    first, second = site_of(tmp_path, text).verify

    assert (first.server, first.client, first.expect_accepted) == ("certificate.web", 'certificate.ops["a"]', False)
    assert (first.versions, first.host_name, first.at) == (
        ("1.2", "1.3"),
        "a.example",
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert (second.connect, second.client, second.starttls) == ("[::1]:443", None, "smtp")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{server: web, host_name: '*.a.example'}", "`*.a.example` is no host that a client can ask for"),
        ("{connect: '127.0.0.1:25'}", "`connect` alone says nothing about the endpoint"),
        ("{connect: '127.0.0.1:25', client: none}", "`connect` alone says nothing about the endpoint"),
        (
            "{server: web, connect: '127.0.0.1:25', starttls: xmpp}",
            "expected one of `smtp`, `imap`, `postgres` and `ldap`",
        ),
    ],
)
def test_a_rule_that_nobody_can_keep_is_an_error(tmp_path: Path, rule: str, message: str) -> None:
    text = HEAD + f"certificates: {{web: {{issuer: issuing, dns: ['*.a.example']}}}}\nverify:\n  - {rule}\n"

    assert [message in summary for summary in mistakes(load_text(tmp_path, text))] == [True]
