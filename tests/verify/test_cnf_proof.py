"""The cnf is proved by OpenSSL, and one changed value is found out."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import Extension, OtherExtension
from pkiplan.model.keys import EdKeySpec, ExternalKey, ManagedKey, MlDsaKeySpec, RsaKeySpec
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.model.validity import Validity
from pkiplan.render import render_cnf
from pkiplan.verify import openssl_program
from pkiplan.verify.certificate_fields import FieldDifference
from pkiplan.verify.cnf_proof import CnfProof, Verdict, proof_result, prove_cnf, prove_site
from pkiplan.verify.cnf_reading import read_cnf
from pkiplan.verify.credentials import Credential
from pkiplan.verify.openssl_program import find_openssl, identify
from pkiplan.verify.results import Outcome
from tests.judges import require
from tests.render.sites import (
    LEAF_EXTENSIONS,
    SERIAL,
    Issued,
    alternative,
    authority,
    days,
    dn,
    general,
    leaf,
    pem,
    site_of,
    usual_site,
)
from tests.render.test_by_hand import AUTHORITIES, CERTIFICATES
from tests.render.test_quoting import PROPERTY, WRITABLE, resources

pytestmark = pytest.mark.judge("openssl")

FOREVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture(scope="module")
def openssl() -> str:
    return require("openssl")


def prove(
    resource: Resource,
    openssl: str | None,
    change: Callable[[str], str] = lambda text: text,
    site: Site | None = None,
) -> CnfProof:
    site = site or usual_site(resource)
    issued = Issued(site)
    issuer = site.issuer_of(resource)
    return prove_cnf(
        site,
        resource,
        certificate=issued.certificate(resource),
        issuer=None if issuer is None else issued.certificate(issuer, SERIAL + 1),
        text=change(render_cnf(site, resource)),
        openssl=openssl,
    )


FURTHER: list[Any] = [
    pytest.param(authority("root"), id="a root"),
    pytest.param(leaf(issuer=None, validity=Validity(not_after=FOREVER)), id="a self-signed one with declared dates"),
    pytest.param(
        leaf(issuer=None, subject=dn(), extensions=(alternative(general("dns", "a"), critical=True),)),
        id="a self-signed one without a name",
    ),
    pytest.param(leaf(issuer=None, spec=RsaKeySpec(2048), rsa_pss=True), id="a self-signed one with RSA-PSS"),
    pytest.param(leaf(key=ExternalKey(path="web.csr", is_request=True)), id="a key that is elsewhere"),
    pytest.param(leaf(directory="hosts/a b"), id="a directory of its own"),
    pytest.param(leaf(spec=EdKeySpec("ed448")), id="an Ed448 key"),
]


@pytest.mark.parametrize("resource", [*CERTIFICATES, *AUTHORITIES, *FURTHER])
def test_the_cnf_is_proved(resource: Resource, openssl: str) -> None:
    proof = prove(resource, openssl)

    if resource.rsa_pss and identify(openssl).version < (3, 0, 0):
        assert proof.verdict is Verdict.NOT_PROVED
        assert proof.why.endswith("encodes RSASSA-PSS otherwise than 3.0 and later, and means the same")
        return
    assert (proof.verdict, proof.differences, proof.why) == (Verdict.PROVED, (), "")
    assert proof.program.startswith("OpenSSL ")


@pytest.mark.parametrize("spec", [RsaKeySpec(2048), RsaKeySpec(3072), EdKeySpec("ed25519")])
def test_the_kind_of_the_issuers_key_is_stood_in_for(spec: RsaKeySpec | EdKeySpec, openssl: str) -> None:
    issuing = authority("issuing", "root", spec=spec)
    web = leaf(digest="sha512" if isinstance(spec, RsaKeySpec) else None)

    proof = prove(web, openssl, site=site_of(authority("root"), issuing, web))

    assert proof.verdict is Verdict.PROVED, proof


def test_adopted_files_of_an_issuer_are_not_touched(openssl: str, tmp_path: Path) -> None:
    key, inside = tmp_path / "elsewhere.pem", tmp_path / "site" / "old.pem"
    root = authority(
        "root", key=ManagedKey(spec=RsaKeySpec(2048), path=str(key), is_adopted=True), cert_path=str(inside)
    )
    web = leaf(issuer="root")

    proof = prove(web, openssl, site=site_of(root, web, base=str(tmp_path / "site")))

    assert proof.verdict is Verdict.PROVED, proof
    assert list(tmp_path.iterdir()) == []


@settings(PROPERTY, max_examples=25)
@given(resource=resources(WRITABLE))
def test_nasty_values_are_proved(resource: Resource) -> None:
    proof = prove(resource, require("openssl"))

    assert proof.verdict is Verdict.PROVED, proof


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


WEB = leaf()
SUB = authority("sub", "root")
ROOT = authority("root")
SELF = leaf(issuer=None)


# What is changed, into what, and the fields in which that must show.
CHANGES: list[tuple[str, Resource, str, str, set[str]]] = [
    ("another subject", WEB, "1.CN = www", "1.CN = ww", {"subject"}),
    ("the subject in another order", WEB, "0.O = Acme\n1.CN = www", "0.CN = www\n1.O = Acme", {"subject"}),
    ("the subject in another string type", WEB, "utf8only", "nombstr", {"subject"}),
    ("another name", WEB, "DNS.1 = www", "DNS.1 = ww", {"subject_alt_name"}),
    ("a name less", WEB, "IP.1 = 10.0.0.2\n", "", {"subject_alt_name"}),
    ("no longer critical", WEB, "critical,CA:FALSE", "CA:FALSE", {"basic_constraints"}),
    ("another usage", WEB, "= critical,digitalSignature", "= critical,keyAgreement", {"key_usage"}),
    ("another key identifier", WEB, "KeyIdentifier = hash", "KeyIdentifier = 00", {"subject_key_identifier"}),
    ("an issuer by number", WEB, "keyid:always", "keyid:always,issuer:always", {"authority_key_identifier"}),
    ("another hash", WEB, "default_md = sha384", "default_md = sha256", {"signature algorithm"}),
    ("other extensions", WEB, "s = certificate_extensions", "s = request_extensions", {"order of extensions"}),
    ("what openssl cannot answer", WEB, "prompt = no", "prompt = perhaps", {"openssl req"}),
    ("what openssl refuses", WEB, "IP.1 = 10.0.0.2", "IP.1 = 10.0.0", {"openssl req"}),
    ("no such database", WEB, "database = ../../authorities/issuing", "database = ../root", {"openssl ca"}),
    ("no such key", WEB, "private_key = ../../authorities/issuing", "private_key = ../root", {"openssl ca"}),
    ("a policy that is not met", WEB, "CN = optional", "CN = optional\nC = supplied", {"openssl ca"}),
    ("no section to sign by", WEB, "default_ca = issued_by", "x = y", {"[ca] default_ca"}),
    ("another path length", SUB, "CA:TRUE", "CA:TRUE,pathlen:0", {"basic_constraints"}),
    ("no section of its issuer's", SUB, "[ issued_by ]", "[ by ]", {"openssl ca"}),
    ("another root", ROOT, "0.C = SE", "0.C = NO", {"subject", "issuer"}),
    ("another usage of a root's", ROOT, "cRLSign", "digitalSignature", {"key_usage"}),
    ("another hash of a root's", ROOT, "default_md = sha256", "default_md = sha512", {"signature algorithm"}),
    ("a usage less", SELF, "extendedKeyUsage = serverAuth\n", "", {"extended_key_usage", "order of extensions"}),
    (
        "no extensions",
        SELF,
        "x509_extensions = certificate_extensions",
        "x = y",
        {"subject_alt_name", "order of extensions"},
    ),
]


@pytest.mark.parametrize(("resource", "old", "new", "fields"), [pytest.param(*row[1:], id=row[0]) for row in CHANGES])
def test_one_value_changed_is_found_out(resource: Resource, old: str, new: str, fields: set[str], openssl: str) -> None:
    """The negative control: the proof fails, and says where."""
    proof = prove(resource, openssl, replaced(old, new))

    assert proof.verdict is Verdict.DIFFERS
    assert {difference.field for difference in proof.differences} >= fields


def test_the_order_of_a_name_hangs_on_preserve(openssl: str) -> None:
    """OpenSSL sorts by the policy without it, and looks for it in one section only."""
    web = leaf(subject=dn(("CN", "x"), ("O", "Acme")))

    elsewhere = prove(web, openssl, replaced("preserve = yes\n\n[ issued_by ]", "\n[ issued_by ]\npreserve = yes"))

    assert [difference.field for difference in elsewhere.differences] == ["subject"]


def test_a_difference_shows_both_sides(openssl: str) -> None:
    (subject,) = prove(WEB, openssl, replaced("1.CN = www", "1.CN = ww")).differences
    (name,) = prove(WEB, openssl, replaced("DNS.1 = www", "DNS.1 = wvw")).differences
    (encoding,) = prove(WEB, openssl, replaced("utf8only", "nombstr")).differences

    assert str(subject) == "subject: O=Acme, CN=www.acme.example → O=Acme, CN=ww.acme.example"
    assert str(name) == "subject_alt_name: dns:www.acme.example, ip:10.0.0.2 → dns:wvw.acme.example, ip:10.0.0.2"
    assert encoding.declared != encoding.openssl


def test_a_certificate_that_is_not_the_declared_one_is_found_out(openssl: str) -> None:
    site = usual_site(WEB)
    issued = Issued(site)
    other = Issued(usual_site(leaf(validity=days(91), extensions=LEAF_EXTENSIONS)))

    proof = prove_cnf(
        site,
        WEB,
        certificate=other.certificate(other.site.resources[WEB.address]),
        issuer=issued.certificate(site.resources["authority.issuing"]),
        text=render_cnf(site, WEB),
        openssl=openssl,
    )

    assert {difference.field for difference in proof.differences} == {"subject_alt_name", "order of extensions"}


@pytest.mark.parametrize(
    "line",
    [
        "[ default ]\nopenssl_conf = own",
        ".include /etc/passwd",
        ".include = /etc/passwd",
        ".pragma = dollarid:on",
        "RANDFILE = /tmp/x",
        "oid_file = /etc/passwd",
        "[ ca ]\nissued_by::database = /tmp/index.txt",
        "[ issued_by ]\ndatabase = /tmp/index.txt",
        "[ issued_by ]\nserial = ../../../../serial",
        "[ issued_by ]\nnew_certs_dir = $ENV::HOME",
        '[ issued_by ]\ndatabase = "/tmp/index.txt"',
        "[ issued_by ]\ndatabase = a\\\\$dir",
        "[ issued_by ]\ndata\\\nbase = /tmp/index.txt",
        "nonsense",
        "data\0 = x\nbase = /tmp/index.txt",
        "[ issued_by ] = x",
        "[ issued_by ] x",
        "[ issued_by ]\nserial = file:/etc/hostname",
        "proxyCertInfo = language:id-ppl-anyLanguage,policy:file:/etc/passwd",
        "1.3.6.1.05.5.7.1.14 = critical,@further",
    ],
)
def test_a_cnf_that_reaches_out_of_the_site_is_not_run(line: str, openssl: str) -> None:
    proof = prove(WEB, openssl, lambda text: f"{text}\n[ further ]\n{line}\n")

    assert proof.verdict is Verdict.NOT_PROVED
    assert proof.why.startswith("openssl is not run with this cnf: ")


def test_a_cnf_is_read_as_openssl_reads_it() -> None:
    text = "\ufeffx = 1\n# so far \\\r\n[ a ]\r\n[ b ]\nk = v \\\r\r\n w\nl\x85 = z\xa0\n"

    assert read_cnf(text) == {"default": {"x": "1"}, "b": {"k": "v  w", "l\x85": "z\xa0"}}


@pytest.mark.parametrize(
    "written", ["/etc/key.pem", "http://a/", "file:key.pem", "$policy", '"a"', "../../../../key.pem"]
)
def test_an_issuer_elsewhere_is_stood_in_for(written: str, openssl: str) -> None:
    proof = prove(
        WEB, openssl, lambda text: f"{text}\n[ issued_by ]\ncertificate = {written}\nprivate_key = {written}\n"
    )

    assert proof.verdict is Verdict.PROVED, proof


def test_an_extension_that_may_read_a_file_is_taken_by_its_octets(openssl: str) -> None:
    proxy = OtherExtension("1.3.6.1.5.5.7.1.14", bytes.fromhex("3008300606042a030405"))
    web = leaf(extensions=(*LEAF_EXTENSIONS, Extension(proxy.oid, critical=True, value=proxy)))

    assert prove(web, openssl).verdict is Verdict.PROVED


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Make a program in place of openssl."""

    def make(script: str) -> str:
        path = tmp_path / "openssl"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize(
    ("script", "why"),
    [
        pytest.param("echo LibreSSL 3.3.6", "is not OpenSSL: LibreSSL 3.3.6", id="LibreSSL"),
        pytest.param("echo OpenSSL 1.0.2k-fips", "OpenSSL 1.0.2k-fips is older than 1.1.1", id="one that is too old"),
        pytest.param("exit 1", "is not OpenSSL: it says nothing", id="one that says nothing"),
        pytest.param("sleep 9", "did not end within 0.2 s", id="one that never ends"),
    ],
)
def test_another_program_proves_nothing(
    script: str, why: str, program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(openssl_program, "SECONDS", 0.2)
    identify.cache_clear()

    proof = prove(WEB, program(script))

    assert proof.verdict is Verdict.NOT_PROVED
    assert why in proof.why


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param(None, "there is no openssl program here", id="none"),
        pytest.param("openssl", "no absolute path", id="a relative path"),
        pytest.param("/nowhere/openssl", "cannot be run", id="a path that leads nowhere"),
    ],
)
def test_no_program_proves_nothing(path: str | None, why: str) -> None:
    proof = prove(WEB, path)

    assert proof.verdict is Verdict.NOT_PROVED
    assert why in proof.why


