"""What pkiplan does when something goes wrong that no command foresaw."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pkiplan.workflow
from pkiplan.errors import InterruptedByUserError, PkiplanError
from tests.cli.conftest import SITE, Here

SECRET = "correct horse battery staple"


def fail(error: BaseException) -> object:
    passphrase = SECRET  # noqa: F841 - a local variable that no traceback may show

    def failing(*arguments: object, **options: object) -> None:
        raise error

    return failing


@pytest.mark.parametrize("options", [[], ["--debug"]])
def test_a_fault_of_our_own_is_one_line_and_never_a_secret(
    site: Here, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr(pkiplan.workflow, "make_plan", fail(RuntimeError("oops")))

    run = site.run("plan", *options)

    assert run.status == 1
    assert SECRET not in run.err + run.out
    if options:
        assert "Traceback" in run.err
    else:
        assert len(run.err.splitlines()) == 2
        assert "pkiplan failed: RuntimeError at cli/plan.py:" in run.err
        assert "--debug" in run.err


UNCAUGHT = """\
import os, threading
from pkiplan.cli.boundary import tell_no_texts
tell_no_texts()
def fail():
    raise ValueError(os.environ["SECRET"])
class Gone:
    def __del__(self):
        fail()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Gone()
fail()
"""


def test_what_nobody_catches_is_told_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(UNCAUGHT)
    root = str(Path(__file__).parents[2])

    ran = subprocess.run(
        [sys.executable, "fails.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, "SECRET": "hunter2"},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 1
    assert ran.stderr.count("ValueError (its text is not shown") == 3
    assert "hunter2" not in ran.stderr


def test_interrupts_exit_with_130(site: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkiplan.workflow, "make_plan", fail(KeyboardInterrupt()))

    run = site.run("plan")

    assert run.status == 130
    assert run.err.endswith("interrupted\n")

    monkeypatch.setattr(pkiplan.workflow, "make_plan", fail(InterruptedByUserError.of("stopped by a signal")))

    run = site.run("plan")

    assert run.status == 130
    assert "stopped by a signal" in run.err


def test_expected_errors_are_diagnostics(site: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkiplan.workflow, "make_plan", fail(PkiplanError.of("no room", hint="make some")))

    run = site.run("plan")

    assert (run.status, run.err) == (1, "error: no room\n  = hint: make some\n")


# As a user's shell has it: what is written waits in buffers.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def pkiplan_in(directory: Path, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    environment = {
        **BUFFERED,
        "XDG_CACHE_HOME": str(directory / "cache"),
        "XDG_STATE_HOME": str(directory / "state"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [sys.executable, "-m", "pkiplan", *arguments],
        cwd=directory,
        env=environment,
        **{"stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
    )
    return process


def test_a_reader_that_has_gone_is_no_drama(site: Here) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pkiplan_in(site.directory, "schema", stdout=writer) as process:
        os.close(writer)
        _, told = process.communicate(timeout=60)

    assert told == b""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_result_that_cannot_be_written_is_a_failure(site: Here) -> None:
    with Path("/dev/full").open("wb") as full, pkiplan_in(site.directory, "plan", stdout=full) as process:
        _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert b"cannot write the result: no space left on device" in told
    assert b"Traceback" not in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [("plan", "--json"), ("plan", "nosuch.yaml", "--json"), ("apply", "--json")])
def test_json_that_cannot_be_written_is_told_beside_it(site: Here, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full, pkiplan_in(site.directory, *arguments, stdout=full) as process:
        _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert told.count(b"cannot write the result: no space left on device") == 1
    assert b"Traceback" not in told


def test_a_closed_stream_takes_everything_and_no_file_takes_its_place(site: Here) -> None:
    command = f'"{sys.executable}" -m pkiplan apply --yes --no-verify'
    environment = {**BUFFERED, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.run(
        ["sh", "-c", f"{command} <&- >&- 2>&-"], cwd=site.directory, env=environment, capture_output=True, check=False
    )

    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")
    for key in (site.directory / "pki").rglob("key.pem"):
        assert key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
        assert key.read_bytes().endswith(b"-----END PRIVATE KEY-----\n")
    assert "No changes." in site.run("plan").out


def test_an_apply_whose_listener_has_gone_still_finishes(site: Here) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "pkiplan", "apply", "--yes", "--no-verify"],
        cwd=site.directory,
        env={**BUFFERED, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=writer,
        check=False,
    )
    os.close(writer)

    assert process.returncode == 0
    assert b"Apply complete: 2 created." in process.stdout
    assert (site.directory / "pki" / "certificates" / "web" / "cert.pem").is_file()


def test_output_in_an_encoding_without_our_signs(site: Here) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "pkiplan", "verify", "--help"],
        cwd=site.directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_during_an_apply_finish_what_is_in_flight(site: Here, number: signal.Signals) -> None:
    many = "\n".join(
        f"  n{index}: {{issuer: root, key: {{type: rsa, size: 4096}}, dns: [n{index}.acme.example]}}"
        for index in range(60)
    )
    manifest = site.directory / "site.yaml"
    manifest.write_text(manifest.read_text() + many + "\n")
    with pkiplan_in(site.directory, "apply", "--yes", "--json", "--jobs", "1", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b'"apply_start"' not in (line := process.stdout.readline()):
            assert line, "apply ended before its first change"
        process.send_signal(number)
        out, told = process.communicate(timeout=120)

    end = json.loads(out.splitlines()[-1])
    assert process.returncode == 130
    assert b"stopping" in told
    assert end["is_interrupted"]
    assert end["not_run"] > 0
    assert site.run("plan", "--detailed-exitcode").status == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_any_other_command_with_the_same_status(site: Here, number: signal.Signals) -> None:
    asks = "[ -e slow ] && touch asked && exec sleep 50; echo hunter2"
    site.write(SITE.replace("key: ecdsa-p256", f'key: {{type: ecdsa, passphrase: {{command: [sh, -c, "{asks}"]}}}}'))
    assert site.run("apply", "--yes", "--no-verify").status == 0
    (site.directory / "slow").touch()
    with pkiplan_in(site.directory, "verify", stdout=subprocess.PIPE) as process:
        while not (site.directory / "asked").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(number)
        _, told = process.communicate(timeout=40)

    assert (process.returncode, told.endswith(b"\ninterrupted\n")) == (130, True), told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_a_command_gives_a_passphrase_end_the_apply_at_once(site: Here, number: signal.Signals) -> None:
    site.write(SITE.replace("passphrase: none", 'passphrase: {command: [sh, -c, "touch asked; exec sleep 50"]}'))
    begun = time.monotonic()
    # As at a terminal, where Ctrl-C reaches the command too.
    with pkiplan_in(site.directory, "apply", "--yes", stdout=subprocess.PIPE, start_new_session=True) as process:
        while not (site.directory / "asked").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, told = process.communicate(timeout=40)

    assert time.monotonic() - begun < 40
    assert (process.returncode, told.endswith(b"\ninterrupted\n")) == (130, True), told
    assert not (site.directory / "pki").exists()
