"""A private key is its owner's from birth, never replaced unless the plan said so, and an authority's never goes."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from pkiplan.model.tree import LARGEST_PEM
from pkiplan.plan.changes import PlanOptions
from tests.apply.workbench import AUTHORITIES, NOW, Workbench
from tests.security.site import CHANGES, Place


def test_a_key_file_is_born_private_and_exclusively_whatever_the_umask(empty: Place) -> None:
    before = os.umask(0)
    try:
        ran = empty.traced("apply", "site.yaml", "--yes", "--no-verify", calls=CHANGES)
    finally:
        os.umask(before)

    born = [
        call for call in ran.changes() if call.startswith("openat(") and re.search(r'key\.pem"|all\.pem"|\.p12"', call)
    ]
    assert ran.status == 0
    assert len(born) == 6
    for call in born:
        assert re.search(r"O_CREAT\|O_EXCL|O_EXCL.*O_CREAT", call), call
        assert "O_NOFOLLOW" in call, call
        assert re.search(r", 0600\b", call), call
    assert [call for call in ran.changes() if "chmod" in call and "key.pem" in call] == []


EDITS = (
    ("days: 90", "days: 60"),
    ("www.acme.example", "new.acme.example"),
    ("days: 1095", "days: 900"),
    ("Acme Issuing", "Acme Issuing 2"),
    ("ecdsa-p256", "ecdsa-p384"),
    ("reuse_key: true", "reuse_key: false"),
    ("  job:", "  task:"),
)
SITE = (
    AUTHORITIES
    + """\
certificates:
  web: {issuer: issuing, dns: [www.acme.example], key: ecdsa-p256, days: 90, reuse_key: true}
  job: {issuer: issuing, dns: [job.acme.example], key: ecdsa-p256, days: 90}
