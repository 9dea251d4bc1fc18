"""No private key and no passphrase in arguments, environments, outputs, plans, journals or temporary files.

The commands run as a person runs them. An audit hook takes down the arguments of every process they start, and, at
every rename on the way, what lies beside the tree: the journal of the apply that is running, plans, caches.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.security import site
from tests.security.known_secrets import A_LINE, opened, ways_of
from tests.security.site import PASSPHRASE, ROOT, Place, key_texts

SECRETS = {
    "ROOT_PASSPHRASE": "root-passphrase-Tr0ub4dor",
    "NEW_PASSPHRASE": "new-passphrase-correct-horse",
    "P12_PASSPHRASE": "p12-passphrase-battery-staple",
}
IN_FILE = "file-passphrase-hunter2"
FROM_COMMAND = "command-passphrase-swordfish"

SITE = """\
version: 1
site: acme
authorities:
  root:
    key: {type: ecdsa, passphrase: {env: ROOT_PASSPHRASE}, encryption: {rounds: 10000}}
  issuing:
    issuer: root
    key: {type: rsa, size: 2048, passphrase: {file: passphrase.txt}, encryption: {rounds: 10000}}
certificates:
  web:
    issuer: issuing
    dns: [www.acme.example]
    outputs:
      - {format: pkcs12, path: web.p12, passphrase: {env: P12_PASSPHRASE}}
      - {format: pem-combined, path: haproxy.pem}
  ops:
    issuer: issuing
    profile: client
    key: {type: ed25519, passphrase: {command: [sh, ./passphrase.sh]}, encryption: {rounds: 10000}}
  plain: {issuer: issuing, dns: [plain.acme.example], key: {type: rsa, size: 2048}}
"""

# Copies everything beside the tree whenever something is renamed, and notes how processes are started.
WATCHED = """
import os, sys
evidence, *places = os.environ["EVIDENCE"].split(":")
busy = False
seen = set()

def watch(event, arguments):
    global busy
    if busy:
        return
    busy = True
    try:
        if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn"):
            with open(evidence + "/arguments", "a") as file:
                print(repr(arguments[:2]), file=file)
        elif event == "os.rename":
            for place in places:
                for directory, _, names in os.walk(place):
                    for name in names:
                        path = os.path.join(directory, name)
                        try:
                            content = open(path, "rb").read()
                        except OSError:
                            continue
                        if (path, content) not in seen:
                            seen.add((path, content))
                            copy = f"{evidence}/{os.getpid()}-{len(seen)}-{name}"
                            with open(copy, "wb") as file:
                                file.write(content)
    finally:
        busy = False

sys.addaudithook(watch)
with open(evidence + "/arguments", "a") as file:
    print(repr(sys.orig_argv), file=file)
