"""Handshake messages taken apart (RFC 5246, 7.4 for TLS 1.2; RFC 8446, 4 for TLS 1.3), secrets left where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.trace.registry import ALERT_NAMES, GROUP_NAMES, SIGNATURE_NAMES, VERSION_NAMES, named
from pkiplan.x509.keys import key_spec

Facts = list[tuple[str, str]]

# RFC 8446, 4.1.3: a ServerHello with this random asks the client to begin again.
_RETRY = bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C")
_SERVER_NAME, _GROUPS, _SIGNATURES, _ALPN = 0, 10, 13, 16
_VERSIONS, _AUTHORITIES, _KEY_SHARE = 43, 47, 51


class Cursor:
    """Bytes read from left to right."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Take so many bytes."""
        part = self._data[self._at : self._at + count]
        if len(part) != count:
            raise ValueError("a message that is cut short")
        self._at += count
        return part

    def number(self, octets: int) -> int:
        """Take a number of so many octets."""
        return int.from_bytes(self.take(octets), "big")

    def vector(self, octets: int) -> bytes:
        """Take bytes that their length goes before."""
        return self.take(self.number(octets))

    def rest(self) -> bytes:
        """Take all that is left."""
        return self.take(len(self._data) - self._at)

    @property
    def has_more(self) -> bool:
        """Tell whether anything is left."""
        return self._at < len(self._data)


class Reader:
    """Takes messages of one connection apart; what a message means depends on what was agreed before it."""

    def __init__(self, cipher_name: Callable[[int], str]) -> None:
        self._cipher_name = cipher_name
        self.is_1_3 = False
        self.cipher = ""
        self.group = ""

    def facts(self, kind: int, body: bytes) -> Facts:
        """Say what is in a handshake message of a kind; of a message of another kind nothing."""
        read = {
            1: self._client_hello,
            2: self._server_hello,
            4: self._ticket,
            11: self._certificate,
            12: self._server_key_exchange,
            13: self._certificate_request,
            15: self._certificate_verify,
            16: self._client_key_exchange,
            20: self._finished,
        }.get(kind)
        return read(Cursor(body)) if read else []

    def _client_hello(self, body: Cursor) -> Facts:
        legacy, random = body.number(2), body.take(32)
        body.vector(1)
        ciphers = _numbers(body.vector(2))
        body.vector(1)
        extensions = _extensions(body)
        versions = _numbers(Cursor(extensions[_VERSIONS]).vector(1)) if _VERSIONS in extensions else [legacy]
        facts = [("versions", ", ".join(named(VERSION_NAMES, version) for version in versions))]
        facts.append(("cipher suites", ", ".join(self._cipher_name(cipher) for cipher in ciphers)))
        if _SERVER_NAME in extensions:
            names = Cursor(Cursor(extensions[_SERVER_NAME]).vector(2))
            names.number(1)
            facts.append(("server name", names.vector(2).decode("ascii", "replace")))
        if _GROUPS in extensions:
            facts.append(("groups", _names_of(GROUP_NAMES, Cursor(extensions[_GROUPS]).vector(2))))
        if _SIGNATURES in extensions:
            facts.append(("signatures", _names_of(SIGNATURE_NAMES, Cursor(extensions[_SIGNATURES]).vector(2))))
        if _KEY_SHARE in extensions:
            facts.append(("key shares", ", ".join(_shares(Cursor(extensions[_KEY_SHARE]).vector(2)))))
        return [*facts, ("random", random.hex())]

    def _server_hello(self, body: Cursor) -> Facts:
        legacy, random = body.number(2), body.take(32)
        body.vector(1)
        cipher = body.number(2)
        body.number(1)
        extensions = _extensions(body) if body.has_more else {}
        version = int.from_bytes(extensions.get(_VERSIONS, legacy.to_bytes(2, "big")), "big")
        self.is_1_3 = version == 0x0304
        self.cipher = self._cipher_name(cipher)
        facts = [("version", named(VERSION_NAMES, version)), ("cipher suite", self.cipher)]
        if _KEY_SHARE in extensions:
            share = Cursor(extensions[_KEY_SHARE])
            self.group = named(GROUP_NAMES, share.number(2))
            public = f", public value of {len(share.vector(2))} bytes" if share.has_more else ""
            facts.append(("key share", self.group + public))
        if random == _RETRY:
            return [*facts, ("asks", "the client to begin again (HelloRetryRequest)")]
        return [*facts, ("random", random.hex())]

    def _certificate(self, body: Cursor) -> Facts:
        if self.is_1_3:
            body.vector(1)
        entries = Cursor(body.vector(3))
        facts: Facts = []
        while entries.has_more:
            facts.append((f"certificate {len(facts) + 1}", _described(entries.vector(3))))
            if self.is_1_3:
                entries.vector(2)
        return facts or [("certificates", "none")]

    def _certificate_request(self, body: Cursor) -> Facts:
        if self.is_1_3:
            body.vector(1)
            extensions = _extensions(body)
            signatures = Cursor(extensions[_SIGNATURES]).vector(2) if _SIGNATURES in extensions else b""
            authorities = Cursor(extensions[_AUTHORITIES]).vector(2) if _AUTHORITIES in extensions else b""
        else:
            body.vector(1)
            signatures, authorities = body.vector(2), body.vector(2)
        names = Cursor(authorities)
        accepted = []
        while names.has_more:
            accepted.append(x509.Name.from_bytes(names.vector(2)).rfc4514_string())
        return [
            ("accepted authorities", "; ".join(accepted) or "any"),
            ("signatures", _names_of(SIGNATURE_NAMES, signatures)),
        ]

    def _server_key_exchange(self, body: Cursor) -> Facts:
        body.number(1)  # named_curve (RFC 8422, 5.4): the only form still in use
        self.group = named(GROUP_NAMES, body.number(2))
        public = body.vector(1)
        signature = named(SIGNATURE_NAMES, body.number(2))
        return [
            ("group", self.group),
            ("public value", f"{len(public)} bytes, fresh for this connection"),
            ("signed by the server's key with", signature),
        ]

    def _client_key_exchange(self, body: Cursor) -> Facts:
        if self.group:
            return [("public value", f"{len(body.vector(1))} bytes, fresh for this connection")]
        return [("encrypted premaster secret", f"{len(body.vector(2))} bytes; only the server's private key opens it")]

    def _certificate_verify(self, body: Cursor) -> Facts:
        algorithm = named(SIGNATURE_NAMES, body.number(2))
        return [("signature", f"{algorithm}, {len(body.vector(2))} bytes, over everything said so far")]

    def _finished(self, body: Cursor) -> Facts:
        return [("check value", f"{len(body.rest())} bytes over everything said so far")]

    def _ticket(self, body: Cursor) -> Facts:
        return [("lifetime", f"{body.number(4)} s"), ("ticket", f"{len(body.rest())} bytes, to resume later")]


