"""What to do about what verification found: one way out for each kind of finding."""

from __future__ import annotations

from collections import Counter

from pkiplan.verify import reasons
from pkiplan.verify.results import UNREACHABLE, CheckResult, Expected, Outcome, VerifyReport

_MADE_ANEW = "`pkiplan plan` shows which file is missing, damaged or not as it was written; `pkiplan apply` mends it"
_PAIR = "`pkiplan plan` holds key and certificate against each other; `--replace ADDRESS --rekey` makes a new pair"
_MANIFEST = "change what the manifest says of this certificate or of an authority above it, then plan and apply"
_CNF = (
    "`pkiplan apply` writes an openssl.cnf anew that was edited; a certificate that was adopted need not follow its cnf"
)
_SERVER = "let the server read its files anew, and see that it serves this certificate's fullchain.pem"

_BY_REASON = {
    reasons.UNUSABLE_CERTIFICATE: _MADE_ANEW,
    reasons.CHAIN_ORDER: _MADE_ANEW,
    reasons.CHAIN_FILE_FAULT: _MADE_ANEW,
    reasons.UNKNOWN_AUTHORITY: _MADE_ANEW,
    reasons.BAD_SIGNATURE: _MADE_ANEW,
    reasons.KEY_MISMATCH: _PAIR,
    reasons.UNUSABLE_KEY: _PAIR,
    reasons.EXPIRED: "`pkiplan apply` renews what is due; `--at` shows what would be if nothing were renewed",
    reasons.NOT_YET_VALID: "compare the clock of this machine with that of the one which issued the certificate",
    reasons.WRONG_NAME: "declare the name under `dns:` or `ip:` of the certificate and apply, or ask for one it has",
    reasons.WRONG_PURPOSE: "declare a `profile:` or `extended_key_usage:` for what it is used for, and apply",
    reasons.NOT_AN_AUTHORITY: _MANIFEST,
    reasons.PATH_TOO_LONG: _MANIFEST,
    reasons.NAME_NOT_PERMITTED: _MANIFEST,
    reasons.WEAK: _MANIFEST,
    reasons.BREAKS_RFC5280: _MANIFEST,
    reasons.UNKNOWN_CRITICAL_EXTENSION: _MANIFEST,
    reasons.OTHER_CERTIFICATE_SERVED: _SERVER,
    reasons.OTHER_CHAIN_SERVED: _SERVER,
    UNREACHABLE: "see whether the endpoint is up, and what `connect:` and `starttls:` of the rule say",
    reasons.NO_CLIENT_CERTIFICATE: "the server demands a client certificate: name the `client` in the rule",
    reasons.CNF_DIFFERS: _CNF,
    reasons.HTTP_STATUS: "the server refuses this client: name another `client` in the rule, or change what it trusts",
}
_TRACE = "`pkiplan verify --trace ADDRESS` shows the handshake message by message"
_VERSION = "the endpoint does not speak this TLS version: let it, or say in the rule which `versions:` it must speak"
_LOG = "the endpoint breaks off: its own log says why"
_TOO_MUCH = "something is let in that must stay outside: put nothing of this into service before it is explained"
_RULE = "a rule under `verify:` expects what does not happen: change the rule, or what it speaks of"


def advice(report: VerifyReport) -> tuple[str, ...]:
    """List ways out, each once, for what concerns most first."""
    counts = Counter(_way_out(result) for result in report.unexpected)
    return tuple(text for text, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _way_out(result: CheckResult) -> str:
    if result.outcome is Outcome.ACCEPTED and result.expected is Expected.REFUSED:
        return _RULE if result.check in ("rule", "connect") else _TOO_MUCH
    if "protocol version" in result.reason.text:
        return _VERSION
    return _BY_REASON.get(result.reason.code, _LOG if result.check.startswith("connect") else _TRACE)
