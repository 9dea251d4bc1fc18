"""A TLS client towards a live endpoint."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from cryptography import x509
from OpenSSL import SSL

from pkiplan.verify.live.starttls import STARTTLS
from pkiplan.verify.live.wire import UnreachableError, Wire
from pkiplan.verify.reasons import HANDSHAKE_FAILED, HTTP_STATUS
from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import SERVER, HandshakeSetup, RefusedError
from pkiplan.verify.stacks.pyopenssl import PyOpenSslSide, client_context, client_side

# How long to wait for a server that refuses after the client has finished, as in TLS 1.3.
_AFTERTHOUGHT_SECONDS = 0.25
# How long to wait for an answer to an HTTP request, which a server of another kind never gives.
_ANSWER_SECONDS = 2.0
# What an HTTP server answers where it judges the client's certificate itself; 495 and 496 are nginx's own.
_HTTP_REFUSALS = (b"400", b"401", b"403", b"495", b"496")


def served_certificates(endpoint: str, starttls: str | None, setup: HandshakeSetup, timeout: float) -> Chain:
    """Return the certificates an endpoint sends, trusted or not; raises UnreachableError or RefusedError."""
    with _open(endpoint, starttls, timeout) as wire:
        context = client_context(setup)
        context.set_verify(SSL.VERIFY_NONE)
        side = client_side(context, setup)
        _shake_hands(side, wire)
        return tuple(side.connection.get_peer_cert_chain(as_cryptography=True) or ())


def visit(endpoint: str, starttls: str | None, setup: HandshakeSetup, timeout: float) -> Reason:
    """Shake hands for good and see whether the server stays; raises UnreachableError when it is not there."""
    with _open(endpoint, starttls, timeout) as wire:
        try:
            side = client_side(client_context(setup), setup)
            _shake_hands(side, wire)
            return _stays(side, wire, is_http=starttls is None)
        except RefusedError as refusal:
            return refusal.reason


Chain = tuple[x509.Certificate, ...]


def _open(endpoint: str, starttls: str | None, timeout: float) -> Wire:
    wire = Wire(endpoint, timeout)
    if starttls is not None:
        try:
            STARTTLS[starttls](wire)
        except UnreachableError:
            wire.__exit__()
            raise
    return wire


def _shake_hands(side: PyOpenSslSide, wire: Wire) -> None:
    while True:
        try:
            done = side.handshake()
        except RefusedError:
            _tell(side, wire)
            raise
        _tell(side, wire)
        if done:
            return
        data = wire.receive()
        if not data:
            raise RefusedError(Reason(HANDSHAKE_FAILED, "the server closed the connection in the handshake", SERVER))
        side.incoming(data)


def _tell(side: PyOpenSslSide, wire: Wire) -> None:
    data = side.outgoing()
    if data:
        wire.send(data)


def _stays(side: PyOpenSslSide, wire: Wire, *, is_http: bool) -> Reason:
    """Find out whether the server refuses after the handshake.

    TLS 1.3 lets a client finish before the server has judged its certificate, and an HTTP server such as nginx
    finishes the handshake in any version and then answers with a status. So wait a moment for an alert, and
    then ask as HTTP does; a server of another kind that does not understand has accepted the handshake.
    """
    heard = _read(side, wire, _AFTERTHOUGHT_SECONDS)
    if not heard.plain and is_http and not heard.has_ended:
        side.send(b"GET / HTTP/1.1\r\nHost: pkiplan.invalid\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(UnreachableError):  # closed already: what it said before is still to be read
            _tell(side, wire)
        later = _read(side, wire, _ANSWER_SECONDS)
        heard = Heard(later.plain, has_ended=later.has_ended, is_alive=heard.is_alive or later.is_alive)
    status = heard.plain[9:12] if heard.plain.startswith(b"HTTP/1.") else b""
    if status in _HTTP_REFUSALS:
        return Reason(HTTP_STATUS, f"the server answers with HTTP status {status.decode()}", SERVER)
    is_1_3 = side.connection.get_protocol_version() == SSL.TLS1_3_VERSION
    if is_1_3 and wire.was_reset and not heard.is_alive:
        # A reset may have swallowed the alert; nothing has shown that the server accepted.
        return Reason(HANDSHAKE_FAILED, "the server reset the connection when the client had finished", SERVER)
    return ACCEPTED


@dataclass(frozen=True, slots=True)
class Heard:
    """What came after the handshake: application data, the end of the stream, any bytes at all (such as tickets)."""

    plain: bytes = b""
    has_ended: bool = False
    is_alive: bool = False


def _read(side: PyOpenSslSide, wire: Wire, within: float) -> Heard:
    """Listen for application data; raises RefusedError for an alert."""
    is_alive = False
    while True:
        try:
            data = wire.receive(within=within)
        except UnreachableError:
            data = None
        if data:
            side.incoming(data)
        try:
            plain = side.receive()
        except RefusedError as refusal:
            if _is_end(refusal):
                return Heard(has_ended=True, is_alive=is_alive)
            raise RefusedError(Reason(refusal.reason.code, refusal.reason.text, SERVER)) from refusal
        is_alive = is_alive or bool(data)
        if plain or not data:
            return Heard(plain or b"", has_ended=data == b"", is_alive=is_alive)


def _is_end(refusal: RefusedError) -> bool:
    """Tell whether the stream merely ended; an alert has words."""
    return isinstance(refusal.__cause__, SSL.ZeroReturnError | SSL.SysCallError)
