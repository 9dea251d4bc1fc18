"""The `openssl` program on both sides: s_server and s_client, which shake hands over loopback."""

from __future__ import annotations

import os
import re
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.openssl_program import OpenSsl
from pkiplan.verify.outside.base import ML_DSA_SINCE, no_ml_dsa, timed
from pkiplan.verify.outside.program import MemoryFiles, Program, why_no_memory_files
from pkiplan.verify.outside.words import last_line
from pkiplan.verify.reasons import HANDSHAKE_FAILED, UNUSABLE_KEY, library_reason, verification_reason
from pkiplan.verify.results import ACCEPTED, Reason
from pkiplan.verify.stacks.base import CLIENT, SERVER, HandshakeOutcome, HandshakeSetup, Identity, Trust
from pkiplan.verify.stacks.openssl_hooks import is_ip_address

_REQUEST = b"pkiplan asks\n"
# s_server -rev sends each line back, reversed: only application data both ways makes the client show this.
_ANSWER = r"^sksa nalpikp$"
_LISTENS = r"^ACCEPT 127\.0\.0\.1:(\d+)$"
_VERIFY_ERROR = re.compile(r"verify error:num=(\d+):([^\n]*)")
_LIBRARY_ERROR = re.compile(r"error:[0-9A-F]{8}:[^:]*:[^:]*:([^:\n]+)")
# How long the server may take to say why, once the client has ended.
_LAST_WORDS_SECONDS = 2.0


class OpenSslProgramStack:
    """Both sides by the program; each handshake has its own two processes."""

    name = "openssl"
    is_told_strictness = True

    def __init__(self, program: OpenSsl) -> None:
        self._program = program
        self.version = program.name

    def cannot_judge(self, side: str) -> str | None:  # noqa: ARG002 - a TlsStack
        """Both sides are the program's."""
        return None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""
        if self._program.version < (3, 0, 0):
            return f"{self._program.name} is too old: s_client cannot leave out the system's authorities before 3.0"
        why_not = no_ml_dsa(setup, self.version, knows_it=self._program.version[:2] >= ML_DSA_SINCE)
        return why_not or why_no_memory_files()

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
        return timed(partial(self._shake_hands, setup))

    def _shake_hands(self, setup: HandshakeSetup) -> Reason:
        with MemoryFiles() as files:
            serve, connect = self._server(setup, files), self._client(setup, files)
            with Program(serve, files, openssl_conf=os.devnull) as server:
                listens = server.wait_for(_LISTENS)
                if listens is None:
                    return _why_not_begun(server.said, SERVER)
                connect += ["-connect", f"127.0.0.1:{listens[1]}"]
                with Program(connect, files, openssl_conf=os.devnull) as client:
                    client.say(_REQUEST)
                    if client.wait_for(_ANSWER) is not None:
                        return ACCEPTED
                    said = client.said
                return _reason(said, server.listen_to_the_end(_LAST_WORDS_SECONDS))

    def _server(self, setup: HandshakeSetup, files: MemoryFiles) -> list[str]:
        argv = [self._program.path, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev"]
        argv += [*_common(setup), *_presents(setup.server, files), *_trusts(setup.server_trusts, files)]
        return [*argv, "-Verify", "9", "-verify_return_error"] if setup.server_trusts is not None else argv

    def _client(self, setup: HandshakeSetup, files: MemoryFiles) -> list[str]:
        argv = [self._program.path, "s_client", "-quiet", "-verify_return_error"]
        argv += [*_common(setup), *_trusts(setup.client_trusts, files)]
        if setup.client is not None:
            argv += _presents(setup.client, files)
        if setup.host is None:
            return [*argv, "-noservername"]
        if is_ip_address(setup.host):
            return [*argv, "-noservername", "-verify_ip", setup.host]
        return [*argv, "-servername", setup.host, "-verify_hostname", setup.host]


def _common(setup: HandshakeSetup) -> list[str]:
    argv = [f"-tls{setup.version.replace('.', '_')}", "-attime", str(int(setup.time.timestamp()))]
    argv += ["-x509_strict"] if setup.strict else []
    return [*argv, "-cipher", "DEFAULT:@SECLEVEL=0"] if setup.allows_weak_keys else argv


def _trusts(trust: Trust | None, files: MemoryFiles) -> list[str]:
    """Trust what the setup says and nothing of the system's."""
    argv = ["-no-CApath", "-no-CAstore"]
    if not trust:
        return [*argv, "-no-CAfile"]
    pem = b"".join(anchor.public_bytes(Encoding.PEM) for anchor in trust)
    return [*argv, "-CAfile", files.add(pem)]


def _presents(identity: Identity, files: MemoryFiles) -> list[str]:
    own, *above = identity.certificates
    argv = ["-cert", files.add(own.public_bytes(Encoding.PEM)), "-key", files.add(identity.key_pem)]
    # -pass: an encrypted key must fail here, not ask at the terminal.
    argv += ["-pass", "pass:"]
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in above)
    return [*argv, "-cert_chain", files.add(chain)] if chain else argv


def _why_not_begun(said: str, by: str) -> Reason:
    reason = _library_error(said, by)
    if reason is None or reason.code == HANDSHAKE_FAILED:
        words = reason.text if reason else last_line(said.splitlines())
        return Reason(UNUSABLE_KEY, f"the key cannot be loaded: {words}", by)
    return reason


def _reason(client: str, server: str) -> Reason:
    """Say who refused and why: a verdict on a certificate tells more than an alert."""
    for said, by in ((client, CLIENT), (server, SERVER)):
        verdict = _VERIFY_ERROR.search(said)
        if verdict is not None:
            return verification_reason(int(verdict[1]), verdict[2].strip(), by)
    found = [_library_error(server, SERVER), _library_error(client, CLIENT)]
    for reason in found:
        if reason is not None and "alert" not in reason.text:
            return reason
    return next((reason for reason in found if reason), Reason(HANDSHAKE_FAILED, last_line(client.splitlines())))


def _library_error(said: str, by: str) -> Reason | None:
    found = _LIBRARY_ERROR.findall(said)
    return library_reason(", ".join(dict.fromkeys(words.strip() for words in found)), by) if found else None
