"""References become secrets, once each, and what goes wrong names the reference and never the value."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import SecretError
from pkiplan.model.secret_references import (
    CommandSecret,
    EnvSecret,
    FdSecret,
    FileSecret,
    PromptSecret,
    SecretReference,
    SystemdSecret,
)
from pkiplan.secrets import LONGEST_SECRET, SecretResolver

AWKWARD = b"a$b`c\"d'e f\\ "


def resolve(reference: SecretReference, environment: dict[str, str] | None = None, base: str = "/") -> bytes:
    return SecretResolver(environment or {}).resolve(reference, base=base)


def test_a_variable_gives_its_very_bytes() -> None:
    assert resolve(EnvSecret("P"), {"P": AWKWARD.decode()}) == AWKWARD


def test_a_file_gives_its_first_line_and_counts_from_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(AWKWARD + b"\r\nsecond line\n")
    (tmp_path / "secret").chmod(0o600)

    assert resolve(FileSecret("secret"), base=str(tmp_path)) == AWKWARD


def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "secret").chmod(0o644)
    warnings: list[Diagnostic] = []

    SecretResolver({}, warn=warnings.append).resolve(FileSecret("secret"), base=str(tmp_path))

    (warning,) = warnings
    assert "mode 0644" in warning.summary
    assert "hunter2" not in repr(warning)


def test_a_command_is_run_without_a_shell() -> None:
    argv = (sys.executable, "-c", "import sys; print(sys.argv[1]); print('more')", "$HOME; `id`")

    assert resolve(CommandSecret(argv)) == b"$HOME; `id`"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("import sys; print('hunter2'); sys.exit(3)", "exit status 3", id="that fails"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "signal 9", id="that is killed"),
        pytest.param("", "is empty", id="that says nothing"),
        pytest.param("import sys; sys.stderr.write('hunter2'); sys.exit(1)", "exit status 1", id="that complains"),
        pytest.param("print('x' * 5000)", "longer than", id="that says too much"),
    ],
)
def test_a_command_is_told_about_without_its_output(code: str, told: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SecretError, match=told) as caught:
        resolve(CommandSecret((sys.executable, "-c", code)))

    shown = str(caught.value).replace(code, "") + "".join(capfd.readouterr())
    assert "hunter2" not in shown


def test_a_command_that_hangs_is_ended() -> None:
    resolver = SecretResolver({}, answer_seconds=0.3)
    begun = time.monotonic()

    with pytest.raises(SecretError, match=r"no answer within 0\.3 s"):
        resolver.resolve(CommandSecret((sys.executable, "-c", "import time; time.sleep(30)")), base="/")

    assert time.monotonic() - begun < 10


def test_a_command_that_never_ends_to_write_is_ended_at_once_and_fills_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(SecretError, match="writes more than 1 MiB"):
        SecretResolver({}, answer_seconds=30).resolve(CommandSecret(("cat", "/dev/zero")), base="/")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_a_command_has_answered_when_it_ends_though_a_child_of_it_lives_on() -> None:
    begun = time.monotonic()

    assert resolve(CommandSecret(("sh", "-c", "sleep 9 & echo hunter2"))) == b"hunter2"
    assert time.monotonic() - begun < 8


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    with pytest.raises(SecretError, match="exit status 4"):
        resolve(CommandSecret(("sh", "-c", "echo hunter2; exec >&-; sleep 0.2; exit 4")))


def test_a_command_that_closes_its_output_and_hangs_is_ended() -> None:
    resolver = SecretResolver({}, answer_seconds=0.3)

    with pytest.raises(SecretError, match=r"no answer within 0\.3 s"):
        resolver.resolve(CommandSecret(("sh", "-c", "exec >&-; exec sleep 30")), base="/")


def test_a_command_that_failed_is_not_run_again(tmp_path: Path) -> None:
    resolver = SecretResolver({})

    for _ in range(2):
        with pytest.raises(SecretError, match="exit status 3"):
            resolver.resolve(CommandSecret(("sh", "-c", "echo run >> log; exit 3")), base=str(tmp_path))

    assert (tmp_path / "log").read_text() == "run\n"


def test_a_command_is_ended_when_waiting_for_it_is() -> None:
    """What a signal's handler raises, for one."""
    threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()
    begun = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        resolve(CommandSecret(("sleep", "30")))

    assert time.monotonic() - begun < 10


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SecretError, match="cannot be run"):
        resolve(CommandSecret(("/no/such/program",)))


