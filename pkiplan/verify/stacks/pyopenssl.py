"""pyOpenSSL on the OpenSSL that cryptography brings along: it speaks ML-DSA, and it can be told the time."""

from __future__ import annotations

from OpenSSL import SSL, crypto

from pkiplan.verify.reasons import UNUSABLE_KEY, library_reason, verification_reason
from pkiplan.verify.results import Reason
from pkiplan.verify.stacks import openssl_hooks
from pkiplan.verify.stacks.base import (
    CLIENT,
    SERVER,
    TLS_1_2,
    HandshakeOutcome,
    HandshakeSetup,
    Identity,
    RefusedError,
    Trust,
)
from pkiplan.verify.stacks.bounded_cache import BoundedCache
from pkiplan.verify.stacks.exchange import converse
from pkiplan.verify.stacks.kinds import has_ml_dsa_key

_OTHER_VERSION = {"1.2": SSL.OP_NO_TLSv1_3, "1.3": SSL.OP_NO_TLSv1_2}
_BUFFER = 65536


class PyOpenSslStack:
    """Both sides by pyOpenSSL. Contexts are kept; time, names and strictness are each connection's own."""

    name = "pyopenssl"
    is_told_strictness = True

    def __init__(self) -> None:
        self.version = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace")
        self._contexts: BoundedCache[SSL.Context] = BoundedCache()

    def cannot_judge(self, side: str) -> str | None:  # noqa: ARG002 - a TlsStack
        """Both sides are this library's."""
        return None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""
        presented = [setup.server.certificates[0], *([setup.client.certificates[0]] if setup.client else [])]
        if setup.version == TLS_1_2 and any(map(has_ml_dsa_key, presented)):
            return "TLS 1.2 has no ML-DSA signatures"
        return None

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
        try:
            client, server = self._client(setup), self._server(setup)
        except RefusedError as refusal:
            return HandshakeOutcome(accepted=False, reason=refusal.reason)
        return converse(client, server)

    def _client(self, setup: HandshakeSetup) -> PyOpenSslSide:
        key = (CLIENT, setup.client, setup.client_trusts, setup.allows_weak_keys, setup.ciphers)
        context = self._contexts.get(key, lambda: client_context(setup))
        return client_side(context, setup)

    def _server(self, setup: HandshakeSetup) -> PyOpenSslSide:
        key = (SERVER, setup.server, setup.server_trusts, setup.allows_weak_keys, setup.ciphers)
        context = self._contexts.get(key, lambda: server_context(setup))
        return server_side(context, setup)


class PyOpenSslSide:
    """One side of a connection through memory."""

    def __init__(self, connection: SSL.Connection, side: str) -> None:
        self.connection = connection
        self._side = side

    def handshake(self) -> bool:
        """Go on with the handshake; tell whether this side has finished."""
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise RefusedError(self._reason(error)) from error
        return True

    def outgoing(self) -> bytes:
        """Take what shall go to the other side."""
        parts = []
        while True:
            try:
                parts.append(self.connection.bio_read(_BUFFER))
            except SSL.WantReadError:
                return b"".join(parts)

    def incoming(self, data: bytes) -> None:
        """Give what came from the other side."""
        while data:
            data = data[self.connection.bio_write(data) :]

    def send(self, data: bytes) -> None:
        """Encrypt application data."""
        try:
            self.connection.sendall(data)
        except SSL.Error as error:
            raise RefusedError(self._reason(error)) from error

    def receive(self) -> bytes | None:
        """Decrypt application data, or None when there is none yet."""
        try:
            return self.connection.recv(_BUFFER)
        except SSL.WantReadError:
            return None
        except SSL.Error as error:
            raise RefusedError(self._reason(error)) from error

    def key_exchange(self) -> str:
        """Name the group that the common secret came from."""
        return self.connection.get_group_name() or ""

    def _reason(self, error: Exception) -> Reason:
        number = openssl_hooks.verify_result(self.connection)
        if number:
            return verification_reason(number, openssl_hooks.verification_words(number), self._side)
        return library_reason(_words(error), self._side)


def client_context(setup: HandshakeSetup) -> SSL.Context:
    """Make a client that trusts only what the setup says, with its certificate if it has one."""
    context = _context(SSL.TLS_CLIENT_METHOD, setup)
    context.set_verify(SSL.VERIFY_PEER)
    _trust(context, setup.client_trusts)
    if setup.client is not None:
        _present(context, setup.client, CLIENT)
    return context


def server_context(setup: HandshakeSetup) -> SSL.Context:
    """Make a server that sends its chain, and demands a client certificate if the setup says whom to trust."""
    context = _context(SSL.TLS_SERVER_METHOD, setup)
    _present(context, setup.server, SERVER)
    if setup.server_trusts is not None:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        _trust(context, setup.server_trusts)
        for authority in setup.server_trusts:
            context.add_client_ca(authority)
    return context


def client_side(context: SSL.Context, setup: HandshakeSetup) -> PyOpenSslSide:
    """Begin a client's connection: the time, the host it wants, how strictly it judges."""
    connection = _connection(context, setup)
    connection.set_connect_state()
    if setup.host is not None:
        openssl_hooks.check_host(connection, setup.host)
        if not openssl_hooks.is_ip_address(setup.host):
            # RFC 6066, 3: literal addresses are not permitted in server_name.
            connection.set_tlsext_host_name(setup.host.encode("ascii"))
    return PyOpenSslSide(connection, CLIENT)


def server_side(context: SSL.Context, setup: HandshakeSetup) -> PyOpenSslSide:
    """Begin a server's connection."""
    connection = _connection(context, setup)
    connection.set_accept_state()
    return PyOpenSslSide(connection, SERVER)


def _context(method: int, setup: HandshakeSetup) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    level = ":@SECLEVEL=0" if setup.allows_weak_keys else ""
    if level or setup.ciphers:
        # The level must stand before the certificate is loaded: OpenSSL checks the key's size then.
        context.set_cipher_list(f"{setup.ciphers or 'DEFAULT'}{level}".encode("ascii"))
    return context


def _connection(context: SSL.Context, setup: HandshakeSetup) -> SSL.Connection:
    connection = SSL.Connection(context)
    connection.set_options(_OTHER_VERSION[setup.version])
    openssl_hooks.judge(connection, time=setup.time, strict=setup.strict)
    return connection


def _trust(context: SSL.Context, anchors: Trust) -> None:
    store = context.get_cert_store()
    assert store is not None
    for anchor in anchors:
        store.add_cert(openssl_hooks.openssl_certificate(anchor))


def _present(context: SSL.Context, identity: Identity, side: str) -> None:
    try:
        openssl_hooks.use_identity(context, identity.certificates, identity.key_pem)
    except SSL.Error as error:
        raise RefusedError(library_reason(_words(error), side)) from error
    except crypto.Error as error:
        raise RefusedError(Reason(UNUSABLE_KEY, f"the key cannot be loaded: {_words(error)}", side)) from error


def _words(error: Exception) -> str:
    """Take the reasons out of pyOpenSSL's list of (library, function, reason)."""
    if error.args and isinstance(error.args[0], list) and error.args[0]:
        return ", ".join(entry[-1] for entry in error.args[0] if entry[-1])
    return ", ".join(str(argument) for argument in error.args) or type(error).__name__
