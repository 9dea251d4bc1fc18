"""`pkiplan verify --cnf`: the files as they lie on disk, and the openssl that a person would run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Here
from tests.judges import require

WEB, ROOT = "pki/certificates/web/openssl.cnf", "pki/authorities/root/openssl.cnf"


def edited(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return edit


@pytest.mark.judge("openssl")
@pytest.mark.parametrize(
    ("file", "edit", "told"),
    [
        pytest.param(
            WEB,
            edited("DNS.1 = www", "DNS.1 = ww"),
            "subject_alt_name: dns:www.acme.example (critical) → dns:ww.acme.example (critical)",
            id="another name",
        ),
        pytest.param(
            WEB,
            edited("keyUsage = critical,", "keyUsage = "),
            "key_usage: digital_signature (critical) → digital_signature",
            id="no longer critical",
        ),
        pytest.param(ROOT, edited("Acme Root", "Acme Rot"), "CN=Acme Root → CN=Acme Rot", id="another subject"),
    ],
)
def test_a_value_changed_on_disk_fails_the_proof(
    file: str, edit: Callable[[Path], None], told: str, applied: Here
) -> None:
    require("openssl")
    edit(applied.directory / file)

    ran = applied.run("verify", "--cnf")

    assert ran.status == 3
    assert told in ran.out
    assert "What to do:\n  * `pkiplan apply` writes an openssl.cnf anew that was edited" in ran.out
    # The next apply writes the file anew.
    assert applied.run("apply", "--yes", "--no-verify").status == 0
    assert applied.run("verify", "--cnf").status == 0


@pytest.mark.judge("openssl")
@pytest.mark.parametrize(
    ("edit", "why"),
    [
        pytest.param(Path.unlink, "there is no such file", id="no cnf"),
        pytest.param(lambda path: path.write_bytes(b"\xff\n"), "is no text in UTF-8", id="bytes that are no text"),
        pytest.param(
            lambda path: path.write_text(path.read_text() + ".include /etc/passwd\n"),
            "openssl is not run with this cnf",
            id="a cnf that reads other files",
        ),
    ],
)
def test_what_cannot_be_proved_is_not_run_with_the_reason(
    edit: Callable[[Path], object], why: str, applied: Here
) -> None:
    require("openssl")
    edit(applied.directory / WEB)

    ran = applied.run("verify", "--cnf", "--json")

    results = {each["subject"]: each for each in json.loads(ran.out)["results"] if each["check"] == "openssl-cnf"}
    assert ran.status == 0
    assert results["certificate.web"]["outcome"] == "not run"
    assert why in results["certificate.web"]["reason"]["text"]
    assert results["authority.root"]["outcome"] == "accepted"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        pytest.param(None, "there is no openssl program here", id="no openssl"),
        pytest.param("echo LibreSSL 4.1.0", "is not OpenSSL: LibreSSL 4.1.0", id="LibreSSL"),
    ],
)
def test_without_openssl_nothing_is_proved_and_the_reason_is_told(
    script: str | None, why: str, applied: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if script:
        (tmp_path / "openssl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    ran = applied.run("verify", "--cnf")

    assert ran.status == 0
    assert "2 checks not run over openssl: not proved: " in ran.out
    assert why in ran.out
