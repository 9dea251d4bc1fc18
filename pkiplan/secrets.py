"""Resolve references to secrets: only in `apply` and `verify`, each reference once in a run.

A message names the reference, never what it gave. The sources are those of OpenSSL's `pass:` options that keep
a secret out of the argument list, and those that systemd, Ansible and git know besides.
"""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.errors import SecretError, system_words
from pkiplan.model.secret_references import (
    CommandSecret,
    EnvSecret,
    FdSecret,
    FileSecret,
    PromptSecret,
    SecretReference,
    SystemdSecret,
)

if TYPE_CHECKING:
    from subprocess import Popen

# OpenSSL reads a passphrase into a buffer of 1024 bytes (PEM_BUFSIZE): a longer one could not be used with it.
LONGEST_SECRET = 1024
# A password manager may ask a person to touch a token; a hanging one must not hang a scheduled run for ever. The same
# holds for whoever writes into a pipe.
ANSWER_SECONDS = 60.0
# Whatever a command says after the passphrase is passed over; more than this no command that gives one has to say.
MOST_OUTPUT = 1 << 20

# So long the end of a command, whose output somebody else holds open, may go unnoticed.
_POLL_SECONDS = 0.02

Prompt = Callable[[str], str]


class SecretResolver:
    """Turn references into secrets, each asked for once, also in vain; what was resolved shows in no `repr`.

    `environment` is where variables are looked up. `prompt` asks a person at a terminal, None where nobody can
    answer. `warn` is told what is doubtful about a source, such as a file that others can read. `while_waiting` is
    entered while a person, a command or a pipe is waited for, each for `answer_seconds` at most but for the person.
    """

    __slots__ = ("_answer_seconds", "_environment", "_known", "_lock", "_prompt", "_warn", "_while_waiting")

    def __init__(
        self,
        environment: Mapping[str, str],
        prompt: Prompt | None = None,
        *,
        warn: Callable[[Diagnostic], None] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._environment = environment
        self._prompt = prompt
        self._warn = warn
        self._answer_seconds = answer_seconds
        self._while_waiting = while_waiting
        self._known: dict[tuple[SecretReference, str], bytes | tuple[Diagnostic, ...]] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<SecretResolver>"

    def resolve(self, reference: SecretReference, *, base: str) -> bytes:
        """Return the secret a reference stands for; relative paths count from the directory `base`."""
        # Only files and commands depend on the directory; a prompt is asked once wherever it stands.
        key = (reference, base if isinstance(reference, FileSecret | CommandSecret) else "")
        with self._lock:
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = self._answer(reference, base)
        if isinstance(known, bytes):
            return known
        raise SecretError(*known)

    def resolve_all(self, references: Sequence[SecretReference], *, base: str) -> tuple[bytes, ...]:
        """Return the secrets of several references; an error tells every one that cannot be resolved."""
        secrets: list[bytes] = []
        problems: list[Diagnostic] = []
        for reference in references:
            try:
                secrets.append(self.resolve(reference, base=base))
            except SecretError as error:
                problems.extend(error.diagnostics)
        if problems:
            raise SecretError(*problems)
        return tuple(secrets)

    def forget(self) -> None:
        """Drop every secret resolved so far."""
        with self._lock:
            self._known.clear()

    def _answer(self, reference: SecretReference, base: str) -> bytes | tuple[Diagnostic, ...]:
        """Ask, and give the secret or why there is none: what takes a minute to fail shall not fail twice."""
        try:
            with self._while_waiting():
                return self._checked(reference, self._ask(reference, base))
        except SecretError as error:
            return error.diagnostics

    def _ask(self, reference: SecretReference, base: str) -> bytes:
        match reference:
            case EnvSecret(name=name):
                return self._from_environment(reference, name)
            case FileSecret(path=path):
                return self._from_file(reference, os.path.join(base, path))
            case CommandSecret(argv=argv):
                return self._from_command(reference, argv, base)
            case PromptSecret(text=text):
                return self._from_prompt(reference, text)
            case FdSecret(number=number):
                return self._from_descriptor(reference, number)
            case SystemdSecret(name=name):
                return self._from_systemd(reference, name)

    def _checked(self, reference: SecretReference, secret: bytes) -> bytes:
        if not secret:
            raise _error(reference, "is empty")
        if len(secret) > LONGEST_SECRET:
            raise _error(reference, f"is longer than {LONGEST_SECRET} bytes")
        if b"\0" in secret:
            raise _error(reference, "holds a NUL byte")
        return secret

    def _from_environment(self, reference: SecretReference, name: str) -> bytes:
        value = self._environment.get(name)
        if value is None:
            raise _error(reference, f"the variable {name} is not set", hint=f"set {name} in the environment")
        return os.fsencode(value)

    def _from_file(self, reference: SecretReference, path: str) -> bytes:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _error(reference, f"cannot read {path}: {_reason(error)}") from None
        try:
            facts = os.fstat(descriptor)
            if stat.S_ISDIR(facts.st_mode):
                raise _error(reference, f"{path} is a directory")
            if stat.S_ISREG(facts.st_mode) and facts.st_mode & 0o077 and self._warn is not None:
                self._warn(
                    Diagnostic(
                        severity=Severity.WARNING,
                        code="secret-file-is-open",
                        summary=f"the secret {reference} lies in {path}, which others can read"
                        f" (mode {stat.S_IMODE(facts.st_mode):04o})",
                        hint=f"chmod 600 {path}",
                    )
                )
            return self._first_line_of(descriptor)
        except TimeoutError:
            raise self._late(reference) from None
        except OSError as error:
            raise _error(reference, f"cannot read {path}: {_reason(error)}") from None
        finally:
            os.close(descriptor)

    def _from_command(self, reference: SecretReference, argv: tuple[str, ...], base: str) -> bytes:
        import subprocess

        try:
            # What the command says on stderr is thrown away: a tool that complains may quote the secret.
            with subprocess.Popen(  # noqa: S603 - the manifest's author asks for this command; there is no shell
                argv,
                cwd=base,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                try:
                    output = _output_of(process, time.monotonic() + self._answer_seconds)
                except BaseException:
                    process.kill()
                    raise
        except TimeoutError:
            raise self._late(reference) from None
        except (OSError, ValueError) as error:
            raise _error(reference, f"cannot be run: {_reason(error)}") from None
        if output is None:
            raise _error(reference, f"it writes more than {MOST_OUTPUT >> 20} MiB, so it was ended")
        if process.returncode != 0:
            how = f"exit status {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
            raise _error(reference, f"failed with {how}; its output is not shown, it may hold the secret")
        return _first_line(output)

    def _from_prompt(self, reference: SecretReference, text: str) -> bytes:
        if self._prompt is None:
            raise _error(
                reference,
                "there is no terminal to ask at",
                hint="run it in a terminal, or refer to {env: …}, {file: …} or {command: […]}",
            )
        return os.fsencode(self._prompt(text))

    def _from_systemd(self, reference: SecretReference, name: str) -> bytes:
        directory = self._environment.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise _error(
                reference,
                "CREDENTIALS_DIRECTORY is not set",
                hint=f"run it as a systemd unit with LoadCredential={name}:PATH",
            )
        if "/" in name or name in ("", ".", ".."):
            raise _error(reference, "is not the name of a credential")
        # systemd gives the unit's own user a private directory, so a mode of 0440 there is not open.
        path = os.path.join(directory, name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise _error(reference, f"cannot read {path}: {_reason(error)}") from None
        try:
            return self._first_line_of(descriptor)
        except OSError as error:
            raise _error(reference, f"cannot read {path}: {_reason(error)}") from None
        finally:
            os.close(descriptor)

    def _from_descriptor(self, reference: SecretReference, number: int) -> bytes:
        try:
            return self._first_line_of(number)
        except TimeoutError:
            raise self._late(reference) from None
        except OSError as error:
            raise _error(reference, f"cannot read file descriptor {number}: {_reason(error)}") from None

    def _first_line_of(self, descriptor: int) -> bytes:
        return _first_line(_read_some(descriptor, time.monotonic() + self._answer_seconds))

    def _late(self, reference: SecretReference) -> SecretError:
        return _error(reference, f"gave no answer within {self._answer_seconds:g} s")


def _output_of(process: Popen[bytes], until: float) -> bytes | None:
    """Read what a command writes, keep the beginning, and wait for its end; None when it writes too much.

    A child of the command that lives on, such as an agent, may hold its output open: the command's own end counts.
    Raises TimeoutError when it is late.
    """
    from subprocess import TimeoutExpired

    assert process.stdout is not None
    descriptor, kept, length = process.stdout.fileno(), b"", 0
    while True:
        has_ended = process.poll() is not None
        if _is_readable(descriptor, 0 if has_ended else _POLL_SECONDS):
            part = os.read(descriptor, 1 << 16)
            kept, length = (kept + part)[: LONGEST_SECRET + 3], length + len(part)
            if length > MOST_OUTPUT:
                process.kill()
                return None
            if not part:
                break
        elif has_ended:
            return kept
        if time.monotonic() >= until:
            raise TimeoutError
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except TimeoutExpired:
        raise TimeoutError from None
    return kept


def _read_some(descriptor: int, until: float) -> bytes:
    """Read up to a little more than the longest secret with its line end; raise TimeoutError when it is late.

    Into a pipe, such as a shell's `<(…)`, somebody may not have written yet, or not even opened it.
    """
    found = b""
    while len(found) <= LONGEST_SECRET + 2 and b"\n" not in found:
        if not _is_readable(descriptor, until - time.monotonic()):
            raise TimeoutError
        try:
            part = os.read(descriptor, LONGEST_SECRET + 3)
        except BlockingIOError:
            continue
        if not part:
            break
        found += part
    return found


def _is_readable(descriptor: int, seconds: float) -> bool:
    """Wait until something, or the end, can be read."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(max(0.0, seconds) * 1000))


def _first_line(text: bytes) -> bytes:
    return text.partition(b"\n")[0].removesuffix(b"\r")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return system_words(error)
    return type(error).__name__


def _error(reference: SecretReference, why: str, *, hint: str = "") -> SecretError:
    return SecretError(Diagnostic(code="secret", summary=f"the secret {reference} cannot be used: {why}", hint=hint))
