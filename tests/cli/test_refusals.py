"""Whatever apply refuses, it leaves no trace: not a file, not a directory, not a changed time."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from pkiplan import secrets
from pkiplan.apply.lock import site_lock
from pkiplan.errors import PkiplanError
from pkiplan.manifest import load_site
from pkiplan.x509.private_keys import open_private_key
from tests.apply.workbench import everything
from tests.cli.conftest import SITE, Here, Run

APPLY = ("apply", "--yes")
ENCRYPTED = SITE.replace("passphrase: none", "passphrase: {env: ROOT_PASSPHRASE}")


def with_root_key(passphrase: str) -> str:
    return SITE.replace("passphrase: none", f"passphrase: {passphrase}")


def with_owner(line: str) -> str:
    return SITE + f"    {line}\n"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        pytest.param(ENCRYPTED, "the variable ROOT_PASSPHRASE is not set", id="a variable that is not set"),
        pytest.param(with_root_key("{file: nowhere}"), "cannot read", id="a file that is not there"),
        pytest.param(with_root_key("{command: ['false']}"), "failed with exit status 1", id="a command that fails"),
        pytest.param(with_root_key("{command: [nowhere]}"), "cannot be run", id="a command that is not there"),
        pytest.param(with_root_key("{command: [sleep, '9']}"), "gave no answer within", id="a command that hangs"),
        pytest.param(with_root_key("{command: ['true']}"), "is empty", id="a secret that is empty"),
        pytest.param(with_root_key("{prompt: Root}"), "there is no terminal to ask at", id="nobody to ask"),
        pytest.param(with_root_key("{fd: 99}"), "cannot read file descriptor 99", id="a descriptor that is closed"),
        pytest.param(with_root_key("{systemd: root}"), "CREDENTIALS_DIRECTORY is not set", id="no credentials"),
        pytest.param(with_owner("owner: no-such-user"), "there is no user `no-such-user`", id="an unknown user"),
        pytest.param(with_owner("group: no-such-group"), "there is no group `no-such-group`", id="an unknown group"),
        pytest.param(SITE.replace("pki", "/nowhere/pki"), "--allow-outside", id="outside of the site"),
        pytest.param(SITE.replace("pki", "../pki"), "--allow-outside", id="above the site"),
        pytest.param(SITE.replace("pki", "site.yaml"), "is not a directory", id="a file in the way"),
        pytest.param(SITE.replace("pki", "site.yaml/pki"), "is not a directory", id="a file on the way"),
        pytest.param(SITE.replace("pki", "link/pki"), "symbolic link", id="a link on the way"),
        pytest.param(SITE + "templates: own\n", "'nothing_of_that_name' is undefined", id="a template that fails"),
    ],
)
def test_first_apply_that_is_refused_makes_no_directory(
    here: Here, monkeypatch: pytest.MonkeyPatch, manifest: str, told: str
) -> None:
    monkeypatch.setattr(secrets.SecretResolver.__init__, "__kwdefaults__", {"warn": None, "answer_seconds": 0.2})
    monkeypatch.delenv("ROOT_PASSPHRASE", raising=False)
    (here.directory / "own").mkdir()
    here.write("{{ nothing_of_that_name.x }}\n", "own/header.cnf.j2")
    (here.directory / "link").symlink_to("own")
    here.write(manifest)
    before = everything(here.directory)

    run = here.run(*APPLY)

    assert (run.status, told in run.out + run.err) == (1, True), run.err
    assert everything(here.directory) == before
    assert not (here.directory.parent / "pki").exists()


def test_what_a_target_leaves_out_refuses_nothing(here: Here) -> None:
    here.write(SITE + "  mail: {issuer: root, days: 90, dns: [mail.acme.example]}\ntemplates: own\n")
    (here.directory / "own").mkdir()
    template = here.write("# our own words\n", "own/header.cnf.j2")
    assert here.run(*APPLY, "--no-verify").status == 0
    template.write_text(
        "# our own words\n{% if address == 'certificate.mail' %}{{ nothing_of_that_name.x }}{% endif %}\n"
    )

    assert "is undefined" in here.run("plan").err
    assert here.run("plan", "--target", "web").out == "No changes. All 2 declared resources match the manifest.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("apply",), "--yes", id="without consent"),
        pytest.param((*APPLY, "--target", "certificate.wbe"), "did you mean", id="a target that is not there"),
        pytest.param((*APPLY, "--jobs", "0"), "--jobs", id="no jobs"),
        pytest.param((*APPLY, "--lock-timeout", "soon"), "--lock-timeout", id="no time"),
        pytest.param((*APPLY, "--rekey"), "--replace", id="nothing to re-key"),
        pytest.param((*APPLY, "nowhere.yaml"), "no such file", id="no manifest"),
    ],
)
def test_command_line_that_is_refused_makes_no_directory(site: Here, arguments: tuple[str, ...], told: str) -> None:
    before = everything(site.directory)

    run = site.run(*arguments)

    assert (run.status, told in run.err) == (1, True), run.err
    assert everything(site.directory) == before


def test_stale_plan_is_refused_before_there_is_a_directory(site: Here) -> None:
    site.run("plan")
    site.write(SITE.replace("days: 90", "days: 60"))
    before = everything(site.directory)

    run = site.run(*APPLY)

    assert (run.status, "has changed since the plan was made" in run.err) == (1, True)
    assert everything(site.directory) == before


def test_wrong_passphrase_is_refused_before_there_is_a_lock(applied: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that came from elsewhere, without what is pkiplan's own in it."""
    shutil.rmtree(applied.directory / "pki" / ".pkiplan")
    protect_key(applied.directory / "pki" / "authorities" / "root" / "key.pem")
    monkeypatch.setenv("ROOT_PASSPHRASE", "wrong")
    applied.write(ENCRYPTED.replace("www.", "api."))
    before = everything(applied.directory)

    run = applied.run(*APPLY)

    assert (run.status, "the passphrase does not open the key" in run.err) == (1, True), run.err
    assert everything(applied.directory) == before


