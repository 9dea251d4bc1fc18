"""What happens to a real tree: each difference is found, mended with the least change, and then nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pkiplan import workflow
from pkiplan.errors import PkiplanError, StalePlanError
from pkiplan.plan.changes import Action, Plan, PlanOptions
from pkiplan.workflow import ApplyInput, PlanRequest

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MANIFEST = """\
version: 1
site: acme
authorities:
  root: {subject: {common_name: Root}, key: {type: ecdsa, curve: P-256, passphrase: none}, days: 3652}
  issuing:
    issuer: root
    subject: {common_name: Issuing}
    key: {type: ecdsa, curve: P-256, passphrase: none}
    path_length: 0
    days: 1095
certificates:
  web: {issuer: issuing, dns: [www.acme.example], days: 90}
  ops: {issuer: issuing, profile: client, subject: {common_name: ops}, days: 90}
"""


@dataclass
class Place:
    """A manifest and its tree, at a moment."""

    path: Path
    now: datetime = START

    @property
    def manifest(self) -> Path:
        return self.path / "site.yaml"

    def edit(self, old: str, new: str) -> None:
        text = self.manifest.read_text()
        assert old in text
        self.manifest.write_text(text.replace(old, new))

    def file(self, name: str) -> Path:
        return self.path / "pki" / name

    def request(self, **options: Any) -> PlanRequest:
        return PlanRequest(site="site.yaml", now=self.now, options=PlanOptions(**options))

    def plan(self, **options: Any) -> Plan:
        return workflow.make_plan(self.request(**options)).plan

    def apply(self, **options: Any) -> Plan:
        planned = workflow.plan_to_apply(ApplyInput(site="site.yaml"), self.request(**options), prompt=None)
        report = workflow.apply(
            planned,
            ApplyInput(site="site.yaml"),
            jobs=1,
            lock_timeout=0,
            progress=lambda event: None,
            stop=threading.Event(),
        )
        assert report.is_complete, report
        return planned.plan

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.file(f"{name}/cert.pem").read_bytes())


Happening = Callable[[Place], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Place(tmp_path)
    made.manifest.write_text(MANIFEST)
    made.apply()
    made.now += timedelta(days=1)
    return made


def _damage_certificate(place: Place) -> None:
    place.file("certificates/web/cert.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )


def _swap_certificates(place: Place) -> None:
    web = place.file("certificates/web/cert.pem")
    web.write_bytes(place.file("certificates/ops/cert.pem").read_bytes())


def _lag_chain(place: Place) -> None:
    place.file("certificates/web/chain.pem").write_bytes(place.file("authorities/root/cert.pem").read_bytes())


def _lose_key(place: Place) -> None:
    place.file("certificates/web/key.pem").resolve().unlink()


def _pass(days: int) -> Happening:
    def wait(place: Place) -> None:
        place.now = START + timedelta(days=days)

    return wait


def _edit(old: str, new: str) -> Happening:
    return lambda place: place.edit(old, new)


def _edit_cnf(place: Place) -> None:
    path = place.file("certificates/web/openssl.cnf")
    path.write_text(path.read_text() + "# edited by hand\n")


def _open_key(place: Place) -> None:
    place.file("certificates/web/key.pem").resolve().chmod(0o644)


WEB = "certificate.web"
OPS = "certificate.ops"


@pytest.mark.parametrize(
    ("change", "options", "actions"),
    [
        pytest.param(
            _edit("[www.acme.example], days: 90", "[www.acme.example], days: 60"),
            {},
            {WEB: Action.MODIFY},
            id="an edited lifetime",
        ),
        pytest.param(
            _edit("[www.acme.example]", "[www.acme.example, acme.example]"),
            {},
            {WEB: Action.MODIFY},
            id="an added name",
        ),
        pytest.param(
            _edit("{issuer: issuing, dns", "{issuer: issuing, key: ecdsa-p384, dns"),
            {},
            {WEB: Action.REKEY},
            id="another key size",
        ),
        pytest.param(_pass(61), {}, {WEB: Action.RENEW, OPS: Action.RENEW}, id="soon expiring certificates"),
        pytest.param(_pass(91), {}, {WEB: Action.RENEW, OPS: Action.RENEW}, id="expired certificates"),
        pytest.param(
            _edit(
                "{common_name: Issuing}\n    key: {type: ecdsa, curve: P-256",
                "{common_name: Issuing}\n    key: {type: ecdsa, curve: P-384",
            ),
            {"allow": ("authority.issuing",), "allow_many": True},
            {"authority.issuing": Action.REKEY, WEB: Action.MODIFY, OPS: Action.MODIFY},
            id="a replaced issuer, and everything beneath it",
        ),
        pytest.param(_swap_certificates, {}, {WEB: Action.REKEY}, id="a swapped certificate"),
        pytest.param(_damage_certificate, {}, {WEB: Action.MODIFY}, id="a damaged certificate"),
        pytest.param(_lose_key, {}, {WEB: Action.REKEY}, id="a deleted leaf key"),
        pytest.param(_lag_chain, {}, {WEB: Action.REENCODE}, id="a chain file that lags"),
        pytest.param(_edit_cnf, {}, {WEB: Action.REENCODE}, id="an edited openssl.cnf"),
        pytest.param(_open_key, {}, {WEB: Action.REENCODE}, id="a key that others can read"),
    ],
)
def test_difference_is_found_and_mended(
    place: Place, change: Happening, options: dict[str, Any], actions: dict[str, Action]
) -> None:
    change(place)

    plan = place.plan(**options)
    assert {change.address: change.action for change in plan.changes} == actions
    assert all(change.findings for change in plan.changes)

    place.apply(**options)
    assert place.plan().changes == ()


def test_renewing_an_authority_with_its_key_leaves_its_leaves_alone(place: Place) -> None:
    leaf = place.certificate("certificates/web")
    key = place.file("authorities/issuing/key.pem").read_bytes()

    place.apply(replace=("authority.issuing",))

    assert place.certificate("certificates/web") == leaf
    assert place.file("authorities/issuing/key.pem").read_bytes() == key
    assert place.plan().changes == ()


def test_damaged_key_is_blocked_and_never_replaced(place: Place) -> None:
    key = place.file("certificates/web/key.pem").resolve()
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    os.chmod(key, 0o600)

    plan = place.plan()

    (blocked,) = plan.blocked
    assert blocked.address == WEB
    assert blocked.is_fault
    assert "--replace" in blocked.way_out
    place.apply()
    assert key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\nAAAA")


def test_authority_without_its_key_is_offline_and_only_what_needs_it_waits(place: Place) -> None:
    place.file("authorities/root/key.pem").unlink()
    place.edit("days: 1095", "days: 1000")
    place.edit("[www.acme.example]", "[www.acme.example, acme.example]")

    plan = place.plan()

    assert {change.address: change.action for change in plan.changes} == {
        "authority.root": Action.BLOCKED,
        "authority.issuing": Action.BLOCKED,
        WEB: Action.MODIFY,
    }
    assert not any(change.is_fault for change in plan.blocked)


def test_rekeying_an_authority_needs_permission(place: Place) -> None:
    place.edit("Issuing}\n    key: {type: ecdsa, curve: P-256", "Issuing}\n    key: {type: ecdsa, curve: P-384")
    key = place.file("authorities/issuing/key.pem").read_bytes()

    with pytest.raises(PkiplanError) as refused:
        place.apply()

    assert "--allow authority.issuing" in " ".join(d.summary + d.hint for d in refused.value.diagnostics)
    assert place.file("authorities/issuing/key.pem").read_bytes() == key


def test_unmanaged_file_is_shown_and_left_alone(place: Place) -> None:
    stranger = place.file("certificates/web/notes.txt")
    stranger.write_text("mine")

    plan = place.plan()

    assert [file.path for file in plan.unmanaged] == ["certificates/web/notes.txt"]
    assert plan.changes == ()


def test_saved_plan_is_carried_out_once(place: Place) -> None:
    place.edit("[www.acme.example]", "[www.acme.example, acme.example]")
    saved = workflow.save_plan(workflow.make_plan(place.request()), "plan.json")
    found = workflow.resolve_apply_input("plan.json")
    planned = workflow.plan_to_apply(found, place.request(), prompt=None)
    workflow.apply(planned, found, jobs=1, lock_timeout=0, progress=lambda event: None, stop=threading.Event())

    with pytest.raises(StalePlanError) as refused:
        workflow.plan_to_apply(workflow.resolve_apply_input("plan.json"), place.request(), prompt=None)

    assert saved.path == "plan.json"
    assert "certificates/web/cert.pem" in str(refused.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(
            _edit("www.acme.example, acme.example", "www.acme.example, b.example"), "site.yaml", id="an edited manifest"
        ),
        pytest.param(_swap_certificates, "certificates/web/cert.pem", id="a swapped file"),
        pytest.param(_pass(70), "certificate.ops", id="something fell due meanwhile"),
    ],
)
def test_stale_plan_is_refused_and_says_what_differs(place: Place, change: Happening, named: str) -> None:
    place.edit("[www.acme.example]", "[www.acme.example, acme.example]")
    workflow.save_plan(workflow.make_plan(place.request()), "plan.json")
    change(place)

    with pytest.raises(StalePlanError) as refused:
        workflow.plan_to_apply(workflow.resolve_apply_input("plan.json"), place.request(), prompt=None)

    assert named in str(refused.value)


def test_plan_made_for_one_site_does_not_fit_another(place: Place, tmp_path: Path) -> None:
    place.edit("[www.acme.example]", "[www.acme.example, acme.example]")
    workflow.save_plan(workflow.make_plan(place.request()), "plan.json")
    place.edit("site: acme", "site: other")

    with pytest.raises(StalePlanError):
        workflow.plan_to_apply(workflow.resolve_apply_input("plan.json"), place.request(), prompt=None)


def test_a_key_that_an_apply_encrypted_is_known_to_the_next_plan(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_PASSPHRASE", "a passphrase")
    place.edit(
        "dns: [www.acme.example]", "key: {type: ecdsa, passphrase: {env: KEY_PASSPHRASE}}, dns: [www.acme.example]"
    )

    place.apply()

    assert [warning.summary for warning in place.plan().warnings] == []


def _with_encrypted_keys(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_PASSPHRASE", "a passphrase")
    monkeypatch.setenv("PKIPLAN_CACHE", "off")
    place.edit("{issuer: issuing, ", "{issuer: issuing, key: {type: ecdsa, passphrase: {env: KEY_PASSPHRASE}}, ")
    place.apply()


def test_an_encrypted_key_that_nobody_looked_into_is_checked_by_apply_though_nothing_else_changes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_encrypted_keys(place, monkeypatch)
    place.file("certificates/web/key.pem").write_bytes(place.file("certificates/ops/key.pem").read_bytes())
    assert place.plan().changes == (), "plan sees no passphrase"

    plan = place.apply()

    assert [(change.address, change.action) for change in plan.changes] == [(WEB, Action.REKEY)]
    assert place.apply().changes == ()


def test_what_cannot_be_opened_without_asking_stays_not_checked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_encrypted_keys(place, monkeypatch)
    monkeypatch.delenv("KEY_PASSPHRASE")

    plan = place.apply()

    assert plan.changes == ()
    assert [warning.code for warning in plan.warnings] == ["key-not-checked"]


def test_a_clamped_leaf_outlasts_its_issuers_renewal_though_the_archive_was_cleared(place: Place) -> None:
    place.edit("dns: [www.acme.example], days: 90", "dns: [www.acme.example], days: 2000")
    place.apply()
    place.now += timedelta(days=30)
    place.apply(replace=("authority.issuing",))
    shutil.rmtree(place.file("archive"))

    assert place.plan().changes == ()

    (place.file("authorities/root/index.txt")).unlink()
    assert [(change.address, change.action) for change in place.plan().changes] == [(WEB, Action.MODIFY)]


def test_a_leaf_clamped_to_a_root_outlasts_its_renewal_though_the_archive_was_cleared(place: Place) -> None:
    place.edit(
        "issuer: issuing, dns: [www.acme.example], days: 90", "issuer: root, dns: [www.acme.example], days: 9000"
    )
    place.apply()
    place.now += timedelta(days=30)
    place.apply(replace=("authority.root",))
    shutil.rmtree(place.file("archive"))

    assert place.plan().changes == ()

    (place.file("authorities/root/index.txt")).unlink()
    assert [(change.address, change.action) for change in place.plan().changes] == [(WEB, Action.MODIFY)]


def test_a_directory_that_lets_others_in_is_told_and_left_as_it_is(place: Place) -> None:
    place.edit(
        "days: 90}\n  ops", f"days: 90, outputs: [{{format: der, path: web.der, owner: '{os.geteuid()}'}}]}}\n  ops"
    )
    place.apply()
    place.file("certificates/web").chmod(0o755)
    place.file("certificates/ops").chmod(0o710)
    place.file("authorities/root").chmod(0o700)

    plan = place.plan()
    place.apply(replace=("ops",))

    (warning,) = plan.warnings
    assert warning.code == "open-directory"
    assert warning.summary == (
        "pki/certificates/ops (0710), pki/certificates/web (0755) are open to more users than the files there are "
        "declared for"
    )
    assert warning.hint == "`chmod 0700 pki/certificates/ops`, unless that is meant"
    assert not plan.changes
    assert place.file("certificates/ops").stat().st_mode & 0o777 == 0o710


def test_an_authority_with_another_id_keeps_its_key_once_its_directory_is_renamed(place: Place) -> None:
    key = place.file("authorities/issuing/key.pem").read_bytes()
    place.edit("  issuing:", "  signing:")
    place.manifest.write_text(place.manifest.read_text().replace("issuer: issuing", "issuer: signing"))

    (warning,) = place.plan().warnings

    assert warning.summary == "authority.signing is not there, but authority.issuing is, and no longer declared"
    move = "mv pki/authorities/issuing pki/authorities/signing"
    assert warning.hint == f"if only its id is another: `{move}` keeps its key and what it issued"
    os.rename(*move.split()[1:])
    plan = place.apply()
    assert not plan.warnings
    assert [change.action for change in plan.changes if change.signs] == []
    assert place.file("authorities/signing/key.pem").read_bytes() == key
    assert not place.plan().changes


@pytest.mark.parametrize(
    ("address", "declared", "move"),
    [
        pytest.param(
            "certificate.web",
            ("dns: [www.acme.example]", "dns: [www.acme.example], dir: tls/web"),
            "mkdir -p pki/tls && mv pki/certificates/web pki/tls/web",
            id="a certificate",
        ),
        pytest.param(
            "authority.issuing",
            ("path_length: 0", "path_length: 0\n    dir: signing"),
            "mv pki/authorities/issuing pki/signing",
            id="an authority",
        ),
    ],
)
def test_a_resource_with_another_directory_keeps_its_key_once_that_is_moved(
    place: Place, address: str, declared: tuple[str, str], move: str
) -> None:
    place.edit(*declared)
    *_, before, after = move.split()
    key = (place.path / before / "key.pem").read_bytes()

    (warning,) = place.plan().warnings

    assert warning.summary == (
        f"{address} is not in the directory that is declared, but {before.removeprefix('pki/')} is still there"
    )
    assert warning.hint == f"`{move}` keeps its key and what was issued with it"
    subprocess.run(move, shell=True, check=True, cwd=place.path)
    plan = place.apply()
    assert not plan.warnings
    assert [change.action for change in plan.changes if change.signs] == []
    assert (place.path / after / "key.pem").read_bytes() == key
    assert not place.plan().changes


@pytest.mark.parametrize("key", ["ed25519", "ecdsa-p384", "rsa-2048", "ml-dsa-44"])
def test_an_issuer_that_waits_for_its_new_key_leaves_what_it_issued_alone_and_signs_with_the_old(
    place: Place, key: str
) -> None:
    place.file("authorities/root/key.pem").unlink()
    place.edit("subject: {common_name: Issuing}\n    key: {type: ecdsa, curve: P-256, passphrase: none}", f"key: {key}")
    place.edit("issuer: root\n", "issuer: root\n    subject: {common_name: Issuing}\n")

    plan = place.plan()
    place.apply(replace=("certificate.web",))

    assert {change.address for change in plan.blocked} == {"authority.root", "authority.issuing"}
    assert [change.address for change in place.plan().changes if change.signs or change.is_pending] == []
    assert [change.address for change in plan.changes if change.signs] == []
    algorithm = place.certificate("certificates/web").signature_hash_algorithm
    assert algorithm is not None
    assert algorithm.name == "sha256"


# Each may be asked for, and be what is usual with the key that is declared, too.
@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_a_digest_that_was_asked_for_stays_while_an_issuer_waits_for_its_new_key(place: Place, digest: str) -> None:
    place.edit("dns: [www.acme.example]", f"dns: [www.acme.example], digest: {digest}")
    place.apply()
    place.file("authorities/root/key.pem").unlink()
    place.edit("curve: P-256, passphrase: none}\n    path", "curve: P-384, passphrase: none}\n    path")

    assert [change.address for change in place.plan().changes if change.signs] == []
    algorithm = place.certificate("certificates/web").signature_hash_algorithm
    assert algorithm is not None
    assert algorithm.name == digest


def test_what_is_signed_while_an_issuer_waits_for_its_new_key_has_the_digest_that_was_asked_for(place: Place) -> None:
    place.edit("dns: [www.acme.example]", "dns: [www.acme.example], digest: sha512")
    place.apply()
    place.file("authorities/root/key.pem").unlink()
    place.edit("curve: P-256, passphrase: none}\n    path", "curve: P-384, passphrase: none}\n    path")

    place.apply(replace=("certificate.web",))

    assert [change.address for change in place.plan().changes if change.signs] == []
    algorithm = place.certificate("certificates/web").signature_hash_algorithm
    assert algorithm is not None
    assert algorithm.name == "sha512"


@pytest.mark.parametrize("address", ["certificate.web", "authority.issuing"])
def test_prune_leaves_the_former_directory_of_what_is_declared(place: Place, address: str) -> None:
    if address == "certificate.web":
        former, edit = "certificates/web", ("dns: [www.acme.example]", "dns: [www.acme.example], dir: tls/web")
    else:
        former, edit = "authorities/issuing", ("path_length: 0", "path_length: 0\n    dir: signing")
    key = place.file(f"{former}/key.pem").read_bytes()
    place.edit(*edit)
    options = {"prune": True, "allow": ("authority.issuing",)}

    place.apply(**options)

    plan = place.plan(**options)
    assert not plan.changes
    assert [(file.path, file.address) for file in plan.unmanaged] == [(former, address)]
    assert place.file(f"{former}/key.pem").read_bytes() == key
