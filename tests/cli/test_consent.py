"""Consent on a real terminal: only exactly `yes` is accepted, and permissions are typed by name."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.cli.conftest import SITE, Here

PATIENCE = 60.0
CTRL_C = "\x03"


def _take_terminal() -> None:
    """Make the terminal the one that Ctrl-C is typed on."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def on_a_terminal(directory: Path, *arguments: str, answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run a command on a terminal, and type each answer when its question is seen."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_CACHE_HOME": str(directory / "cache"),
        "XDG_STATE_HOME": str(directory / "state"),
        "TERM": "xterm",
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pkiplan", *arguments],
        cwd=directory,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - nothing here has threads
    )
    os.close(theirs)
    seen, unread = "", ""
    waiting = list(answers)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                chunk = os.read(ours, 65536).decode(errors="replace")
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            seen += chunk
            unread += chunk
        if waiting and waiting[0][0] in unread:
            unread = ""
            answer = waiting.pop(0)[1]
            os.write(ours, (answer if answer == CTRL_C else f"{answer}\n").encode())
    else:
        process.kill()
    status = process.wait()
    os.close(ours)
    return status, seen.replace("\r\n", "\n")


def test_yes_applies(site: Here) -> None:
    status, seen = on_a_terminal(site.directory, "apply", "--no-verify", answers=[("accepted: ", "yes")])

    assert status == 0
    assert "Plan: 2 to create." in seen
    assert "Apply complete: 2 created." in seen


@pytest.mark.parametrize("answer", ["y", "no", "YES", "", "yes please"])
def test_anything_else_changes_nothing(site: Here, answer: str) -> None:
    status, seen = on_a_terminal(site.directory, "apply", answers=[("accepted: ", answer)])

    assert status == 1
    assert "cancelled; nothing was changed" in seen
    assert not (site.directory / "pki").exists()


def test_a_path_is_told_in_one_piece_beside_the_bar(applied: Here) -> None:
    """So that it can be copied: 100 characters of it do not fit the line."""
    command = ("apply", "--yes", "--no-verify", "--replace", "certificate.web")

    status, seen = on_a_terminal(applied.directory, *command, answers=[])

    assert status == 0
    assert re.search(r"is in archive/certificate/web/\w+-[0-9a-f]{38,40}\n", seen), seen


def test_verify_asks_for_the_passphrase_of_a_key(here: Here) -> None:
    here.write(SITE.replace("ecdsa-p256", "{type: ecdsa, passphrase: {prompt: Passphrase of web}}"))
    answers = [("Passphrase of web", "correct horse")]
    assert on_a_terminal(here.directory, "apply", "--no-verify", "--yes", answers=answers)[0] == 0

    status, seen = on_a_terminal(here.directory, "verify", answers=answers)

    assert status == 0, seen
    assert "correct horse" not in seen

    status, seen = on_a_terminal(here.directory, "verify", answers=[("Passphrase of web", CTRL_C)])

    assert status == 130, seen


@pytest.mark.parametrize(("typed", "expected"), [(CTRL_C, 130), ("\x04", 1)], ids=["ctrl-c", "ctrl-d"])
def test_leaving_at_the_question_changes_nothing(site: Here, typed: str, expected: int) -> None:
    status, _ = on_a_terminal(site.directory, "apply", answers=[("accepted: ", typed)])

    assert status == expected
    assert not (site.directory / "pki").exists()


def test_the_last_plan_still_asks(site: Here) -> None:
    site.run("plan")

    status, _ = on_a_terminal(site.directory, "apply", answers=[("accepted: ", "no")])

    assert status == 1
    assert not (site.directory / "pki").exists()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([("accepted: ", "authority.root"), ("accepted: ", "yes")], 0, id="its address and yes"),
        pytest.param([("accepted: ", "yes")], 1, id="yes is not its address"),
        pytest.param([("accepted: ", "authority.root"), ("accepted: ", "no")], 1, id="its address and no"),
    ],
)
def test_rekeying_an_authority_wants_its_address_typed(
    applied: Here, answers: list[tuple[str, str]], expected: int
) -> None:
    applied.write(SITE.replace("P-256, passphrase", "P-384, passphrase"))
    before = applied.files()["pki/authorities/root/key.pem"]

    status, seen = on_a_terminal(applied.directory, "apply", "--no-verify", answers=answers)

    assert status == expected
    assert "Type its address to allow that." in seen
    assert (applied.files()["pki/authorities/root/key.pem"] != before) is (expected == 0)


def test_passphrases_are_asked_for_and_not_echoed(here: Here) -> None:
    here.write(SITE.replace("passphrase: none", "passphrase: {prompt: Passphrase of the root}"))
    answers = [("accepted: ", "yes"), ("Passphrase of the root", "correct horse")]

    status, seen = on_a_terminal(here.directory, "apply", "--no-verify", answers=answers)

    assert status == 0
    assert "correct horse" not in seen
    assert "ENCRYPTED" in (here.directory / "pki" / "authorities" / "root" / "key.pem").read_text()


@pytest.mark.parametrize(("typed", "expected"), [(CTRL_C, 130), ("\x04", 1)], ids=["ctrl-c", "ctrl-d"])
def test_leaving_at_a_passphrase_changes_nothing_and_waits_for_nothing(here: Here, typed: str, expected: int) -> None:
    here.write(SITE.replace("passphrase: none", "passphrase: {prompt: Passphrase of the root}"))
    answers = [("Passphrase of the root", typed)]

    status, seen = on_a_terminal(here.directory, "apply", "--no-verify", "--yes", answers=answers)

    assert status == expected, seen
    assert "pkiplan failed" not in seen
    assert not (here.directory / "pki").exists()