def protect_key(path: Path) -> None:
    key = open_private_key(path.read_bytes(), ())
    encryption = serialization.BestAvailableEncryption(b"right")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))


@pytest.mark.parametrize(
    ("manifest", "arguments", "told"),
    [
        pytest.param(SITE, ("--replace", "authority.root", "--rekey"), "--allow authority.root", id="a guarded change"),
        pytest.param(SITE.replace("days: 90", "days: 9"), ("--lock-timeout", "0s"), "another apply", id="locked"),
        pytest.param(with_owner("owner: no-such-user"), (), "there is no user", id="an unknown user"),
        pytest.param(ENCRYPTED, (), "ROOT_PASSPHRASE is not set", id="a variable that is not set"),
    ],
)
def test_later_apply_that_is_refused_changes_nothing(
    applied: Here, monkeypatch: pytest.MonkeyPatch, manifest: str, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.delenv("ROOT_PASSPHRASE", raising=False)
    applied.write(manifest)

    loaded = load_site(["site.yaml"], variables=(), working_directory=str(applied.directory))
    assert loaded.site is not None
    with site_lock(loaded.site) if told == "another apply" else contextlib.nullcontext():
        before = everything(applied.directory)

        run = applied.run(*APPLY, *arguments)

        after = everything(applied.directory)
    assert (run.status, told in run.err) == (1, True), run.err
    # Who holds the lock is written beside it, and is gone again: that directory's own time has changed.
    assert {**after, "pki/.pkiplan": ()} == {**before, "pki/.pkiplan": ()}


@pytest.mark.parametrize("kind", ["owner", "group"])
def test_owner_that_only_root_can_give_is_refused_before_there_is_a_directory(
    anybody: Callable[..., Run], kind: str
) -> None:
    others = (group.gr_name for group in grp.getgrall() if group.gr_gid not in (os.getegid(), *os.getgroups()))
    name, told = ("root", "only root") if kind == "owner" else (next(others), "this user is not in the group")
    Path("site.yaml").write_text(with_owner(f"{kind}: {name}"))
    before = everything(Path())

    run = anybody(*APPLY)

    assert (run.status, told in run.err) == (1, True), run.err
    assert everything(Path()) == before


@pytest.mark.parametrize("command", ["plan", "status"])
def test_plan_warns_of_an_owner_that_apply_refuses(site: Here, command: str) -> None:
    site.write(
        with_owner("owner: no-such-user") + "    outputs: [{format: der, path: web.der, group: no-such-group}]\n"
    )

    run, applied = site.run(command), site.run("apply", "--yes")

    told = "warning[ownership]: there is no user `no-such-user` on this machine\n --> site.yaml:10:3\n"
    assert (run.status, told in run.err) == (0, True), run.err
    assert "warning[ownership]: there is no group `no-such-group` on this machine" in run.err
    assert run.err.count("[ownership]") == 2
    # The same words, once.
    assert told.replace("warning", "error") in applied.err
    assert "warning[ownership]" not in applied.err


def test_saved_plan_holds_what_its_machine_would_refuse(site: Here) -> None:
    site.write(with_owner("group: no-such-group"))

    run = site.run("plan", "--json", "--out", "plan.json")

    assert run.status == 0
    assert [told["code"] for told in json.loads(run.out)["diagnostics"]] == ["ownership"]
    assert "there is no group `no-such-group` on this machine" in site.run("apply", "plan.json").err


def test_what_another_first_apply_changes_meanwhile_is_judged_under_the_lock(
    site: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks_between_two_states(*_: object, **__: object) -> None:
        control = site.directory / "pki" / ".pkiplan"
        control.mkdir(parents=True)
        (control / "lock").touch()
        raise PkiplanError.of("a key that was plain is encrypted")

    monkeypatch.setattr("pkiplan.apply.executor.check_plan", looks_between_two_states)

    run = site.run(*APPLY, "--no-verify")

    assert run.status == 0, run.err


@pytest.mark.parametrize("command", [("plan",), ("status",), ("apply", "--yes", "--no-verify"), ("verify",)])
@pytest.mark.parametrize(
    ("word", "status", "told"),
    [
        *((yes, 0, "") for yes in ("1", "true", "YES", "on", "t")),
        *((no, 1, "lies outside of the manifest's directory") for no in ("0", "false", "No", "off", "")),
        *((other, 1, f"PKIPLAN_ALLOW_OUTSIDE is `{other}`, which is neither yes nor no") for other in ("maybe", "2")),
    ],
)
def test_variable_that_allows_what_lies_outside_knows_yes_and_no_and_refuses_the_rest(
    site: Here, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], word: str, status: int, told: str
) -> None:
    site.write(SITE.replace("directory: pki", f"directory: {site.directory.parent}/pki"))
    monkeypatch.setenv("PKIPLAN_ALLOW_OUTSIDE", word)

    run = site.run(*command)

    assert (run.status, told in run.err) == (3 if command == ("verify",) and status == 0 else status, True), run.err
