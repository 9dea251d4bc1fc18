"""What a TLS stack is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.results import ACCEPTED, Reason

CLIENT = "client"
SERVER = "server"
TLS_1_2 = "1.2"
TLS_1_3 = "1.3"
VERSIONS = (TLS_1_2, TLS_1_3)


class RefusedError(Exception):
    """A side ends the handshake, or cannot even begin it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """What one side presents: certificates in the order it sends them, its own first, and its private key.

    Identities are equal only to themselves, so that a stack may keep what it loaded for one.
    """

    name: str
    certificates: tuple[x509.Certificate, ...]
    key_pem: bytes = field(repr=False)

    @property
    def certificates_pem(self) -> bytes:
        """Write the certificates as PEM, in order."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.certificates)


Trust = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeSetup:
    """One handshake: who takes part, whom each side trusts, and what the client wants to reach.

    `server_trusts` of None means the server asks for no client certificate; else it demands one. `host` is
    a DNS name or an IP address that the client checks, or None. `time` is what both sides take for now.
    `is_clock_moved` tells that it differs from the machine's clock. `allows_weak_keys` lowers the security
    level for certificates whose manifest allows RSA of 1024 bits. `ciphers` chooses cipher suites of TLS 1.2 in
    OpenSSL's words.
    """

    server: Identity
    client: Identity | None = None
    client_trusts: Trust
    server_trusts: Trust | None = None
    host: str | None = None
    version: str = TLS_1_3
    strict: bool = True
    time: datetime
    is_clock_moved: bool = False
    allows_weak_keys: bool = False
    ciphers: str | None = None

    @property
    def all_certificates(self) -> tuple[x509.Certificate, ...]:
        """List every certificate that plays a part."""
        client = self.client.certificates if self.client else ()
        return (*self.server.certificates, *client, *self.client_trusts, *(self.server_trusts or ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeOutcome:
    """How a handshake ended: accepted means that both sides finished and bytes went both ways.

    `key_exchange` names the group by which both came to a common secret, where the stack tells.
    """

    accepted: bool
    reason: Reason = ACCEPTED
    key_exchange: str = ""
    seconds: float = 0.0


class TlsStack(Protocol):
    """A TLS implementation that plays both sides of a handshake, or one side against ours."""

    @property
    def name(self) -> str:
        """Name the stack in reports."""

    @property
    def version(self) -> str:
        """Give the library's own version text."""

    @property
    def is_told_strictness(self) -> bool:
        """Tell whether `strict` means anything to it; else it judges in its own one way."""

    def cannot_judge(self, side: str) -> str | None:
        """Say why it cannot be the one that judges on this side, or None when it can."""

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
