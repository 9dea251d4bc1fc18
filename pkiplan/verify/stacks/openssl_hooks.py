"""Private hooks of pyOpenSSL and cryptography's bindings, all in one place.

pyOpenSSL offers neither host-name checking nor the message callback, and refuses ML-DSA keys although the OpenSSL
beneath it takes them. What stands here is used nowhere else; tests/verify/test_openssl_hooks.py is its contract.
"""
# The private names are the point of this file.
# ruff: noqa: SLF001

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib

# What cryptography's binding must offer; the contract test asks for each.
NEEDED = (
    "SSL_get0_param",
    "SSL_get_verify_result",
    "SSL_CTX_use_PrivateKey",
    "SSL_CTX_use_certificate",
    "SSL_CTX_add_extra_chain_cert",
    "X509_up_ref",
    "X509_free",
    "SSL_CTX_set_msg_callback",
    "SSL_CIPHER_find",
    "SSL_CIPHER_get_name",
    "X509_VERIFY_PARAM_set1_host",
    "X509_VERIFY_PARAM_set1_ip",
    "X509_VERIFY_PARAM_set_flags",
    "X509_VERIFY_PARAM_set_hostflags",
    "X509_VERIFY_PARAM_set_time",
    "X509_STORE_set_purpose",
    "X509_verify_cert_error_string",
)

Message = tuple[bool, int, int, bytes]


def is_ip_address(host: str) -> bool:
    """Tell whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# Authorities come again with every certificate beneath them; OpenSSL counts references to what it shares.
@lru_cache(maxsize=256)
def openssl_certificate(certificate: x509.Certificate) -> crypto.X509:
    """Parse a certificate for OpenSSL; only ever read, so threads and contexts may share it."""
    return crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.public_bytes(Encoding.DER))


def use_identity(context: SSL.Context, certificates: tuple[x509.Certificate, ...], key_pem: bytes) -> None:
    """Load a chain and its private key; the key may be of any kind OpenSSL knows, ML-DSA included.

    Raises `OpenSSL.SSL.Error` or `OpenSSL.crypto.Error` when OpenSSL takes one of them not, or they are no pair.
    """
    handle = context._context
    own, *chain = (openssl_certificate(certificate) for certificate in certificates)
    _check(_lib.SSL_CTX_use_certificate(handle, own._x509))
    for above in chain:
        _check(_lib.X509_up_ref(above._x509))  # the context takes over one reference
        if _lib.SSL_CTX_add_extra_chain_cert(handle, above._x509) != 1:
            _lib.X509_free(above._x509)
            _raise_current_error()
    # An encrypted key must fail here, not ask at the terminal: hence the empty passphrase.
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, key_pem, b"")
    _check(_lib.SSL_CTX_use_PrivateKey(handle, key._pkey))
    context.check_privatekey()


def check_host(connection: SSL.Connection, host: str) -> None:
    """Make a client refuse a certificate that does not hold this DNS name or IP address (RFC 9525)."""
    parameters = _lib.SSL_get0_param(connection._ssl)
    if is_ip_address(host):
        packed = ipaddress.ip_address(host).packed
        _check(_lib.X509_VERIFY_PARAM_set1_ip(parameters, packed, len(packed)))
        return
    # RFC 9525, 6.3: a wildcard is a whole label; the subject's common name is not looked at.
    flags = _lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | _lib.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
    _lib.X509_VERIFY_PARAM_set_hostflags(parameters, flags)
    name = host.encode("ascii")
    _check(_lib.X509_VERIFY_PARAM_set1_host(parameters, name, len(name)))


def judge(connection: SSL.Connection, *, time: datetime, strict: bool) -> None:
    """Set the time at which a side judges its peer's chain, and whether by X509_V_FLAG_X509_STRICT."""
    parameters = _lib.SSL_get0_param(connection._ssl)
    _lib.X509_VERIFY_PARAM_set_time(parameters, int(time.timestamp()))
    if strict:
        _check(_lib.X509_VERIFY_PARAM_set_flags(parameters, _lib.X509_V_FLAG_X509_STRICT))


def verify_result(connection: SSL.Connection) -> int:
    """Return OpenSSL's number for why the peer's chain was refused; 0 when it was not."""
    return int(_lib.SSL_get_verify_result(connection._ssl))


def verification_words(number: int) -> str:
    """Return OpenSSL's words for such a number."""
    words: bytes = _ffi.string(_lib.X509_verify_cert_error_string(number))
    return words.decode("ascii", "replace")


def set_store_purpose(store: crypto.X509Store, purpose: int) -> None:
    """Make a store judge certificates for a purpose (openssl/x509.h, X509_PURPOSE_…)."""
    _check(_lib.X509_STORE_set_purpose(store._store, purpose))


def cipher_name(connection: SSL.Connection, code: int) -> str:
    """Name a cipher suite by its number, as OpenSSL does; in hex when it knows none."""
    cipher = _lib.SSL_CIPHER_find(connection._ssl, code.to_bytes(2, "big"))
    if cipher == _ffi.NULL:
        return _SIGNALS.get(code, f"{code:#06x}")
    name: bytes = _ffi.string(_lib.SSL_CIPHER_get_name(cipher))
    return name.decode("ascii", "replace")


# Not cipher suites but signals in their list: RFC 5746, 3.3 and RFC 7507.
_SIGNALS = {0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV", 0x5600: "TLS_FALLBACK_SCSV"}


class MessageTap:
    """Hear every message of the connections of some contexts, both ways, as OpenSSL itself reports them."""

    def __init__(self, listener: Callable[[str, Message], None]) -> None:
        self._listener = listener
        self._callbacks: list[Any] = []
        self._contexts: list[SSL.Context] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def raise_failure(self) -> None:
        """Raise what the listener failed with, if it did: no exception comes through OpenSSL."""
        if self._failure is not None:
            raise self._failure

    def attach(self, context: SSL.Context, side: str) -> None:
        """Listen to every connection made from this context from now on; `side` names it to the listener."""

        def heard(
            is_sent: int, version: int, content_type: int, data: Any, length: int, _ssl: Any, _argument: Any
        ) -> None:
            message = (bool(is_sent), version, content_type, bytes(_ffi.buffer(data, length)) if length else b"")
            with self._lock:
                self._listener(side, message)

        def failed(_kind: object, error: BaseException, _traceback: object) -> None:
            self._failure = self._failure or error

        callback = _ffi.callback("void (*)(int, int, int, void *, size_t, SSL *, void *)", heard, onerror=failed)
        self._callbacks.append(callback)
        self._contexts.append(context)
        _lib.SSL_CTX_set_msg_callback(context._context, callback)


def _check(answer: int) -> None:
    if answer != 1:
        _raise_current_error()


def _raise_current_error() -> None:
    SSL._raise_current_error()
