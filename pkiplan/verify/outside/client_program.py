"""Programs that play clients only, against a server of this process."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from pkiplan.verify.outside.base import timed
from pkiplan.verify.outside.our_server import ANSWER, OurServer
from pkiplan.verify.outside.program import SECONDS, MemoryFiles, Program, why_no_memory_files
from pkiplan.verify.outside.words import last_line, unexplained
from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import CLIENT, SERVER, HandshakeOutcome, HandshakeSetup, RefusedError

_REQUEST = b"pkiplan asks\n"


class ClientProgram(Protocol):
    """How one program is started, and what its words mean."""

    name: str
    version: str
    why_no_server: str

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why it cannot take part in such a handshake, or None when it can."""

    def argv(self, setup: HandshakeSetup, port: int, files: MemoryFiles) -> list[str]:
        """Write the command line; its first word is an absolute path."""

    def refusal(self, said: str) -> Reason | None:
        """Say why the program refused, by its own words, or None when they tell nothing."""


class ClientProgramStack:
    """A program as the client, this process as the server."""

    is_told_strictness = False

    def __init__(self, program: ClientProgram) -> None:
        self._program = program
        self.name = program.name
        self.version = program.version

    def cannot_judge(self, side: str) -> str | None:
        """Say why clients are judged by somebody else, or None for servers."""
        return self._program.why_no_server if side == SERVER else None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""
        if setup.is_clock_moved:
            return f"{self.name} cannot be told the time"
        return self._program.cannot(setup) or why_no_memory_files()

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
        return timed(partial(self._shake_hands, setup))

    def _shake_hands(self, setup: HandshakeSetup) -> Reason:
        try:
            server = OurServer(setup, SECONDS)
        except RefusedError as refusal:
            return refusal.reason
        with server, MemoryFiles() as files:
            argv = self._program.argv(setup, server.port, files)
            with Program(argv, files) as client:
                client.say(_REQUEST)
                has_answer = client.wait_for(ANSWER) is not None
                said = client.said
        if has_answer and server.has_heard:
            return ACCEPTED
        verdict = self._program.refusal(said)
        if verdict is not None:
            return verdict
        # An alert is an echo of the other side's verdict; what our server says by itself is its own.
        if server.refusal is not ACCEPTED and "alert" not in server.refusal.text:
            return server.refusal
        return unexplained(last_line(said.splitlines()), CLIENT)
