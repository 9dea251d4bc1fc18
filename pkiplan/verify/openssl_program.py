"""Running the `openssl` program: found by an absolute path, alone with its arguments, never believed on its word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

from pkiplan.errors import system_words

SECONDS = 60

_VERSION = re.compile(r"OpenSSL (\d+)\.(\d+)\.(\d+)")


class UnusableProgramError(Exception):
    """There is no such program here, or it cannot be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class OpenSsl:
    """A program that calls itself OpenSSL: its absolute path, its version, and what it says of itself."""

    path: str
    version: tuple[int, int, int]
    name: str


def find_openssl() -> str | None:
    """Return the absolute path of the `openssl` that a person would run, or None."""
    found = shutil.which("openssl")
    return None if found is None else os.path.abspath(found)


@lru_cache(maxsize=8)
def identify(path: str) -> OpenSsl:
    """Ask a program which OpenSSL it is."""
    if not os.path.isabs(path):
        raise UnusableProgramError(f"{path} is no absolute path to an openssl program")
    _, said = run(path, ["version"], directory="/")
    name = " ".join(said.split()[:2]) or "it says nothing"
    version = _VERSION.match(said)
    if version is None:
        # LibreSSL takes `subjectAltName` and names by rules of its own, so what it says of a cnf is of no use.
        raise UnusableProgramError(f"{path} is not OpenSSL: {name}")
    return OpenSsl(path, (int(version[1]), int(version[2]), int(version[3])), name)


def run(path: str, arguments: list[str], *, directory: str) -> tuple[int, str]:
    """Run a command there; return its exit status and everything it said.

    The environment is empty but for what the program cannot do without, so neither OPENSSL_CONF nor
    OPENSSL_MODULES of the caller's reaches it, and `$ENV::` finds nothing.
    """
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": directory, "OPENSSL_CONF": os.devnull}
    try:
        done = subprocess.run(  # noqa: S603 - an absolute path, and arguments of our own
            [path, *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnusableProgramError(f"{path} {arguments[0]} did not end within {SECONDS} s") from None
    except OSError as error:
        raise UnusableProgramError(f"{path} cannot be run: {system_words(error)}") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")
