"""A plan with nothing to do is told again from memory, and only while every plan would say the same."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pkiplan
from pkiplan.cache import remembered_plan
from pkiplan.cache.tree_digest import wait_for_next_tick
from pkiplan.cli import remembered
from pkiplan.cli.session import Session
from tests.cli.conftest import SITE, Here, Run

NOTHING = "No changes. All 2 declared resources match the manifest.\n"


@pytest.fixture
def known(applied: Here, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A site of which a plan with nothing to do is remembered."""
    # What was changed in the same tick of the clock as the plan began is not remembered.
    wait_for_next_tick()
    assert applied.run("plan").out == NOTHING
    assert is_told_from_memory(applied, monkeypatch)
    return applied


def is_told_from_memory(here: Here, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> bool:
    with monkeypatch.context() as patch:
        patch.setattr("pkiplan.workflow.make_plan", _never)
        run = here.run("plan", *arguments)
    assert run.out in (NOTHING, "")
    return run.out == NOTHING


def _never(*_: object, **__: object) -> None:
    raise AssertionError("it was planned anew")


def _memory(here: Here) -> Path:
    (path,) = (here.directory.parent / "cache/pkiplan").glob("*.plan")
    return path


def test_it_says_and_saves_the_same(known: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    last = known.directory / ".pkiplan/last-plan.json"
    known.run("plan")
    remembered_document = json.loads(last.read_text())
    monkeypatch.setenv("PKIPLAN_CACHE", "off")
    known.run("plan")
    document = json.loads(last.read_text())

    for one in (remembered_document, document):
        assert abs(datetime.fromisoformat(one.pop("timestamp")) - datetime.now(UTC)) < timedelta(minutes=5)
    assert remembered_document == document
    monkeypatch.delenv("PKIPLAN_CACHE")
    assert known.run("plan").err == ""
    assert known.run("apply", "--yes").status == 0
    assert "\x1b[" in known.run("--color", "always", "plan").out


@pytest.mark.parametrize(
    "arguments",
    [("--json",), ("--prune",), ("--at", "+1d"), ("--target", "certificate.web"), ("--diff",), ("-e", "x=1")],
    ids=lambda arguments: arguments[0],
)
def test_another_question_is_not_answered_from_memory(
    known: Here, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pkiplan.workflow.make_plan", _never)
        assert known.run("plan", *arguments).status == 1
        assert known.run("-v", "plan").status == 1


CERT = "pki/certificates/web"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(mode)


def _relinked(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _other_generation(here: Path) -> None:
    generation = (here / CERT / "..data").readlink()
    shutil.copytree(here / CERT / generation, here / CERT / "..20200101T000000Z-00000000")
    _relinked(here / CERT / "..data", "..20200101T000000Z-00000000")
    (here / CERT / "..data/fullchain.pem").write_text("")


def _moved_out(here: Path) -> None:
    (here / "pki").rename(here.parent / "elsewhere")
    (here / "pki").symlink_to(here.parent / "elsewhere")


CHANGES: dict[str, Callable[[Path], object]] = {
    "the manifest": lambda here: (here / "site.yaml").write_text(SITE.replace("days: 90", "days: 60")),
    "a certificate": lambda here: _flip(here / CERT / "cert.pem"),
    "a key": lambda here: _flip(here / CERT / "key.pem"),
    "a chain": lambda here: _flip(here / CERT / "fullchain.pem"),
    "an openssl.cnf": lambda here: _flip(here / CERT / "openssl.cnf"),
    "a mode": lambda here: (here / CERT / "key.pem").chmod(0o640),
    "a file that is gone": lambda here: (here / CERT / "..data/fullchain.pem").unlink(),
    "a link that is gone": lambda here: (here / CERT / "cert.pem").unlink(),
    "a link to elsewhere": lambda here: _relinked(here / CERT / "cert.pem", "/etc/hostname"),
    "another generation": _other_generation,
    "a file that nobody declared": lambda here: (here / "pki/stray.pem").write_text("?"),
    "a directory that nobody declared": lambda here: (here / "pki/certificates/old").mkdir(),
    "the key of an authority": lambda here: (here / "pki/authorities/root/key.pem").unlink(),
    "an archived authority": lambda here: (here / "pki/archive/authority/root/x").mkdir(parents=True),
    "a journal": lambda here: (here / "pki/.pkiplan/journal").write_text("?"),
    "a tree behind a link": _moved_out,
    "a tree that is gone": lambda here: shutil.rmtree(here / "pki"),
    "a pipe": lambda here: os.mkfifo(here / "pki/certificates/web/pipe"),
}  # fmt: skip


def _without_seconds(run: Run) -> Run:
    """Leave out the time of day, because two plans are not made in one second."""
    return replace(run, out=re.sub(r"T\d\d:\d\d:\d\dZ", "", run.out))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_changes_the_answer_is_that_of_a_plan_without_memory(
    known: Here, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    change(known.directory)

    told = known.run("plan")
    monkeypatch.setenv("PKIPLAN_CACHE", "off")
    assert _without_seconds(told) == _without_seconds(known.run("plan"))


@pytest.mark.parametrize("later", [timedelta(days=61), timedelta(days=200), timedelta(days=-1)], ids=str)
def test_time_changes_the_answer(known: Here, monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    question = remembered_plan.question(None, (), allow_outside=False)
    now = datetime.now(UTC).timestamp()

    assert remembered_plan.recall(question, now) is not None
    assert remembered_plan.recall(question, now + later.total_seconds()) is None


def test_another_program_is_another_question(known: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pkiplan.__version__", "0.0.0-other")

    assert not is_told_from_memory(known, monkeypatch)


def _altered(memory: Path, old: bytes, new: bytes) -> None:
    content = memory.read_bytes()
    assert old in content
    memory.write_bytes(content.replace(old, new))


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda memory: memory.write_bytes(b""),
    "cut off": lambda memory: memory.write_bytes(memory.read_bytes()[:-20]),
    "cut off in its seal": lambda memory: memory.write_bytes(memory.read_bytes()[:10]),
    "another answer": lambda memory: _altered(memory, b"No changes", b"No chances"),
    "another interval": lambda memory: _altered(memory, b'"until": 1', b'"until": 9'),
    "no JSON": lambda memory: memory.write_bytes(b"\0" * 4096),
    "writable by others": lambda memory: memory.chmod(0o622),
    "a link": lambda memory: _relinked(memory, str(shutil.copy(memory, memory.parent.parent))),
    "a seal of somebody else": lambda memory: (memory.parents[2] / "state/pkiplan/cache-key").write_bytes(b"k" * 32),
}  # fmt: skip


@pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_memory_that_is_not_this_users_own_is_not_believed(
    known: Here, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]
) -> None:
    damage(_memory(known))

    assert not is_told_from_memory(known, monkeypatch)
    assert known.run("plan").out == NOTHING


def test_what_changed_while_it_was_planned_is_not_remembered(applied: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from pkiplan import workflow

    real = workflow.make_plan

    def planned_and_overtaken(*arguments: object, **named: object) -> object:
        planned = real(*arguments, **named)  # type: ignore[arg-type]
        (applied.directory / "pki/stray").write_text("?")
        return planned

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "make_plan", planned_and_overtaken)
        assert applied.run("plan").out == NOTHING

    assert "stray" in applied.run("-v", "plan").out
    assert applied.run("plan").out != NOTHING


def test_where_the_plan_cannot_be_saved_it_is_made_anew_and_says_so(known: Here) -> None:
    shutil.rmtree(known.directory / ".pkiplan")
    (known.directory / ".pkiplan").write_text("in the way")

    assert "the plan was not saved" in known.run("plan").err


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(SITE.replace("    days: 90\n", "    days: 90\n    owner: root\n"), id="names of users"),
        pytest.param(SITE.replace("days: 3650", "days: 3650\n    key: {path: /etc/hostname}"), id="files elsewhere"),
    ],
)
def test_what_the_tree_does_not_hold_is_no_evidence(here: Here, manifest: str) -> None:
    here.write(manifest)
    here.run("apply", "--yes", "--no-verify", "--allow-outside")
    wait_for_next_tick()
    here.run("plan", "--allow-outside")

    assert list((here.directory.parent / "cache/pkiplan").glob("*.plan")) == []


def test_a_template_of_the_sites_own_changes_the_answer(here: Here) -> None:
    here.write(SITE.replace("site: acme\n", "site: acme\ntemplates: templates\n"))
    templates = here.directory / "templates"
    templates.mkdir()
    ours = Path(pkiplan.__file__).parent / "render/templates/certificate.cnf.j2"
    shutil.copy(ours, templates)
    here.run("apply", "--yes", "--no-verify")
    wait_for_next_tick()
    assert here.run("plan").out == NOTHING

    (templates / ours.name).write_text("# mine\n" + ours.read_text())

    assert "re-encode" in here.run("plan").out


def test_a_pattern_that_matches_another_file_is_another_site(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    head, _, certificates = SITE.partition("certificates:")
    here.write(head.replace("site: acme\n", "site: acme\ninclude: [teams/*.yaml]\n"))
    (here.directory / "teams").mkdir()
    here.write("certificates:" + certificates, "teams/web.yaml")
    here.run("apply", "--yes", "--no-verify")
    wait_for_next_tick()
    here.run("plan")
    assert is_told_from_memory(here, monkeypatch)

    here.write("certificates:" + certificates.replace("web:", "api:").replace("www", "api"), "teams/api.yaml")
    assert "certificate.api" in here.run("plan").out


def test_apply_leaves_it_behind(site: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.run("apply", "--yes", "--no-verify").status == 0

    assert is_told_from_memory(site, monkeypatch)


def test_only_so_many_are_remembered(applied: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_plan, "MOST_PLANS", 1)
    wait_for_next_tick()
    for arguments in (("plan",), ("plan", "site.yaml")):
        applied.run(*arguments)

    assert remembered.tell_again(Session(), remembered_plan.question("site.yaml", (), allow_outside=False))
    assert not remembered.tell_again(Session(), remembered_plan.question(None, (), allow_outside=False))


def test_templates_of_ones_own_are_read_each_time(here: Here) -> None:
    here.write(SITE + "templates: own\n")
    template = here.directory / "own" / "header.cnf.j2"
    template.parent.mkdir()
    template.write_text("# our own words\n")
    assert here.run("apply", "--yes", "--no-verify").status == 0
    wait_for_next_tick()
    assert here.run("plan").out == NOTHING

    template.write_text("# other words\n")
    changed = here.run("plan")
    template.write_text("{{ broken\n")
    broken = here.run("plan")

    assert "Plan: 2 to re-encode." in changed.out
    assert (broken.status, "own/header.cnf.j2, line 1" in broken.err) == (1, True)
