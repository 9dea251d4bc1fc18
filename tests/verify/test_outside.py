"""Stacks outside of this process, on trial: the same site, the same controls, the same things broken."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from pkiplan.report.verify import verify_text
from pkiplan.verify import Outcome, VerifyReport, VerifyScope
from pkiplan.verify.outside import OUTSIDE, outside_stacks, program
from pkiplan.verify.outside.openssl import OpenSslProgramStack
from pkiplan.verify.outside.runtimes import NodeStack
from pkiplan.verify.outside.worker import Worker
from pkiplan.verify.probes.client import mutual_setup
from pkiplan.verify.probes.server import server_setup
from pkiplan.verify.results import Reason
from pkiplan.verify.session import Session
from pkiplan.verify.stacks.base import HandshakeOutcome, HandshakeSetup, TlsStack
from pkiplan.verify.stacks.pyopenssl import PyOpenSslStack
from tests.judges import require
from tests.verify import test_negative as breaking
from tests.verify.asking import of, verified
from tests.verify.toy_site import NOW, Toy, key_pem, usual_site

STACKS = [pytest.param(name, id=name, marks=pytest.mark.judge(OUTSIDE[name][0])) for name in OUTSIDE]
# Where the judge of a client is a server, and this program plays none.
CLIENTS_ONLY = {"gnutls", "curl"}
# GnuTLS has one word for whatever an issuer is not allowed; curl passes on the failed call and not why.
IN_OTHER_WORDS = {("gnutls", "name-not-permitted"): "breaks-constraints", ("curl", "bad-signature"): "handshake-failed"}
TOLD_THE_TIME = {"openssl", "java"}


@pytest.fixture(scope="module")
def stacks() -> Iterator[dict[str, TlsStack]]:
    """All of them, the slow ones started once."""
    with outside_stacks(OUTSIDE) as made:
        yield {stack.name: stack for stack in made}


def setup(toy: Toy | None = None, *, version: str = "1.3", client: str | None = None) -> HandshakeSetup:
    """The handshake of a client that trusts the root with the server `web`."""
    toy = toy or usual_site()
    session = Session(toy.site, now=NOW, load=toy.load, stacks=())
    server = session.subject(toy.resources["certificate.web"])
    if client is None:
        return server_setup(session, server, host="www.toy.example", version=version, strict=True)
    return mutual_setup(session, server, session.subject(toy.resources[client]), version=version, strict=True)


@pytest.fixture(scope="module")
def reports() -> dict[str, VerifyReport]:
    """What each stack found in the usual site."""
    return {}


@pytest.fixture
def usual(name: str, stacks: dict[str, TlsStack], reports: dict[str, VerifyReport]) -> VerifyReport:
    require(OUTSIDE[name][0])
    if name not in reports:
        reports[name] = verified(usual_site(), stacks=(stacks[name],))
    return reports[name]


@pytest.mark.judge("java")
def test_java_does_not_judge_when_a_certificate_that_is_trusted_itself_ends(stacks: dict[str, TlsStack]) -> None:
    require(OUTSIDE["java"][0])
    toy = usual_site()
    toy.leaf("alone", None, usages=["client_auth"])
    found = verified(toy, stacks=(stacks["java"],))

    dated = [r for r in found.results if r.check in ("control-client-expired", "control-client-not-yet-valid")]
    alone = {result.reason.text for result in dated if result.subject == "certificate.alone"}
    assert alone == {"java does not look at the dates of a certificate that is trusted itself"}
    assert [str(result) for result in found.unexpected] == []


@pytest.mark.parametrize("name", STACKS)
def test_a_sound_site_is_as_expected(name: str, usual: VerifyReport) -> None:
    handshakes = [result for result in usual.results if result.version]

    assert [str(result) for result in usual.unexpected] == []
    assert {result.stack for result in handshakes} == {name}
    assert {(r.check, r.version) for r in handshakes if r.outcome is Outcome.ACCEPTED} == {
        (check, version) for check in ("server", "client") for version in ("1.2", "1.3")
    }
    assert {r.target for r in of(usual, "certificate.web", "server")} == {
        "www.toy.example",
        "pkiplan-check.apps.toy.example",
        "10.0.0.2",
        "2001:db8::2",
    }


@pytest.mark.parametrize("name", STACKS)
def test_controls_are_refused_for_their_own_reason(name: str, usual: VerifyReport) -> None:
    ran = [r for r in usual.results if r.version and r.check.startswith("control-") and r.outcome is Outcome.REFUSED]

    wanted = {"unrelated-authority", "sibling-root", "wrong-name", "wrong-purpose", "leaf-as-authority"}
    wanted |= {"missing-intermediate"} | ({"expired", "not-yet-valid"} if name in TOLD_THE_TIME else set())
    assert {r.check.removeprefix("control-server-") for r in ran if r.expected_by == "client"} == wanted
    wanted = (wanted - {"wrong-name"}) | {"no-certificate"} if name not in CLIENTS_ONLY else set()
    assert {r.check.removeprefix("control-client-") for r in ran if r.expected_by == "server"} == wanted


@pytest.mark.parametrize("name", STACKS)
def test_what_a_stack_cannot_do_is_not_run_and_says_why(name: str, usual: VerifyReport) -> None:
    reasons = {result.reason.text for result in usual.not_run if result.version}

    assert any("told the time" in reason for reason in reasons) == (name not in TOLD_THE_TIME)
    assert any("only" in reason or "alone" in reason for reason in reasons) == (name in CLIENTS_ONLY)


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        pytest.param(breaking.wrong_key, "key-mismatch", id="key of another certificate"),
        pytest.param(breaking.damaged_key, "unusable-key", id="damaged key"),
        pytest.param(breaking.without_intermediate, "unknown-authority", id="intermediate missing"),
        pytest.param(breaking.other_root_trusted, "unknown-authority", id="another root"),
        pytest.param(breaking.wrong_usage_on_server, "wrong-purpose", id="server without server usage"),
        pytest.param(breaking.name_missing, "wrong-name", id="a declared name is not in the certificate"),
        pytest.param(breaking.expired, "expired", id="expired"),
        pytest.param(breaking.not_yet_valid, "not-yet-valid", id="not yet valid"),
        pytest.param(breaking.unknown_extension, "unknown-critical-extension", id="unknown critical extension"),
        pytest.param(breaking.constrained_issuer, "name-not-permitted", id="a name the issuer may not give"),
        pytest.param(breaking.altered_signature, "bad-signature", id="altered after signing"),
        pytest.param(breaking.another_signer, "unknown-authority", id="signed by somebody else"),
    ],
)
def test_what_is_broken_is_found_by_name(
    name: str, stacks: dict[str, TlsStack], break_it: Callable[[Toy], None], found: str
) -> None:
    require(OUTSIDE[name][0])
    toy = usual_site()
    break_it(toy)

    outcome = stacks[name].handshake(setup(toy))

    assert (outcome.accepted, outcome.reason.code) == (False, IN_OTHER_WORDS.get((name, found), found))


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("key", ["ecdsa-p521", "rsa-2048", "ed25519", "ed448", "ml-dsa-44", "rsa-1024"])
def test_kinds_of_keys(name: str, stacks: dict[str, TlsStack], key: str) -> None:
    require(OUTSIDE[name][0])
    toy = Toy()
    how: dict[str, Any] = {"key": key, "allow": ["rsa-1024"] if key == "rsa-1024" else []}
    toy.authority("root", **how)
    toy.leaf("web", "authority.root", names=["www.toy.example"], **how)
    toy.leaf("ops", "authority.root", usages=["client_auth"], **how)

    for version in ("1.2", "1.3"):
        mutual = setup(toy, version=version, client="certificate.ops")
        why_not = stacks[name].cannot(mutual)
        assert why_not is None or key in ("ml-dsa-44", "rsa-1024")
        assert why_not or stacks[name].handshake(mutual) == HandshakeOutcome(accepted=True, seconds=ANY)


@pytest.mark.judge("gnutls-cli")
def test_stacks_that_disagree_are_shown_as_that(stacks: dict[str, TlsStack]) -> None:
    """Without a key identifier a strict judge refuses; GnuTLS has no such strictness."""
    require("gnutls-cli")
    toy = usual_site()
    breaking.without_key_identifiers(toy)

    scope = VerifyScope(addresses=frozenset({"certificate.web"}), full=True)
    report = verified(toy, scope, stacks=(PyOpenSslStack(), stacks["gnutls"]))

    assert {(found.check, dict(found.outcomes)["gnutls"]) for found in report.disagreements} == {
        ("server", Outcome.ACCEPTED)
    }
    text = verify_text(report)
    assert "The stacks disagree:" in text
    assert "gnutls says accepted" in text
    assert "pyopenssl says refused" in text


def impostor(directory: Path, name: str, script: str) -> str:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


RECORD = 'printf "%s\\n" "$0" "$@" >>{0}/argv; env >>{0}/environment; ls -l /proc/self/fd >>{0}/open'


@pytest.fixture
def pretenders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of the right names that say which they are, note how they were called, and end well."""
    record = RECORD.format(tmp_path)
    impostor(tmp_path, "openssl", f"{record}\n[ $1 = version ] && echo 'OpenSSL 3.0.0 1 Jan 2026'\nexit 0")
    impostor(tmp_path, "gnutls-cli", f"{record}\necho 'gnutls-cli 3.8.0'\nexit 0")
    impostor(tmp_path, "curl", f"{record}\necho 'curl 8.0.0 (x) libcurl/8.0.0 OpenSSL/3.0.0'\nexit 0")
    impostor(tmp_path, "node", f"{record}\necho 'node v20.0.0 OpenSSL/3.0.0'\nexit 0")
    impostor(tmp_path, "java", f"{record}\necho 'jdk.compiler@17'\necho 'openjdk 17.0.0'\nexit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENSSL_CONF", "/nowhere")
    monkeypatch.setenv("NODE_OPTIONS", "--tls-min-v1.0")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dnothing=1")
    monkeypatch.setenv("SECRET", "of the caller")
    return tmp_path


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_exit_status_proves_nothing(name: str, pretenders: Path) -> None:
    with outside_stacks([name]) as made:
        outcome = made[0].handshake(setup())

    assert not outcome.accepted
    assert outcome.reason.code in ("handshake-failed", "unusable-key")


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_key_in_arguments_and_nothing_of_the_callers_in_the_environment(name: str, pretenders: Path) -> None:
    toy = usual_site()
    with outside_stacks([name]) as made:
        made[0].handshake(setup(toy, client="certificate.ops"))

    argv, environment = (pretenders / "argv").read_text(), (pretenders / "environment").read_text()
    assert str(pretenders / OUTSIDE[name][0]) in argv.splitlines()
    for key in toy.keys.values():
        assert not any(line in argv for line in key_pem(key).decode().splitlines()[1:])
    assert "PRIVATE KEY" not in argv
    names = {line.partition("=")[0] for line in environment.splitlines()}
    assert names <= {"PATH", "LC_ALL", "HOME", "OPENSSL_CONF", "PWD", "OLDPWD", "SHLVL", "_"}
    assert "/nowhere" not in environment


