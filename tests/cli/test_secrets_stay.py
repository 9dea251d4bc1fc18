"""No key and no passphrase is ever in a plan, a log, a journal, a cache, or an argument of a process.

The commands run as a person runs them. An audit hook takes down the arguments of every process they start, and, at
every rename on the way, what lies beside the tree: the journal of the apply that is running, plans, caches.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

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
        self.keys: dict[str, bytes] = {}
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
                "PYTHONPATH": str(Path(__file__).parents[2]),
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
            self.keys[str(content)] = content

    def looked_at(self) -> Iterator[tuple[str, bytes]]:
        """List everything that may hold no secret: what was seen, and what lies beside the tree now."""
        for place in (self.evidence, self.cache, self.place / ".pkiplan", self.place / "pki" / ".pkiplan"):
            for path in sorted(place.rglob("*")):
                if path.is_file():
                    yield str(path), path.read_bytes()
        yield "plan.json", (self.place / "plan.json").read_bytes()


def needles(content: bytes) -> dict[str, bytes]:
    """Give the ways in which a private key could show."""
    found = {"a line of its PEM": max(content.splitlines()[1:-1], key=len)}
    for passphrase in (None, *(secret.encode() for secret in (*SECRETS.values(), IN_FILE, FROM_COMMAND))):
        try:
            key = load_pem_private_key(content, passphrase)
        except (TypeError, ValueError):
            continue
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        found |= {"its DER": der, "its DER in base64": base64.b64encode(der), "its DER in hex": der.hex().encode()}
        number = None
        if isinstance(key, rsa.RSAPrivateKey):
            number = key.private_numbers().p
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            number = key.private_numbers().private_value
        if number is not None:
            raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
            found |= {"its number": str(number).encode(), "its number in hex": b"%x" % number, "its bytes": raw}
        else:
            raw = der[-32:]
            found |= {"its seed": raw, "its seed in hex": raw.hex().encode()}
        return found
    raise AssertionError("a key that none of the passphrases opens")


def secrets_of(run: Run) -> Mapping[str, bytes]:
    """Give everything that must be nowhere, with what it is."""
    found = {f"the secret {name}": value.encode() for name, value in SECRETS.items()}
    found |= {"the secret in a file": IN_FILE.encode(), "the secret of a command": FROM_COMMAND.encode()}
    for number, content in enumerate(run.keys.values()):
        found |= {f"key {number}: {what}": needle for what, needle in needles(content).items()}
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


@pytest.mark.parametrize("what", ["the secret ROOT_PASSPHRASE", "key 0: its DER in base64", "key 1: a line of its PEM"])
def test_a_secret_that_was_there_would_be_found(run: Run, what: str) -> None:
    planted = run.evidence / "planted"
    planted.write_bytes(b"so it goes: " + secrets_of(run)[what] + b"\n")

    found = leaks(run)
    planted.unlink()

    assert (what, str(planted)) in found
