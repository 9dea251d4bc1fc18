"""Runtimes that are slow to start: one process for a whole run, asked line by line.

A line in is `name=value` words, each value in base64: `server_chain`, `server_key`, `client_chain`, `client_key`,
`client_trusts`, `server_trusts` (absent where no client certificate is demanded), `host`, `is_address`, `version`,
`time`, `weak`. A line out is `= accepted`, or `= refused SIDE WORDS` with the words in base64. Keys go through the
pipe, never through arguments or files.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.outside.base import timed
from pkiplan.verify.outside.program import Program
from pkiplan.verify.outside.words import last_line
from pkiplan.verify.reasons import HANDSHAKE_FAILED
from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import CLIENT, SERVER, HandshakeOutcome, HandshakeSetup, Trust
from pkiplan.verify.stacks.openssl_hooks import is_ip_address

_ANSWER = r"^= (accepted|refused (client|server|-) ?([A-Za-z0-9+/=]*))$"
# A virtual machine may have to compile the program first, on a busy machine.
_FIRST_SECONDS = 60.0


class Worker:
    """The process behind a stack; started by its first handshake, one handshake at a time."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv
        self._program: Program | None = None
        self._lock = threading.Lock()

    def ask(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Have a handshake made; `reason.text` are the runtime's own words."""
        with self._lock:
            return timed(partial(self._ask, setup))

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, setup: HandshakeSetup) -> Reason:
        if self._program is None:
            self._program = Program(self._argv)
            self._program.forget(seconds=_FIRST_SECONDS)
        else:
            self._program.forget()
        self._program.say(_question(setup))
        answer = self._program.wait_for(_ANSWER)
        if answer is None:
            said = last_line(self._program.said.splitlines())
            self._end()  # what it may still say would be taken for the answer to another question
            return Reason(HANDSHAKE_FAILED, f"it gives no answer: {said}")
        if answer[1] == "accepted":
            return ACCEPTED
        words = base64.b64decode(answer[3]).decode("utf-8", "replace")
        return Reason(HANDSHAKE_FAILED, words, answer[2] if answer[2] in (CLIENT, SERVER) else "")

    def _end(self) -> None:
        if self._program is not None:
            self._program.__exit__(None, None, None)
            self._program = None


def _question(setup: HandshakeSetup) -> bytes:
    fields = {
        "server_chain": setup.server.certificates_pem,
        "server_key": setup.server.key_pem,
        "client_trusts": _pem(setup.client_trusts),
        "version": setup.version.encode(),
        "time": str(int(setup.time.timestamp())).encode(),
    }
    if setup.client is not None:
        fields |= {"client_chain": setup.client.certificates_pem, "client_key": setup.client.key_pem}
    if setup.server_trusts is not None:
        fields["server_trusts"] = _pem(setup.server_trusts)
    if setup.host is not None:
        fields["host"] = setup.host.encode()
        if is_ip_address(setup.host):
            fields["is_address"] = b"yes"
    if setup.allows_weak_keys:
        fields["weak"] = b"yes"
    words = (f"{name}={base64.b64encode(value).decode()}" for name, value in fields.items())
    return " ".join(words).encode() + b"\n"


def _pem(trust: Trust) -> bytes:
    return b"".join(anchor.public_bytes(Encoding.PEM) for anchor in trust)
