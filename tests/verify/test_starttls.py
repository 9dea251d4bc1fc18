from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pkiplan.manifest import verify_rules
from pkiplan.verify.live.starttls import STARTTLS
from tests.verify.live import asked, live_reasons, local_site, rule, written
from tests.verify.toy_site import Toy

# What a server says and what it must hear, in turn; then TLS begins.
Script = list[tuple[str, bytes]]

SCRIPTS: dict[str, Script] = {
    "smtp": [
        ("say", b"220-mail.toy.example\r\n220 ready\r\n"),
        ("hear", b"EHLO pkiplan.invalid\r\n"),
        ("say", b"250-mail.toy.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
        ("hear", b"STARTTLS\r\n"),
        ("say", b"220 go ahead\r\n"),
    ],
    "imap": [
        ("say", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
        ("hear", b"p1 STARTTLS\r\n"),
        ("say", b"* CAPABILITY IMAP4rev1\r\np1 OK begin\r\n"),
    ],
    "postgres": [("hear", bytes.fromhex("0000000804d2162f")), ("say", b"S")],
    "ldap": [
        ("hear", bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"),
        ("say", bytes.fromhex("300c02010178070a010004000400")),
    ],
}

REFUSALS: dict[str, tuple[str, Script]] = {
    "smtp that is busy": ("smtp", [("say", b"421 later\r\n")]),
    "smtp without the extension": (
        "smtp",
        [("say", b"220 x\r\n"), ("hear", b"EHLO pkiplan.invalid\r\n"), ("say", b"250 x\r\n")],
    ),
    "imap that says no": (
        "imap",
        [("say", b"* OK x\r\n"), ("hear", b"p1 STARTTLS\r\n"), ("say", b"p1 NO not here\r\n")],
    ),
    "postgres without TLS": ("postgres", [("hear", bytes.fromhex("0000000804d2162f")), ("say", b"N")]),
    "ldap that is unwilling": (
        "ldap",
        [
            ("hear", bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"),
            ("say", bytes.fromhex("300c02010178070a013504000400")),
        ],
    ),
    "nothing of the kind": ("imap", [("say", b"SSH-2.0-OpenSSH_9\r\n")]),
    "an end without a word": ("smtp", []),
}


@contextmanager
def scripted(toy: Toy, directory: Path, script: Script, *, then_tls: bool = True) -> Iterator[int]:
    """Serve connections by a script, and then with TLS."""
    files = written(toy, directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)

    def serve(connection: socket.socket) -> None:
        connection.settimeout(10)
        for what, data in script:
            if what == "say":
                connection.sendall(data)
            else:
                assert connection.recv(len(data), socket.MSG_WAITALL) == data
        if then_tls:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    serve(connection)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize("protocol", SCRIPTS)
def test_tls_begins_where_the_protocol_says(protocol: str, tmp_path: Path) -> None:
    toy = local_site()
    with scripted(toy, tmp_path, SCRIPTS[protocol]) as port:
        report = asked(toy, rule(port, starttls=protocol))

    assert [str(result) for result in report.unexpected] == []
    assert live_reasons(report) == {"connect": {""}, "connect-certificate": {""}}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_server_that_does_not_begin_tls_is_unreachable(case: str, tmp_path: Path) -> None:
    toy = local_site()
    protocol, script = REFUSALS[case]
    with scripted(toy, tmp_path, script, then_tls=False) as port:
        report = asked(toy, rule(port, starttls=protocol))

    assert live_reasons(report) == {"connect": {"unreachable"}, "connect-certificate": {"unreachable"}}


def test_the_manifest_takes_what_we_speak_and_nothing_else() -> None:
    assert set(verify_rules.STARTTLS) == set(STARTTLS)


def test_a_protocol_we_do_not_know_is_not_run() -> None:
    report = asked(local_site(), rule(1, starttls="xmpp"))

    assert live_reasons(report) == {"connect": {"not-supported"}}
    assert report.is_as_expected
