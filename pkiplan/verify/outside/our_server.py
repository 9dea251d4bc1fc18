"""A TLS server of this process on loopback, for programs that play clients only."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import HandshakeSetup, RefusedError
from pkiplan.verify.stacks.pyopenssl import PyOpenSslSide, server_context, server_side

ANSWER = "pkiplan answers"
# An answer to HTTP, and to anything else that waits for a line.
_RESPONSE = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER) + 1}\r\nConnection: close\r\n\r\n{ANSWER}\n".encode()
_BUFFER = 65536


class OurServer:
    """Serves one connection; `refusal` is why this side broke off, if it did. Raises RefusedError when made."""

    def __init__(self, setup: HandshakeSetup, seconds: float) -> None:
        self._side = server_side(server_context(setup), setup)
        self._seconds = seconds
        self.refusal: Reason = ACCEPTED
        self.has_heard = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(seconds)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="verify-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Where no client came, a visitor ends the wait; closing under a thread that waits would be a race.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), self._seconds):
            pass
        self._thread.join(self._seconds)
        self._listener.close()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(self._seconds)
            try:
                self._talk(connection)
            except RefusedError as refusal:
                self.refusal = refusal.reason
                with contextlib.suppress(OSError):
                    connection.sendall(self._side.outgoing())
            except OSError:
                return  # the client has gone; what it said tells why

    def _talk(self, connection: socket.socket) -> None:
        is_done = False
        while not is_done:
            is_done = self._side.handshake()
            _tell(self._side, connection)
            if not is_done and not self._hear(connection):
                return
        while not self._side.receive():
            if not self._hear(connection):
                return
        self.has_heard = True
        self._side.send(_RESPONSE)
        _tell(self._side, connection)
        # The client ends it: closed first, unread bytes of its would become a reset and swallow the answer.
        with contextlib.suppress(OSError):
            while connection.recv(_BUFFER):
                continue

    def _hear(self, connection: socket.socket) -> bool:
        data = connection.recv(_BUFFER)
        self._side.incoming(data)
        return bool(data)


def _tell(side: PyOpenSslSide, connection: socket.socket) -> None:
    data = side.outgoing()
    if data:
        connection.sendall(data)
