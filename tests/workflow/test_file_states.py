"""Every state in which a file can be found on a real tree: what is planned, and that the apply then leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from pkiplan.plan.changes import Action
from tests.judges import require
from tests.workflow.test_changes import MANIFEST, START, Place

WEB, OPS, ISSUING = "certificate.web", "certificate.ops", "authority.issuing"
OUTPUTS = """\
  web:
    issuer: issuing
    dns: [www.acme.example]
    days: 90
    outputs:
      - {format: pkcs12, path: web.p12, passphrase: {env: P12}}
      - {format: pem-combined, path: haproxy.pem}
      - {format: der, path: web.der}
      - {format: pem-chain, path: bundle.pem}
"""
LEAF, AUTHORITY = "certificates/web", "authorities/issuing"
DERIVED = ("chain.pem", "fullchain.pem", "openssl.cnf", "web.p12", "haproxy.pem", "web.der", "bundle.pem")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree that was applied once, to be copied."""
    directory = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        patch.setenv("P12", "p12 passphrase")
        place = Place(directory)
        web = "  web: {issuer: issuing, dns: [www.acme.example], days: 90}\n"
        assert web in MANIFEST
        place.manifest.write_text(MANIFEST.replace(web, OUTPUTS))
        place.apply()
    return directory


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    here = tmp_path / "here"
    shutil.copytree(made, here, symlinks=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    monkeypatch.setenv("P12", "p12 passphrase")
    found = Place(here)
    assert found.plan().changes == ()
    return found


State = Callable[[Path], None]


def content(change: Callable[[bytes], bytes]) -> State:
    """Write other bytes into the file, through whatever links lead to it."""

    def written(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return written


def other_file(name: str, *, appended: bool = False, first: bool = False) -> State:
    def change(path: Path) -> None:
        own, other = path.read_bytes(), (path.parents[2] / name).read_bytes()
        path.write_bytes(other + own if first else own + other if appended else other)

    return change


def removed(path: Path) -> None:
    path.resolve().unlink()


def a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def a_link_out_of_the_site(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_file_in_place_of_its_link(path: Path) -> None:
    copy, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    path.write_bytes(copy)
    path.chmod(mode)


def in_traditional_form(path: Path) -> None:
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def in_der(path: Path) -> None:
    path.write_bytes(x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER))


EMPTY = content(lambda _: b"")
TRUNCATED = content(lambda old: old[: len(old) // 2])
GARBAGE = content(lambda _: b"\x00\xffnothing of ours\n")
CRLF = content(lambda old: old.replace(b"\n", b"\r\n"))
COMMENTED = content(lambda old: b"Certificate:\n    Data: of web\n" + old)

FOLLOWED = {ISSUING: Action.MODIFY, WEB: Action.REENCODE, OPS: Action.REENCODE}
MENDED = [
    *(
        pytest.param(f"{LEAF}/cert.pem", state, {WEB: Action.MODIFY}, id=f"{what} certificate")
        for what, state in {"an empty": EMPTY, "a truncated": TRUNCATED, "a garbage": GARBAGE, "a DER": in_der}.items()
    ),
    *(
        pytest.param(f"{LEAF}/{name}", state, {WEB: Action.REENCODE}, id=f"{what} {name}")
        for name in DERIVED
        for what, state in {
            "an empty": EMPTY,
            "a truncated": TRUNCATED,
            "a garbage": GARBAGE,
            "a removed": removed,
            "a dangling link for": a_dangling_link,
            "a link out of the site for": a_link_out_of_the_site,
            "a pipe for": a_pipe,
        }.items()
    ),
    *(
        pytest.param(f"{AUTHORITY}/cert.pem", state, FOLLOWED, id=f"{what} certificate of an authority")
        for what, state in {"an empty": EMPTY, "a garbage": GARBAGE, "a removed": removed}.items()
    ),
    pytest.param(f"{AUTHORITY}/openssl.cnf", GARBAGE, {ISSUING: Action.REENCODE}, id="an edited cnf of an authority"),
    pytest.param(f"{LEAF}/cert.pem", other_file("certificates/ops/cert.pem", appended=True), {WEB: Action.REENCODE},
                 id="a second certificate in the file"),
    pytest.param(f"{LEAF}/cert.pem", other_file("certificates/ops/cert.pem", first=True), {WEB: Action.REKEY},
                 id="another certificate first in the file"),
    pytest.param(f"{LEAF}/cert.pem", other_file("certificates/ops/cert.pem"), {WEB: Action.REKEY},
                 id="another leaf's certificate"),
    pytest.param(f"{LEAF}/cert.pem", other_file("authorities/issuing/cert.pem"), {WEB: Action.REKEY},
                 id="its issuer's certificate"),
    pytest.param(f"{LEAF}/key.pem", other_file("certificates/ops/key.pem"), {WEB: Action.REKEY},
                 id="another leaf's key"),
    pytest.param(f"{LEAF}/key.pem", removed, {WEB: Action.REKEY}, id="a removed key"),
    pytest.param(f"{LEAF}/key.pem", in_traditional_form, {WEB: Action.REENCODE}, id="a key in SEC 1 form"),
    pytest.param(f"{LEAF}/chain.pem", other_file("authorities/root/cert.pem", appended=True), {WEB: Action.REENCODE},
                 id="a chain with the root"),
    pytest.param(f"{LEAF}/fullchain.pem", other_file("certificates/web/chain.pem"), {WEB: Action.REENCODE},
                 id="a fullchain without its certificate"),
    pytest.param(f"{LEAF}/..data", lambda path: shutil.rmtree(path.resolve()), {WEB: Action.CREATE},
                 id="a removed generation"),
    pytest.param(LEAF, shutil.rmtree, {WEB: Action.CREATE}, id="a removed directory"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "state", "actions"), MENDED)
def test_what_is_found_is_mended_and_then_nothing_is_left(
    place: Place, name: str, state: State, actions: dict[str, Action]
) -> None:
    state(place.file(name))

    plan = place.apply()

    assert {change.address: change.action for change in plan.changes} == actions
    assert place.plan().changes == ()


@pytest.mark.parametrize(
    ("name", "state"),
    [
        pytest.param(f"{LEAF}/cert.pem", CRLF, id="lines that end as on Windows"),
        pytest.param(f"{LEAF}/cert.pem", COMMENTED, id="text before the certificate"),
        pytest.param(f"{LEAF}/cert.pem", a_file_in_place_of_its_link, id="a file in place of the link"),
        pytest.param(f"{LEAF}/key.pem", a_file_in_place_of_its_link, id="a key in place of the link"),
        pytest.param(f"{LEAF}/cert.pem", lambda path: os.utime(path, (0, 0)), id="another time"),
        pytest.param(f"{AUTHORITY}/index.txt", removed, id="OpenSSL's index removed"),
        pytest.param(f"{AUTHORITY}/index.txt", GARBAGE, id="OpenSSL's index edited"),
        pytest.param(f"{AUTHORITY}/serial", removed, id="OpenSSL's serial removed"),
        pytest.param(f"{AUTHORITY}/newcerts", shutil.rmtree, id="OpenSSL's copies removed"),
        pytest.param(f"{AUTHORITY}/index.txt.old", lambda path: path.write_text("x"), id="OpenSSL's former index"),
        pytest.param(f"{AUTHORITY}/serial.old", lambda path: path.write_text("x"), id="OpenSSL's former serial"),
    ],
)
def test_what_is_no_difference_is_kept(place: Place, name: str, state: State) -> None:
    state(place.file(name))

    plan = place.plan()

    assert (plan.changes, plan.unmanaged) == ((), ())


STAYS = [
    *(
        (f"{where}/key.pem", state)
        for where in (LEAF, AUTHORITY)
        for state in (a_directory, a_dangling_link, a_pipe, EMPTY, TRUNCATED, GARBAGE)
    ),
    *((f"{LEAF}/{name}", a_directory) for name in ("cert.pem", *DERIVED)),
    (f"{LEAF}/..data", a_dangling_link),
]


@pytest.mark.parametrize(("name", "state"), STAYS)
def test_what_cannot_be_used_is_blocked_and_stays_as_it_is(place: Place, name: str, state: State) -> None:
    path = place.file(name)
    state(path)
    address = WEB if LEAF in name else ISSUING

    plan = place.apply()

    assert {change.address: (change.action, change.is_fault) for change in plan.changes} == {
        address: (Action.BLOCKED, True)
    }
    assert os.path.lexists(path)
    (change,) = plan.changes
    assert f"pki/{name.replace('..data', 'key.pem')}" in change.way_out


def links_are_lost(place: Place) -> Path:
    """Do what a copy without links does to a tree; answer where the files still are."""
    directory = place.file(LEAF)
    generation = directory.joinpath("..data").resolve()
    for path in directory.iterdir():
        if path.is_symlink():
            path.unlink()
    return generation


def test_a_key_to_which_no_link_leads_is_not_missing_and_the_way_out_brings_it_back(place: Place) -> None:
    key = links_are_lost(place).joinpath("key.pem").read_bytes()

    (change,) = place.apply().changes
    assert (change.action, change.address) == (Action.BLOCKED, WEB)
    told = re.search(r"`(ln [^`]*)`", change.findings[0].message)
    assert told is not None
    subprocess.run(told[1], shell=True, check=True, cwd=place.file(LEAF))

    assert place.plan().changes == ()
    assert place.file(f"{LEAF}/key.pem").read_bytes() == key


def test_a_key_to_which_no_link_leads_goes_to_the_archive_when_a_new_one_is_asked_for(place: Place) -> None:
    key = links_are_lost(place).joinpath("key.pem").read_bytes()

    plan = place.apply(replace=(WEB,), rekey=True)

    assert [change.action for change in plan.changes] == [Action.REKEY]
    assert [path.read_bytes() for path in place.file("archive").rglob("key.pem")] == [key]
    assert place.plan().changes == ()


# Root reads everything, so that another user has to plan.
NOBODY = 65534
AS_NOBODY = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        (f"{LEAF}/key.pem", 1, "key.pem cannot be read: permission denied"),
        (f"{LEAF}/cert.pem", 1, "the certificate cannot be read: permission denied"),
        (f"{LEAF}/chain.pem", 2, "chain.pem: permission denied"),
        (f"{AUTHORITY}/key.pem", 1, "key.pem cannot be read: permission denied"),
        (f"{AUTHORITY}/index.txt", 0, "No changes"),
    ],
)
def test_an_unreadable_file_is_told_and_never_taken_for_a_missing_one(
    made: Path, name: str, status: int, told: str
) -> None:
    command = [sys.executable, "-m", "pkiplan", "plan", "--at", f"{START:%Y-%m-%dT%H:%M:%SZ}", "--detailed-exitcode"]
    is_root = os.geteuid() == 0
    if is_root:
        command = [require("setpriv"), *AS_NOBODY, *command]
    # Not beneath pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory() as directory:
        site = Path(directory) / "site"
        shutil.copytree(made, site, symlinks=True)
        path = (site / "pki" / name).resolve()
        if is_root:
            for opened in (Path(directory), *Path(directory).rglob("*")):
                os.chown(opened, NOBODY, NOBODY, follow_symlinks=False)
            os.chown(path, 0, 0)
        path.chmod(0o600 if is_root else 0)

        done = subprocess.run(
            command,
            cwd=site,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PKIPLAN_CACHE": "off", "HOME": "/none"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert told in done.stdout, done.stderr
    assert "created" not in done.stdout
    assert "re-keyed" not in done.stdout
    assert done.returncode == status
