"""Start pkiplan many times quickly: a process that has loaded everything forks one for each command line.

What is forked is a process of its own that runs the real command line and can really be killed.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.apply.crash.faulty_calls import FaultyCalls

ROOT = Path(__file__).parents[3]


def working_place() -> str | None:
    """Return a directory in memory, where there is one: syncing takes half of the time, and no power is lost here."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: by itself with a status, or by a signal; what it said, and which calls were counted."""

    status: int | None
    signal: int | None
    out: str
    err: str
    trace: tuple[tuple[str, str, str], ...]


class Launcher:
    """Runs command lines of pkiplan, each in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.apply.crash.launcher"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(Path.home()),  # not everybody's is what the system's list of users says
                "PYTHONPATH": str(ROOT),
                "LANG": "C.UTF-8",
            },
            text=True,
        )

    def run(
        self,
        directory: Path,
        *arguments: str,
        now: str,
        environment: Mapping[str, str] | None = None,
        is_looking: bool = False,
        at: int | None = None,
        error: int | None = None,
        is_traced: bool = False,
    ) -> Ended:
        """Run one command line in a directory, at a pretended time, with a fault if one is asked for."""
        order = {
            "directory": str(directory),
            "arguments": arguments,
            "now": now,
            "environment": dict(environment or {}),
            "is_looking": is_looking,
            "at": at,
            "error": error,
            "is_traced": is_traced,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return Ended(
            status=told["status"],
            signal=told["signal"],
            out=told["out"],
            err=told["err"],
            trace=tuple((name, path, source) for name, path, source in told["trace"]),
        )

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _serve() -> None:
    """Load what an apply loads, by one apply; then fork for every line of standard input."""
    from pkiplan.cli.boundary import run

    with tempfile.TemporaryDirectory() as directory, open(os.devnull, "w") as nowhere:
        Path(directory, "site.yaml").write_text(
            "version: 1\ncertificates: {a: {self_signed: true, dns: [a.example], key: ecdsa-p256, days: 3,"
            " outputs: [{format: pem-combined, path: all.pem}]}}\n"
        )
        os.environ["PKIPLAN_CACHE"] = "off"
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nowhere
        assert run(["-C", directory, "apply", "--yes", "--no-verify", "--jobs", "1"]) == 0
        sys.stdout, sys.stderr = before
        os.chdir("/")
        del os.environ["PKIPLAN_CACHE"]
    # What is there by now lives on in every child, so that none needs to look through it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)


def _forked(order: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as trace:
        child = os.fork()
        if child == 0:
            _run(order, out, err, trace)
        _, ended = os.waitpid(child, 0)
        for stream in (out, err, trace):
            stream.seek(0)
        return {
            "status": os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else None,
            "signal": os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else None,
            "out": out.read().decode(),
            "err": err.read().decode(),
            "trace": json.loads(trace.read() or b"[]"),
        }


def _run(order: dict[str, Any], out: IO[bytes], err: IO[bytes], trace: IO[bytes]) -> None:
    """Be a pkiplan that was just started."""
    from datetime import datetime, tzinfo

    from pkiplan.cli import session
    from pkiplan.cli.boundary import run

    class At(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> At:
            return cls.fromisoformat(order["now"])

    session.datetime = At  # type: ignore[attr-defined]
    status = 99
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(order["directory"])
        os.environ |= order["environment"]
        faulty = FaultyCalls(
            beneath=(order["directory"],), is_looking=order["is_looking"], at=order["at"], error=order["error"]
        )
        if order["is_traced"] or order["at"] is not None:
            faulty.install()
        status = run(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        if order["is_traced"]:
            trace.write(json.dumps(faulty.trace).encode())
            trace.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    _serve()
