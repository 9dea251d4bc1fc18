"""What programs say when they refuse, and which of our reasons that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from pkiplan.verify import reasons
from pkiplan.verify.reasons import HANDSHAKE_FAILED, KNOWN_NUMBERS, UNUSABLE_KEY, library_reason, verification_reason
from pkiplan.verify.results import BREAKS_CONSTRAINTS, Reason
from pkiplan.verify.stacks.openssl_hooks import verification_words

# gnutls_certificate_verification_status_print (lib/cert-session.c), and what gnutls-cli says of itself.
GNUTLS = {
    "name in the certificate does not match": reasons.WRONG_NAME,
    "certificate is expired": reasons.EXPIRED,
    "expired certificate": reasons.EXPIRED,
    "not yet activated": reasons.NOT_YET_VALID,
    "not yet valid": reasons.NOT_YET_VALID,
    "purpose": reasons.WRONG_PURPOSE,
    "issuer is not a ca": reasons.NOT_AN_AUTHORITY,
    "violates the signer's constraints": BREAKS_CONSTRAINTS,
    "insecure algorithm": reasons.WEAK,
    "signature in the certificate is invalid": reasons.BAD_SIGNATURE,
    "chain revoked": reasons.REVOKED,
    "issuer is unknown": reasons.UNKNOWN_AUTHORITY,
    "unknown critical extension": reasons.UNKNOWN_CRITICAL_EXTENSION,
    "key do not match": reasons.KEY_MISMATCH,
}

# sun.security.validator and sun.security.provider.certpath.
JAVA = {
    "key values mismatch": reasons.KEY_MISMATCH,
    "no subject alternative": reasons.WRONG_NAME,
    "no name matching": reasons.WRONG_NAME,
    "illegal given domain name": reasons.WRONG_NAME,
    "notafter:": reasons.EXPIRED,
    "certificateexpiredexception": reasons.EXPIRED,
    "notbefore:": reasons.NOT_YET_VALID,
    "certificatenotyetvalidexception": reasons.NOT_YET_VALID,
    "empty client certificate chain": reasons.NO_CLIENT_CERTIFICATE,
    "extended key usage does not permit": reasons.WRONG_PURPOSE,
    "keyusage does not allow": reasons.WRONG_PURPOSE,
    "not a ca certificate": reasons.NOT_AN_AUTHORITY,
    "ca key usage check failed": reasons.NOT_AN_AUTHORITY,
    "pathlen": reasons.PATH_TOO_LONG,
    "name constraints": reasons.NAME_NOT_PERMITTED,
    "signature check failed": reasons.BAD_SIGNATURE,
    "does not conform to": reasons.WEAK,
    "unrecognized critical extension": reasons.UNKNOWN_CRITICAL_EXTENSION,
    "unable to find valid certification path": reasons.UNKNOWN_AUTHORITY,
    "path does not chain with any of the trust anchors": reasons.UNKNOWN_AUTHORITY,
}

# Node and curl check the name themselves and pass on OpenSSL's words for the rest.
NAMES = {
    "err_tls_cert_altname_invalid": reasons.WRONG_NAME,
    "no alternative certificate subject name matches": reasons.WRONG_NAME,
    "does not match target host name": reasons.WRONG_NAME,
}


# Words that OpenSSL changed since the programs were built that still say the old ones.
_OLD_WORDS = {"certificate is not yet valid": 9, "unsupported certificate purpose": 26, "self signed certificate": 19}


def told(words: str, by: str, known: Mapping[str, str]) -> Reason | None:
    """Name what was said by the first known words in it, or None."""
    lowered = words.lower()
    code = next((code for fragment, code in known.items() if fragment in lowered), None)
    return None if code is None else Reason(code, words, by)


def openssl_told(words: str, by: str) -> Reason:
    """Name what a program said in OpenSSL's words, or by the names of its errors (`CERT_HAS_EXPIRED`)."""
    lowered = words.lower()
    for number, fragment in _openssl_words():
        if fragment in lowered:
            return verification_reason(number, words, by)
    return library_reason(words, by)


@lru_cache(maxsize=1)
def _openssl_words() -> tuple[tuple[int, str], ...]:
    """List OpenSSL's verification errors by their words, the longest first: some are part of others."""
    found = [(number, verification_words(number).lower()) for number in KNOWN_NUMBERS]
    found += [(number, words) for words, number in _OLD_WORDS.items()]
    return tuple(sorted(found, key=lambda entry: (-len(entry[1]), entry[0])))


def not_begun(reason: Reason) -> Reason:
    """Say that it was the key, where a runtime could not even begin and its words say nothing else."""
    if reason.code == HANDSHAKE_FAILED and "cannot begin" in reason.text:
        return Reason(UNUSABLE_KEY, f"the key cannot be loaded: {reason.text}", reason.by)
    return reason


def last_line(lines: Iterable[str]) -> str:
    """Take the last thing that was said."""
    return next((line.strip() for line in reversed(list(lines)) if line.strip()), "it says nothing")


def unexplained(words: str, by: str) -> Reason:
    """Report a refusal whose words we do not know."""
    return Reason(HANDSHAKE_FAILED, words, by)
