"""What is seen of a tree: found, missing or unreadable, and never anything outside of the site."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pkiplan.cache import Cache, open_cache
from pkiplan.errors import PkiplanError
from pkiplan.model.keys import Curve, EcKeySpec, KeyForm
from pkiplan.model.observed import Found, Missing, ObservedCertificate, ObservedKey, Unreadable
from pkiplan.plan.changes import PlanOptions
from pkiplan.state import inspect
from pkiplan.state.read import Reader
from tests.apply.workbench import AUTHORITIES, NOW, SMALL_SITE, Workbench

SITE_WITH_MANY = (
    AUTHORITIES
    + """\
certificates:
  node:
    for_each: [a1, "ö/2"]
    issuer: issuing
    dns: [node.acme.example]
    days: 90
"""
)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = Workbench(tmp_path_factory.mktemp("site")).write(SMALL_SITE)
    bench.applied()
    return bench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.applied()
    return bench


def key_of(bench: Workbench, address: str = "certificate.web") -> ObservedKey:
    key = bench.observe().state.of(address).key
    assert isinstance(key, Found)
    return key.value


def certificate_of(bench: Workbench, address: str = "certificate.web") -> ObservedCertificate:
    certificate = bench.observe().state.of(address).certificate
    assert isinstance(certificate, Found)
    return certificate.value


def test_a_key_is_described_with_its_file(applied: Workbench) -> None:
    key = key_of(applied)

    assert (key.spec, key.form, key.encryption) == (EcKeySpec(Curve.P256), KeyForm.PKCS8, None)
    assert key.file.mode == 0o600
    assert key.file.uid == os.geteuid()


def test_a_certificate_is_tried_under_its_issuers_key(applied: Workbench) -> None:
    issuer = certificate_of(applied, "authority.issuing")
    root = certificate_of(applied, "authority.root")

    assert certificate_of(applied).verified_by == {issuer.spki_sha256}
    assert issuer.verified_by == root.verified_by == {root.spki_sha256}


def test_the_issuers_key_file_is_a_candidate_beside_its_certificate(bench: Workbench) -> None:
    signer = key_of(bench, "authority.issuing").spki_sha256
    issuing = bench.tree / "authorities/issuing/cert.pem"
    issuing.write_bytes((bench.tree / "authorities/root/cert.pem").read_bytes())

    assert certificate_of(bench).verified_by == {signer}


def test_digests_name_every_file_that_was_looked_at(applied: Workbench) -> None:
    digests = applied.observe().digests
    web = f"{applied.tree}/certificates/web"

    assert {path for path in digests if path.startswith(web)} == {
        f"{web}/{name}" for name in ("key.pem", "cert.pem", "chain.pem", "fullchain.pem", "openssl.cnf")
    }
    assert all(len(digest) == 64 for digest in digests.values())


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    observed = Workbench(tmp_path).write(SMALL_SITE).observe()

    seen = observed.state.of("certificate.web")
    assert isinstance(seen.key, Missing)
    assert isinstance(seen.certificate, Missing)
    assert set(observed.digests.values()) == {"missing"}
    assert observed.state.unmanaged == ()


def test_what_lies_beside_nothing_is_missing_and_what_lies_elsewhere_is_read(bench: Workbench) -> None:
    with contextlib.closing(Reader(bench.site(), {})) as reader:
        found = []
        for directory in ("gone/a", "gone/b", "certificates/web", "gone/a", "certificates/gone", "certificates/web"):
            with reader.resource_beside(directory) as opened:
                found.append(isinstance(opened.read("cert.pem"), Found))

    assert found == [False, False, True, False, False, True]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def _make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.pem")


@pytest.mark.parametrize("name", ["key.pem", "cert.pem"])
@pytest.mark.parametrize(
    ("spoil", "is_damaged"),
    [
        pytest.param(lambda path: path.write_bytes(b""), True, id="empty"),
        pytest.param(_truncate, True, id="cut short"),
        pytest.param(lambda path: path.write_bytes(os.urandom(4000)), True, id="random bytes"),
        pytest.param(lambda path: path.write_bytes(b"x" * 2_000_000), True, id="too large"),
        pytest.param(_make_fifo, False, id="a named pipe"),
        pytest.param(_make_directory, False, id="a directory"),
        pytest.param(_dangle, False, id="a link that dangles"),
    ],
)
def test_what_cannot_be_used_is_unreadable_and_never_missing(
    bench: Workbench, name: str, spoil: Callable[[Path], None], is_damaged: bool
) -> None:
    spoil(bench.tree / "certificates/web" / name)

    seen = bench.observe().state.of("certificate.web")
    found = seen.key if name == "key.pem" else seen.certificate

    assert isinstance(found, Unreadable)
    assert found.is_damaged is is_damaged


def test_what_may_not_be_read_is_unreadable(bench: Workbench) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (bench.tree / "authorities/root/key.pem").chmod(0)

    assert bench.observe().state.of("authority.root").key == Unreadable("permission denied")


def test_a_link_inside_of_the_site_is_followed(bench: Workbench) -> None:
    key = bench.tree / "certificates/web/key.pem"
    (bench.tree / "shared.pem").write_bytes(key.read_bytes())
    key.unlink()
    key.symlink_to("../../shared.pem")

    assert key_of(bench).spki_sha256 == certificate_of(bench).spki_sha256


def test_an_undeclared_resource_has_its_address_and_its_files_are_not_listed(bench: Workbench) -> None:
    (unmanaged,) = bench.write(AUTHORITIES).observe().state.unmanaged

    assert (unmanaged.path, unmanaged.address) == ("certificates/web", "certificate.web")


def test_elements_that_are_gone_have_their_addresses(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SITE_WITH_MANY)
    bench.applied()

    some = bench.write(SITE_WITH_MANY.replace(', "ö/2"', "")).observe().state.unmanaged
    none = bench.write(AUTHORITIES).observe().state.unmanaged

    assert [file.address for file in some] == ['certificate.node["ö/2"]']
    assert [file.address for file in none] == ['certificate.node["ö/2"]', 'certificate.node["a1"]']


def test_an_authority_that_is_gone_has_its_address(bench: Workbench) -> None:
    manifest = SMALL_SITE.replace("  issuing:", "  signing:").replace("issuer: issuing", "issuer: signing")
    addresses = {file.address for file in bench.write(manifest).observe().state.unmanaged}

    assert addresses == {"authority.issuing"}


def test_strangers_are_listed_with_what_they_seem_to_be(bench: Workbench) -> None:
    web = bench.tree / "certificates/web"
    (web / "notes.txt").write_text("hello")
    (web / "spare.pem").write_bytes((web / "key.pem").read_bytes())
    (bench.tree / "copy.pem").write_bytes((web / "cert.pem").read_bytes())
    (bench.tree / "certificates/empty").mkdir()
    (web / "away").symlink_to("/etc/passwd")

    found = {file.path: file.description for file in bench.observe().state.unmanaged}

    assert found == {
        "certificates/empty": "directory",
        "certificates/web/away": "link",
        "certificates/web/notes.txt": "file",
        "certificates/web/spare.pem": "private key",
        "copy.pem": "certificate (empty)",
    }


def test_a_directory_that_pkiplan_did_not_make_is_a_stranger_whatever_it_holds(bench: Workbench) -> None:
    web = bench.tree / "certificates/web"
    own = ("certificates/own", "certificates/own-group/a1", "authorities/own")
    for directory in own:
        (bench.tree / directory).mkdir(parents=True)
        for name in ("cert.pem", "key.pem"):
            (bench.tree / directory / name).write_bytes((web / name).read_bytes())

    found = {file.path: file.address for file in bench.observe().state.unmanaged}

    assert found == {"authorities/own": None, "certificates/own": None, "certificates/own-group": None}


def test_what_is_openssls_or_pkiplans_own_is_never_a_stranger(bench: Workbench) -> None:
    issuing = bench.tree / "authorities/issuing"
    for name in ("index.txt.old", "index.txt.attr.old", "serial.old", "crlnumber.old"):
        (issuing / name).write_text("")

    bench.applied(PlanOptions(replace=("certificate.web",)))

    assert bench.observe().state.unmanaged == ()


def test_serials_come_from_the_index_and_strange_lines_do_not_disturb(bench: Workbench) -> None:
    index = bench.tree / "authorities/issuing/index.txt"
    index.write_bytes(index.read_bytes() + b"V\t280101000000Z\t\tAB12\tunknown\t/CN=\xff\nrubbish\n\n")

    serials = bench.observe().state.issued_serials["authority.issuing"]

    assert serials == {certificate_of(bench).serial, 0xAB12}


def test_the_ends_of_replaced_authorities_come_from_the_archive(bench: Workbench) -> None:
    before = certificate_of(bench, "authority.issuing").not_after
    bench.applied(PlanOptions(replace=("authority.issuing",)), now=NOW + timedelta(days=1))

    assert bench.observe().state.earlier_ends == {"authority.issuing": {before}}


@pytest.mark.parametrize("level", ["archive", "authority", "issuing", "entry", "cert.pem"])
def test_an_archive_that_cannot_be_opened_is_told_and_not_taken_for_empty(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    bench.applied(PlanOptions(replace=("authority.issuing",)), now=NOW + timedelta(days=1))
    (entry,) = (bench.tree / "archive/authority/issuing").iterdir()
    refused = entry.name if level == "entry" else level
    real, is_in_archive = os.open, [False]

    def refusing(path: Any, *arguments: Any, **named: Any) -> int:
        is_in_archive[0] = path == "archive" or (is_in_archive[0] and path != "authorities")
        if path == refused and is_in_archive[0]:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *arguments, **named)

    monkeypatch.setattr("pkiplan.state.read.os.open", refusing)

    with pytest.raises(PkiplanError, match=r"cannot (list|read) .*archive/authority.*: permission denied"):
        bench.observe()


@pytest.mark.parametrize("kind", ["owner", "group"])
def test_owner_and_group_are_compared_by_number_whatever_their_number_is_called_first(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Two names may share a number, and the system gives the first of them."""
    bench.write(SMALL_SITE + f"    {kind}: alias\n    key: {{type: ecdsa, {kind}: alias}}\n")
    monkeypatch.setattr("pwd.getpwnam", lambda name: SimpleNamespace(pw_uid={"alias": os.geteuid()}[name]))
    monkeypatch.setattr("grp.getgrnam", lambda name: SimpleNamespace(gr_gid={"alias": os.getegid()}[name]))

    bench.applied()

    assert bench.actions() == {}


