"""The contract of the private hooks: what pyOpenSSL and cryptography must go on to offer, and what it must do."""

from __future__ import annotations

import pytest
from OpenSSL._util import lib

from pkiplan.verify.stacks import openssl_hooks
from pkiplan.verify.stacks.base import HandshakeOutcome, HandshakeSetup, Identity, RefusedError
from pkiplan.verify.stacks.exchange import converse
from pkiplan.verify.stacks.pyopenssl import (
    PyOpenSslSide,
    PyOpenSslStack,
    client_context,
    client_side,
    server_context,
    server_side,
)
from tests.verify.toy_site import DAY, KEYS, NOW, Toy, key_pem, p256


@pytest.mark.parametrize("name", openssl_hooks.NEEDED)
def test_the_binding_offers_what_we_need(name: str) -> None:
    assert callable(getattr(lib, name))


def setup_of(key: str = "ecdsa-p256", **what: object) -> HandshakeSetup:
    toy = Toy()
    toy.authority("root")
    toy.leaf("web", "authority.root", key=key, names=["www.toy.example", "*.apps.toy.example", "10.0.0.2"])
    identity = Identity("web", toy.chain("certificate.web")[:1], key_pem(toy.keys["certificate.web"]))
    given = {"server": identity, "client_trusts": toy.chain("authority.root"), "host": "www.toy.example", "time": NOW}
    return HandshakeSetup(**(given | what))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("www.toy.example", ""),
        ("WWW.toy.example", ""),
        ("x.apps.toy.example", ""),
        ("10.0.0.2", ""),
        ("apps.toy.example", "wrong-name"),
        ("x.y.apps.toy.example", "wrong-name"),
        ("web", "wrong-name"),  # its common name
        ("10.0.0.3", "wrong-name"),
        ("::1", "wrong-name"),
    ],
)
def test_the_host_is_checked(host: str, code: str) -> None:
    outcome = PyOpenSslStack().handshake(setup_of(host=host))

    assert (outcome.accepted, outcome.reason.code) == (code == "", code)


@pytest.mark.parametrize(("time", "code"), [(NOW, ""), (NOW + 31 * DAY, "expired"), (NOW - 2 * DAY, "not-yet-valid")])
def test_the_time_is_each_connections_own(time: object, code: str) -> None:
    setup = setup_of()
    context_client, context_server = client_context(setup), server_context(setup)

    def shake(time: object) -> HandshakeOutcome:
        given = HandshakeSetup(server=setup.server, client_trusts=setup.client_trusts, host=setup.host, time=time)  # type: ignore[arg-type]
        return converse(client_side(context_client, given), server_side(context_server, given))

    assert shake(time).reason.code == code
    assert shake(NOW).accepted  # the same contexts, another time


@pytest.mark.parametrize("key", sorted(set(KEYS) - {"rsa-1024"}))
def test_every_kind_of_key_can_be_loaded(key: str) -> None:
    assert PyOpenSslStack().handshake(setup_of(key)).accepted


def test_an_encrypted_key_fails_and_asks_nobody() -> None:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    encrypted = p256().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    setup = setup_of()
    identity = Identity("web", setup.server.certificates, encrypted)

    with pytest.raises(RefusedError) as refused:
        server_context(HandshakeSetup(server=identity, client_trusts=setup.client_trusts, time=NOW))

    assert refused.value.reason.code == "unusable-key"


def test_a_key_of_another_certificate_is_a_mismatch() -> None:
    setup = setup_of()
    identity = Identity("web", setup.server.certificates, key_pem(p256()))

    with pytest.raises(RefusedError) as refused:
        server_context(HandshakeSetup(server=identity, client_trusts=setup.client_trusts, time=NOW))

    assert refused.value.reason.code == "key-mismatch"


def test_a_listener_that_fails_is_told_of_once_openssl_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    setup = setup_of()

    def failing(_side: str, _message: openssl_hooks.Message) -> None:
        raise KeyError("what the message holds")

    tap = openssl_hooks.MessageTap(failing)
    context = client_context(setup)
    tap.attach(context, "client")
    tap.raise_failure()

    converse(client_side(context, setup), server_side(server_context(setup), setup))

    with pytest.raises(KeyError):
        tap.raise_failure()
    assert capfd.readouterr().err == ""


def test_every_message_is_heard_on_both_sides_in_order() -> None:
    heard: list[tuple[str, bool, int]] = []
    setup = setup_of()
    tap = openssl_hooks.MessageTap(lambda side, message: heard.append((side, message[0], message[2])))
    context_client, context_server = client_context(setup), server_context(setup)
    tap.attach(context_client, "client")
    tap.attach(context_server, "server")

    outcome = converse(client_side(context_client, setup), server_side(context_server, setup))

    assert outcome.accepted
    handshake = [(side, sent) for side, sent, content_type in heard if content_type == 22]
    assert handshake[:2] == [("client", True), ("server", False)]
    assert {side for side, _ in handshake} == {"client", "server"}


def test_a_client_that_finished_is_not_yet_accepted() -> None:
    """TLS 1.3: the server refuses after the client has finished; the answer to its bytes tells."""
    setup = setup_of(server_trusts=setup_of().client_trusts)
    client, server = client_side(client_context(setup), setup), server_side(server_context(setup), setup)
    finished = _client_finishes(client, server)

    outcome = PyOpenSslStack().handshake(setup)

    assert finished
    assert (outcome.accepted, outcome.reason.code, outcome.reason.by) == (False, "no-client-certificate", "server")


def _client_finishes(client: PyOpenSslSide, server: PyOpenSslSide) -> bool:
    client.handshake()
    server.incoming(client.outgoing())
    server.handshake()
    client.incoming(server.outgoing())
    return client.handshake()
