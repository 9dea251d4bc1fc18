"""What an interrupted apply left, as a person meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pkiplan.model.journal import JournalEntries, first_line
from tests.cli.conftest import SITE, Here

RUN = "0123abcd"


@pytest.fixture
def interrupted(applied: Here) -> Path:
    """A site in which an apply was killed while it prepared a new generation."""
    left = applied.directory / f"pki/certificates/web/..20270301T120000Z-{RUN}"
    left.mkdir(mode=0o700)
    (left / "key.pem").write_text("half a key")
    journal = JournalEntries(
        run=RUN,
        pid=4_000_000,
        process_started="5",
        host="elsewhere",
        started="2027-03-01T12:00:00Z",
        directories={"certificate.web": "certificates/web"},
    )
    (applied.directory / "pki/.pkiplan/journal").write_bytes(first_line(journal))
    return left


def test_plan_tells_of_it_and_apply_clears_it_away_though_nothing_else_is_to_do(
    applied: Here, interrupted: Path
) -> None:
    assert "an apply was interrupted (pid 4000000 on elsewhere" in applied.run("plan").out

    run = applied.run("apply", "--yes", "--no-verify")

    told = [line for line in run.err.splitlines() if "an apply was interrupted" in line]
    assert run.status == 0
    assert len(told) == 1
    assert told[0].endswith("discarded what was prepared for certificate.web")
    assert not interrupted.exists()
    assert "interrupted" not in applied.run("plan").out


def test_it_is_a_note_in_the_stream_of_json(applied: Here, interrupted: Path) -> None:
    run = applied.run("apply", "--yes", "--no-verify", "--json")

    assert '"type": "note"' in run.out
    assert "discarded what was prepared for certificate.web" in run.out


def test_what_an_encrypted_key_holds_is_remembered_by_apply(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.write(SITE.replace("passphrase: none", "passphrase: {env: ROOT_PASSPHRASE}, encryption: {rounds: 10000}"))
    monkeypatch.setenv("ROOT_PASSPHRASE", "correct horse")
    assert here.run("apply", "--yes", "--no-verify").status == 0
    monkeypatch.delenv("ROOT_PASSPHRASE")

    run = here.run("plan", "--detailed-exitcode")

    assert (run.status, run.err) == (0, "")
