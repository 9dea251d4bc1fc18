"""Run one handshake with a listener at both sides, and tell what was said."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from OpenSSL import SSL

from pkiplan.errors import PkiplanError
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.verify.credentials import Credential, NotRunError, UnusableError
from pkiplan.verify.probes.client import mutual_setup
from pkiplan.verify.probes.server import server_setup
from pkiplan.verify.purposes import host_names
from pkiplan.verify.session import Session
from pkiplan.verify.stacks.base import CLIENT, SERVER, HandshakeOutcome, HandshakeSetup, RefusedError
from pkiplan.verify.stacks.exchange import converse
from pkiplan.verify.stacks.openssl_hooks import Message, MessageTap, cipher_name
from pkiplan.verify.stacks.pyopenssl import (
    PyOpenSslSide,
    PyOpenSslStack,
    client_context,
    client_side,
    server_context,
    server_side,
)
from pkiplan.verify.trace.reading import Facts, Reader, alert_text
from pkiplan.verify.trace.registry import HANDSHAKE_NAMES
from pkiplan.verify.trace.steps import Talk, tell
from pkiplan.verify.trace.story import HandshakeTrace, KeyExchange, TraceMessage
from pkiplan.x509.keys import key_spec

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
# What OpenSSL reports beside messages (openssl/ssl3.h): record headers, and the hidden type of a TLS 1.3 record.
_RECORD_HEADER, _INNER_TYPE = 256, 257


def trace(
    site: Site,
    *,
    now: datetime,
    load: Callable[[Resource], Credential],
    server: Resource,
    client: Resource | None,
    demands_client: bool,
    version: str,
    key_exchange: KeyExchange,
    host: str | None,
) -> HandshakeTrace:
    """Set up the handshake, run it with a listener, and tell it."""
    stack = PyOpenSslStack()
    session = Session(site, now=now, load=load, stacks=(stack,))
    setup = _setup(session, server, client, version, host)
    if demands_client:
        setup = replace(setup, server_trusts=setup.client_trusts)
    if key_exchange is KeyExchange.RSA:
        if version != "1.2":
            raise PkiplanError.of("RSA key exchange ended with TLS 1.2", hint="ask for TLS 1.2", code="not-supported")
        setup = replace(setup, ciphers="kRSA")
    why_not = stack.cannot(setup)
    if why_not is not None:
        raise PkiplanError.of(why_not, code="not-supported")
    told = _Trace(setup).run()
    if key_exchange is KeyExchange.RSA and not told.accepted:
        return replace(told, advice=_why_not_rsa(server, setup))
    return told


def _why_not_rsa(server: Resource, setup: HandshakeSetup) -> str:
    """Say what a server lacks for RSA key exchange; nothing where it lacks nothing."""
    key = setup.server.certificates[0].public_key()
    if isinstance(key, RSAPublicKey):
        return ""
    return (
        f"RSA key exchange takes an RSA key, and that of {server.address} is {key_spec(key)}: leave "
        "`--key-exchange rsa` out, or trace a server that has one"
    )


def _setup(
    session: Session, server: Resource, client: Resource | None, version: str, host: str | None
) -> HandshakeSetup:
    try:
        subject = session.subject(server)
        hosts = [host] if host else list(host_names(subject.resource))
        if not hosts:
            raise PkiplanError.of(f"{server.address} has no DNS name and no IP address that a client could ask for")
        if client is None:
            return server_setup(session, subject, host=hosts[0], version=version, strict=True)
        partner = session.subject(client)
        return mutual_setup(session, subject, partner, version=version, strict=True, host=hosts[0])
    except (NotRunError, UnusableError) as error:
        who = " and ".join(resource.address for resource in (server, client) if resource is not None)
        raise PkiplanError.of(f"{who}: {error.reason.text}", code=error.reason.code) from error


class _Trace:
    """The listener: hears both sides in one thread, so the order is the order of events."""

    def __init__(self, setup: HandshakeSetup) -> None:
        self._setup = setup
        self._messages: list[TraceMessage] = []
        self._started = 0.0
        self._is_encrypted = {CLIENT: False, SERVER: False}
        self._record_size = {CLIENT: 0, SERVER: 0}

    def run(self) -> HandshakeTrace:
        tap = MessageTap(self._hear)
        try:
            contexts = client_context(self._setup), server_context(self._setup)
        except RefusedError as refusal:
            raise PkiplanError.of(refusal.reason.text, code=refusal.reason.code) from refusal
        for context, side in zip(contexts, (CLIENT, SERVER), strict=True):
            tap.attach(context, side)
        client, server = client_side(contexts[0], self._setup), server_side(contexts[1], self._setup)
        self._reader = Reader(lambda code: cipher_name(client.connection, code))
        self._started = time.perf_counter()
        outcome = converse(client, server)
        if outcome.reason.by:
            # The last words of the side that refused: its alert.
            (client if outcome.reason.by == CLIENT else server).outgoing()
        tap.raise_failure()
        return self._told(outcome, client, server)

    def _told(self, outcome: HandshakeOutcome, client: PyOpenSslSide, server: PyOpenSslSide) -> HandshakeTrace:
        talk = Talk(
            messages=self._messages,
            host=self._setup.host or "",
            is_1_3=self._reader.is_1_3,
            group=self._reader.group,
            client_checked=_verified_path(client),
            server_checked=_verified_path(server),
            reason=outcome.reason,
        )
        return HandshakeTrace(
            server=self._setup.server.name,
            client=self._setup.client.name if self._setup.client else None,
            host=self._setup.host or "",
            stack=SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace"),
            version=self._setup.version,
            cipher=self._reader.cipher,
            group=self._reader.group,
            accepted=outcome.accepted,
            reason=outcome.reason,
            messages=tuple(self._messages),
            steps=tell(talk),
        )

    def _hear(self, side: str, message: Message) -> None:
        is_sent, _version, content_type, data = message
        if not is_sent:
            return  # what was received is what the other side sent
        if content_type == _RECORD_HEADER:
            self._record_size[side] = int.from_bytes(data[3:5], "big")
        if content_type == _HANDSHAKE:
            self._add(side, HANDSHAKE_NAMES.get(data[0], f"handshake message {data[0]}"), len(data), self._facts(data))
            if self._reader.is_1_3 and data[0] == 2:
                self._is_encrypted = {CLIENT: True, SERVER: True}
        elif content_type == _CHANGE_CIPHER_SPEC:
            # TLS 1.3 sends it only to please old middleboxes (RFC 8446, appendix D.4).
            facts = [("meaning", "none, kept for old middleboxes")] if self._reader.is_1_3 else []
            self._add(side, "ChangeCipherSpec", len(data), facts)
            self._is_encrypted[side] = True
        elif content_type == _ALERT:
            self._add(side, "Alert", len(data), [("alert", alert_text(data))])
        elif self._is_application_data(content_type, data):
            self._add(side, "ApplicationData", self._record_size[side], [("size", "of the encrypted record")])

    def _facts(self, data: bytes) -> Facts:
        try:
            return self._reader.facts(data[0], data[4:])
        except ValueError:
            return [("content", "does not parse")]

    def _is_application_data(self, content_type: int, data: bytes) -> bool:
        if self._reader.is_1_3:
            return content_type == _INNER_TYPE and data[:1] == bytes((_APPLICATION_DATA,))
        return content_type == _RECORD_HEADER and data[:1] == bytes((_APPLICATION_DATA,))

    def _add(self, side: str, name: str, size: int, facts: Facts) -> None:
        is_plain = name == "ChangeCipherSpec"
        self._messages.append(
            TraceMessage(
                number=len(self._messages) + 1,
                sender=side,
                name=name,
                size=size,
                is_encrypted=self._is_encrypted[side] and not is_plain,
                facts=tuple(facts),
                milliseconds=(time.perf_counter() - self._started) * 1000,
            )
        )


def _verified_path(side: PyOpenSslSide) -> tuple[str, ...]:
    """List the subjects of the path that a side really accepted, its peer's certificate first."""
    path = side.connection.get_verified_chain(as_cryptography=True) or ()
    return tuple(certificate.subject.rfc4514_string() or "(empty)" for certificate in path)