def test_a_prompt_is_asked_once_however_often_it_is_referred_to() -> None:
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        return "hunter2"

    resolver = SecretResolver({}, prompt)
    answers = [resolver.resolve(PromptSecret("Root"), base=base) for base in ("/a", "/b")]

    assert answers == [b"hunter2", b"hunter2"]
    assert asked == ["Root"]


def test_without_a_terminal_a_prompt_is_an_error_with_the_way_out() -> None:
    with pytest.raises(SecretError) as caught:
        resolve(PromptSecret("Root"))

    assert "terminal" in caught.value.diagnostics[0].summary
    assert "{env: …}" in caught.value.diagnostics[0].hint


def test_a_descriptor_is_read_once() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"hunter2\nrest")
    os.close(writing)
    resolver = SecretResolver({})

    assert [resolver.resolve(FdSecret(reading), base="/") for _ in range(2)] == [b"hunter2"] * 2
    os.close(reading)


def test_a_pipe_in_the_place_of_a_file_is_waited_for_though_nobody_writes_yet(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    threading.Timer(0.3, (tmp_path / "pipe").write_text, ["hunter2\n"]).start()

    assert resolve(FileSecret("pipe"), base=str(tmp_path)) == b"hunter2"


@pytest.mark.parametrize("reference", [lambda fd: FileSecret(f"/dev/fd/{fd}"), FdSecret], ids=["file", "fd"])
def test_an_inherited_pipe_is_waited_for_though_it_is_written_late(reference: Callable[[int], SecretReference]) -> None:
    """What a shell's `<(…)` gives."""
    reading, writing = os.pipe()
    threading.Timer(0.2, os.write, [writing, b"hun"]).start()
    threading.Timer(0.4, os.write, [writing, b"ter2\n"]).start()

    assert resolve(reference(reading)) == b"hunter2"
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("is_open", [False, True], ids=["by nobody", "by somebody who says nothing"])
def test_a_pipe_that_nobody_writes_into_is_told(tmp_path: Path, is_open: bool) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    writer = os.open(tmp_path / "pipe", os.O_RDWR) if is_open else None

    with pytest.raises(SecretError, match=r"no answer within 0\.2 s"):
        SecretResolver({}, answer_seconds=0.2).resolve(FileSecret("pipe"), base=str(tmp_path))

    if writer is not None:
        os.close(writer)


def test_systemd_credentials_lie_in_their_directory(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("hunter2")

    assert resolve(SystemdSecret("root"), {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == b"hunter2"
    with pytest.raises(SecretError, match="not the name"):
        resolve(SystemdSecret("../root"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    with pytest.raises(SecretError, match="CREDENTIALS_DIRECTORY is not set"):
        resolve(SystemdSecret("root"))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("x" * (LONGEST_SECRET + 1), "longer than", id="longer than OpenSSL takes"),
    ],
)
def test_a_value_that_cannot_be_a_passphrase_is_an_error(value: str, told: str) -> None:
    with pytest.raises(SecretError, match=told) as caught:
        resolve(EnvSecret("P"), {"P": value})

    assert "{env: P}" in str(caught.value)
    assert value == "" or value not in str(caught.value)


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(SecretError) as caught:
        SecretResolver({}).resolve_all((EnvSecret("A"), FileSecret("/no/such/file"), EnvSecret("B")), base="/")

    assert len(caught.value.diagnostics) == 3


def test_a_resolver_shows_nothing_and_can_forget() -> None:
    environment = {"P": "hunter2"}
    resolver = SecretResolver(environment)
    resolver.resolve(EnvSecret("P"), base="/")

    assert "hunter2" not in repr(resolver)
    resolver.forget()
    environment["P"] = "changed"
    assert resolver.resolve(EnvSecret("P"), base="/") == b"changed"


def test_starting_up_imports_no_subprocess() -> None:
    import subprocess

    code = "import sys, pkiplan.secrets; print('subprocess' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
