"""The conversation of two sides through memory, whichever library they are made of."""

from __future__ import annotations

import time
from typing import Protocol

from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import HandshakeOutcome, RefusedError

_REQUEST = b"pkiplan asks\n"
_ANSWER = b"pkiplan answers\n"

# A full handshake takes three flights; more rounds than this mean that both sides only wait.
_MOST_ROUNDS = 12


class Side(Protocol):
    """One side of a connection that reads and writes through memory."""

    def handshake(self) -> bool:
        """Go on with the handshake; tell whether this side has finished. Raises RefusedError."""

    def outgoing(self) -> bytes:
        """Take what shall go to the other side."""

    def incoming(self, data: bytes) -> None:
        """Give what came from the other side."""

    def send(self, data: bytes) -> None:
        """Encrypt application data. Raises RefusedError."""

    def receive(self) -> bytes | None:
        """Decrypt application data, or None when there is none yet. Raises RefusedError."""

    def key_exchange(self) -> str:
        """Name the group that the common secret came from (RFC 8446, 4.2.7); empty where the library does not tell."""


def converse(client: Side, server: Side) -> HandshakeOutcome:
    """Shake hands, then send bytes both ways.

    In TLS 1.3 the client has finished before the server has looked at its certificate, so only the answer
    to application data proves that the server accepts (RFC 8446, 4.4.4 and 4.6).
    """
    started = time.perf_counter()
    try:
        reason = _converse(client, server)
    except RefusedError as refusal:
        reason = refusal.reason
    is_accepted = reason is ACCEPTED
    return HandshakeOutcome(
        accepted=is_accepted,
        reason=reason,
        key_exchange=client.key_exchange() if is_accepted else "",
        seconds=time.perf_counter() - started,
    )


def _converse(client: Side, server: Side) -> Reason:
    if not _shake_hands(client, server):
        return Reason("handshake-failed", "the handshake came to no end")
    client.send(_REQUEST)
    _pass_on(client, server)
    if server.receive() != _REQUEST:
        return Reason("handshake-failed", "the client's bytes did not reach the server", "server")
    server.send(_ANSWER)
    _pass_on(server, client)
    if client.receive() != _ANSWER:
        return Reason("handshake-failed", "the server's bytes did not reach the client", "client")
    return ACCEPTED


def _shake_hands(client: Side, server: Side) -> bool:
    client_done = server_done = False
    for _ in range(_MOST_ROUNDS):
        client_done = client_done or client.handshake()
        _pass_on(client, server)
        server_done = server_done or server.handshake()
        _pass_on(server, client)
        if client_done and server_done:
            return True
    return False


def _pass_on(sender: Side, receiver: Side) -> None:
    data = sender.outgoing()
    if data:
        receiver.incoming(data)
