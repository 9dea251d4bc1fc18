"""TLS stacks outside of this process, by name: programs that a person would use, asked only when wanted.

They run with a clean environment, by their absolute path, with servers on loopback and free ports, and never for long.
What they say is read and judged; an exit status alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from pkiplan.verify.openssl_program import UnusableProgramError, identify
from pkiplan.verify.outside.absent import AbsentStack
from pkiplan.verify.outside.client_program import ClientProgramStack
from pkiplan.verify.outside.curl import CurlClient
from pkiplan.verify.outside.gnutls import GnuTlsClient
from pkiplan.verify.outside.openssl import OpenSslProgramStack
from pkiplan.verify.outside.program import answer, find
from pkiplan.verify.outside.runtimes import NO_TRACES, JavaStack, NodeStack
from pkiplan.verify.stacks.base import TlsStack


def _openssl(path: str) -> TlsStack:
    return OpenSslProgramStack(identify(path))


def _gnutls(path: str) -> TlsStack:
    return ClientProgramStack(GnuTlsClient(path, _version(path, r"gnutls-cli \d\S*", "--version")))


def _curl(path: str) -> TlsStack:
    said = _version(path, r"curl \d.*", "-q", "--version")
    name, library = " ".join(said.split()[:2]), re.search(r"\b(?:\w+SSL|GnuTLS)/\S+", said)
    return ClientProgramStack(CurlClient(path, f"{name} {library[0]}" if library else name))


def _node(path: str) -> TlsStack:
    said = _version(path, r"node v\d.*", "-p", "`node ${process.version} OpenSSL/${process.versions.openssl}`")
    return NodeStack(path, said.replace("node v", "node "), said.rpartition("/")[2].partition("+")[0])


def _java(path: str) -> TlsStack:
    if not any(line.startswith("jdk.compiler") for line in answer([path, NO_TRACES, "--list-modules"])):
        raise UnusableProgramError(f"{path} has no compiler: it is a runtime without a JDK")
    return JavaStack(path, _version(path, r"\w+ \d\S*", NO_TRACES, "--version"))


def _version(path: str, pattern: str, *arguments: str) -> str:
    """Ask a program which one it is."""
    lines = list(answer([path, *arguments]))
    for line in lines:
        found = re.match(pattern, line)
        if found is not None:
            return found[0].strip()
    raise UnusableProgramError(f"{path} does not say which program it is: {lines[0] if lines else 'it says nothing'}")


# Name, the program that is looked for, and how a stack is made of it.
OUTSIDE: dict[str, tuple[str, Callable[[str], TlsStack]]] = {
    "openssl": ("openssl", _openssl),
    "gnutls": ("gnutls-cli", _gnutls),
    "curl": ("curl", _curl),
    "node": ("node", _node),
    "java": ("java", _java),
}


@contextmanager
def outside_stacks(names: Iterable[str]) -> Iterator[tuple[TlsStack, ...]]:
    """Give the stacks of these names; what is not installed or not usable says so for each check."""
    with ExitStack() as stack:
        made = []
        for name in names:
            found = _made(name)
            close = getattr(found, "close", None)
            if close is not None:
                stack.callback(close)
            made.append(found)
        yield tuple(made)


def _made(name: str) -> TlsStack:
    program, make = OUTSIDE[name]
    path = find(program)
    if path is None:
        return AbsentStack(name, f"{program} is not installed")
    try:
        return make(path)
    except UnusableProgramError as error:
        return AbsentStack(name, str(error))