"""
)


@pytest.mark.parametrize("seed", range(12))
def test_a_key_changes_only_where_the_plan_said_so(tmp_path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    edited = SITE
    for old, new in chooser.sample(EDITS, chooser.randint(1, 4)):
        edited = edited.replace(old, new)
    bench.write(edited)
    place = Place(tmp_path)
    before = place.keys()
    allowed = PlanOptions(allow=("authority.root", "authority.issuing"), allow_many=True)
    planned = {change.address: change.key for change in bench.plan(allowed).changes}

    bench.apply(allowed)

    after = place.keys()
    assert set(before) <= set(after)
    for path in before:
        kind, name = path.split("/")[1:3]
        address = f"{'authority' if kind == 'authorities' else 'certificate'}.{name}"
        is_said = planned.get(address, "keep") == "generate"
        assert (before[path] != after[path]) == is_said, address


FLAGS = ("--prune", "--allow-many", "--replace=certificate.*", "--allow-outside", "--target=certificate.web")


@pytest.mark.parametrize("manifest", ["as it is", "no certificates", "no authority at all"])
def test_no_flag_but_its_own_name_touches_an_authoritys_key(place: Place, tmp_path: Path, manifest: str) -> None:
    text = (place.path / "site.yaml").read_text()
    if manifest == "no certificates":
        text = text.partition("certificates:")[0]
    elif manifest == "no authority at all":
        text = "version: 1\nsite: acme\ndirectory: pki\ncertificates: {x: {self_signed: true, dns: [x.example]}}\n"
    keys = {path.read_bytes() for path in place.tree.glob("authorities/*/key.pem")}
    combinations = [c for size in range(len(FLAGS) + 1) for c in itertools.combinations(FLAGS, size)]
    chosen = [("--prune",), ("--prune", "--allow-many"), *random.Random(manifest).sample(combinations, 1)]
    for number, flags in enumerate(chosen):
        shutil.copytree(place.path, tmp_path / str(number), symlinks=True)
        here = Place(tmp_path / str(number)).write(text)

        here.run("apply", "site.yaml", "--yes", "--no-verify", *flags)

        still = {path.read_bytes() for path in here.tree.rglob("key.pem")}
        assert keys <= still, flags
        if manifest != "no authority at all":
            assert keys == {path.read_bytes() for path in here.tree.glob("authorities/*/key.pem")}, flags


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _contents(tree: Path) -> str:
    return "".join(path.read_text() for path in tree.rglob("*") if path.is_file())


def test_an_authoritys_key_in_one_file_with_its_certificate_outlives_that_file(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    certificate, key = (bench.tree / "authorities/issuing" / name for name in ("cert.pem", "key.pem"))
    content = key.read_text()
    certificate.write_text(certificate.read_text() + content)
    certificate.chmod(0o600)
    key.unlink()

    bench.apply()

    assert content not in certificate.read_text()
    assert content in _contents(bench.tree / "archive/authority/issuing")


@pytest.mark.parametrize("name", ["cert.pem", "chain.pem", "fullchain.pem", "openssl.cnf", "all.pem"])
@pytest.mark.parametrize("is_plain", [True, False], ids=["in the place of the link", "through the link"])
def test_a_key_that_somebody_put_into_a_certificates_file_outlives_that_file(
    tmp_path: Path, name: str, is_plain: bool
) -> None:
    bench = Workbench(tmp_path).write(
        SITE.replace("reuse_key: true", "outputs: [{format: pem-combined, path: all.pem}]")
    )
    bench.applied()
    file, key = bench.tree / "certificates/web" / name, _new_key()
    content = key + file.read_bytes()
    if is_plain:
        file.unlink()
    file.write_bytes(content)
    file.chmod(0o604)

    for day in range(3):
        bench.applied(
            PlanOptions(replace=("certificate.web",)) if day else PlanOptions(), now=NOW + timedelta(days=day)
        )

    assert bench.actions(now=NOW + timedelta(days=2)) == {}
    assert key.decode() in _contents(bench.tree)


@pytest.mark.parametrize("form", ["pem-combined", "pkcs12", "der"])
def test_a_key_where_an_output_is_declared_outlives_the_output(tmp_path: Path, form: str) -> None:
    bench = Workbench(tmp_path, environment={"P12": "a passphrase"}).write(SITE)
    bench.applied()
    key, place = _new_key(), bench.tree / "certificates/web/mine.key"
    place.write_bytes(key)
    passphrase = ", passphrase: {env: P12}" if form == "pkcs12" else ""
    bench.write(SITE.replace("reuse_key: true", f"outputs: [{{format: {form}, path: mine.key{passphrase}}}]"))

    bench.applied()

    (entry,) = (bench.tree / "archive/certificate/web").iterdir()
    assert (entry / "mine.key").read_bytes() == key
    assert place.is_symlink()


@pytest.mark.parametrize("is_plain", [True, False], ids=["in the place of the link", "through the link"])
def test_a_key_in_another_pkcs12_under_the_same_passphrase_outlives_the_output(tmp_path: Path, is_plain: bool) -> None:
    bench = Workbench(tmp_path, environment={"P12": "a passphrase"}).write(
        SITE.replace("reuse_key: true", "outputs: [{format: pkcs12, path: web.p12, passphrase: {env: P12}}]")
    )
    bench.applied()
    place, key = bench.tree / "certificates/web/web.p12", ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mine")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    encryption = BestAvailableEncryption(b"a passphrase")
    content = serialize_key_and_certificates(b"mine", key, builder.sign(key, SHA256()), None, encryption)
    if is_plain:
        place.unlink()
    place.write_bytes(content)

    bench.applied()

    assert place.read_bytes() != content
    assert content in [path.read_bytes() for path in (bench.tree / "archive").rglob("web.p12")]


def test_an_output_of_pkiplans_own_is_not_archived_for_its_key(tmp_path: Path) -> None:
    combined = "outputs: [{format: pem-combined, path: all.pem%s}]"
    bench = Workbench(tmp_path).write(SITE.replace("reuse_key: true", combined % ""))
    bench.applied()
    bench.write(SITE.replace("reuse_key: true", combined % ", order: certificate-first"))

    bench.applied()

    assert not (bench.tree / "archive").exists()


@pytest.mark.parametrize("name", ["chain.pem", "all.pem"])
def test_a_file_that_cannot_be_looked_into_is_written_again(tmp_path: Path, name: str) -> None:
    bench = Workbench(tmp_path).write(
        SITE.replace("reuse_key: true", "outputs: [{format: pem-combined, path: all.pem}]")
    )
    bench.applied()
    (bench.tree / "certificates/web" / name).write_bytes(b"x" * (LARGEST_PEM + 1))

    bench.applied()

    assert bench.actions() == {}


def test_a_key_that_somebody_put_into_a_generation_is_taken_along(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    (bench.tree / "certificates/web/..data/mine.key").write_bytes(key := _new_key())

    for day in range(3):
        bench.applied(PlanOptions(replace=("certificate.web",)), now=NOW + timedelta(days=day))

    assert (bench.tree / "certificates/web/..data/mine.key").read_bytes() == key


@pytest.mark.parametrize("link", ["./..data/{}", "{generation}/{}", "../web/..data/{}"])
def test_a_key_behind_a_link_of_another_spelling_follows_the_switch(tmp_path: Path, link: str) -> None:
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    web = bench.tree / "certificates/web"
    key = (web / "key.pem").read_bytes()
    for name in ("key.pem", "cert.pem"):
        (web / name).unlink()
        (web / name).symlink_to(link.format(name, generation=os.readlink(web / "..data")))
    assert bench.actions() == {}

    for day in range(3):
        bench.applied(PlanOptions(replace=("certificate.web",)), now=NOW + timedelta(days=day))

        assert bench.actions(now=NOW + timedelta(days=day)) == {}
        assert bench.key_matches("certificates/web")
        assert (web / "key.pem").read_bytes() == key  # `reuse_key`


def test_a_tree_that_was_copied_with_its_links_followed_is_gone_on_with(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    copy = tmp_path / "copy"
    shutil.copytree(bench.tree, copy, symlinks=False)
    shutil.rmtree(bench.tree)
    copy.rename(bench.tree)
    key = (bench.tree / "certificates/web/key.pem").read_text()
    assert bench.actions() == {}

    bench.applied(PlanOptions(replace=("certificate.web",)))

    assert bench.actions() == {}
    assert bench.key_matches("certificates/web")
    assert (bench.tree / "certificates/web/key.pem").read_text() == key  # `reuse_key`


def test_however_many_generations_were_left_behind_they_are_kept(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    web = bench.tree / "certificates/web"
    (web / "..data").unlink()
    keys = []
    for number in range(5):
        generation = web / f"..2026010{number + 1}T000000Z-0000000{number}"
        generation.mkdir()
        (generation / "key.pem").write_bytes(key := _new_key())
        keys.append(key.decode())

    bench.applied(PlanOptions(replace=("certificate.web",), rekey=True))

    assert bench.key_matches("certificates/web")
    assert [key for key in keys if key not in _contents(bench.tree / "archive")] == []


def test_an_authoritys_key_that_cannot_be_read_is_never_made_anew(place: Place) -> None:
    key = place.tree / "authorities/issuing/key.pem"
    for content in (b"", b"garbage", key.read_bytes()[:100]):
        key.write_bytes(content)

        ran = place.run("apply", "site.yaml", "--yes", "--no-verify", "--replace", "certificate.web")

        assert ran.status == 1
        assert "damaged" in ran.out + ran.err
        assert key.read_bytes() == content