def test_a_cache_spares_all_parsing_and_changes_no_answer(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = bench.observe()
    bench.cache = _cache(tmp_path)
    first = bench.observe()
    bench.cache.save()
    bench.cache = _cache(tmp_path)

    def unexpected(*_: object, **__: object) -> None:
        pytest.fail("parsed again")

    for name in ("_certificate_facts", "_key_facts"):
        monkeypatch.setattr(inspect, name, unexpected)
    monkeypatch.setattr("pkiplan.x509.parse.read_pem_certificates", unexpected)

    assert bench.observe() == first == plain


def test_of_a_large_site_what_is_parsed_in_no_time_is_not_remembered(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pkiplan.state.observe.SMALL_SITE", 1)
    plain = bench.observe()
    bench.cache = _cache(tmp_path)
    first = bench.observe()
    bench.cache.save()
    bench.cache = _cache(tmp_path)
    kinds = {path.stem for path in (tmp_path / "cache").rglob("*.facts")}

    def unexpected(*_: object, **__: object) -> None:
        pytest.fail("verified again")

    monkeypatch.setattr("pkiplan.x509.keys.signature_verifies", unexpected)

    assert bench.observe() == first == plain
    assert "signature" in kinds
    assert "chain" not in kinds


def _cache(path: Path) -> Cache:
    cache = open_cache({"XDG_CACHE_HOME": str(path / "cache"), "XDG_STATE_HOME": str(path)})
    assert cache is not None
    return cache


def test_observing_changes_nothing(bench: Workbench) -> None:
    def look() -> dict[str, int]:
        return {name: os.lstat(bench.tree / name).st_mtime_ns for name in bench.names()}

    before = look()
    bench.observe()

    assert look() == before


def test_a_directory_that_cannot_be_listed_is_told_and_not_taken_for_empty(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.tree / "archive" / "authority").mkdir(parents=True)

    def fails(_: int) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("pkiplan.state.read.os.listdir", fails)

    with pytest.raises(PkiplanError, match=r"cannot list .*archive/authority: input/output error"):
        bench.observe()


def test_several_threads_read_through_one_reader(bench: Workbench) -> None:
    reader = Reader(bench.site(), {})
    contents = {
        name: (bench.tree / name / "cert.pem").read_bytes() for name in ("certificates/web", "authorities/root")
    }

    def reads_its_own(number: int) -> bool:
        name = sorted(contents)[number % 2]
        with reader.resource(name) as directory:
            found = directory.read("cert.pem")
        return isinstance(found, Found) and found.value.content == contents[name]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(reads_its_own, range(2_000)))


@pytest.mark.parametrize("between", [b"", b" ", b"\0", b"and "], ids=["nothing", "a blank", "a NUL", "words"])
def test_a_chain_whose_block_begins_within_a_line_is_damaged(bench: Workbench, between: bytes) -> None:
    """OpenSSL fails on such a file, or reads the first certificate alone."""
    leaf = bench.tree / "certificates/web/..data"
    certificate, chain = (leaf / "cert.pem").read_bytes().rstrip(), (leaf / "chain.pem").read_bytes()
    (leaf / "cert.pem").write_bytes(certificate + between)
    (leaf / "fullchain.pem").write_bytes(certificate + between + chain)

    found = bench.observe().state.of("certificate.web").files["fullchain.pem"]

    assert isinstance(found, Unreadable)
    assert found.is_damaged
    assert "begins within line" in found.why


def test_lines_that_end_as_on_windows_and_words_between_blocks_are_no_damage(bench: Workbench) -> None:
    path = bench.tree / "certificates/web/..data/fullchain.pem"
    text = path.read_bytes().replace(b"-----END CERTIFICATE-----", b"-----END CERTIFICATE-----\nsubject=CN = x")
    path.write_bytes(text.replace(b"\n", b"\r\n"))

    assert isinstance(bench.observe().state.of("certificate.web").files["fullchain.pem"], Found)
