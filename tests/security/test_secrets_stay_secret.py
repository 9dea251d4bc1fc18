"""No private key and no passphrase in arguments, environments, outputs, plans, journals or temporary files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.security.site import PASSPHRASE, SECRETS, Place, key_texts


def _written(place: Place) -> str:
    """Everything that is written beside the tree's own files: plans, the cache, the journal, the lock."""
    texts = []
    for directory in (place.path / ".pkiplan", place.path / "cache", place.tree / ".pkiplan"):
        texts += [path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file()]
    return "\n".join(texts)


def _assert_silent(place: Place, told: str) -> None:
    for secret in SECRETS.values():
        assert secret not in told
    assert "PRIVATE KEY-----" not in told
    for line in key_texts(place):
        assert line not in told


@pytest.mark.parametrize(
    "line",
    [
        "plan",
        "plan --json --diff",
        "apply site.yaml --yes --json",
        "--verbose --debug apply site.yaml --yes --replace certificate.web",
        "verify --json",
        "verify --cnf",
        "verify --trace certificate.web",
        "status --json",
        "show certificate.web",
        "show --json authority.root",
        "validate --json",
    ],
)
def test_no_command_shows_a_secret(place: Place, line: str) -> None:
    ran = place.run(*shlex.split(line))

    assert ran.status == 0, ran.err
    assert len(list(key_texts(place))) >= 5
    _assert_silent(place, ran.out + ran.err + _written(place))


FAILING = [
    pytest.param({"ROOT_PASSPHRASE": "not-this-one-" + PASSPHRASE[::-1]}, "authority.issuing", id="a wrong passphrase"),
    pytest.param({"ROOT_PASSPHRASE": ""}, "authority.issuing", id="an empty passphrase"),
    pytest.param({"P12_PASSPHRASE": PASSPHRASE * 60}, "certificate.web", id="a passphrase that is too long"),
]


@pytest.mark.parametrize(("environment", "replaced"), FAILING)
def test_a_run_that_fails_shows_none_either(place: Place, environment: dict[str, str], replaced: str) -> None:
    place.environment["PKIPLAN_CACHE"] = "off"

    ran = place.run(
        "--debug", "apply", "site.yaml", "--yes", "--no-verify", "--replace", replaced, environment=environment
    )

    assert ran.status == 1
    assert "{env: " in ran.err
    _assert_silent(place, ran.out + ran.err + _written(place))
    for value in environment.values():
        assert not value or value not in ran.out + ran.err


def test_no_program_gets_a_secret_by_argument_or_environment(empty: Place) -> None:
    wanted = "authorities:\n  root:\n"
    manifest = (empty.path / "site.yaml").read_text()
    assert wanted in manifest
    script = empty.path / "tell"
    script.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
    script.chmod(0o700)
    empty.write(manifest.replace("{env: ROOT_PASSPHRASE}", "{command: [./tell]}"))
    del empty.environment["ROOT_PASSPHRASE"], empty.environment["P12_PASSPHRASE"]
    empty.write((empty.path / "site.yaml").read_text().replace("{env: P12_PASSPHRASE}", "{command: [./tell]}"))

    ran = empty.traced("apply", "site.yaml", "--yes", calls="execve", environment={"OPENSSL_CONF": "/nonexistent"})
    verified = empty.traced("verify", "--cnf", calls="execve")

    assert (ran.status, verified.status) == (0, 0), ran.err + verified.err
    executed = [call for call in (*ran.calls, *verified.calls) if call.startswith("execve(")]
    assert any('"openssl"' in call or "/openssl" in call for call in executed)
    for call in executed:
        assert PASSPHRASE not in call
    # Whoever runs openssl runs it alone: nothing of the caller's environment reaches it.
    for call in executed:
        if re.match(r'execve\("[^"]*/openssl"', call):
            assert "OPENSSL_CONF=/dev/null" in call, call
            assert "XDG_CACHE_HOME" not in call, call


def test_no_temporary_file_holds_a_secret(empty: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()

    ran = empty.traced(
        "apply",
        "site.yaml",
        "--yes",
        calls="openat,write",
        environment={"TMPDIR": str(elsewhere), "HOME": str(tmp_path)},
    )

    assert ran.status == 0
    written = [call for call in ran.calls if call.startswith("write(") and "PRIVATE KEY" in call]
    assert len(written) >= 5
    for call in written:
        # Verification hands its keys to OpenSSL in memory.
        assert f"<{empty.tree}" in call or "</memfd:" in call, call
    left = [path for path in elsewhere.rglob("*") if path.is_file()]
    assert left == []


HANDLERS = [
    "pkiplan.apply.key_making.make_key",
    "pkiplan.apply.issuing.issue",
    "pkiplan.apply.executor.issue",
    "pkiplan.apply.certificate.output_write",
    "pkiplan.apply.certificate.cnf_write",
    "pkiplan.apply.staging.Stage.write",
    "pkiplan.apply.executor.prepare",
    "pkiplan.apply.removal.remove",
    "pkiplan.apply.preflight.check",
    "pkiplan.apply.work.Work.signing_key",
    "pkiplan.key_backends.files.FilesBackend.generate",
    "pkiplan.key_backends.files.FilesBackend.signing_key",
    "pkiplan.x509.private_keys.encode_private_key",
    "pkiplan.x509.private_keys.open_private_key",
    "pkiplan.formats.pkcs12.Pkcs12Format.encode",
    "pkiplan.secrets.SecretResolver.resolve",
]

_STARTER = """
import importlib, os, sys
from pkiplan.cli.boundary import run
name = os.environ["HANDLER"]
module, _, attribute = name.rpartition(".")
try:
    holder = importlib.import_module(module)
except ImportError:
    module, _, inner = module.rpartition(".")
    holder = getattr(importlib.import_module(module), inner)
real = getattr(holder, attribute)
def failing(*arguments, **options):
    found = real(*arguments, **options)
    # As bad as can be: the exception's own text holds all that the handler had in hand.
    raise RuntimeError(f"{arguments!r} {options!r} {found!r} " + os.environ["ROOT_PASSPHRASE"])
setattr(holder, attribute, failing)
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("handler", HANDLERS)
def test_an_exception_in_any_handler_shows_no_secret(empty: Place, handler: str) -> None:
    (empty.path.parent / "starter.py").write_text(_STARTER)
    arguments = ["apply", "site.yaml", "--yes", "--no-verify", "--debug", "--prune"]
    if handler.endswith("removal.remove"):
        empty.applied()
        empty.write((empty.path / "site.yaml").read_text().replace("  job:", "  task:"))

    ran = empty.started(str(empty.path.parent / "starter.py"), *arguments, environment={"HANDLER": handler})

    assert ran.status == 1, ran.out + ran.err
    assert "RuntimeError" in ran.out + ran.err
    _assert_silent(empty, ran.out + ran.err + _written(empty))
