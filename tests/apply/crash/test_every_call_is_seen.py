"""The harness sees every change that the kernel sees: strace is the judge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.apply.crash.experiment import APPLY, BEFORE, kind_of_call
from tests.apply.crash.launcher import ROOT, Launcher, working_place
from tests.judges import require

CALLS = (
    "open,openat,creat,write,pwrite64,writev,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "unlink,unlinkat,rmdir,fsync,fdatasync,sync_file_range,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,truncate,"
    "ftruncate,fallocate,utimensat,copy_file_range,sendfile,setxattr,fsetxattr"
)
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += +(-?\d+|\?)")
_DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>")


def _seen_by_strace(lines: list[str], beneath: str) -> Counter[str]:
    """Count the calls that change something beneath a directory, under the names that the harness gives them."""
    found: Counter[str] = Counter()
    for line in lines:
        parsed = _LINE.match(line)
        if parsed is None:
            continue
        name, arguments = parsed.group(1), parsed.group(2)
        if name in ("open", "openat") and not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", arguments):
            continue
        path = _path_made(name, arguments)
        if path.startswith(beneath):
            word = re.sub(r"at2?$", "", name) if name not in ("creat", "ftruncate") else name
            if name == "unlinkat" and "AT_REMOVEDIR" in arguments:
                word = "rmdir"
            found[kind_of_call(word, path)] += 1
    return found


def _path_made(name: str, arguments: str) -> str:
    directories, quoted = _DESCRIPTOR.findall(arguments), re.findall(r'"([^"]*)"', arguments)
    if name in ("write", "pwrite64", "writev", "fsync", "fdatasync", "fchmod", "fchown", "ftruncate", "fallocate"):
        return directories[0] if directories else ""
    last = quoted[-1] if quoted else ""
    return last if last.startswith("/") or not directories else f"{directories[-1]}/{last}"


def test_nothing_changes_that_the_harness_does_not_count() -> None:
    strace = require("strace")
    with tempfile.TemporaryDirectory(dir=working_place()) as directory:
        straced, counted = Path(directory, "straced"), Path(directory, "counted")
        for site in (straced, counted):
            site.mkdir()
            (site / "site.yaml").write_text(BEFORE)
        subprocess.run(
            [strace, "-f", "-qq", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", f"{directory}/log",
             sys.executable, "-m", "pkiplan", *APPLY],
            cwd=straced,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(straced / "cache"), "LC_ALL": "C.UTF-8"},
            check=True,
            capture_output=True,
        )  # fmt: skip
        launcher = Launcher()
        now = datetime.now(UTC).isoformat()
        ended = launcher.run(
            counted, *APPLY, now=now, environment={"XDG_CACHE_HOME": str(counted / "cache")}, is_traced=True
        )
        launcher.close()
        log = Path(directory, "log").read_text().splitlines()

    assert ended.status == 0
    harness = Counter(kind_of_call(name, path.replace("counted", "straced")) for name, path, _ in ended.trace)
    kernel = _seen_by_strace(log, str(straced))
    assert kernel == harness
    assert sum(kernel.values()) > 200