@pytest.mark.judge("openssl")
def test_keys_are_never_on_the_disk_and_nothing_is_left(
    stacks: dict[str, TlsStack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("openssl")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    made: list[str] = []
    add = program.MemoryFiles.add

    def watched(files: program.MemoryFiles, content: bytes) -> str:
        path = add(files, content)
        made.append(os.readlink(path))
        return path

    monkeypatch.setattr(program.MemoryFiles, "add", watched)
    before = set(os.listdir("/proc/self/fd"))

    assert stacks["openssl"].handshake(setup(client="certificate.ops")).accepted

    assert made
    assert {path.partition(" ")[0] for path in made} == {"/memfd:pkiplan"}
    assert list(tmp_path.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.judge("openssl")
def test_servers_listen_on_loopback_alone(stacks: dict[str, TlsStack], monkeypatch: pytest.MonkeyPatch) -> None:
    require("openssl")
    called: list[list[str]] = []

    class Watched(program.Program):
        def __init__(self, argv: list[str], files: program.MemoryFiles, *, openssl_conf: str) -> None:
            called.append(argv)
            super().__init__(argv, files, openssl_conf=openssl_conf)

    monkeypatch.setattr("pkiplan.verify.outside.openssl.Program", Watched)
    assert stacks["openssl"].handshake(setup()).accepted

    servers = [argv for argv in called if argv[1] == "s_server"]
    assert servers
    assert {argv[argv.index("-accept") + 1] for argv in servers} == {"127.0.0.1:0"}


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SECONDS", 1.0)
    monkeypatch.setattr("pkiplan.verify.outside.worker._FIRST_SECONDS", 1.0)
    path = impostor(tmp_path, "node", "echo $$ >>" + str(tmp_path / "pids") + "; echo 'I think'; exec sleep 60")
    stack = NodeStack(path, "node", "3.0.0")

    first, second = stack.handshake(setup()), stack.handshake(setup())

    assert (first.accepted, second.accepted) == (False, False)
    assert "gives no answer" in first.reason.text
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_program_that_has_gone_is_no_crash(name: str, pretenders: Path) -> None:
    with outside_stacks([name]) as made:
        (pretenders / OUTSIDE[name][0]).unlink()
        outcome = made[0].handshake(setup())

    assert not outcome.accepted
    assert outcome.reason == Reason("handshake-failed", "the program cannot be run: no such file or directory")


def test_an_answer_to_another_question_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker says too late belongs to nobody."""
    monkeypatch.setattr("pkiplan.verify.outside.worker._FIRST_SECONDS", 0.3)
    monkeypatch.setattr(program, "SECONDS", 5.0)
    once = f"[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; sleep 1; }}"
    slow = impostor(tmp_path, "slow", f"read line; {once}; echo '= accepted'; read line")
    worker = Worker([slow])

    first = worker.ask(setup())
    monkeypatch.setattr("pkiplan.verify.outside.worker._FIRST_SECONDS", 5.0)
    second = worker.ask(setup())
    worker.close()

    assert (first.accepted, second.accepted) == (False, True)


def test_what_is_not_installed_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with outside_stacks(OUTSIDE) as made:
        report = verified(usual_site(), stacks=made)

    assert report.is_as_expected
    assert {(r.stack, r.reason.text) for r in report.not_run if r.version} == {
        (name, f"{wanted} is not installed") for name, (wanted, _) in OUTSIDE.items()
    }


@pytest.mark.parametrize(
    ("name", "says", "why"),
    [
        ("openssl", "LibreSSL 3.9.0", "is not OpenSSL: LibreSSL 3.9.0"),
        ("gnutls", "something else", "does not say which program it is: something else"),
        ("java", "java.base@17", "has no compiler: it is a runtime without a JDK"),
    ],
)
def test_a_program_of_another_kind_is_not_run(
    name: str, says: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor(tmp_path, OUTSIDE[name][0], f"echo '{says}'")
    monkeypatch.setenv("PATH", str(tmp_path))

    with outside_stacks([name]) as made:
        assert why in (made[0].cannot(setup()) or "")


def test_a_program_too_old_to_leave_out_the_system_authorities_is_not_run(tmp_path: Path) -> None:
    from pkiplan.verify.openssl_program import OpenSsl

    stack = OpenSslProgramStack(OpenSsl("/usr/bin/openssl", (1, 1, 1), "OpenSSL 1.1.1"))

    assert "too old" in (stack.cannot(setup()) or "")
