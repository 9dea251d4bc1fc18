"""Node and Java on both sides, each by a small program of ours in a long-running process."""

from __future__ import annotations

import os
from dataclasses import replace

from pkiplan.verify.outside.base import ML_DSA_SINCE, no_ml_dsa, version_numbers
from pkiplan.verify.outside.words import JAVA, NAMES, not_begun, openssl_told, told
from pkiplan.verify.outside.worker import Worker
from pkiplan.verify.results import ACCEPTED, BREAKS_CONSTRAINTS, Reason
from pkiplan.verify.stacks.base import CLIENT, HandshakeOutcome, HandshakeSetup

# A virtual machine else leaves a file about itself in /tmp.
NO_TRACES = "-XX:-UsePerfData"

_HERE = os.path.dirname(os.path.abspath(__file__))


class NodeStack:
    """Node's `tls`, over loopback."""

    name = "node"
    is_told_strictness = False

    def __init__(self, path: str, version: str, openssl: str) -> None:
        self.version = version
        self._openssl = version_numbers(openssl)
        self._worker = Worker([path, os.path.join(_HERE, "handshakes.js")])
        self.close = self._worker.close

    def cannot_judge(self, side: str) -> str | None:  # noqa: ARG002 - a TlsStack
        """Both sides are Node's."""
        return None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""
        if setup.is_clock_moved:
            return "node cannot be told the time"
        return no_ml_dsa(setup, self.version, knows_it=self._openssl[:2] >= ML_DSA_SINCE)

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
        outcome = self._worker.ask(setup)
        if outcome.accepted:
            return outcome
        reason = outcome.reason
        # An authority that is none, or a name that is not permitted; path lengths have a name.
        if reason.text == "UNSPECIFIED":
            words = "an error that Node has no name for (UNSPECIFIED)"
            return replace(outcome, reason=Reason(BREAKS_CONSTRAINTS, words, reason.by))
        known = told(reason.text, reason.by, NAMES) if reason.by == CLIENT else None
        return replace(outcome, reason=known or not_begun(openssl_told(_spaced(reason.text), reason.by)))


def _spaced(words: str) -> str:
    """Write the names of OpenSSL's errors as its words: Node gives one or the other."""
    return _SYMBOLS.get(words, words)


# What the server side of Node tells of a client: X509_V_ERR_ names, without words (node/src/crypto/crypto_common.cc).
_SYMBOLS = {
    "UNABLE_TO_GET_ISSUER_CERT": "unable to get issuer certificate",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": "unable to get local issuer certificate",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE": "unable to verify the first certificate",
    "DEPTH_ZERO_SELF_SIGNED_CERT": "self-signed certificate",
    "SELF_SIGNED_CERT_IN_CHAIN": "self-signed certificate in certificate chain",
    "CERT_SIGNATURE_FAILURE": "certificate signature failure",
    "CERT_NOT_YET_VALID": "certificate is not yet valid",
    "CERT_HAS_EXPIRED": "certificate has expired",
    "CERT_CHAIN_TOO_LONG": "certificate chain too long",
    "CERT_REVOKED": "certificate revoked",
    "INVALID_CA": "invalid CA certificate",
    "PATH_LENGTH_EXCEEDED": "path length constraint exceeded",
    "INVALID_PURPOSE": "unsuitable certificate purpose",
    "CERT_UNTRUSTED": "certificate not trusted",
    "CERT_REJECTED": "certificate rejected",
}


class JavaStack:
    """Java's `SSLEngine`, through memory; it can be told the time."""

    name = "java"
    is_told_strictness = False

    def __init__(self, path: str, version: str) -> None:
        self.version = version
        # The quickest start for a small program.
        options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", NO_TRACES]
        self._worker = Worker([path, *options, os.path.join(_HERE, "Handshakes.java")])
        self.close = self._worker.close

    def cannot_judge(self, side: str) -> str | None:  # noqa: ARG002 - a TlsStack
        """Both sides are Java's."""
        return None

    def cannot(self, setup: HandshakeSetup) -> str | None:
        """Say why this stack cannot run such a handshake, or None when it can."""
        is_trusted_itself = setup.server.certificates[0] in setup.client_trusts or (
            setup.client is not None and setup.client.certificates[0] in (setup.server_trusts or ())
        )
        if setup.is_clock_moved and is_trusted_itself:
            # RFC 5280, 6.1.1 (d): a trust anchor is a name and a key; when it ends is nobody's business.
            return "java does not look at the dates of a certificate that is trusted itself"
        return no_ml_dsa(setup, "Java's TLS", knows_it=False)

    def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
        """Run the handshake to its end."""
        outcome = self._worker.ask(setup)
        if outcome.reason is ACCEPTED:
            return outcome
        known: Reason | None = told(outcome.reason.text, outcome.reason.by, JAVA)
        return replace(outcome, reason=known or not_begun(outcome.reason))
