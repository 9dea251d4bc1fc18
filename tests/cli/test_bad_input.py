"""Bad input: an error with its place and a way out, exit status 1, and nothing changed on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pkiplan.cache.tree_digest import wait_for_next_tick
from tests.apply.workbench import everything
from tests.cli.conftest import SITE, Here, Run

AUTHORITIES = "version: 1\nauthorities:\n  root: {key: {type: ecdsa, passphrase: none}}\n"


@pytest.mark.parametrize("command", [("validate",), ("plan",), ("apply", "--yes")], ids=" ".join)
@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        pytest.param(AUTHORITIES + "  mid: {isuer: root}\n", "4:9", "did you mean `issuer`?", id="unknown key"),
        pytest.param(AUTHORITIES + "  mid: {issuer: rot}\n", "4:17", "did you mean `root`?", id="unknown issuer"),
        pytest.param(
            "version: 1\nauthorities:\n  a: {issuer: b}\n  b: {issuer: a}\n",
            "3:15",
            "`a` → `b` → `a`",
            id="issuer cycle",
        ),
        pytest.param(
            "version: 1\nauthorities:\n  root: {path_length: 0}\n  mid: {issuer: root}\n",
            "4:17",
            "path length exceeded",
            id="path length exceeded",
        ),
        pytest.param(AUTHORITIES + "  root: {}\n", "4:3", "duplicate key `root`", id="duplicate key"),
        pytest.param(
            AUTHORITIES + "certificates:\n  a: {issuer: root, dns: [a.example], dir: x}\n"
            "  b: {issuer: root, dns: [b.example], dir: x}\n",
            "6:44",
            "write the same files",
            id="two resources write one file",
        ),
        pytest.param(
            AUTHORITIES + "certificates:\n  web: {issuer: root}\n",
            "5:3",
            "no names on a server",
            id="no names on a server",
        ),
        pytest.param(AUTHORITIES + "  mid: {days: many}\n", "4:15", "not the text `many`", id="wrong type"),
        pytest.param("version: 1\nauthorities: {root: [\n", "3:1", "not YAML", id="not YAML"),
        pytest.param("", "1:1", "the file is empty", id="empty file"),
    ],
)
def test_manifest_is_told_with_file_line_and_column(
    here: Here, command: tuple[str, ...], text: str, place: str, told: str
) -> None:
    here.write(text)

    run = here.run(*command)

    assert (run.status, run.out) == (1, "")
    assert f" --> site.yaml:{place}\n" in run.err
    assert told in run.err
    assert _files(here.directory) == {"site.yaml"}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param(("plan",), "`pkiplan init`", id="no manifest"),
        pytest.param(("plan", "other.yaml"), "no such file: `other.yaml`", id="a manifest that is not there"),
        pytest.param(("apply", "plan.json"), "no such file: `plan.json`", id="a plan that is not there"),
        pytest.param(
            ("apply", "plan.json", "--yes"), "no such file: `plan.json`", id="a plan that is not there, --yes"
        ),
        pytest.param(("show", "web.pem"), "no such file: `web.pem`", id="a certificate that is not there"),
        pytest.param(("-C", "nowhere", "plan"), "cannot work in `nowhere`", id="a directory that is not there"),
    ],
)
def test_what_is_not_there_is_told(here: Here, command: tuple[str, ...], told: str) -> None:
    run = here.run(*command)

    assert (run.status, run.out) == (1, "")
    assert told in run.err
    assert _files(here.directory) == set()


def test_damaged_key_is_blocked_and_named_when_only_results_are_wanted(applied: Here) -> None:
    key = applied.directory / "pki" / "certificates" / "web" / "key.pem"
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    before = applied.files()

    run, verified = applied.run("apply", "--yes", "--quiet"), applied.run("verify")

    assert (run.status, run.out) == (1, "")
    assert "error[blocked]: certificate.web is blocked: key.pem is damaged" in run.err
    assert "--replace certificate.web --rekey" in run.err
    assert applied.files() == before
    assert verified.status == 3
    assert "key.pem: the private key does not parse" in verified.out


def test_what_is_blocked_weighs_more_than_what_verification_finds_because_of_it(applied: Here) -> None:
    key = applied.directory / "pki" / "certificates" / "web" / "key.pem"
    key.write_bytes(b"damaged")
    ops = "  ops: {issuer: root, profile: client, subject: {common_name: ops}}\n"
    applied.write(SITE + ops + "verify:\n  - {server: web, client: ops}\n")

    run = applied.run("apply", "--yes")

    assert "Apply complete: 1 created." in run.out
    assert "error[blocked]: certificate.web is blocked" in run.err
    assert "error[verification]" in run.err
    assert run.status == 1


@pytest.mark.parametrize(
    ("declared", "environment", "told"),
    [
        pytest.param("{env: ROOT}", {}, "the variable ROOT is not set", id="not given"),
        pytest.param("{env: ROOT}", {"ROOT": "wrong"}, "the passphrase does not open the key", id="wrong"),
        pytest.param(
            "none",
            {"ROOT": "right"},
            "is encrypted, and the manifest names no passphrase that opens it",
            id="not declared",
        ),
    ],
)
@pytest.mark.parametrize("is_planned", [True, False], ids=["after a plan", "without a plan"])
def test_key_that_needs_a_passphrase(
    here: Here,
    monkeypatch: pytest.MonkeyPatch,
    declared: str,
    environment: dict[str, str],
    told: str,
    is_planned: bool,
) -> None:
    encrypted = SITE.replace("passphrase: none", "passphrase: {env: ROOT}")
    here.write(encrypted)
    monkeypatch.setenv("ROOT", "right")
    assert here.run("apply", "--yes", "--no-verify").status == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(here.directory.parent / "another-cache"))  # as on another machine
    monkeypatch.delenv("ROOT")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    here.write(encrypted.replace("{env: ROOT}", declared).replace("www.", "api."))
    if is_planned:
        here.run("plan")
    before = here.files()

    run = here.run("apply", "--yes")

    assert run.status == 1
    assert told in run.out + run.err
    assert "stale" not in run.err
    assert here.files() == before


def test_plan_of_another_site_or_another_state_is_refused(site: Here) -> None:
    site.run("plan", "--out", "plan.json")
    site.write(SITE.replace("www.", "api."))
    before = site.files()

    run = site.run("apply", "plan.json")

    assert (run.status, run.out) == (1, "")
    assert "the manifest site.yaml has changed since the plan was made" in run.err
    assert site.files() == before


def test_plan_is_stale_when_a_template_has_changed_since(site: Here) -> None:
    site.write(SITE + "templates: own\n")
    (site.directory / "own").mkdir()
    template = site.write("# our own words\n", "own/header.cnf.j2")
    site.run("plan", "--out", "plan.json")
    template.write_text("# other words\n")

    run = site.run("apply", "plan.json")

    assert (run.status, run.out) == (1, "")
    assert "the template own/header.cnf.j2 has changed since the plan was made" in run.err
    assert not (site.directory / "pki").exists()


def test_forged_plan_is_refused_and_the_field_is_named(site: Here) -> None:
    site.run("plan", "--out", "plan.json")
    plan = site.directory / "plan.json"
    document = json.loads(plan.read_text())
    document["resource_changes"][0]["change"]["after"]["subject"] = "CN=Mallory"
    plan.write_text(json.dumps(document))

    run = site.run("apply", "plan.json")

    assert (run.status, run.out) == (1, "")
    assert "authority.root: subject in the plan of" in run.err
    assert not (site.directory / "pki").exists()


def test_manifest_that_may_not_be_read(anybody: Callable[..., Run]) -> None:
    Path("site.yaml").chmod(0)

    runs = [anybody(*command) for command in (("validate",), ("plan",), ("apply", "--yes"), ("apply", "site.yaml"))]

    assert {run.status for run in runs} == {1}
    assert all("cannot read `site.yaml`: permission denied\n  = hint: see that" in run.err for run in runs)
    assert _files(Path()) == {"site.yaml"}


def test_directory_that_may_not_be_looked_into(anybody: Callable[..., Run]) -> None:
    Path("closed").mkdir(mode=0)

    run = anybody("plan", "closed")

    assert run.status == 1
    assert "cannot look for closed/site.yaml: permission denied" in run.err


def test_directory_that_is_not_writable(anybody: Callable[..., Run]) -> None:
    Path().chmod(0o555)
    before = everything(Path())

    planned, applied = anybody("plan"), anybody("apply", "--yes")

    assert planned.status == 0
    assert "warning[plan-not-saved]" in planned.err
    assert applied.status == 1
    assert applied.err.count("error[not-writable]") == 1
    assert "is not writable for this user" in applied.err
    assert everything(Path()) == before


def test_one_directory_that_is_not_writable_stops_everything_before_it_begins(anybody: Callable[..., Run]) -> None:
    anybody("apply", "--yes", "--no-verify")
    with Path("site.yaml").open("a") as manifest:
        manifest.write("  api: {issuer: root, key: ecdsa-p256, days: 90, dns: [api.acme.example]}\n")
    Path("pki/certificates/web").chmod(0o500)
    before = everything(Path())

    applied = anybody("apply", "--yes", "--no-verify", "--replace", "web")

    assert applied.status == 1
    assert "certificate.web: cannot write in" in applied.err
    assert "pki/certificates/web is not writable for this user" in applied.err
    assert {name: facts for name, facts in everything(Path()).items() if ".pkiplan" not in name and name != "pki"} == {
        name: facts for name, facts in before.items() if ".pkiplan" not in name and name != "pki"
    }


@pytest.mark.parametrize(
    ("target", "way_out"),
    [
        pytest.param("inner", "directory: inner", id="in the site"),
        pytest.param("../elsewhere", "directory: {parent}/elsewhere", id="out of the site"),
        pytest.param("../nowhere", "directory: {parent}/nowhere", id="to nothing"),
    ],
)
def test_directory_behind_a_link_is_told_with_a_way_out_that_leads_out(site: Here, target: str, way_out: str) -> None:
    (site.directory / "inner").mkdir()
    (site.directory.parent / "elsewhere").mkdir()
    (site.directory / "pki").symlink_to(target)
    way_out = way_out.format(parent=site.directory.parent)
    is_outside = target != "inner"

    runs = [site.run(*command) for command in (("plan",), ("status",), ("verify",), ("apply", "--yes"))]

    hint = f"hint: name the directory itself: `{way_out}`{', and say `--allow-outside`' if is_outside else ''}\n"
    assert {(run.status, run.out) for run in runs} == {(1, "")}
    assert all("pki is a symbolic link, which is not followed\n --> site.yaml:3:12" in run.err for run in runs)
    assert all(hint in run.err for run in runs), runs[0].err
    site.write(SITE.replace("directory: pki", way_out))
    assert site.run("apply", "--yes", "--no-verify", *["--allow-outside"] * is_outside).status == 0


def test_directory_that_became_a_link_is_told_though_the_plan_is_remembered(applied: Here) -> None:
    wait_for_next_tick()
    assert applied.run("plan").status == 0
    (applied.directory / "pki").rename(applied.directory / "moved")
    (applied.directory / "pki").symlink_to("moved")

    assert "`directory: moved`" in applied.run("plan").err


def test_resource_behind_a_link_is_blocked_with_a_way_out_that_leads_out(applied: Here) -> None:
    web = applied.directory / "pki" / "certificates" / "web"
    web.rename(applied.directory / "moved")
    web.symlink_to("../../moved")

    run = applied.run("plan")

    assert run.status == 1
    assert "key.pem cannot be read: `web` on the way is a symbolic link" in run.out
    assert "put a directory there: nothing is read or written through a link" in run.out
    assert "--replace" not in run.out
    web.unlink()
    (applied.directory / "moved").rename(web)
    assert applied.run("plan", "--detailed-exitcode").status == 0


def _files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}