def test_a_program_that_only_says_that_it_succeeded_is_not_believed(program: Callable[[str], str]) -> None:
    identify.cache_clear()

    proof = prove(WEB, program('test "$1" = version && echo OpenSSL 3.0.0; exit 0'))

    assert proof.verdict is Verdict.DIFFERS
    assert proof.differences == (FieldDifference("openssl req", "request.pem", "exit status 0"),)


def test_what_the_program_does_not_know_is_not_proved(openssl: str) -> None:
    version = identify(openssl).version
    web = leaf(spec=MlDsaKeySpec(65))

    proof = prove(web, openssl)

    if version < (3, 5, 0):
        assert proof.verdict is Verdict.NOT_PROVED
        assert proof.why == f"{identify(openssl).name} does not know ml-dsa-65, which came with 3.5"
    else:
        assert proof.verdict is Verdict.PROVED


def test_before_3_0_rsa_pss_is_not_proved(program: Callable[[str], str]) -> None:
    """OpenSSL 1.1.1w makes it without the NULL of the hashes, which means the same (RFC 4055, 2.1)."""
    identify.cache_clear()

    proof = prove(leaf(issuer=None, spec=RsaKeySpec(2048), rsa_pss=True), program("echo OpenSSL 1.1.1w"))

    assert proof.verdict is Verdict.NOT_PROVED
    assert proof.why == "OpenSSL 1.1.1w encodes RSASSA-PSS otherwise than 3.0 and later, and means the same"


