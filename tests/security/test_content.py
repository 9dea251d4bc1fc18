"""What the manifest says is what the certificate says; the same again gives the same but for its serial number."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pkiplan.manifest import load_site
from tests.apply.workbench import AUTHORITIES, WEB, Workbench

TEXTS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.text(alphabet="$#;\\\"'`{}%=,+/ \t\nCN:DNSé中\u202e\0", min_size=1, max_size=12),
)


@example(common_name="a$b", organization="x=y, z")
@given(common_name=TEXTS, organization=TEXTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_text_that_is_accepted_stands_in_the_certificate(common_name: str, organization: str) -> None:
    subject = json.dumps({"common_name": common_name, "organization": organization})
    settled = f"self_signed: true, profile: client, key: ecdsa-p256, dns: [a.example], subject: {subject}"
    manifest = f"version: 1\ncertificates: {{a: {{{settled}}}}}\n"
    with tempfile.TemporaryDirectory() as directory:
        bench = Workbench(Path(directory)).write(manifest)
        loaded = load_site([f"{directory}/site.yaml"], variables=(), working_directory=directory)
        if loaded.site is None:
            assert loaded.diagnostics
            return
        report = bench.apply()
        if not report.is_complete:
            assert not (bench.tree / "certificates/a/cert.pem").exists()
            return
        certificate = x509.load_pem_x509_certificate((bench.tree / "certificates/a/cert.pem").read_bytes())

    found = {
        oid: [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    # A template is text that stands for another; it is the one thing that is not taken as it is.
    if "{{" not in common_name + organization and "{%" not in common_name + organization:
        assert found == {NameOID.COMMON_NAME: [common_name], NameOID.ORGANIZATION_NAME: [organization]}
    assert len(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == 1
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_plain_text_is_among_those_that_are_accepted(tmp_path: Path) -> None:
    """So that the test above is about something."""
    for text in ("Acme", "a$b", "é中", "x=y, z"):
        subject = json.dumps({"common_name": text, "organization": text})
        what = f"self_signed: true, profile: client, key: ecdsa-p256, dns: [a.example], subject: {subject}"
        Workbench(tmp_path).write(f"version: 1\ncertificates: {{a: {{{what}}}}}\n").applied()


def test_the_same_keys_at_the_same_time_give_the_same_but_for_the_serial_number(tmp_path: Path) -> None:
    """And but for the signature: it is over the serial number, and ECDSA's is random besides."""
    bench = Workbench(tmp_path).write(AUTHORITIES + WEB + "    reuse_key: true\n")
    bench.applied()
    first = _contents(bench.tree)
    for path in bench.tree.glob("authorities/*/cert.pem"):
        path.unlink()
    web = bench.tree / "certificates/web"
    key = (web / "key.pem").read_bytes()
    shutil.rmtree(web)
    web.mkdir(mode=0o700)
    (web / "key.pem").write_bytes(key)
    (web / "key.pem").chmod(0o600)
    bench.applied()

    assert _contents(bench.tree) == first
    assert len(first) == 3


def _contents(tree: Path) -> dict[str, bytes]:
    found = {}
    for path in (*tree.glob("authorities/*/cert.pem"), *tree.glob("certificates/*/cert.pem")):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        serial = certificate.serial_number.to_bytes(20, "big").lstrip(b"\0")
        body = certificate.tbs_certificate_bytes
        assert body.count(serial) == 1
        # Numbers may differ in length, and with it the length of all around them.
        found[path.parent.name] = body.partition(serial)[2]
    return found
