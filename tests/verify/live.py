"""Real servers on loopback, each in a scratch directory and stopped by its own process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pkiplan.diagnostics import Place
from pkiplan.model.site import VerifyRule
from pkiplan.verify import VerifyReport, VerifyScope
from pkiplan.verify.results import CheckResult
from tests.verify.asking import verified
from tests.verify.toy_site import Toy, key_pem, pem

PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Files:
    """What a server is configured with."""

    directory: Path
    chain: Path
    key: Path
    root: Path
    both: Path


def local_site() -> Toy:
    toy = Toy()
    toy.authority("root")
    toy.authority("issuing", "authority.root", path_length=0)
    toy.leaf("web", "authority.issuing", names=["localhost", "127.0.0.1"])
    toy.leaf("other", "authority.issuing", names=["localhost", "127.0.0.1"])
    toy.leaf("ops", "authority.issuing", usages=["client_auth"])
    return toy


def written(toy: Toy, directory: Path, address: str = "certificate.web") -> Files:
    files = Files(*(directory / name for name in ("", "chain.pem", "key.pem", "root.pem", "both.pem")))
    files.chain.write_bytes(pem(*toy.chain(address)[:-1]))
    files.key.write_bytes(key_pem(toy.keys[address]))
    files.key.chmod(0o600)
    files.root.write_bytes(pem(toy.chain(address)[-1]))
    files.both.write_bytes(files.chain.read_bytes() + files.key.read_bytes())
    return files


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(argv: list[str], port: int, directory: Path, **options: object) -> Iterator[None]:
    """Run a server in the foreground until the end of the block; wait until its port answers."""
    log = directory / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=directory, **options)  # type: ignore[call-overload]
        try:
            _wait_for(port, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the server does not listen: {log.read_text(errors='replace')}")


def as_unprivileged(directory: Path) -> dict[str, object]:
    """Give options of Popen for a server that refuses to run as root; the directory becomes its own."""
    if os.getuid() != 0:
        return {}
    shutil.chown(directory, "nobody")
    for path in directory.iterdir():
        shutil.chown(path, "nobody")
    for parent in directory.parents:
        if parent.stat().st_mode & 0o011 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    return {"user": "nobody"}


def rule(port: int, **what: object) -> VerifyRule:
    given = {"server": "certificate.web", "connect": f"127.0.0.1:{port}", "place": Place("site.yaml", 9)}
    return VerifyRule(**(given | what))  # type: ignore[arg-type]


def asked(toy: Toy, *rules: VerifyRule) -> VerifyReport:
    toy.rules = list(rules)
    return verified(toy, VerifyScope())


def live(report: VerifyReport) -> list[CheckResult]:
    return [result for result in report.results if result.check.startswith("connect")]


def live_reasons(report: VerifyReport) -> dict[str, set[str]]:
    """Reason codes by check."""
    found: dict[str, set[str]] = {}
    for result in live(report):
        found.setdefault(result.check, set()).add(result.reason.code)
    return found