from pkiplan.__main__ import main
main()
"""


class Run:
    """A site, and everything that was to be seen while commands ran in it."""

    def __init__(self, place: Path) -> None:
        self.place = place / "site"
        self.evidence = place / "evidence"
        self.cache = place / "cache"
        self.place.mkdir()
        self.evidence.mkdir()
        (self.place / "site.yaml").write_text(SITE)
        (self.place / "passphrase.txt").write_text(f"{IN_FILE}\n")
        (self.place / "passphrase.txt").chmod(0o600)
        (self.place / "passphrase.sh").write_text(f"echo {FROM_COMMAND}\n")
        self.keys: dict[bytes, dict[str, bytes]] = {}
        self.count = 0

    def __call__(self, *arguments: str, status: int = 0, **changes: str) -> None:
        beside = (self.place / ".pkiplan", self.place / "pki" / ".pkiplan", self.cache)
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *arguments],
            cwd=self.place,
            env={
                **os.environ,
                **SECRETS,
                "EVIDENCE": ":".join(map(str, (self.evidence, *beside))),
                "XDG_CACHE_HOME": str(self.cache),
                "PYTHONPATH": str(ROOT),
                **changes,
            },
            capture_output=True,
            check=False,
        )
        assert done.returncode == status, done.stderr.decode()
        self.count += 1
        (self.evidence / f"{self.count}-stdout").write_bytes(done.stdout)
        (self.evidence / f"{self.count}-stderr").write_bytes(done.stderr)
        self._remember_keys()

    def edit(self, old: str, new: str) -> None:
        manifest = self.place / "site.yaml"
        assert old in manifest.read_text()
        manifest.write_text(manifest.read_text().replace(old, new))

    def _remember_keys(self) -> None:
        for path in self.place.rglob("key.pem"):
            content = path.read_bytes()
            if content not in self.keys:
                # An encrypted one must not show as it lies there, either.
                as_it_lies = {"a line of its file": content.splitlines()[1]}
                self.keys[content] = as_it_lies | ways_of(opened(content, (*SECRETS.values(), IN_FILE, FROM_COMMAND)))

    def looked_at(self) -> Iterator[tuple[str, bytes]]:
        """List everything that may hold no secret: what was seen, and what lies beside the tree now."""
        for place in (self.evidence, self.cache, self.place / ".pkiplan", self.place / "pki" / ".pkiplan"):
            for path in sorted(place.rglob("*")):
                if path.is_file():
                    yield str(path), path.read_bytes()
        yield "plan.json", (self.place / "plan.json").read_bytes()


def secrets_of(run: Run) -> Mapping[str, bytes]:
    """Give everything that must be nowhere, with what it is."""
    found = {f"the secret {name}": value.encode() for name, value in SECRETS.items()}
    found |= {"the secret in a file": IN_FILE.encode(), "the secret of a command": FROM_COMMAND.encode()}
    for number, ways in enumerate(run.keys.values()):
        found |= {f"key {number}: {what}": way for what, way in ways.items()}
    return found


def leaks(run: Run) -> list[tuple[str, str]]:
    looked_at = list(run.looked_at())
    return [
        (what, where) for what, needle in secrets_of(run).items() for where, content in looked_at if needle in content
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("secrets"))
    run("plan", "--out", "plan.json", "--diff")
    run("--verbose", "apply", "plan.json", "--yes")
    run("status", "--json")
    run("validate", "--json")
    run("show", "certificate.web")
    run("show", "authority.root", "--json")
    run("verify", "--cnf")
    run("--verbose", "verify", "--trace", "certificate.web")
    run("show", "certificate.ops", "--json")
    run.edit("{env: ROOT_PASSPHRASE}", "[{env: NEW_PASSPHRASE}, {env: ROOT_PASSPHRASE}]")
    run.edit("dns: [www.acme.example]", "dns: [www.acme.example, acme.example]")
    run("plan", "--json", "--replace", "plain")
    run("apply", "--json", "--yes", "--no-verify")
    run("--debug", "--verbose", "plan", "site.yaml", PKIPLAN_CACHE="off")
    # And what fails: a passphrase that opens nothing.
    run(
        "apply",
        "site.yaml",
        "--yes",
        "--replace",
        "ops",
        "--replace",
        "issuing",
        status=1,
        PKIPLAN_CACHE="off",
        NEW_PASSPHRASE="x",
        ROOT_PASSPHRASE="x",
    )
    run("verify", "--json")
    return run


def test_no_secret_is_in_a_plan_a_log_a_journal_a_cache_or_an_argument(run: Run) -> None:
    assert leaks(run) == []


def test_what_was_looked_at_is_what_there_was_to_see(run: Run) -> None:
    """Without this, looking at nothing would find nothing."""
    names = [name for name, _ in run.looked_at()]

    assert len(run.keys) >= 7, "five keys, and two that replaced others"
    assert any("journal" in name for name in names)
    assert any("last-plan.json" in name for name in names)
    assert any(".facts" in name for name in names)
    assert b"passphrase.sh" in (run.evidence / "arguments").read_bytes()
    assert b"acme.example" in b"".join(content for name, content in run.looked_at() if "stdout" in name)


@pytest.mark.parametrize("what", ["the secret ROOT_PASSPHRASE", "key 0: its DER in base64", f"key 1: {A_LINE}"])
def test_a_secret_that_was_there_would_be_found(run: Run, what: str) -> None:
    planted = run.evidence / "planted"
    planted.write_bytes(b"so it goes: " + secrets_of(run)[what] + b"\n")

    found = leaks(run)
    planted.unlink()

    assert (what, str(planted)) in found


def _written(place: Place) -> str:
    """Everything that is written beside the tree's own files: plans, the cache, the journal, the lock."""
    texts = []
    for directory in (place.path / ".pkiplan", place.path / "cache", place.tree / ".pkiplan"):
        texts += [path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file()]
    return "\n".join(texts)


