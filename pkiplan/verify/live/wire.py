"""A TCP connection with one deadline for all that is done on it."""

from __future__ import annotations

import socket
import time
from typing import Self

from pkiplan.verify.results import UNREACHABLE, Reason

_BUFFER = 65536
# More than any greeting or answer before TLS begins.
_LONGEST_LINE = 4096


class UnreachableError(Exception):
    """Nobody answers, or not in the expected protocol; says nothing about certificates."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(UNREACHABLE, text, "server")


class Wire:
    """Bytes to and from an endpoint until the deadline."""

    def __init__(self, endpoint: str, timeout: float) -> None:
        self._endpoint = endpoint
        self.was_reset = False
        self._deadline = time.monotonic() + timeout
        host, port = host_and_port(endpoint)
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except TimeoutError:
            raise UnreachableError(f"{endpoint} does not answer within {timeout:g} s") from None
        except OSError as error:
            raise UnreachableError(f"{endpoint} cannot be reached: {error.strerror or type(error).__name__}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send everything."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except TimeoutError:
            raise UnreachableError(f"{self._endpoint} takes no bytes in time") from None
        except OSError as error:
            raise UnreachableError(f"{self._endpoint} broke off: {error.strerror or type(error).__name__}") from error

    def receive(self, at_most: int = _BUFFER, within: float | None = None) -> bytes | None:
        """Return what has come: nothing at the end of the stream, None when `within` seconds have passed."""
        patience = self._left() if within is None else min(within, self._left())
        try:
            self._socket.settimeout(patience)
            return self._socket.recv(at_most)
        except TimeoutError:
            if within is not None:
                return None
            raise UnreachableError(f"{self._endpoint} sends nothing in time") from None
        except ConnectionError:
            self.was_reset = True
            return b""
        except OSError as error:
            raise UnreachableError(f"{self._endpoint} broke off: {error.strerror or type(error).__name__}") from error

    def exactly(self, count: int) -> bytes:
        """Return so many bytes and not one more."""
        data = b""
        while len(data) < count:
            part = self.receive(count - len(data))
            if not part:
                raise UnreachableError(f"{self._endpoint} closed the connection before TLS began")
            data += part
        return data

    def line(self) -> str:
        """Return a line, read byte by byte: what follows it may be TLS already."""
        data = b""
        while not data.endswith(b"\n"):
            if len(data) > _LONGEST_LINE:
                raise UnreachableError(f"{self._endpoint} sends no lines; is it another protocol?")
            data += self.exactly(1)
        return data.decode("ascii", "replace").rstrip("\r\n")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise UnreachableError(f"{self._endpoint} does not finish in time")
        return left


def host_and_port(endpoint: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port`; raises UnreachableError when it is neither."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UnreachableError(f"{endpoint} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
