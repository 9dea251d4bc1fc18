"""A passphrase is changed by declaring the new one before the old: the key is written anew, nothing is signed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.cli.conftest import SITE, Here
from tests.judges import require

KEY = "pki/authorities/root/key.pem"


def declared(references: str) -> str:
    return SITE.replace("passphrase: none", f"passphrase: {references}, encryption: {{rounds: 10000}}")


@pytest.fixture
def locked(here: Here, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A site whose authority's key lies under the old passphrase."""
    monkeypatch.setenv("OLD", "old secret")
    monkeypatch.setenv("NEW", "new secret")
    here.write(declared("{env: OLD}"))
    assert here.run("apply", "--yes", "--no-verify").status == 0
    return here


def opens(here: Here, passphrase: str) -> bool:
    done = subprocess.run(
        [require("openssl"), "pkey", "-in", here.directory / KEY, "-passin", "stdin", "-noout"],
        input=passphrase.encode(),
        capture_output=True,
    )
    return done.returncode == 0


def certificates(here: Here) -> dict[str, bytes]:
    return {name: data for name, data in here.files().items() if name.endswith(("cert.pem", "index.txt"))}


def test_plan_says_so_and_apply_does_it_once(locked: Here) -> None:
    before = certificates(locked)
    locked.write(declared("[{env: NEW}, {env: OLD}]"))

    planned = locked.run("plan")
    applied = locked.run("apply", "--yes", "--no-verify")

    assert "passphrase {env: OLD} → {env: NEW}" in planned.out
    assert "1 to re-encode" in planned.out
    assert applied.status == 0
    assert opens(locked, "new secret")
    assert not opens(locked, "old secret")
    assert certificates(locked) == before
    again = locked.run("plan", "--detailed-exitcode")
    assert (again.status, again.err.count("passphrase")) == (0, 0)
    # From now on the new one alone is enough.
    locked.write(declared("{env: NEW}"))
    assert locked.run("plan", "--detailed-exitcode").status == 0
    assert locked.run("apply", "site.yaml", "--yes", "--no-verify", "--replace", "certificate.web").status == 0


def test_without_a_memory_apply_tries_them(locked: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PKIPLAN_CACHE", "off")
    locked.write(declared("[{env: NEW}, {env: OLD}]"))

    planned = locked.run("plan", "--out", "plan.json")
    applied = locked.run("apply", "site.yaml", "--yes", "--no-verify")

    assert "which of its passphrases opens the key is not known of authority.root" in planned.err
    assert applied.status == 0
    assert "passphrase {env: OLD} → {env: NEW}" in applied.out
    assert opens(locked, "new secret")
    assert "No changes" in locked.run("apply", "site.yaml", "--yes", "--no-verify").out


def test_a_reference_that_means_another_passphrase_by_now_is_tried_too(
    locked: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLDER", "old secret")
    monkeypatch.setenv("OLD", "quite another")
    locked.write(declared("[{env: OLD}, {env: OLDER}]"))

    applied = locked.run("apply", "site.yaml", "--yes", "--no-verify")

    assert applied.status == 0
    assert "1 re-encoded" in applied.out
    assert opens(locked, "quite another")


def test_when_none_opens_it_all_are_named_and_nothing_is_changed(locked: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "forgotten")
    before = locked.files()
    locked.write(declared("[{env: NEW}, {env: OLD}]"))

    run = locked.run("apply", "site.yaml", "--yes", "--no-verify")

    assert run.status == 1
    assert "none of 2 passphrases opens the key: {env: NEW}, {env: OLD}" in run.err
    assert "secret" not in run.out + run.err
    assert {k: v for k, v in locked.files().items() if k.startswith("pki")} == {
        k: v for k, v in before.items() if k.startswith("pki")
    }


def test_one_that_cannot_be_had_is_named_before_anything_is_written(
    locked: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEW")
    before = Path(locked.directory / KEY).read_bytes()
    locked.write(declared("[{env: NEW}, {env: OLD}]"))

    run = locked.run("apply", "site.yaml", "--yes", "--no-verify")

    assert run.status == 1
    assert "the secret {env: NEW} cannot be used: the variable NEW is not set" in run.err
    assert Path(locked.directory / KEY).read_bytes() == before


def test_an_output_is_written_anew_under_another_passphrase(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "old secret")
    monkeypatch.setenv("NEW", "new secret")

    def shared(references: str) -> str:
        return SITE + f"    outputs: [{{format: pkcs12, path: web.p12, passphrase: {references}}}]\n"

    def is_opened_by(passphrase: str) -> bool:
        store = (here.directory / "pki/certificates/web/web.p12").read_bytes()
        try:
            pkcs12.load_pkcs12(store, passphrase.encode())
        except ValueError:
            return False
        return True

    here.write(shared("{env: OLD}"))
    assert here.run("apply", "--yes", "--no-verify").status == 0
    served = here.directory / "pki/certificates/web/cert.pem"
    before = served.read_bytes()
    here.write(shared("[{env: NEW}, {env: OLD}]"))

    planned = here.run("plan")
    applied = here.run("apply", "--yes", "--no-verify")

    assert "web.p12 passphrase {env: OLD} → {env: NEW}" in planned.out
    assert applied.status == 0
    assert (is_opened_by("new secret"), is_opened_by("old secret")) == (True, False)
    assert served.read_bytes() == before
    # The generation before does not hold the key under the old passphrase any more.
    assert len({path.resolve() for path in here.directory.rglob("web.p12")}) == 1
    assert here.run("plan", "--detailed-exitcode").status == 0
