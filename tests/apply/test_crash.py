"""Killed or failed at any call that changes a file, apply loses no key, tears no pair, and the next one finishes.

A seeded part of the calls is tried here; `PKIPLAN_CRASH=all` tries every one.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.model.observed import Found
from pkiplan.plan.changes import PlanOptions
from pkiplan.x509.keys import spki_sha256
from pkiplan.x509.private_keys import open_private_key
from tests.apply.faults import ERRORS, FaultyOs, Killed, install
from tests.apply.workbench import AUTHORITIES, Workbench

BEFORE = (
    AUTHORITIES
    + """\
certificates:
  web: {issuer: issuing, dns: [www.acme.example], days: 90}
  old: {issuer: issuing, dns: [old.acme.example], days: 90}
  key: {issuer: issuing, dns: [key.acme.example], days: 90, reuse_key: true}
"""
)
# Creates, modifies with a kept key, re-keys an authority, re-encodes a key, and removes.
AFTER = (
    AUTHORITIES
    + """\
certificates:
  web: {issuer: issuing, dns: [www.acme.example, acme.example], days: 90}
  new: {issuer: issuing, dns: [new.acme.example], days: 90}
  key: {issuer: issuing, dns: [key.acme.example], days: 90, reuse_key: true, key: {type: ecdsa, form: sec1}}
"""
)
OPTIONS = PlanOptions(
    replace=("authority.issuing",), rekey=True, allow=("authority.issuing",), prune=True, allow_many=True
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("before")
    Workbench(path).write(BEFORE).applied()
    return path


@pytest.fixture(scope="module")
def calls(template: Path, tmp_path_factory: pytest.TempPathFactory) -> FaultyOs:
    """Every call of an undisturbed run."""
    bench = _copy(template, tmp_path_factory.mktemp("undisturbed") / "site")
    faulty = FaultyOs()
    with pytest.MonkeyPatch.context() as patch:
        install(patch, faulty)
        bench.applied(OPTIONS)
    return faulty


def _copy(template: Path, path: Path) -> Workbench:
    shutil.copytree(template, path, symlinks=True)
    return Workbench(path).write(AFTER)


def _key_contents(bench: Workbench) -> set[bytes]:
    return {path.read_bytes() for path in bench.tree.rglob("key.pem")}


def _disturbed(template: Path, path: Path, faulty: FaultyOs) -> Workbench:
    bench = _copy(template, path)
    keys = _key_contents(bench)
    with pytest.MonkeyPatch.context() as patch:
        install(patch, faulty)
        with contextlib.suppress(Killed, PkiplanError):
            bench.apply(OPTIONS)
    lost = keys - _key_contents(bench)
    assert len(lost) <= 1, "a key is lost"
    for key in lost:
        # `certificate.key` is rewritten in another form: the same key, and no copy in the old form.
        now = (bench.tree / "certificates/key/key.pem").read_bytes()
        assert spki_sha256(open_private_key(key, ()).public_key()) == spki_sha256(
            open_private_key(now, ()).public_key()
        )
    _assert_whole(bench)
    return bench


def _assert_whole(bench: Workbench) -> None:
    """Every certificate that is published is of the key beside it, and chains to what it says."""
    for name in ("web", "key", "old", "new"):
        directory = bench.tree / "certificates" / name
        if (directory / "..data").is_symlink():
            assert bench.key_matches(f"certificates/{name}")
            assert (directory / "chain.pem").read_bytes() in (directory / "fullchain.pem").read_bytes()
    state = bench.observe().state
    for address in ("authority.root", "authority.issuing"):
        seen = state.of(address)
        assert isinstance(seen.key, Found)
        assert isinstance(seen.certificate, Found)
        assert seen.key.value.spki_sha256 == seen.certificate.value.spki_sha256, address


def _assert_finished(bench: Workbench) -> None:
    """The next apply needs no help, and afterwards nothing is left."""
    bench.applied(PlanOptions(prune=True, allow=("authority.issuing",), allow_many=True))
    assert bench.actions() == {}
    assert bench.plan().unmanaged == ()
    assert bench.plan().interrupted == ()
    _assert_whole(bench)
    staged = [name for name in bench.names() if "..new-" in name or "..link-" in name or "..data-" in name]
    assert staged == []
    assert not (bench.tree / ".pkiplan/journal").exists()
    for certificate in ("web", "key", "new"):
        generations = [p for p in (bench.tree / "certificates" / certificate).iterdir() if p.name.startswith("..2")]
        assert len(generations) <= 2
    _assert_no_old_form_of_a_key_lingers(bench)
    index = (bench.tree / "authorities/issuing/index.txt").read_text()
    serials = [line.split("\t")[3] for line in index.splitlines()]
    assert len(serials) == len(set(serials))


def _assert_no_old_form_of_a_key_lingers(bench: Workbench) -> None:
    copies = {path.read_bytes() for path in (bench.tree / "certificates/key").rglob("key.pem")}
    assert len(copies) == 1
    assert b"EC PRIVATE KEY" in copies.pop()


def test_killed_at_any_call_nothing_is_lost_and_the_next_apply_finishes(
    template: Path, calls: FaultyOs, tmp_path: Path
) -> None:
    for number in calls.sample(23):
        bench = _disturbed(template, tmp_path / str(number), FaultyOs(number))
        _assert_finished(bench)
        shutil.rmtree(bench.path)


def test_with_any_call_failing_the_rest_is_done_and_the_next_apply_finishes(
    template: Path, calls: FaultyOs, tmp_path: Path
) -> None:
    for number in calls.sample(29):
        faulty = FaultyOs(number, ERRORS[number % len(ERRORS)])
        bench = _disturbed(template, tmp_path / str(number), faulty)
        _assert_finished(bench)
        shutil.rmtree(bench.path)


def test_nothing_is_switched_before_what_it_switches_to_is_on_the_disk(calls: FaultyOs) -> None:
    """A rename in the order of calls comes after a sync of every file written before it."""
    unsynced: set[str] = set()
    for name, path in calls.trace:
        if name == "write":
            unsynced.add(path)
        elif name == "fsync":
            unsynced.discard(path)
        elif name == "rename":
            staged = {waiting for waiting in unsynced if ".pkiplan" not in waiting}
            assert staged == set(), (path, staged)

    assert [name for name, _ in calls.trace].count("fsync") > 20
