"""Certificates that OpenSSL made, with keys encoded in another way than ours, are adopted as they are."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.cli.conftest import Here
from tests.judges import require

CNF = """\
[req]
distinguished_name = dn
prompt = no
string_mask = utf8only
x509_extensions = root
[dn]
CN = Old Root
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[web]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:www.acme.example
"""
SITE = """\
version: 1
site: acme
authorities:
  root:
    subject: {{common_name: Old Root}}
    days: 3652
    key: {{{key}, path: root.key, passphrase: none}}
    cert_path: root.pem
    {more}
certificates:
  web:
    issuer: root
    subject: {{common_name: www.acme.example}}
    dns: [www.acme.example]
    key: {{{key}, path: web.key}}
    key_usage: [digital_signature]
    cert_path: web.pem
    {more}
  new:
    issuer: root
    dns: [new.acme.example]
    key: ecdsa-p256
    {more}
"""

GIVEN = """\
version: 1
authorities: {{root: {{}}}}
certificates:
  web: {{issuer: root, dns: [www.acme.example], key: {{{key}}}}}
"""

pytestmark = pytest.mark.judge("openssl")


def openssl(here: Here, *commands: str) -> None:
    for command in commands:
        subprocess.run([require("openssl"), *command.split()], cwd=here.directory, check=True, capture_output=True)


def compressed_points(here: Here) -> str:
    for name in ("root", "web"):
        openssl(
            here,
            f"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key",
            f"ec -in {name}.key -conv_form compressed -out {name}.key",
        )
    make_certificates(here)
    return SITE.format(key="type: ecdsa, curve: P-256", more="")


def bound_to_pss(here: Here) -> str:
    for name in ("root", "web"):
        openssl(here, f"genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out {name}.key")
    make_certificates(here, " -sigopt rsa_pss_saltlen:digest")
    return SITE.format(key="type: rsa, size: 2048", more="rsa_pss: true")


def make_certificates(here: Here, options: str = "") -> None:
    here.write(CNF, "old.cnf")
    openssl(
        here,
        f"req -x509 -new -key root.key -config old.cnf -days 3652 -sha256 -out root.pem{options}",
        "req -new -key web.key -config old.cnf -subj /CN=www.acme.example -out web.csr",
        "x509 -req -in web.csr -CA root.pem -CAkey root.key -days 90 -sha256 -extfile old.cnf -extensions web"
        f" -CAcreateserial -out web.pem{options}",
    )


@pytest.mark.parametrize("make", [compressed_points, bound_to_pss])
def test_a_key_encoded_otherwise_is_no_difference(make: Callable[[Here], str], here: Here) -> None:
    here.write(make(here))

    applied = here.run("apply", "--yes")

    assert applied.status == 0, applied.out + applied.err
    assert "Apply complete: 1 created, 2 re-encoded." in applied.out
    assert here.run("plan", "--detailed-exitcode").status == 0
    proof = here.run("verify", "--cnf")
    assert "4 checks: 3 accepted, 1 refused as they must be" in proof.out
    linted = here.run("lint", "root.pem", "web.pem", "--disable", "rsa-server-key-usage")
    assert "2 certificates, nothing to complain about" in linted.out
    assert "as declared" in here.run("show", "web").out


def test_a_bound_key_is_warned_about_before_anything_is_issued_for_it(here: Here) -> None:
    bound = here.directory / "web.key"
    openssl(
        here,
        "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out web.key",
        "req -new -key web.key -subj / -out web.csr",
        "pkey -in web.key -pubout -out web.pub",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out free.key",
    )
    told = "the key of certificate.web is bound to RSASSA-PSS, and a certificate that pkiplan issues for it is not"

    for key in ("type: rsa, size: 2048, path: web.key", "csr: web.csr", "public_key: web.pub"):
        here.write(GIVEN.format(key=key))
        for _ in range(2):  # read, and remembered
            assert told in here.run("plan").err, key
    bound.write_bytes((here.directory / "free.key").read_bytes())
    here.write(GIVEN.format(key="type: rsa, size: 2048, path: web.key"))
    assert told not in here.run("plan").err


def test_nothing_is_signed_without_pss_by_a_key_that_is_bound_to_it(here: Here) -> None:
    site = bound_to_pss(here)
    without = site.replace("    key: ecdsa-p256\n    rsa_pss: true\n", "    key: ecdsa-p256\n")
    assert without != site
    here.write(without)

    for _ in range(2):  # read, and remembered
        planned = here.run("plan")
        assert planned.status == 1
        assert "certificate.new is blocked  (site.yaml:19)" in planned.out
        assert "the key of authority.root is bound to RSASSA-PSS, and may make no other signature" in planned.out
        assert "write `rsa_pss: true` beside it" in planned.out
    here.write(site)
    assert here.run("apply", "site.yaml", "--yes").status == 0


def test_a_renewed_authority_is_followed_once(here: Here) -> None:
    """Its new certificate has its key's usual encoding, and with that another key identifier."""
    here.write(compressed_points(here))
    assert here.run("apply", "--yes").status == 0

    renewed = here.run("apply", "--yes", "--replace", "authority.root")

    assert renewed.status == 0, renewed.out + renewed.err
    assert here.run("plan", "--detailed-exitcode").status == 0
    assert here.run("verify").status == 0
