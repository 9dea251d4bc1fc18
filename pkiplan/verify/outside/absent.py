"""A stack that was asked for and is not there."""

from __future__ import annotations

from pkiplan.verify.stacks.base import HandshakeOutcome, HandshakeSetup


class AbsentStack:
    """Runs nothing, and says why for every check."""

    is_told_strictness = False
    version = "not here"

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    def cannot_judge(self, side: str) -> str | None:  # noqa: ARG002 - a TlsStack
        """Say why it judges nobody."""
        return self._why

    def cannot(self, setup: HandshakeSetup) -> str | None:  # noqa: ARG002 - a TlsStack
        """Say why there is no handshake."""
        return self._why

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Never happens: `cannot` says so."""
        raise AssertionError(setup)
