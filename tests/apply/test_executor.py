"""A plan is carried out on a real disk; afterwards the next plan is empty."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pkiplan.apply import durability
from pkiplan.apply.ca_database import CaDatabase
from pkiplan.apply.issuing import issue
from pkiplan.apply.results import ApplyEvent, Done, EventKind, Failed, NotRun
from pkiplan.apply.staging import Stage
from pkiplan.apply.tree import open_tree
from pkiplan.cache import open_cache
from pkiplan.errors import PkiplanError
from pkiplan.model.names import DistinguishedName
from pkiplan.model.observed import Found
from pkiplan.plan.changes import Action, PlanOptions
from pkiplan.x509.parse import load_pem_certificates
from tests.apply.workbench import AUTHORITIES, NOW, SMALL_SITE, Workbench
from tests.judges import require

OUTPUTS = """\
    outputs:
      - {format: pkcs12, path: web.p12, passphrase: {env: P12}}
      - {format: pem-combined, path: haproxy.pem}
"""

TWO_BRANCHES = (
    AUTHORITIES
    + """\
  other:
    issuer: root
    subject: {common_name: Acme Other}
    key: ecdsa-p256
    path_length: 0
    days: 1095
certificates:
  web: {issuer: issuing, key: rsa-2048, dns: [www.acme.example], days: 90}
  api: {issuer: other, dns: [api.acme.example], days: 90}
