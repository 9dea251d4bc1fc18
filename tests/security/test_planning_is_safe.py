"""`plan` may be run on a manifest that nobody has looked at yet, with secrets in the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.security.site import CHANGES, MANIFEST, PASSPHRASE, Place

CANARY = "canary-of-the-environment"

EVERYTHING_CHANGES = MANIFEST.replace("www.acme.example", "other.acme.example").replace(
    "passphrase: {env: ROOT_PASSPHRASE}", "passphrase: [{command: [touch, PWNED]}, {env: ROOT_PASSPHRASE}]"
)


def test_plan_changes_nothing_runs_nothing_and_talks_to_nobody(place: Place) -> None:
    place.write(EVERYTHING_CHANGES)
    before = place.facts()

    ran = place.traced("plan", calls=f"%process,%network,{CHANGES}", environment={"CANARY": CANARY})

    assert ran.status == 0, ran.err
    assert "to modify" in ran.out
    assert place.facts() == before
    assert not (place.path / "PWNED").exists()
    own = (f"{place.path}/.pkiplan", f"{place.path}/cache")
    assert [call for call in ran.changes() if not any(f'"{directory}' in call for directory in own)
            and ".pkiplan/" not in call and '".pkiplan' not in call] == []  # fmt: skip
    started = [call for call in ran.calls if call.startswith(("execve(", "fork(", "vfork("))]
    assert len(started) == 1, started
    # The C library asks the name service's cache, where there is one, who owns a file.
    network = [call for call in ran.calls if call.startswith(("socket(", "connect(", "bind(", "sendto("))]
    assert [call for call in network if "AF_UNIX" not in call and "nscd" not in call] == []
    assert [call for call in network if call.startswith("connect(") and "/nscd/" not in call] == []
    written = ran.out + ran.err + (place.path / ".pkiplan/last-plan.json").read_text()
    assert CANARY not in written
    assert PASSPHRASE not in written


@pytest.mark.parametrize("command", ["validate", "plan", "status", "show certificate.web"])
def test_commands_that_look_resolve_no_secret(place: Place, command: str) -> None:
    place.write(EVERYTHING_CHANGES)

    ran = place.run(*command.split())

    assert ran.status == 0, ran.err
    assert not (place.path / "PWNED").exists()


HOSTILE = [
    "$ENV::CANARY",
    "${ENV::CANARY}",
    "$(touch PWNED)",
    "`touch PWNED`",
    "; touch PWNED #",
    "a\\nopenssl_conf = evil",
    "x\\",
    "%n%n%n%s",
    "../../../../tmp/PWNED",
    "\\u202egnp.exe",
    "DNS:evil.example,DNS:*",
    "CA:TRUE",
    "!!python/object/apply:os.system [touch PWNED]",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("where", ["subject", "name", "id"])
def test_a_hostile_value_is_that_value_or_refused(empty: Place, value: str, where: str) -> None:
    text = json.dumps(value).replace("\\\\u", "\\u").replace("\\\\n", "\\n")
    subject, name, word = '"web"', "www.acme.example", "web"
    if where == "subject":
        subject = text
    elif where == "name":
        name = text
    else:
        word = text
    empty.write(
        "version: 1\ndirectory: pki\nauthorities: {root: {key: {type: ecdsa, passphrase: none}}}\n"
        f"certificates: {{{word}: {{issuer: root, key: ecdsa-p256, subject: {{common_name: {subject}}},"
        f" dns: [{name}]}}}}\n"
    )
    outside = sorted(empty.path.parent.iterdir())

    ran = empty.run("apply", "site.yaml", "--yes", "--no-verify", environment={"CANARY": CANARY})

    assert ran.status in (0, 1)
    assert "Traceback" not in ran.err
    assert "pkiplan failed" not in ran.err
    if ran.status == 1:
        assert "error" in ran.err
        assert not (empty.tree / "certificates").exists()
    assert not list(Path(empty.path).rglob("*PWNED"))
    assert sorted(empty.path.parent.iterdir()) == outside
    assert CANARY not in ran.out + ran.err
    for path in empty.tree.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
