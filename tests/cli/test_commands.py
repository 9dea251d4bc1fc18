"""Transcripts: command, exit status, what went to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pkiplan import __version__
from tests.cli.conftest import SITE, Here
from tests.judges import require

WITH_ANOTHER_NAME = SITE.replace("[www.acme.example]", "[www.acme.example, acme.example]")
WITH_ANOTHER_ROOT_KEY = SITE.replace("P-256, passphrase", "P-384, passphrase")


def test_plan_apply_plan(site: Here) -> None:
    planned = site.run("plan")

    assert planned.status == 0
    assert "+ authority.root will be created  (site.yaml:5)" in planned.out
    assert planned.out.endswith("Plan: 2 to create.\n")
    assert "The plan is saved; `pkiplan apply` carries it out." in planned.err
    assert not (site.directory / "pki").exists()

    applied = site.run("apply", "--yes")

    assert applied.status == 0
    assert "Apply complete: 2 created.\n" in applied.out
    assert re.search(r"^Verify: \d+ checks: .* refused as they must be", applied.out, re.MULTILINE)
    assert "+ authority.root created" in applied.err

    again = site.run("plan", "--detailed-exitcode")

    assert again.status == 0
    assert again.out == "No changes. All 2 declared resources match the manifest.\n"
    assert again.err == ""


def test_plan_with_changes_exits_with_2_only_when_asked(site: Here) -> None:
    assert site.run("plan").status == 0
    assert site.run("plan", "--detailed-exitcode").status == 2


def test_plan_as_json_is_the_saved_plan(site: Here) -> None:
    run = site.run("plan", "--json", "--out", "p.json")

    assert json.loads(run.out) == json.loads((site.directory / "p.json").read_text())
    assert json.loads(run.out)["format_version"] == "1.0"
    assert "`pkiplan apply p.json` carries it out" in run.err
    assert not (site.directory / ".pkiplan").exists()


def test_plan_for_another_time_is_not_saved(applied: Here) -> None:
    run = applied.run("plan", "--at", "+80d")

    assert run.status == 0
    assert "~ certificate.web will be renewed" in run.out
    assert run.out.startswith("As it would be on ")
    assert not (applied.directory / ".pkiplan").exists()


def test_plan_with_diff_adds_the_cnf(applied: Here) -> None:
    applied.write(WITH_ANOTHER_NAME)

    run = applied.run("plan", "--diff")

    assert "+++ b/certificates/web/openssl.cnf" in run.out
    assert "+DNS.2 = www.acme.example" in run.out or "+DNS.1 = acme.example" in run.out


def test_unknown_target_is_an_error(site: Here) -> None:
    run = site.run("plan", "--target", "certificate.wbe")

    assert run.status == 1
    assert "did you mean certificate.web?" in run.err


def test_a_named_plan_file_is_consent(site: Here) -> None:
    site.run("plan", "--out", "p.json")

    run = site.run("apply", "p.json", "--no-verify")

    assert run.status == 0
    assert "Apply complete: 2 created." in run.out

    again = site.run("apply", "p.json")

    assert again.status == 1
    assert "Apply" not in again.out


def test_a_stale_last_plan_is_refused_and_nothing_changes(site: Here) -> None:
    site.run("plan")
    site.write(WITH_ANOTHER_NAME)

    run = site.run("apply", "--yes")

    assert run.status == 1
    assert "site.yaml" in run.err
    assert not (site.directory / "pki").exists()


def test_apply_removes_the_last_plan_it_carried_out(site: Here) -> None:
    site.run("plan")
    site.run("apply", "--yes", "--no-verify")

    assert not (site.directory / ".pkiplan" / "last-plan.json").exists()


@pytest.mark.parametrize("arguments", [["apply"], ["apply", "site.yaml"], ["apply", "--json"]])
def test_apply_in_a_pipe_refuses_at_once_without_yes(site: Here, arguments: list[str]) -> None:
    site.run("plan")
    before = site.files()

    run = site.run(*arguments, stdin="yes\n")

    assert run.status == 1
    assert "--yes" in run.err + run.out
    assert "Plan:" not in run.out
    assert site.files() == before


@pytest.mark.parametrize(
    "option", ["--target=certificate.web", "--replace=certificate.web", "--prune", "--extra-vars=a=b"]
)
def test_a_saved_plan_takes_no_options_of_plan(site: Here, option: str) -> None:
    site.run("plan")

    run = site.run("apply", "--yes", option)

    assert run.status == 1
    assert "the last plan .pkiplan/last-plan.json is carried out as it was saved" in run.err
    assert "`pkiplan apply site.yaml …`" in run.err
    assert site.run("apply", "site.yaml", "--yes", "--no-verify", "--target=authority.root").status == 0


def test_rekeying_an_authority_needs_its_name(applied: Here) -> None:
    applied.write(WITH_ANOTHER_ROOT_KEY)
    before = applied.files()

    refused = applied.run("apply", "site.yaml", "--yes")

    assert refused.status == 1
    assert "--allow authority.root" in refused.err
    assert applied.files() == before

    allowed = applied.run("apply", "site.yaml", "--yes", "--allow", "authority.root", "--no-verify")

    assert allowed.status == 0
    assert "Apply complete: 1 modified, 1 re-keyed." in allowed.out
    assert applied.run("plan", "--detailed-exitcode").status == 0


def test_apply_with_nothing_to_do(applied: Here) -> None:
    run = applied.run("apply", "site.yaml", "--yes")

    assert (run.status, run.out, run.err) == (0, "No changes. All 2 declared resources match the manifest.\n", "")


def test_apply_as_json_is_a_stream(site: Here) -> None:
    run = site.run("apply", "site.yaml", "--yes", "--json")

    lines = [json.loads(line) for line in run.out.splitlines()]
    types = [line["type"] for line in lines]
    assert run.status == 0
    assert run.err == ""
    assert types[:4] == ["version", "planned_change", "planned_change", "change_summary"]
    assert types[-2:] == ["change_summary", "verification"]
    assert {line["address"] for line in lines if line["type"] == "apply_complete"} == {
        "authority.root",
        "certificate.web",
    }


def test_apply_as_json_tells_errors_in_the_stream(site: Here) -> None:
    run = site.run("apply", "nowhere.yaml", "--yes", "--json")

    assert run.status == 1
    assert run.err == ""
    first, *others = [json.loads(line) for line in run.out.splitlines()]
    assert first["format_version"] == "1.0"
    assert [other["type"] for other in others] == ["diagnostic"]


def test_quiet_apply_says_only_the_result(site: Here) -> None:
    run = site.run("apply", "site.yaml", "--yes", "--no-verify", "-q")

    assert (run.status, run.out, run.err) == (0, "Apply complete: 2 created.\n", "")


def test_damaged_key_blocks_and_fails(applied: Here) -> None:
    (applied.directory / "pki" / "certificates" / "web" / "key.pem").write_text("garbage")

    run = applied.run("plan")

    assert run.status == 1
    assert "! certificate.web is blocked" in run.out
    assert "way out" in run.out
    assert applied.run("apply", "site.yaml", "--yes").status == 1


def test_validate_tells_every_problem(here: Here) -> None:
    here.write(SITE.replace("issuer: root", "isuer: root").replace("days: 90", "days: many"))

    run = here.run("validate")

    assert run.status == 1
    assert run.out == ""
    assert "did you mean `issuer`?" in run.err
    assert " --> site.yaml:" in run.err
    assert run.err.rstrip().splitlines()[-1].endswith("errors")


def test_validate_as_json(here: Here) -> None:
    here.write(SITE.replace("issuer: root", "isuer: root"))

    run = here.run("validate", "--json")
    document = json.loads(run.out)

    assert run.status == 1
    assert not document["valid"]
    assert document["error_count"] == len(document["diagnostics"])
    assert run.err == ""


def test_valid_manifest(site: Here) -> None:
    assert site.run("validate").out == "Valid: 1 authority, 1 certificate.\n"
    assert json.loads(site.run("validate", "--json").out)["valid"]


@pytest.mark.parametrize("command", ["plan", "status", "verify", "validate", "apply --yes", "show certificate.web"])
def test_no_manifest_is_a_clear_error(here: Here, command: str) -> None:
    run = here.run(*command.split())

    assert run.status == 1
    assert "site.yaml" in run.err
    assert list(here.directory.iterdir()) == []


def test_errors_as_json_where_json_is_asked_for(here: Here) -> None:
    run = here.run("plan", "--json")

    assert run.status == 1
    assert json.loads(run.out)["diagnostics"][0]["code"] == "no-manifest"


def test_validate_takes_several_files_and_directories(site: Here) -> None:
    (site.directory / "teams").mkdir()
    site.write("certificates: {b: {issuer: root, dns: [b.example]}}\n", "teams/b.yaml")
    site.write("certificates: {c: {issuer: root, dns: [c.example]}}\n", "teams/c.yml")
    site.write("certificates: {d: {issuer: rot, dns: [d_.example]}}\n", "wrong.yaml")

    assert site.run("validate", "site.yaml", "teams").out == "Valid: 1 authority, 3 certificates.\n"
    assert site.run("validate", "site.yaml", "teams/b.yaml", "teams").out == "Valid: 1 authority, 3 certificates.\n"
    wrong = site.run("validate", ".", "teams", "wrong.yaml", "missing.yaml")
    assert wrong.status == 1
    assert [line for line in wrong.err.splitlines() if line.startswith("error")] == [
        "error[missing-file]: no such file: `missing.yaml`",
        "error[unknown-issuer]: unknown issuer `rot`",
        "error[dns-name]: an underscore in the DNS name `d_.example`",
    ]
    data = json.loads(site.run("validate", ".", "teams", "wrong.yaml", "missing.yaml", "--json").out)
    assert [one["code"] for one in data["diagnostics"]] == ["missing-file", "unknown-issuer", "dns-name"]
    assert data["diagnostics"][1]["range"]["filename"] == "wrong.yaml"


def test_init_plan_apply(here: Here) -> None:
    made = here.run("init")

    assert made.status == 0
    assert "wrote site.yaml" in made.out
    assert ".pkiplan/" in (here.directory / ".gitignore").read_text()
    assert here.run("validate").status == 0

    again = here.run("init")

    assert again.status == 1
    assert "site.yaml" in again.err


def test_init_knows_its_shapes(here: Here) -> None:
    run = here.run("init", "--shape", "mtsl")

    assert run.status == 1
    assert "mtls" in run.err
    assert list(here.directory.iterdir()) == []


def test_status(applied: Here) -> None:
    run = applied.run("status")

    assert run.status == 0
    assert "certificate.web" in run.out
    assert "Status: 2 valid." in run.out
    assert json.loads(applied.run("status", "--json").out)["resources"][0]["address"] == "certificate.web"


def test_status_for_cron(applied: Here) -> None:
    soon = applied.run("status", "--expiring-within", "100d", "--detailed-exitcode")
    none = applied.run("status", "--expiring-within", "1d", "--detailed-exitcode")
    later = applied.run("status", "--expiring-within", "1d", "--detailed-exitcode", "--at", "+89d")

    assert (soon.status, none.status, later.status) == (2, 0, 2)
    assert "authority.root" not in soon.out


def test_show(applied: Here) -> None:
    run = applied.run("show", "certificate.web")

    assert run.status == 0
    assert "    names        www.acme.example\n" in run.out
    assert "as declared" in run.out
    assert "PRIVATE" not in run.out
    assert json.loads(applied.run("show", "certificate.web", "--json").out)["certificates"][0]["declared"]


def test_show_pem_is_the_certificate(applied: Here) -> None:
    run = applied.run("show", "certificate.web", "--pem")

    assert run.out == (applied.directory / "pki" / "certificates" / "web" / "cert.pem").read_text()


def test_show_pem_of_a_certificate_that_is_not_there_is_an_error(site: Here) -> None:
    shown = site.run("show", "certificate.web", "--pem")

    assert (shown.status, shown.out) == (1, "")
    assert "certificate.web has no certificate that could be printed" in shown.err


def test_show_origins(applied: Here) -> None:
    assert re.search(r"days +90 +site\.yaml:13:11", applied.run("show", "certificate.web", "--origins").out)
    assert json.loads(applied.run("show", "certificate.web", "--origins", "--json").out)["origins"]["certificate.web"]


@pytest.mark.parametrize("also", [(), ("--json",)])
def test_the_origins_of_a_file_are_nowhere(also: tuple[str, ...], applied: Here) -> None:
    run = applied.run("show", "pki/certificates/web/cert.pem", "--origins", *also)

    assert (run.status, run.out.partition("{")[0]) == (1, "")
    assert "pki/certificates/web/cert.pem is a file; no manifest says where its fields come from" in run.err + run.out
    assert "name what the manifest declares: `pkiplan show certificate.web --origins`" in run.err + run.out


def test_show_file_without_any_manifest(applied: Here) -> None:
    (applied.directory / "site.yaml").unlink()

    run = applied.run("show", "pki/certificates/web/fullchain.pem")

    assert run.status == 0
    assert "www.acme.example" in run.out


def test_show_plan_file_prints_what_plan_printed(site: Here) -> None:
    site.write(SITE.replace("days: 90", "days: 9000"))  # which is clamped, and warned about
    planned = site.run("plan", "--out", "p.json")
    shown = site.run("show", "p.json")

    assert shown.out == planned.out
    assert "clamped-to-issuer" in shown.err
    assert planned.err.startswith(shown.err)
    assert json.loads(site.run("show", "p.json", "--json").out) == json.loads((site.directory / "p.json").read_text())
    assert site.run("show", "p.json", "--pem").status == 1


def test_show_something_unknown(applied: Here) -> None:
    run = applied.run("show", "certificate.wbe")

    assert run.status == 1
    assert "certificate.web" in run.err


def test_verify(applied: Here) -> None:
    run = applied.run("verify", "--junit", "verify.xml")

    assert run.status == 0
    assert "✓" in run.out
    assert "<testsuite" in (applied.directory / "verify.xml").read_text()
    assert json.loads(applied.run("verify", "--json").out)["summary"]["unexpected"] == 0


def test_verify_finds_what_is_wrong_and_exits_with_3(applied: Here) -> None:
    run = applied.run("verify", "--at", "+200d")

    assert run.status == 3
    assert "Verify failed:" in run.out


def test_verify_trace(applied: Here) -> None:
    told = applied.run("verify", "--trace", "certificate.web")
    diagram = applied.run("verify", "--trace", "certificate.web", "--mermaid")
    data = applied.run("verify", "--trace", "certificate.web", "--json")

    assert (told.status, diagram.status, data.status) == (0, 0, 0)
    assert "ClientHello" in told.out
    assert diagram.out.startswith("sequenceDiagram")
    assert json.loads(data.out)["format_version"] == "1.0"


def test_verify_leaves_nothing_on_the_disk(applied: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Impostors, their keys and everything that controls need live in memory."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    before = applied.files()

    assert applied.run("verify", "--full", "--with", "openssl,curl").status == 0

    assert applied.files() == before
    assert list(scratch.iterdir()) == []


def test_verify_with_the_programs_of_others(applied: Here) -> None:
    require("openssl")
    run = applied.run("verify", "--with", "openssl", "--with", "openssl", "--json")

    report = json.loads(run.out)
    assert run.status == 0
    assert [stack["name"] for stack in report["stacks"]] == ["pyopenssl", "ssl", "openssl"]
    assert {r["outcome"] for r in report["results"] if r["stack"] == "openssl"} == {"accepted", "refused"}


def test_verify_traces_the_handshake_that_is_asked_for(applied: Here) -> None:
    runs = [
        applied.run("verify", "--trace", "web", "--json", *more)
        for more in (("--tls", "1.2"), ("--host", "elsewhere.example"), ("--client", "none"))
    ]

    old, elsewhere, alone = (json.loads(run.out) for run in runs)
    assert [run.status for run in runs] == [0, 3, 3]
    assert (alone["reason"]["code"], alone["reason"]["by"]) == ("no-client-certificate", "server")
    assert "ServerKeyExchange" in [message["name"] for message in old["messages"]]
    assert (old["version"], old["accepted"]) == ("1.2", True)
    assert elsewhere["reason"] == {"code": "wrong-name", "text": "hostname mismatch", "by": "client"}


def test_a_trace_ends_where_the_server_breaks_off(applied: Here) -> None:
    """An ECDSA certificate cannot open a premaster secret that was encrypted to it."""
    asked = ("verify", "--trace", "web", "--tls", "1.2", "--key-exchange", "rsa")
    run, told = applied.run(*asked), json.loads(applied.run(*asked, "--json").out)

    assert run.status == 3
    why = (
        "RSA key exchange takes an RSA key, and that of certificate.web is ecdsa P-256: leave `--key-exchange rsa` out"
    )
    assert why in " ".join(run.out.split())
    assert why in told["advice"]
    assert [message["name"] for message in told["messages"]] == ["ClientHello", "Alert"]
    assert [step["state"] for step in told["steps"]] == ["done", "failed", *["not reached"] * 7]
    assert told["steps"][1]["text"] == "The server breaks off: no shared cipher."


def test_verify_cnf(applied: Here) -> None:
    run = applied.run("verify", "--cnf")

    assert run.status == 0
    assert "Verify:" in run.out


def test_schema_is_the_published_one(here: Here) -> None:
    published = json.loads((Path(__file__).parents[2] / "schemas" / "site.schema.json").read_text())

    assert json.loads(here.run("schema").out) == published


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(here: Here, option: str) -> None:
    assert here.run(option).out == f"pkiplan {__version__}\n"
    assert here.run("-q", option).out == f"pkiplan {__version__}\n"


def test_python_m_pkiplan(here: Here) -> None:
    run = subprocess.run([sys.executable, "-m", "pkiplan", "--version"], capture_output=True, text=True, check=True)

    assert run.stdout == f"pkiplan {__version__}\n"


def test_colour_only_where_it_is_wanted(site: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in site.run("plan").out
    assert "\x1b[" in site.run("plan", "--color", "always").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in site.run("plan").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in site.run("plan").out


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("site.yaml", "holds something else than a plan"),
        ("pki/authorities/root/key.pem", "holds something else than a plan"),
        ("link", "holds something else than a plan"),
        ("pki", "is a directory"),
        ("pipe", "is not a regular file"),
    ],
)
def test_a_plan_takes_the_place_of_nothing_but_a_plan(applied: Here, place: str, why: str) -> None:
    path = applied.directory / place
    if place == "pipe":
        os.mkfifo(path)
    if place == "link":
        path.symlink_to("pki/certificates/web/key.pem")
    before = path.lstat().st_ino, path.lstat().st_mtime_ns

    run = applied.run("plan", "--replace", "certificate.web", "--out", place)

    assert run.status == 1
    assert f"error[plan-not-saved]: the plan was not saved: {place}: {why}" in run.err
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == before


def test_a_plan_takes_the_place_of_an_earlier_one_and_of_an_empty_file(site: Here) -> None:
    (site.directory / "p.json").touch()

    runs = [site.run("plan", "--out", "p.json"), site.run("plan", "--prune", "--out", "p.json")]

    assert [run.status for run in runs] == [0, 0]
    assert json.loads((site.directory / "p.json").read_text())["options"]["prune"] is True


def test_a_report_takes_the_place_of_nothing_but_a_report(applied: Here) -> None:
    key = applied.directory / "pki/authorities/root/key.pem"
    before = key.read_bytes()

    runs = [applied.run("verify", "--junit", place) for place in (str(key), "verify.xml", "verify.xml")]

    assert [run.status for run in runs] == [1, 0, 0]
    assert "it holds something else than a report" in runs[0].err
    assert key.read_bytes() == before


def test_where_no_report_can_be_written_nothing_is_verified(applied: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pkiplan.workflow.verify", lambda *_, **__: pytest.fail("verified for nothing"))
    (applied.directory / "a").mkdir()

    runs = [applied.run("verify", "--junit", place) for place in ("a", "b/verify.xml", "site.yaml")]

    assert [run.status for run in runs] == [1, 1, 1]
    assert "cannot write a: is a directory" in runs[0].err
    assert "cannot write b/verify.xml: no such file or directory" in runs[1].err
    assert "or `-` for stdout" in runs[1].err
    assert "it holds something else than a report" in runs[2].err


def test_a_report_goes_to_stdout_alone(applied: Here) -> None:
    run = applied.run("verify", "--junit", "-")

    assert run.status == 0
    assert run.out.startswith("<?xml")
    assert run.out.endswith("</testsuites>\n")
    assert not (applied.directory / "-").exists()
    assert applied.run("verify", "--junit", "-", "--json").status == 1


def test_directory_that_cannot_be_written_gets_a_warning(site: Here) -> None:
    (site.directory / ".pkiplan").write_text("in the way")

    run = site.run("plan")

    assert run.status == 0
    assert "warning[plan-not-saved]" in run.err
    assert "carries it out" not in run.err
    assert site.run("plan", "--out", "no/such/place.json").status == 1
