"""GnuTLS: `gnutls-cli` as the client."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.outside.base import no_ml_dsa
from pkiplan.verify.outside.program import MemoryFiles
from pkiplan.verify.outside.words import GNUTLS, told, unexplained
from pkiplan.verify.results import Reason
from pkiplan.verify.stacks.base import CLIENT, HandshakeSetup
from pkiplan.verify.stacks.openssl_hooks import is_ip_address


class GnuTlsClient:
    """`gnutls-cli`, trusting one file and nothing of the system's."""

    name = "gnutls"
    why_no_server = "gnutls-serv listens on every address of the machine, not on loopback alone"

    def __init__(self, path: str, version: str) -> None:
        self._path = path
        self.version = version

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why it cannot take part in such a handshake, or None when it can."""
        if setup.allows_weak_keys:
            return "gnutls-cli takes no RSA keys of fewer than 2048 bits without changing more than that"
        return no_ml_dsa(setup, self.version, knows_it=False)

    def argv(self, setup: HandshakeSetup, port: int, files: MemoryFiles) -> list[str]:
        """Write the command line."""
        trust = b"".join(anchor.public_bytes(Encoding.PEM) for anchor in setup.client_trusts)
        argv = [self._path, f"--port={port}", f"--x509cafile={files.add(trust)}"]
        argv += [f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{setup.version}"]
        if setup.host is not None:
            argv += [f"--verify-hostname={setup.host}"]
        is_named = setup.host is not None and not is_ip_address(setup.host)
        argv += [f"--sni-hostname={setup.host}"] if is_named else ["--disable-sni"]
        if setup.client is not None:
            argv += [f"--x509certfile={files.add(setup.client.certificates_pem)}"]
            argv += [f"--x509keyfile={files.add(setup.client.key_pem)}"]
        return [*argv, "127.0.0.1"]

    def refusal(self, said: str) -> Reason | None:
        """Say why the program refused, by its own words."""
        lines = [line.strip("*- ") for line in said.splitlines()]
        verdict = next((line for line in lines if line.startswith("Status:") and "NOT trusted" in line), None)
        if verdict is not None:
            words = verdict.removeprefix("Status: ")
            return told(words, CLIENT, GNUTLS) or unexplained(words, CLIENT)
        return next((found for line in lines if (found := told(line, CLIENT, GNUTLS))), None)
