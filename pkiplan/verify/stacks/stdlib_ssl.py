"""Python's own `ssl` on the system's OpenSSL: a second stack that shares no code with the first."""

from __future__ import annotations

import os
import ssl

from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.reasons import UNUSABLE_KEY, library_reason, verification_reason
from pkiplan.verify.results import Reason
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
from pkiplan.verify.stacks.kinds import has_ml_dsa_key, needs_ml_dsa

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# The first OpenSSL with ML-DSA.
_ML_DSA_SINCE = (3, 5)


class StdlibStack:
    """Both sides by the standard library; a context is kept for each way to judge."""

    name = "ssl"
    is_told_strictness = True

    def __init__(self) -> None:
        self.version = ssl.OPENSSL_VERSION
        self._contexts: BoundedCache[ssl.SSLContext] = BoundedCache()

    def cannot_judge(self, side: str) -> str | None:  # noqa: ARG002 - a TlsStack
        """Both sides are this library's."""
        return None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""
        if setup.is_clock_moved:
            return "Python's ssl cannot be told the time"
        presented = [setup.server.certificates[0], *([setup.client.certificates[0]] if setup.client else [])]
        if setup.version == TLS_1_2 and any(map(has_ml_dsa_key, presented)):
            return "TLS 1.2 has no ML-DSA signatures"
        if ssl.OPENSSL_VERSION_INFO[:2] < _ML_DSA_SINCE and any(map(needs_ml_dsa, setup.all_certificates)):
            return f"{self.version.rsplit(' ', 3)[0]} knows no ML-DSA"
        if not hasattr(os, "memfd_create"):
            return "Python's ssl loads keys from files only, and no key is written to disk for a check"
        return None

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
        shared = (setup.allows_weak_keys, setup.ciphers, setup.version, setup.strict)
        client_key = (CLIENT, setup.client, setup.client_trusts, setup.host is None, *shared)
        server_key = (SERVER, setup.server, setup.server_trusts, *shared)
        try:
            client = self._contexts.get(client_key, lambda: _client_context(setup))
            server = self._contexts.get(server_key, lambda: _server_context(setup))
        except RefusedError as refusal:
            return HandshakeOutcome(accepted=False, reason=refusal.reason)
        return converse(StdlibSide(client, CLIENT, setup.host), StdlibSide(server, SERVER, None))


class StdlibSide:
    """One side of a connection through memory."""

    def __init__(self, context: ssl.SSLContext, side: str, host: str | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._side = side
        is_server = side == SERVER
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=is_server, server_hostname=host)

    def handshake(self) -> bool:
        """Go on with the handshake; tell whether this side has finished."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise RefusedError(self._reason(error)) from error
        return True

    def outgoing(self) -> bytes:
        """Take what shall go to the other side."""
        return self._outgoing.read()

    def incoming(self, data: bytes) -> None:
        """Give what came from the other side."""
        self._incoming.write(data)

    def send(self, data: bytes) -> None:
        """Encrypt application data."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise RefusedError(self._reason(error)) from error

    def receive(self) -> bytes | None:
        """Decrypt application data, or None when there is none yet."""
        try:
            return self._tls.read()
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as error:
            raise RefusedError(self._reason(error)) from error

    def key_exchange(self) -> str:
        """Name the group that the common secret came from; Python tells from 3.15 on."""
        group = getattr(self._tls, "group", None)
        return (group() or "") if group else ""

    def _reason(self, error: ssl.SSLError) -> Reason:
        if isinstance(error, ssl.SSLCertVerificationError):
            return verification_reason(error.verify_code, error.verify_message, self._side)
        return library_reason(error.reason or str(error), self._side)


def _client_context(setup: HandshakeSetup) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_CLIENT, setup)
    context.check_hostname = setup.host is not None
    # RFC 9525, 6.3: names stand in the subject alternative name, never in the common name.
    context.hostname_checks_common_name = False
    _trust(context, setup.client_trusts)
    if setup.client is not None:
        _present(context, setup.client, CLIENT)
    return context


def _server_context(setup: HandshakeSetup) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_SERVER, setup)
    _present(context, setup.server, SERVER)
    if setup.server_trusts is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, setup.server_trusts)
    return context


def _context(protocol: int, setup: HandshakeSetup) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = context.maximum_version = _VERSIONS[setup.version]
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if setup.strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    level = ":@SECLEVEL=0" if setup.allows_weak_keys else ""
    if level or setup.ciphers:
        # The level must stand before the certificate is loaded: OpenSSL checks the key's size then.
        context.set_ciphers(f"{setup.ciphers or 'DEFAULT'}{level}")
    return context


def _trust(context: ssl.SSLContext, anchors: Trust) -> None:
    for anchor in anchors:
        context.load_verify_locations(cadata=anchor.public_bytes(Encoding.DER))


def _present(context: ssl.SSLContext, identity: Identity, side: str) -> None:
    """Load chain and key from an anonymous file in memory: `ssl` takes only paths, and keys stay off the disk."""
    descriptor = os.memfd_create("pkiplan-identity", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(identity.key_pem + b"\n" + identity.certificates_pem)
        # An encrypted key must fail here, not ask at the terminal: hence the empty passphrase.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=b"")
    except ssl.SSLError as error:
        reason = library_reason(error.reason or "not a private key in PEM", side)
        if reason.code == "handshake-failed":
            reason = Reason(UNUSABLE_KEY, f"the key cannot be loaded: {reason.text}", side)
        raise RefusedError(reason) from error
    finally:
        os.close(descriptor)
