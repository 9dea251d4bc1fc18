"""Running programs that play a side of a handshake: alone with their arguments, heard, and never for long."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from pkiplan.errors import system_words

# No handshake on loopback takes so long; a program that does is stuck.
SECONDS = 20.0
# More than any program says about one handshake.
_MOST_OUTPUT = 1 << 20
_CHUNK = 65536

# Nothing of the caller's environment: no proxies, no OPENSSL_CONF, no JAVA_TOOL_OPTIONS, no NODE_OPTIONS.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/nonexistent"}


def find(program: str) -> str | None:
    """Return the absolute path of a program that a person would run, or None."""
    found = shutil.which(program)
    return None if found is None else os.path.abspath(found)


class MemoryFiles:
    """Files that programs can open by path and that never lie on a disk: keys stay in memory."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)

    def add(self, content: bytes) -> str:
        """Make a file; return the path by which a program that inherits the descriptors opens it."""
        descriptor = os.memfd_create("pkiplan", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        return f"/proc/self/fd/{descriptor}"

    @property
    def descriptors(self) -> tuple[int, ...]:
        """List what a program must inherit."""
        return tuple(self._descriptors)


def why_no_memory_files() -> str | None:
    """Say why keys cannot be handed to a program here, or None when they can."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        return None
    return "programs take keys from files only, and no key is written to disk for a check"


class Program:
    """A program that runs; everything it says on either stream is kept, in order."""

    def __init__(
        self, argv: Sequence[str], files: MemoryFiles | None = None, *, openssl_conf: str | None = None
    ) -> None:
        assert os.path.isabs(argv[0]), "programs are run by their absolute path"
        self._deadline = time.monotonic() + SECONDS
        self._said = bytearray()
        self._process = subprocess.Popen(  # noqa: S603 - an absolute path, and arguments of our own
            list(argv),
            cwd="/",
            env=_ENVIRONMENT | ({} if openssl_conf is None else {"OPENSSL_CONF": openssl_conf}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=() if files is None else files.descriptors,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()

    @property
    def said(self) -> str:
        """Give everything the program has said so far."""
        return self._said.decode("utf-8", "replace")

    def forget(self, *, seconds: float = SECONDS) -> None:
        """Begin a new question: forget what was said, and give it time anew."""
        self._said.clear()
        self._deadline = time.monotonic() + seconds

    def say(self, data: bytes) -> None:
        """Give the program input; one that has gone away hears nothing."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def wait_for(self, pattern: str, within: float | None = None) -> re.Match[str] | None:
        """Listen until a pattern was said; None when the program ended without, or the time is over."""
        wanted = re.compile(pattern, re.MULTILINE)
        until = self._deadline if within is None else min(self._deadline, time.monotonic() + within)
        found = wanted.search(self.said)
        while found is None and self._hear(until):
            found = wanted.search(self.said)
        return found

    def listen_to_the_end(self, within: float) -> str:
        """Listen until the program ends, or the time is over; return all that it said."""
        until = min(self._deadline, time.monotonic() + within)
        while self._hear(until):
            continue
        return self.said

    def _hear(self, until: float) -> bool:
        stream = self._process.stdout
        assert stream is not None
        left = until - time.monotonic()
        if left <= 0 or len(self._said) > _MOST_OUTPUT or not select.select([stream], [], [], left)[0]:
            return False
        data = os.read(stream.fileno(), _CHUNK)
        self._said += data
        return bool(data)


def answer(argv: Sequence[str]) -> Iterator[str]:
    """Run a program that asks nothing, such as `--version`; give the lines it says."""
    try:
        with Program(argv) as program:
            yield from program.listen_to_the_end(SECONDS).splitlines()
    except OSError as error:
        yield f"cannot be run: {system_words(error)}"