def alert_text(data: bytes) -> str:
    """Name an alert (RFC 8446, 6)."""
    return ALERT_NAMES.get(data[1], str(data[1])) if len(data) > 1 else "unknown"


def _described(der: bytes) -> str:
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = certificate.subject.rfc4514_string() or "(empty)"
        issuer = certificate.issuer.rfc4514_string() or "(empty)"
        key = str(key_spec(certificate.public_key()))
        identifier = _key_identifier(certificate)
    except ValueError:
        return f"{len(der)} bytes that do not parse"
    return f"{subject}, issued by {issuer}, {key}{identifier}, {len(certificate.public_bytes(Encoding.DER))} bytes"


def _key_identifier(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    return f", key id {extension.value.digest.hex()}"


def _extensions(body: Cursor) -> dict[int, bytes]:
    entries = Cursor(body.vector(2)) if body.has_more else Cursor(b"")
    found = {}
    while entries.has_more:
        kind = entries.number(2)
        found[kind] = entries.vector(2)
    return found


def _numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]


def _names_of(names: dict[int, str], data: bytes) -> str:
    return ", ".join(named(names, number) for number in _numbers(data))


def _shares(data: bytes) -> Iterator[str]:
    shares = Cursor(data)
    while shares.has_more:
        group = named(GROUP_NAMES, shares.number(2))
        yield f"{group} ({len(shares.vector(2))} bytes)"