def test_the_program_gets_nothing_of_the_callers_and_leaves_nothing(
    program: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openssl: str
) -> None:
    log, temporary = tmp_path / "log", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("OPENSSL_CONF", "/evil.cnf")
    monkeypatch.setenv("ROOT_PASSPHRASE", "top secret")
    identify.cache_clear()
    script = f'{{ env; echo "$@"; stat -c "directory %a" "${{PWD%/pki/*}}"; }} >> {log}; exec {openssl} "$@"'

    proof = prove(WEB, program(script))

    assert proof.verdict is Verdict.PROVED, proof
    said = log.read_text()
    assert "OPENSSL_CONF=/dev/null" in said
    assert not re.search(r"evil|secret|-pass", said)
    assert set(re.findall(r"directory (\d+)", said.split("req -new", 1)[1])) == {"700"}
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_no_difference(openssl: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))

    assert prove(WEB, openssl).verdict is Verdict.NOT_PROVED


def credential(issued: Issued, resource: Resource) -> Credential:
    def no_key() -> bytes:
        raise AssertionError("the proof needs no key of the site")

    own = pem(issued.certificate(resource, SERIAL + len(issued.certificates)))
    return Credential(resource=resource, certificate_pem=own, served_pem=own, anchor_pem=own, load_key=no_key)


