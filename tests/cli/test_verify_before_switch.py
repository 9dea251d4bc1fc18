"""`verify_before_switch: true`: new certificates prove themselves before they replace the old ones."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import SITE, Here

OPS = "  ops: {issuer: root, profile: client, key: ecdsa-p256}\n"
KEPT = "verify: [{server: web, client: ops, expect: accepted}]\n"
BROKEN = "verify: [{server: web, client: ops, expect: refused}]\n"
CAREFUL = "verify_before_switch: true\n"


@pytest.fixture
def careful(here: Here) -> Here:
    here.write(SITE + OPS + KEPT + CAREFUL)
    assert here.run("apply", "--yes").status == 0
    return here


def files(here: Here) -> dict[str, bytes]:
    """Everything but the CA database, which knows of every certificate that was ever signed."""
    return {
        name: content
        for name, content in here.files().items()
        if "newcerts" not in name and "/index.txt" not in name and name != "site.yaml"
    }


def test_what_verifies_takes_its_place(careful: Here) -> None:
    careful.write(SITE.replace("days: 90", "days: 80") + OPS + KEPT + CAREFUL)

    run = careful.run("apply", "--yes")

    assert (run.status, "1 modified" in run.out) == (0, True)
    assert careful.run("plan", "--detailed-exitcode").status == 0


def test_what_does_not_verify_replaces_nothing_and_exits_with_3(careful: Here) -> None:
    before = files(careful)
    careful.write(SITE.replace("days: 90", "days: 80") + OPS + BROKEN + CAREFUL)

    run = careful.run("apply", "--yes")

    assert run.status == 3
    assert "what was to be applied does not verify, so nothing was replaced" in run.err
    assert "what is new does not verify, so nothing is replaced" in run.out
    assert "! certificate.web: rule www.acme.example" in run.out
    assert "the old certificates are still in their places" in run.err
    assert files(careful) == before
    assert careful.run("plan", "--detailed-exitcode").status == 2


def test_without_it_the_same_change_is_applied_and_then_found(careful: Here) -> None:
    before = files(careful)
    careful.write(SITE.replace("days: 90", "days: 80") + OPS + BROKEN)

    run = careful.run("apply", "--yes")

    assert run.status == 3
    assert "the changes are in place, but verification found something unexpected" in run.err
    assert files(careful) != before


def test_an_authority_is_not_switched_either(careful: Here) -> None:
    before = files(careful)
    careful.write(SITE.replace("Acme Root", "Other Root") + OPS + BROKEN + CAREFUL)

    run = careful.run("apply", "--yes", "--allow-many", "--json")

    assert run.status == 3
    verification = json.loads(run.out.splitlines()[-1])
    assert (verification["type"], verification["summary"]["unexpected"] > 0) == ("verification", True)
    assert files(careful) == before


def test_a_first_apply_that_does_not_verify_leaves_no_key_behind(here: Here) -> None:
    here.write(SITE + OPS + BROKEN + CAREFUL)

    assert here.run("apply", "--yes").status == 3
    assert [name for name in here.files() if "key.pem" in name or "/cert.pem" in name] == []

    here.write(SITE + OPS + KEPT + CAREFUL)
    assert here.run("apply", "--yes").status == 0


def test_new_keys_are_opened_with_their_passphrase(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB", "a long passphrase")
    key = "key: {type: ecdsa, curve: P-256, passphrase: {env: WEB}}"
    here.write(SITE.replace("key: ecdsa-p256", key) + CAREFUL)

    run = here.run("apply", "--yes", "-v")

    assert run.status == 0
    assert "key-not-opened" not in run.out


def test_what_was_broken_before_does_not_hold_back_what_is_sound(careful: Here) -> None:
    """The rule about `web` fails with and without the new root, which is beneath neither."""
    careful.write(SITE.replace("days: 3650", "days: 3660") + OPS + BROKEN + CAREFUL)
    before = files(careful)["pki/authorities/root/cert.pem"]

    run = careful.run("apply", "--yes")

    assert run.status == 3
    assert "the changes are in place" in run.err
    assert files(careful)["pki/authorities/root/cert.pem"] != before


def test_it_is_no_reason_to_change_anything(careful: Here) -> None:
    careful.write(SITE + OPS + KEPT)

    assert careful.run("plan", "--detailed-exitcode").status == 0
