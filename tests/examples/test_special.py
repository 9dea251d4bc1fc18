"""What single examples are there to show."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.examples.conftest import Example, copy_of
from tests.judges import require, require_pkilint


@pytest.mark.judge("openssl")
def test_openssl_makes_the_same_of_every_cnf(applied: Example) -> None:
    """The promise that one can go on with openssl; what its version does not know is not run, and says so."""
    require("openssl")

    ran = applied.pkiplan("verify", "--cnf", "--json")

    document = json.loads(ran.stdout)
    assert ran.status == 0, document
    unproved = {result["reason"]["text"] for result in document["results"] if result["outcome"] == "not run"}
    known = r"OpenSSL \S+ (does not know ml-dsa-\d\d, which came with 3\.5|encodes RSASSA-PSS otherwise than 3\.0)"
    assert all(re.search(known, why) for why in unproved)
    # One value is changed in a cnf, and the proof has to fail.
    controls = [result for result in document["results"] if result["check"] == "openssl-cnf-control"]
    assert [result["outcome"] for result in controls] == ["refused"] or unproved


def test_pkilint_finds_nothing(applied: Example) -> None:
    environment = applied.environment | {"PYTHONPATH": f"{applied.environment['PYTHONPATH']}:{require_pkilint()}"}
    example = Example(applied.name, applied.path, environment)

    certificates = sorted(str(path) for path in applied.tree.rglob("cert.pem") if path.parent.name[:2] != "..")
    ran = example.pkiplan("lint", *certificates)

    assert ran.status == 0, ran.stdout
    assert re.search(r"^Lint: \d+ certificates?, .* \(with pkilint [\d.]+\)\.$", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize("applied", ["post-quantum"], indirect=True)
def test_its_handshakes_agree_on_keys_that_a_quantum_computer_does_not_find(applied: Example) -> None:
    ran = applied.pkiplan("verify")

    assert ran.status == 0, ran.stdout
    assert re.search(
        r"^key exchange over pyopenssl, TLS 1\.3: X25519MLKEM768 \(\d+ handshakes\)$", ran.stdout, re.MULTILINE
    )
    assert "checks not run over pyopenssl: TLS 1.2 has no ML-DSA signatures\n" in ran.stdout
    version = ssl.OPENSSL_VERSION.split()[1]
    knows_ml_dsa = ssl.OPENSSL_VERSION_INFO >= (3, 5)
    assert (f"checks not run over ssl: OpenSSL {version} knows no ML-DSA\n" in ran.stdout) is not knows_ml_dsa


# What the manifest says, in the words of `openssl x509 -text`, blanks and line breaks made one blank.
READ_BACK = {
    "authorities/root": [
        "Signature Algorithm: rsassaPss Hash Algorithm: sha384 Mask Algorithm: mgf1 with sha384 Salt Length: 0x30",
        "Public-Key: (3072 bit)",
        "X509v3 Basic Constraints: critical CA:TRUE, pathlen:1",
        "X509v3 Key Usage: critical Certificate Sign, CRL Sign",
    ],
    "authorities/policy": [
        "Signature Algorithm: rsassaPss",
        "ASN1 OID: secp521r1",
        "X509v3 Basic Constraints: critical CA:TRUE, pathlen:0",
        "Policy: 1.3.6.1.4.1.99999.1 CPS: http://pki.acme.example/cps",
        "X509v3 Policy Constraints: critical Require Explicit Policy:0, Inhibit Policy Mapping:0",
        "X509v3 Inhibit Any Policy: critical 0",
        "Subject Information Access: CA Repository - URI:http://pki.acme.example/policy/",
    ],
    "authorities/issuing": [
        (
            "X509v3 Name Constraints: critical Permitted: DNS:acme.example DNS:localhost IP:10.0.0.0/255.0.0.0"
            " IP:127.0.0.0/255.0.0.0 IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0 URI:.acme.example URI:acme.example"
            " email:.acme.example email:acme.example Excluded: DNS:secret.acme.example IP:10.66.0.0/255.255.0.0"
        ),
        "Authority Information Access: CA Issuers - URI:http://pki.acme.example/root.crt",
    ],
    "certificates/everything": [
        (
            "Subject: DC=example,DC=acme,C=SE,ST=Skåne,L=Malmö,postalCode=211 20,street=Storgatan 1,O=Acme,"
            "organizationIdentifier=NTRSE-556000-0000,SN=Ångström,GN=Anders,initials=AÅ,generationQualifier=III,"
            'pseudonym=the "rate-limiter",title=Dr; $HOME # is a comment in openssl.cnf,OU=Platform,OU=Night, shift,'
            "dnQualifier=first,serialNumber=42-A,UID=anders,CN=www.acme.example,emailAddress=anders@acme.example,"
            "1.3.6.1.4.1.99999.5=an attribute of our own"
        ),
        "Signature Algorithm: ecdsa-with-SHA384",
        "X509v3 Basic Constraints: critical CA:FALSE",
        "X509v3 Key Usage: critical Digital Signature, Non Repudiation, Key Encipherment, Data Encipherment",
        "X509v3 Extended Key Usage: TLS Web Server Authentication, TLS Web Client Authentication",
        (
            "X509v3 Subject Alternative Name: DNS:*.apps.acme.example, DNS:localhost, DNS:www.acme.example,"
            " DNS:xn--bcher-kva.acme.example, IP Address:10.0.0.2, IP Address:127.0.0.1,"
            " IP Address:2001:DB8:0:0:0:0:0:2, URI:https://www.acme.example/?a=1,2;b#c, URI:spiffe://acme.example/web,"
            " email:anders@acme.example, email:ops@acme.example"
        ),
        "UPN:ops@corp.acme.example",
        "Registered ID:1.3.6.1.4.1.99999.3",
        "DirName:/O=Acme/CN=a, b",
        "SRVName:_xmpp-client.acme.example",
        "Explicit Text: Försiktigt: internal use only, #1; $2",
        "X509v3 CRL Distribution Points: Full Name: URI:http://pki.acme.example/issuing.crl",
        "OCSP - URI:http://ocsp.acme.example CA Issuers - URI:http://pki.acme.example/issuing.crt",
        "1.3.6.1.4.1.99999.4 - URI:http://repository.acme.example/",
        "TLS Feature: status_request",
        "1.3.6.1.4.1.99999.7: ..hello",
    ],
    "certificates/agreeing": ["Key Usage: critical Digital Signature, Key Agreement", "ASN1 OID: secp384r1"],
    "certificates/mail": ["Extended Key Usage: E-mail Protection", "email:post@acme.example"],
    "certificates/code": ["Extended Key Usage: Code Signing", "Public Key Algorithm: ED448"],
    "certificates/time": ["Extended Key Usage: critical Time Stamping"],
    "certificates/responder": ["Extended Key Usage: OCSP Signing", "OCSP No Check:"],
    "certificates/no-end": ["Public Key Algorithm: ED25519"],
}


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("applied", ["all-extensions"], indirect=True)
def test_openssl_reads_what_the_manifest_says(applied: Example) -> None:
    missing = {}
    for place, wanted in READ_BACK.items():
        command = [require("openssl"), "x509", "-in", str(applied.tree / place / "cert.pem"), "-noout", "-text"]
        ran = subprocess.run([*command, "-nameopt", "utf8,sep_comma_plus"], capture_output=True, text=True, check=True)
        # Versions differ in how many colons they write.
        text = " ".join(ran.stdout.split()).replace("::", ":")
        missing[place] = [each for each in wanted if each not in text]

    assert missing == {place: [] for place in READ_BACK}


OUTSIDE = [
    ("robots.factory.acme.example", "robots.elsewhere.example", "is not within"),
    ("robots.factory.acme.example", "www.acme.example", "is not within"),
    ("www.acme.example,", "www.factory.acme.example,", "is excluded"),
    ("10.20.0.7", "10.30.0.7", "is not within"),
    ("post@acme.example", "post@elsewhere.example", "is not within"),
]


@pytest.mark.parametrize(("inside", "outside", "why"), OUTSIDE)
def test_a_name_outside_of_the_constraints_above_stops_the_plan(
    inside: str, outside: str, why: str, tmp_path: Path
) -> None:
    example = copy_of("name-constraints", tmp_path)
    manifest = example.path / "site.yaml"
    assert inside in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(inside, outside))

    ran = example.pkiplan("plan")

    assert ran.status == 1
    assert why in ran.stdout + ran.stderr
    assert "site.yaml:" in ran.stdout
    assert not example.tree.exists()