"""
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path).write(SMALL_SITE)


def test_a_created_site_is_whole_and_the_next_plan_is_empty(bench: Workbench) -> None:
    report = bench.apply()

    assert [(r.address, r.outcome) for r in report.results] == [
        ("authority.root", Done()),
        ("authority.issuing", Done()),
        ("certificate.web", Done()),
    ]
    assert bench.actions() == {}
    assert bench.plan().unmanaged == ()
    for directory in ("authorities/root", "authorities/issuing", "certificates/web"):
        assert bench.key_matches(directory)


def test_an_apply_with_nothing_to_do_writes_nothing(bench: Workbench) -> None:
    bench.applied()
    before = {name: os.lstat(bench.tree / name).st_mtime_ns for name in bench.names() if ".pkiplan" not in name}

    report = bench.apply()

    assert report.results == ()
    assert before == {name: os.lstat(bench.tree / name).st_mtime_ns for name in bench.names() if ".pkiplan" not in name}


def test_outputs_hold_the_certificate_and_are_remembered(bench: Workbench, tmp_path: Path) -> None:
    bench.write(SMALL_SITE + OUTPUTS)
    bench.environment = {"P12": "hunter2"}
    bench.cache = open_cache({"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path)})

    bench.applied()

    file = bench.observe().state.of("certificate.web").files["web.p12"]
    assert isinstance(file, Found)
    assert file.value.contents.not_checked is None
    assert bench.actions() == {}


def test_two_jobs_give_the_same_tree_as_one(tmp_path: Path) -> None:
    benches = []
    for jobs in (1, 4):
        directory = tmp_path / str(jobs)
        directory.mkdir()
        bench = Workbench(directory).write(TWO_BRANCHES)
        report = bench.applied(jobs=jobs)
        benches.append(({name for name in bench.names() if not _is_random(name)}, [r.address for r in report.results]))

    assert benches[0] == benches[1]


def _is_random(name: str) -> bool:
    return "newcerts/" in name or "..2" in name


def test_a_renewed_leaf_gets_a_new_key_and_the_old_pair_is_archived(bench: Workbench) -> None:
    bench.applied()
    old = (bench.tree / "certificates/web/key.pem").read_bytes()

    report = bench.applied(now=NOW + timedelta(days=70))

    assert [(r.address, r.action) for r in report.results] == [("certificate.web", Action.RENEW)]
    assert (bench.tree / "certificates/web/key.pem").read_bytes() != old
    (entry,) = (bench.tree / "archive/certificate/web").iterdir()
    assert (entry / "key.pem").read_bytes() == old
    assert stat.S_IMODE((entry / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(entry.stat().st_mode) == 0o700


def test_a_renewed_leaf_keeps_its_key_where_the_manifest_says_so(bench: Workbench) -> None:
    bench.write(SMALL_SITE + "    reuse_key: true\n").applied()
    key = bench.tree / "certificates/web/key.pem"
    old = key.read_bytes()

    bench.applied(now=NOW + timedelta(days=70))

    assert key.read_bytes() == old
    assert bench.key_matches("certificates/web")
    (entry,) = (bench.tree / "archive/certificate/web").iterdir()
    assert sorted(path.name for path in entry.iterdir()) == ["cert.pem"]


def test_a_modified_authority_keeps_its_key_and_its_chain_follows(bench: Workbench) -> None:
    bench.applied()
    key = (bench.tree / "authorities/issuing/key.pem").read_bytes()

    report = bench.write(SMALL_SITE.replace("1095", "900")).applied()

    assert [(r.address, r.action) for r in report.results] == [
        ("authority.issuing", Action.MODIFY),
        ("certificate.web", Action.REENCODE),
    ]
    assert (bench.tree / "authorities/issuing/key.pem").read_bytes() == key
    assert bench.actions() == {}


def test_a_re_keyed_authority_keeps_its_old_key_in_the_archive_for_ever(bench: Workbench) -> None:
    bench.applied()
    old = (bench.tree / "authorities/issuing/key.pem").read_bytes()
    options = PlanOptions(replace=("authority.issuing",), rekey=True, allow=("authority.issuing",))

    report = bench.applied(options)
    bench.applied(now=NOW + timedelta(days=700))

    assert {r.address for r in report.results} == {"authority.issuing", "certificate.web"}
    entries = [path for path in (bench.tree / "archive/authority/issuing").iterdir() if (path / "key.pem").exists()]
    assert [(entry / "key.pem").read_bytes() for entry in entries] == [old]


def test_leaf_keys_in_the_archive_are_kept_three_times_and_for_thirty_days(bench: Workbench) -> None:
    bench.applied()
    archive = bench.tree / "archive/certificate/web"
    options = PlanOptions(replace=("certificate.web",), rekey=True)

    for day in range(5):
        bench.applied(options, now=NOW + timedelta(days=day))
    assert len(list(archive.iterdir())) == 3
    bench.applied(options, now=NOW + timedelta(days=50))

    assert [path.name[:8] for path in archive.iterdir()] == ["20270420"]


def test_turning_encryption_on_leaves_no_plain_copy_of_the_key(bench: Workbench) -> None:
    bench.applied()
    key = bench.tree / "certificates/web/key.pem"
    secret_line = key.read_text().splitlines()[1]
    bench.environment = {"PASS": "hunter2"}

    report = bench.write(SMALL_SITE + "    key: {type: ecdsa, passphrase: {env: PASS}}\n").applied()

    assert [r.action for r in report.results] == [Action.REENCODE]
    assert "ENCRYPTED" in key.read_text()
    assert bench.key_matches("certificates/web", (b"hunter2",))
    for path in (bench.path).rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert secret_line not in path.read_text(errors="replace"), path
    assert bench.actions() == {}


def test_turning_encryption_on_for_an_authority_leaves_no_plain_copy(bench: Workbench) -> None:
    bench.applied()
    key = bench.tree / "authorities/root/key.pem"
    secret_line = key.read_text().splitlines()[1]
    bench.environment = {"PASS": "hunter2"}
    manifest = SMALL_SITE.replace("key: ecdsa-p256", "key: {type: ecdsa, curve: P-256, passphrase: {env: PASS}}", 1)

    bench.write(manifest).applied()

    assert bench.key_matches("authorities/root", (b"hunter2",))
    for path in (bench.path).rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert secret_line not in path.read_text(errors="replace"), path


def test_an_encrypted_authority_signs_and_plan_needs_no_passphrase_afterwards(bench: Workbench, tmp_path: Path) -> None:
    bench.write(SMALL_SITE.replace("key: ecdsa-p256", "key: {type: ecdsa, curve: P-256, passphrase: {env: PASS}}", 1))
    bench.environment = {"PASS": "hunter2"}
    bench.cache = open_cache({"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path)})

    bench.applied()
    bench.environment = {}

    key = bench.observe().state.of("authority.root").key
    assert isinstance(key, Found)
    assert key.value.spki_sha256 is not None
    assert bench.actions() == {}


def test_a_missing_passphrase_is_found_before_the_first_write(bench: Workbench) -> None:
    bench.write(SMALL_SITE.replace("key: ecdsa-p256", "key: {type: ecdsa, curve: P-256, passphrase: {env: PASS}}", 1))

    with pytest.raises(PkiplanError, match=r"\{env: PASS\}"):
        bench.apply()

    assert {name for name in bench.names() if not name.startswith(".pkiplan")} == set()


def test_a_wrong_passphrase_names_the_reference_and_changes_nothing(bench: Workbench) -> None:
    manifest = SMALL_SITE.replace("key: ecdsa-p256", "key: {type: ecdsa, curve: P-256, passphrase: {env: PASS}}", 1)
    bench.write(manifest)
    bench.environment = {"PASS": "hunter2"}
    bench.applied()
    key = (bench.tree / "authorities/root/key.pem").read_bytes()
    bench.environment = {"PASS": "wrong"}

    plan = bench.plan(opens=True)

    (blocked, *_) = plan.blocked
    assert "{env: PASS}" in blocked.findings[0].message
    assert "wrong" not in blocked.findings[0].message
    assert (bench.tree / "authorities/root/key.pem").read_bytes() == key


def test_a_mode_that_was_changed_is_put_right_without_touching_the_certificate(bench: Workbench) -> None:
    bench.applied()
    certificate = (bench.tree / "certificates/web/cert.pem").read_bytes()
    (bench.tree / "certificates/web/key.pem").chmod(0o644)

    report = bench.applied()

    assert [r.action for r in report.results] == [Action.REENCODE]
    assert stat.S_IMODE((bench.tree / "certificates/web/key.pem").stat().st_mode) == 0o600
    assert (bench.tree / "certificates/web/cert.pem").read_bytes() == certificate
    loose = [path for path in (bench.tree / "certificates/web").rglob("key.pem") if path.stat().st_mode & 0o077]
    assert loose == []


def test_what_is_no_longer_declared_moves_to_the_archive_with_prune(bench: Workbench) -> None:
    bench.applied()

    report = bench.write(AUTHORITIES).applied(PlanOptions(prune=True))

    assert [(r.address, r.action) for r in report.results] == [("certificate.web", Action.REMOVE)]
    assert not (bench.tree / "certificates/web").exists()
    (entry,) = (bench.tree / "archive/certificate/web").iterdir()
    assert (entry / "..data/key.pem").exists()
    assert bench.plan().unmanaged == ()


def test_what_somebody_put_beside_a_pruned_certificate_stays(bench: Workbench) -> None:
    bench.write(SMALL_SITE + "    outputs: [{format: der, path: web.der}]\n").applied()
    web = bench.tree / "certificates/web"
    (web / "notes.txt").write_text("do not lose")
    (web / "deploy").mkdir()
    (web / "deploy/hook").write_text("mine")

    bench.write(AUTHORITIES)
    (change,) = bench.plan(PlanOptions(prune=True)).changes

    bench.applied(PlanOptions(prune=True))

    assert change.findings[0].message == (
        "no longer declared; its files go to the archive, what is not of it stays: certificates/web/deploy, "
        "certificates/web/notes.txt"
    )
    assert sorted(path.name for path in web.rglob("*")) == ["deploy", "hook", "notes.txt"]
    (entry,) = (bench.tree / "archive/certificate/web").iterdir()
    assert {"..data", "cert.pem", "key.pem", "openssl.cnf"} <= {path.name for path in entry.iterdir()}
    assert (entry / "web.der").is_file()
    assert [file.path for file in bench.plan(PlanOptions(prune=True)).unmanaged] == ["certificates/web"]


def test_a_former_certificate_and_the_former_elements_of_its_name_are_pruned_together(bench: Workbench) -> None:
    many = AUTHORITIES + "certificates:\n  web: {for_each: [a1], issuer: issuing, dns: [a1.example]}\n"
    bench.applied()
    bench.write(many).applied()

    report = bench.write(AUTHORITIES).applied(PlanOptions(prune=True))

    assert {result.address for result in report.results} == {"certificate.web", 'certificate.web["a1"]'}
    assert list((bench.tree / "certificates").iterdir()) == []
    assert bench.plan().unmanaged == ()


def test_a_pruned_authority_is_archived_whole(bench: Workbench) -> None:
    bench.write(TWO_BRANCHES).applied()
    key = (bench.tree / "authorities/other/key.pem").read_bytes()

    bench.write(SMALL_SITE).applied(PlanOptions(prune=True, allow=("authority.other",)))

    (entry,) = (bench.tree / "archive/authority/other").iterdir()
    assert (entry / "key.pem").read_bytes() == key
    assert (entry / "index.txt").exists()


def test_a_failure_in_one_branch_leaves_the_others_to_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(tmp_path).write(TWO_BRANCHES)
    real = issue

    def failing(work: object, resource: object, change: object) -> object:
        if getattr(resource, "address", "") == "authority.other":
            raise PkiplanError.of("the dice fell badly")
        return real(work, resource, change)  # type: ignore[arg-type]

    monkeypatch.setattr("pkiplan.apply.executor.issue", failing)
    report = bench.apply(jobs=2)
    monkeypatch.undo()

    outcomes = {result.address: result.outcome for result in report.results}
    assert outcomes == {
        "authority.root": Done(),
        "authority.issuing": Done(),
        "authority.other": Failed("the dice fell badly"),
        "certificate.web": Done(),
        "certificate.api": NotRun("authority.other was not applied"),
    }
    assert bench.actions() == {"authority.other": Action.CREATE, "certificate.api": Action.CREATE}
    assert not [name for name in bench.names() if "..new-" in name]
    bench.applied()
    assert bench.actions() == {}


def test_a_fault_of_ours_is_a_failure_that_shows_no_secret(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("-----BEGIN PRIVATE KEY----- hunter2")

    monkeypatch.setattr("pkiplan.apply.executor.issue", broken)
    report = bench.apply()

    (failed,) = report.failed
    assert isinstance(failed.outcome, Failed)
    assert failed.outcome.why.startswith("internal error: RuntimeError in test_executor.py:")
    assert "hunter2" not in repr(report)


def test_an_authority_that_did_not_come_to_be_leaves_no_line_behind(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = CaDatabase.record

    def full(self: CaDatabase, *, serial: int, not_after: datetime, subject: DistinguishedName, pem: bytes) -> None:
        record(self, serial=serial, not_after=not_after, subject=subject, pem=pem)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(CaDatabase, "record", full)
        assert not any(isinstance(r.outcome, Done) for r in bench.apply().results)

    assert set(bench.actions().values()) == {Action.CREATE}
    bench.applied()
    assert bench.actions() == {}


def test_asked_to_stop_it_finishes_what_was_begun_begins_nothing_more_and_says_so(bench: Workbench) -> None:
    stop = threading.Event()

    def on_event(event: ApplyEvent) -> None:
        if event.address == "authority.issuing" and event.kind is EventKind.STARTED:
            stop.set()

    report = bench.apply(stop=stop, on_event=on_event)

    assert report.is_interrupted
    assert [r.address for r in report.done] == ["authority.root", "authority.issuing"]
    assert [r.address for r in report.not_run] == ["certificate.web"]
    assert not any("..new" in name or "..2" in name for name in bench.names())
    bench.applied()
    assert bench.actions() == {}


@pytest.mark.parametrize(("key", "is_finished"), [("ecdsa-p256", False), ("{type: rsa, size: 2048}", True)])
def test_asked_to_stop_only_what_was_dear_to_make_is_finished(bench: Workbench, key: str, is_finished: bool) -> None:
    bench.write(SMALL_SITE.replace("    dns:", f"    key: {key}\n    dns:"))
    stop = threading.Event()

    def on_event(event: ApplyEvent) -> None:
        if event.address == "certificate.web" and event.kind is EventKind.STARTED:
            stop.set()

    report = bench.apply(stop=stop, on_event=on_event)

    assert report.is_interrupted
    assert [r.address for r in report.not_run] == ([] if is_finished else ["certificate.web"])
    bench.applied()
    assert bench.actions() == {}


def test_events_count_up_to_the_number_of_changes(bench: Workbench) -> None:
    bench.applied(jobs=2)

    finished = [event for event in bench.events if event.kind is EventKind.FINISHED]
    assert [event.index for event in finished] == [1, 2, 3]
    assert {event.total for event in bench.events} == {3}
    started = [event for event in bench.events if event.kind is EventKind.STARTED]
    assert {event.detail for event in started} == {"generating ecdsa P-256"}


def test_plain_files_put_in_the_place_of_links_become_links_again(bench: Workbench) -> None:
    bench.applied()
    web = bench.tree / "certificates/web"
    foreign = (bench.tree / "authorities/root/cert.pem").read_bytes()
    (web / "cert.pem").unlink()
    (web / "cert.pem").write_bytes(foreign)

    bench.applied()

    assert (web / "cert.pem").is_symlink()
    assert bench.key_matches("certificates/web")
    assert bench.actions() == {}


def test_a_deleted_key_leads_to_a_new_pair(bench: Workbench) -> None:
    bench.applied()
    (bench.tree / "certificates/web/key.pem").unlink()

    report = bench.applied()

    assert [r.action for r in report.results] == [Action.REKEY]
    assert bench.key_matches("certificates/web")


def test_a_damaged_key_goes_to_the_archive_when_a_new_one_is_asked_for(bench: Workbench) -> None:
    bench.applied()
    key = bench.tree / "certificates/web/key.pem"
    key.write_bytes(b"garbage")

    assert bench.actions() == {"certificate.web": Action.BLOCKED}
    bench.applied(PlanOptions(replace=("certificate.web",), rekey=True))

    assert bench.key_matches("certificates/web")
    (entry,) = (bench.tree / "archive/certificate/web").iterdir()
    assert (entry / "key.pem").read_bytes() == b"garbage"


def test_only_two_generations_are_kept(bench: Workbench) -> None:
    bench.applied()
    for day in range(1, 5):
        bench.applied(PlanOptions(replace=("certificate.web",)), now=NOW + timedelta(days=day))

    generations = [path for path in (bench.tree / "certificates/web").iterdir() if path.name.startswith("..2")]

    assert len(generations) == 2


def test_a_self_signed_certificate_needs_no_authority(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(
        """\
