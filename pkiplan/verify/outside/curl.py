"""`curl` as the client."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify.outside.base import ML_DSA_SINCE, no_ml_dsa, version_numbers
from pkiplan.verify.outside.program import SECONDS, MemoryFiles
from pkiplan.verify.outside.words import GNUTLS, NAMES, openssl_told, told
from pkiplan.verify.reasons import HANDSHAKE_FAILED
from pkiplan.verify.results import Reason
from pkiplan.verify.stacks.base import CLIENT, HandshakeSetup
from pkiplan.verify.stacks.openssl_hooks import is_ip_address

_OPENSSL = re.compile(r"OpenSSL/(\d+(?:\.\d+)*)")
_ERROR = re.compile(r"^curl: \((\d+)\) (.*)$", re.MULTILINE)
# Certificates of the system's are looked for here, where there are none.
_NO_DIRECTORY = "/dev/null"


class CurlClient:
    """`curl`, trusting one file and nothing of the system's."""

    name = "curl"
    why_no_server = "curl plays clients only"

    def __init__(self, path: str, version: str) -> None:
        self._path = path
        self.version = version
        openssl = _OPENSSL.search(version)
        self._openssl = version_numbers(openssl[1]) if openssl else None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why it cannot take part in such a handshake, or None when it can."""
        if setup.host is None:
            return "curl always asks for a host"
        if setup.allows_weak_keys and self._openssl is None:
            return "this curl cannot be told to take RSA keys of fewer than 2048 bits"
        if setup.allows_weak_keys and setup.client is not None:
            return "curl loads the client's certificate before it is told to take short RSA keys"
        knows_ml_dsa = self._openssl is not None and self._openssl[:2] >= ML_DSA_SINCE
        return no_ml_dsa(setup, "this curl", knows_it=knows_ml_dsa)

    def argv(self, setup: HandshakeSetup, port: int, files: MemoryFiles) -> list[str]:
        """Write the command line."""
        trust = b"".join(anchor.public_bytes(Encoding.PEM) for anchor in setup.client_trusts)
        # -q comes first: no curlrc of anybody's is read.
        argv = [self._path, "-q", "--silent", "--show-error", "--noproxy", "*", "--http1.1"]
        argv += ["--max-time", f"{SECONDS:g}", f"--tlsv{setup.version}", "--tls-max", setup.version]
        argv += ["--cacert", files.add(trust), "--capath", _NO_DIRECTORY, "--connect-to", f"::127.0.0.1:{port}"]
        if setup.allows_weak_keys:
            argv += ["--ciphers", "DEFAULT:@SECLEVEL=0"]
        if setup.client is not None:
            argv += ["--cert", files.add(setup.client.certificates_pem), "--key", files.add(setup.client.key_pem)]
        host = setup.host or ""
        return [*argv, f"https://[{host}]/" if is_ip_address(host) and ":" in host else f"https://{host}/"]

    def refusal(self, said: str) -> Reason | None:
        """Say why the program refused, by its own words; an alert is the server's verdict, not curl's."""
        error = _ERROR.search(said)
        if error is None:
            return None
        words = error[2].removeprefix("SSL certificate problem: ")
        found = told(words, CLIENT, NAMES) or told(words, CLIENT, {} if self._openssl else GNUTLS)
        found = found or openssl_told(words, CLIENT)
        return None if found.code == HANDSHAKE_FAILED or "alert" in words else found
