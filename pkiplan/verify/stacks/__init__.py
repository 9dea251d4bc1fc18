"""The TLS stacks that run in this process, by name; the first is the one that can do most."""

from __future__ import annotations

from collections.abc import Callable

from pkiplan.verify.stacks.base import TlsStack
from pkiplan.verify.stacks.pyopenssl import PyOpenSslStack
from pkiplan.verify.stacks.stdlib_ssl import StdlibStack

STACKS: dict[str, Callable[[], TlsStack]] = {
    PyOpenSslStack.name: PyOpenSslStack,
    StdlibStack.name: StdlibStack,
}


def all_stacks() -> tuple[TlsStack, ...]:
    """Make one of each stack, in the order of the table."""
    return tuple(make() for make in STACKS.values())