version: 1
site: acme
directory: pki
certificates:
  legacy:
    self_signed: true
    key: ecdsa-p256
    days: 365
    dns: [localhost]
    outputs: [{format: pem-combined, path: mycert.pem}]
"""
    )

    bench.applied()

    text = (tmp_path / "pki/certificates/legacy/mycert.pem").read_text()
    assert "PRIVATE KEY" in text
    assert len(load_pem_certificates(text.encode())) == 1
    assert bench.actions() == {}


def test_adopted_files_are_used_where_they_lie(tmp_path: Path) -> None:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.applied()
    given = tmp_path / "given.pem"
    given.write_bytes((bench.tree / "certificates/web/key.pem").read_bytes())
    given.chmod(0o600)
    before = given.read_bytes()

    bench.write(SMALL_SITE.replace("  web:", "  api:") + "    key: {type: ecdsa, path: given.pem}\n").applied()

    assert given.read_bytes() == before
    assert not (bench.tree / "certificates/api/key.pem").exists()
    assert bench.actions() == {}


def test_openssl_goes_on_in_the_tree_and_its_lines_stay(bench: Workbench) -> None:
    openssl = require("openssl")
    bench.applied()
    issuing = bench.tree / "authorities/issuing"
    index = (issuing / "index.txt").read_text()
    subprocess.run(
        [openssl, "ca", "-config", "openssl.cnf", "-gencrl", "-out", "issuing.crl"],
        cwd=issuing, check=True, capture_output=True,
    )  # fmt: skip
    (issuing / "index.txt").write_text(index + "V\t280101000000Z\t\tAB12\tunknown\t/CN=by hand")

    bench.applied(PlanOptions(replace=("certificate.web",)))

    lines = (issuing / "index.txt").read_text().splitlines()
    assert lines[:2] == [*index.splitlines(), "V\t280101000000Z\t\tAB12\tunknown\t/CN=by hand"]
    serials = {line.split("\t")[3] for line in lines}
    certificate = load_pem_certificates((bench.tree / "certificates/web/cert.pem").read_bytes())[0]
    assert int(lines[-1].split("\t")[3], 16) == certificate.serial_number
    assert len(serials) == len(lines)
    assert (issuing / "index.txt.attr").read_text() == "unique_subject = no\n"
    assert f"newcerts/{lines[-1].split(chr(9))[3]}.pem" in {str(p.relative_to(issuing)) for p in issuing.rglob("*")}


def test_the_line_is_in_the_index_before_the_certificate_is_published(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = durability.sync_group

    def looking(*arguments: object) -> None:
        seen.append(len((bench.tree / "authorities/issuing/index.txt").read_text().splitlines()))
        assert not (bench.tree / "certificates/web/cert.pem").exists()
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(durability, "sync_group", looking)
    bench.applied()

    assert seen == [1]


def test_a_refused_plan_is_not_carried_out(bench: Workbench) -> None:
    bench.applied()
    with pytest.raises(PkiplanError, match=r"authority\.issuing"):
        bench.apply(PlanOptions(replace=("authority.issuing",), rekey=True))


def test_group_readers_get_through_the_directories_and_nobody_else(bench: Workbench) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to another group")
    bench.write(SMALL_SITE + '    outputs: [{format: pem-combined, path: h.pem, mode: "0640", group: daemon}]\n')

    bench.applied()

    file = (bench.tree / "certificates/web/h.pem").stat()
    assert (stat.S_IMODE(file.st_mode), file.st_gid) == (0o640, 1)
    modes = {p: stat.S_IMODE((bench.tree / p).stat().st_mode) for p in (".", "certificates", "certificates/web")}
    assert modes == {".": 0o711, "certificates": 0o711, "certificates/web": 0o750}
    assert stat.S_IMODE((bench.tree / "authorities").stat().st_mode) == 0o700
    assert stat.S_IMODE((bench.tree / "certificates/web/..data/.").stat().st_mode) == 0o750
    assert bench.actions() == {}


def test_an_unknown_owner_is_found_before_the_first_write(bench: Workbench) -> None:
    bench.write(SMALL_SITE + "    outputs: [{format: pem-chain, path: h.pem, owner: no-such-user}]\n")

    with pytest.raises(PkiplanError, match="no user `no-such-user`"):
        bench.apply()

    assert not (bench.tree / "authorities").exists()


def test_results_tell_how_far_it_came(bench: Workbench) -> None:
    report = bench.applied()

    assert not report.failed
    assert not report.not_run
    assert all(result.seconds > 0 for result in report.results)
    assert replace(report, results=()).is_complete


def test_a_display_that_breaks_does_not_end_the_apply(bench: Workbench) -> None:
    def broken(_: ApplyEvent) -> None:
        raise BrokenPipeError

    report = bench.apply(on_event=broken, jobs=2)

    assert report.is_complete


def test_a_request_that_was_given_stays_where_it_lies(bench: Workbench) -> None:
    openssl = require("openssl")
    bench.applied()
    given = bench.tree / "certificates/api"
    given.mkdir()
    subprocess.run(
        [openssl, "req", "-new", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout", bench.path / "k.pem",
         "-out", given / "request.pem"], check=True, capture_output=True,
    )  # fmt: skip

    bench.write(
        SMALL_SITE + "  api: {issuer: issuing, dns: [api.acme.example], key: {csr: pki/certificates/api/request.pem}}\n"
    ).applied()

    assert (given / "request.pem").is_file()
    assert not (given / "request.pem").is_symlink()
    assert not (given / "key.pem").exists()
    assert bench.actions() == {}


def test_an_adopted_certificate_is_renewed_where_it_lies_and_the_old_one_archived(bench: Workbench) -> None:
    bench.applied()
    pair = bench.path / "given"
    pair.mkdir()
    for name in ("key.pem", "cert.pem"):
        (pair / name).write_bytes((bench.tree / "certificates/web" / name).read_bytes())
    old = (pair / "cert.pem").read_bytes()
    manifest = SMALL_SITE.replace("  web:", "  api:")
    adopted = "    cert_path: given/cert.pem\n    key: {type: ecdsa, path: given/key.pem}\n"

    bench.write(manifest + adopted).applied(now=NOW + timedelta(days=70))

    assert (pair / "cert.pem").read_bytes() != old
    assert sorted(path.name for path in pair.iterdir()) == ["cert.pem", "key.pem"]
    (entry,) = (bench.tree / "archive/certificate/api").iterdir()
    assert (entry / "cert.pem").read_bytes() == old
    assert bench.actions(now=NOW + timedelta(days=70)) == {}


def test_what_somebody_puts_into_a_new_directory_is_not_written_over(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stage.publish

    def after_somebody(stage: Stage) -> None:
        if stage.resource.id == "web":
            (bench.tree / "certificates/web/cert.pem").write_text("theirs")
        real(stage)

    with monkeypatch.context() as patched:
        patched.setattr(Stage, "publish", after_somebody)
        report = bench.apply()

    (failed,) = report.failed
    assert failed.address == "certificate.web"
    assert (bench.tree / "certificates/web/cert.pem").read_text() == "theirs"
    assert not list((bench.tree / "certificates/web").glob("..2*"))


def test_what_is_reached_through_a_pruned_directory_is_made_anew(bench: Workbench) -> None:
    """Directories that were passed stay open, but not those that were moved away."""
    tree = open_tree(bench.site())
    with tree.made_directory("certificates/node/a1"):
        pass
    (bench.tree / "certificates/node").rename(bench.tree / "moved")
    tree.forget_passed()

    with tree.made_directory("certificates/node/a2"):
        pass
    tree.close()

    assert (bench.tree / "certificates/node/a2").is_dir()
    assert [path.name for path in (bench.tree / "moved").iterdir()] == ["a1"]


def test_directories_that_are_passed_are_closed_again(bench: Workbench) -> None:
    tree = open_tree(bench.site())
    before = len(os.listdir("/proc/self/fd"))

    for number in range(100):
        with tree.made_directory(f"certificates/node-{number}/a1"):
            assert len(os.listdir("/proc/self/fd")) < before + 40
    tree.close()

    assert len(os.listdir("/proc/self/fd")) < before