def _assert_silent(place: Place, told: str) -> None:
    for secret in site.SECRETS.values():
        assert secret not in told
    assert "PRIVATE KEY-----" not in told
    for line in key_texts(place):
        assert line not in told


FAILING = [
    pytest.param({"ROOT_PASSPHRASE": "not-this-one-" + PASSPHRASE[::-1]}, "authority.issuing", id="a wrong passphrase"),
    pytest.param({"ROOT_PASSPHRASE": ""}, "authority.issuing", id="an empty passphrase"),
    pytest.param({"P12_PASSPHRASE": PASSPHRASE * 60}, "certificate.web", id="a passphrase that is too long"),
]


@pytest.mark.parametrize(("environment", "replaced"), FAILING)
def test_a_run_that_fails_shows_none_either(place: Place, environment: dict[str, str], replaced: str) -> None:
    place.environment["PKIPLAN_CACHE"] = "off"

    ran = place.run(
        "--debug", "apply", "site.yaml", "--yes", "--no-verify", "--replace", replaced, environment=environment
    )

    assert ran.status == 1
    assert "{env: " in ran.err
    _assert_silent(place, ran.out + ran.err + _written(place))
    for value in environment.values():
        assert not value or value not in ran.out + ran.err


def test_no_program_gets_a_secret_by_argument_or_environment(empty: Place) -> None:
    wanted = "authorities:\n  root:\n"
    manifest = (empty.path / "site.yaml").read_text()
    assert wanted in manifest
    script = empty.path / "tell"
    script.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
    script.chmod(0o700)
    empty.write(manifest.replace("{env: ROOT_PASSPHRASE}", "{command: [./tell]}"))
    del empty.environment["ROOT_PASSPHRASE"], empty.environment["P12_PASSPHRASE"]
    empty.write((empty.path / "site.yaml").read_text().replace("{env: P12_PASSPHRASE}", "{command: [./tell]}"))

    ran = empty.traced("apply", "site.yaml", "--yes", calls="execve", environment={"OPENSSL_CONF": "/nonexistent"})
    verified = empty.traced("verify", "--cnf", calls="execve")

    assert (ran.status, verified.status) == (0, 0), ran.err + verified.err
    executed = [call for call in (*ran.calls, *verified.calls) if call.startswith("execve(")]
    assert any('"openssl"' in call or "/openssl" in call for call in executed)
    for call in executed:
        assert PASSPHRASE not in call
    # Whoever runs openssl runs it alone: nothing of the caller's environment reaches it.
    for call in executed:
        if re.match(r'execve\("[^"]*/openssl"', call):
            assert "OPENSSL_CONF=/dev/null" in call, call
            assert "XDG_CACHE_HOME" not in call, call


def test_no_temporary_file_holds_a_secret(empty: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()

    ran = empty.traced(
        "apply",
        "site.yaml",
        "--yes",
        calls="openat,write",
        environment={"TMPDIR": str(elsewhere), "HOME": str(tmp_path)},
    )

    assert ran.status == 0
    written = [call for call in ran.calls if call.startswith("write(") and "PRIVATE KEY" in call]
    assert len(written) >= 5
    for call in written:
        # Verification hands its keys to OpenSSL in memory.
        assert f"<{empty.tree}" in call or "</memfd:" in call, call
    left = [path for path in elsewhere.rglob("*") if path.is_file()]
    assert left == []
