"""An apply that finds another at work: it says so, waits, and looks what is left to do."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import AbstractContextManager

import pytest

from pkiplan.apply.lock import site_lock
from pkiplan.manifest import load_site
from tests.cli.conftest import Here
from tests.cli.test_boundary import pkiplan_in


def locked(site: Here) -> AbstractContextManager[tuple[str, ...]]:
    loaded = load_site(["site.yaml"], variables=(), working_directory=str(site.directory))
    assert loaded.site is not None
    return site_lock(loaded.site)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["in a pipe", "--json"])
def test_apply_that_waits_for_another_says_for_whom_once(site: Here, options: tuple[str, ...]) -> None:
    command = ("apply", "--yes", "--no-verify", "--lock-timeout", "60s", *options)
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if options else {"stdout": subprocess.DEVNULL}
    with locked(site):
        process = pkiplan_in(site.directory, *command, **both)
        stream = process.stdout or process.stderr
        assert stream is not None
        while b"waiting" not in (line := stream.readline()):
            assert line, "apply ended and said nothing"
        time.sleep(0.2)
    with process:
        rest = stream.read()

    assert f"waiting, at most 60 s: another apply (pid {os.getpid()} on " in line.decode()
    assert (process.returncode, b"waiting" in rest) == (0, False)
    assert not options or json.loads(line)["type"] == "note"


def test_apply_that_is_quiet_waits_and_says_nothing(site: Here) -> None:
    with locked(site):
        run = site.run("--quiet", "apply", "--yes", "--lock-timeout", "1s")

    assert (run.status, run.out, "waiting" in run.err, "another apply" in run.err) == (1, "", False, True)


def apply_waiting(site: Here, *options: str) -> subprocess.Popen[bytes]:
    """Start an apply, and see that it waits."""
    command = ("apply", "site.yaml", "--yes", "--no-verify", "--lock-timeout", "60s", *options)
    process = pkiplan_in(site.directory, *command, stdout=subprocess.PIPE)
    assert process.stderr is not None
    while b"waiting" not in (line := process.stderr.readline()):
        assert line, "apply ended and said nothing"
    return process


def test_of_applies_that_wait_for_one_another_one_does_the_work_and_the_others_find_it_done(site: Here) -> None:
    with locked(site):
        running = [apply_waiting(site) for _ in range(3)]
    told = [b"".join(process.communicate(timeout=60)).decode() for process in running]

    assert [process.returncode for process in running] == [0] * 3, told
    assert sorted("Apply complete: 2 created." in text for text in told) == [False, False, True]
    assert sum("was done meanwhile by somebody else" in text for text in told) == 2


def test_apply_that_was_overtaken_and_is_not_done_says_so_in_one_error(applied: Here) -> None:
    with locked(applied):
        running = [apply_waiting(applied, "--replace", "certificate.web") for _ in range(2)]
    told = [b"".join(process.communicate(timeout=60)).decode() for process in running]

    assert sorted(process.returncode for process in running) == [0, 1], told
    (refused,) = (text for text in told if "error" in text)
    assert refused.count("error") == 1
    assert "overtaken by somebody else, nothing was changed: the file pki/certificates/web/" in refused
    assert "run apply again" in refused
