"""A site for the promises: run as a user runs it, or under strace, which sees what it really does."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.judges import require

ROOT = Path(__file__).parents[2]

PASSPHRASE = "Tr0ub4dor-and-3-horses"

MANIFEST = """\
version: 1
site: acme
directory: pki
authorities:
  root:
    subject: {common_name: Acme Root}
    key: {type: ecdsa, passphrase: {env: ROOT_PASSPHRASE}, encryption: {rounds: 10000}}
    days: 3652
  issuing:
    issuer: root
    subject: {common_name: Acme Issuing}
    key: {type: ecdsa, passphrase: none}
    days: 1095
certificates:
  web:
    issuer: issuing
    key: ecdsa-p256
    dns: [www.acme.example]
    days: 90
    outputs:
      - {format: pkcs12, path: web.p12, passphrase: {env: P12_PASSPHRASE}}
      - {format: pem-combined, path: web-all.pem}
  job: {issuer: issuing, profile: client, key: ecdsa-p256, subject: {common_name: job}, days: 90}
"""

SECRETS = {"ROOT_PASSPHRASE": PASSPHRASE, "P12_PASSPHRASE": f"{PASSPHRASE}-p12"}

CHANGES = (
    "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,"
    "chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,truncate,ftruncate,utimensat,setxattr,fsetxattr"
)
_CHANGING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str
    calls: tuple[str, ...] = ()

    def changes(self) -> list[str]:
        """List the calls that change a file, or may; what Python remembers of our sources is not ours."""
        return [
            call
            for call in self.calls
            if re.match(rf"({CHANGES.replace(',', '|')})\(", call)
            and (not call.startswith(("open", "creat")) or _CHANGING.search(call))
            and not re.search(r"/dev/(null|tty)|= -1 E|/pkiplan/([a-z_0-9]+/)*__pycache__", call)
        ]


@dataclass
class Place:
    """A directory with a manifest, and the environment of whoever works there."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(self.path / "cache"),
            **SECRETS,
            **self.environment,
        }

    @property
    def tree(self) -> Path:
        return self.path / "pki"

    def write(self, manifest: str = MANIFEST) -> Place:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "site.yaml").write_text(manifest, encoding="utf-8")
        return self

    def run(
        self, *arguments: str, before: Sequence[str] = (), environment: Mapping[str, str] | None = None, cwd: str = ""
    ) -> Ran:
        """Run pkiplan in a process of its own; `before` is a program that starts it."""
        return self._run([*before, sys.executable, "-m", "pkiplan", *arguments], environment, cwd)

    def started(self, script: str, *arguments: str, environment: Mapping[str, str]) -> Ran:
        """Run a script that starts pkiplan in its own way."""
        return self._run([sys.executable, script, *arguments], environment, "")

    def _run(self, line: Sequence[str], environment: Mapping[str, str] | None, cwd: str) -> Ran:
        done = subprocess.run(
            line,
            cwd=cwd or self.path,
            env=self.environment | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def traced(self, *arguments: str, calls: str, environment: Mapping[str, str] | None = None) -> Ran:
        """Run it under strace."""
        log = self.path.parent / f"{self.path.name}.strace"
        strace = [require("strace"), "-f", "-qq", "-y", "-v", "-s", "2000", "-e", f"trace={calls}", "-o", str(log)]
        ran = self.run(*arguments, before=strace, environment=environment)
        lines = tuple(re.sub(r"^\d+ +", "", line) for line in log.read_text(errors="replace").splitlines())
        return Ran(ran.status, ran.out, ran.err, lines)

    def applied(self) -> Place:
        ran = self.run("apply", "site.yaml", "--yes", "--no-verify")
        assert ran.status == 0, ran.err
        return self

    def facts(self) -> dict[str, tuple[object, ...]]:
        """Everything in the site's tree: content, mode, owner, and the time of the last change."""
        return {str(path.relative_to(self.path)): _facts(path) for path in sorted(self.tree.rglob("*"))}

    def keys(self) -> dict[str, str]:
        """Find the key files that are in use, by their digests."""
        return {
            str(path.relative_to(self.path)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.tree.glob("*/*/key.pem")
        }


def _facts(path: Path) -> tuple[object, ...]:
    facts = path.lstat()
    content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
    return (content, facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, facts.st_ctime_ns)


def key_texts(place: Place) -> Iterator[str]:
    """Give lines out of the middle of every private key that lies in the tree, plain or not."""
    for path in place.tree.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for block in re.findall(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n-----END", content, re.DOTALL):
            yield block.split(b"\n")[0].decode()[8:56]