def test_a_whole_site_is_proved_with_a_control(openssl: str) -> None:
    site = usual_site(leaf(), leaf("other", subject=dn(("CN", "räksmörgås $HOME"))), SELF_TOO)
    issued = Issued(site)

    report = prove_site(site, load=lambda r: credential(issued, r), cnf_texts=lambda r: render_cnf(site, r))

    assert report.is_as_expected
    assert [(r.subject, r.check, r.outcome) for r in report.results] == [
        ("authority.issuing", "openssl-cnf", Outcome.ACCEPTED),
        ("authority.root", "openssl-cnf", Outcome.ACCEPTED),
        ("authority.root", "openssl-cnf-control", Outcome.REFUSED),
        ("certificate.other", "openssl-cnf", Outcome.ACCEPTED),
        ("certificate.self", "openssl-cnf", Outcome.ACCEPTED),
        ("certificate.web", "openssl-cnf", Outcome.ACCEPTED),
    ]
    assert report.stacks == (("openssl", identify(openssl).name),)


SELF_TOO = leaf("self", issuer=None)


def test_what_is_wrong_in_a_site_is_told_and_the_rest_goes_on() -> None:
    site = usual_site(leaf(), leaf("other"), leaf("third"))
    issued = Issued(site)

    def load(resource: Resource) -> Credential:
        if resource.id == "third":
            raise PkiplanError.of("certificates/third/cert.pem: there is no such file")
        return credential(issued, resource)

    def text(resource: Resource) -> str:
        return render_cnf(site, resource).replace("1.CN = www", "1.CN = " + ("www" if resource.id == "web" else "w"))

    report = prove_site(site, load=load, cnf_texts=text)

    told = {r.subject: (r.outcome, r.reason.text) for r in report.results if r.check == "openssl-cnf"}
    assert told["certificate.web"] == (Outcome.ACCEPTED, "")
    assert told["certificate.other"] == (
        Outcome.REFUSED,
        "subject: O=Acme, CN=www.acme.example → O=Acme, CN=w.acme.example",
    )
    assert told["certificate.third"] == (
        Outcome.NOT_RUN,
        "not proved: certificates/third/cert.pem: there is no such file",
    )
    assert [result.subject for result in report.unexpected] == ["certificate.other"]


def test_the_program_is_found_by_an_absolute_path(openssl: str) -> None:
    found = find_openssl()

    assert found is not None
    assert os.path.isabs(found)
    assert stat.S_ISREG(os.stat(found).st_mode)
    assert proof_result(prove(WEB, found)).outcome is Outcome.ACCEPTED
