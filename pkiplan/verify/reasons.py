"""One vocabulary for why a certificate or a handshake is refused, whatever stack says so."""

from __future__ import annotations

from pkiplan.verify.results import Reason

UNKNOWN_AUTHORITY = "unknown-authority"
BAD_SIGNATURE = "bad-signature"
NOT_YET_VALID = "not-yet-valid"
EXPIRED = "expired"
WRONG_NAME = "wrong-name"
WRONG_PURPOSE = "wrong-purpose"
NOT_AN_AUTHORITY = "not-an-authority"
PATH_TOO_LONG = "path-too-long"
NAME_NOT_PERMITTED = "name-not-permitted"
WEAK = "weak"
BREAKS_RFC5280 = "breaks-rfc5280"
UNKNOWN_CRITICAL_EXTENSION = "unknown-critical-extension"
REVOKED = "revoked"
NO_CLIENT_CERTIFICATE = "no-client-certificate"
KEY_MISMATCH = "key-mismatch"
UNUSABLE_KEY = "unusable-key"
UNUSABLE_CERTIFICATE = "unusable-certificate"
CHAIN_ORDER = "chain-order"
CHAIN_FILE_FAULT = "chain-file"
OTHER_CERTIFICATE_SERVED = "other-certificate-served"
OTHER_CHAIN_SERVED = "other-chain-served"
HANDSHAKE_FAILED = "handshake-failed"
CERTIFICATE_REJECTED = "certificate-rejected"
HTTP_STATUS = "http-status"
CNF_DIFFERS = "cnf-differs"

# Reasons for not running.
KEY_NOT_HERE = "key-not-here"
KEY_NOT_OPENED = "key-not-opened"
NOT_SUPPORTED = "not-supported"
NO_NAME = "no-name"

# The numbers of OpenSSL's verification errors (openssl/x509_vfy.h) have not changed since 3.0; both stacks give them.
_BY_NUMBER = {
    2: UNKNOWN_AUTHORITY,
    4: BAD_SIGNATURE,
    7: BAD_SIGNATURE,
    9: NOT_YET_VALID,
    10: EXPIRED,
    18: UNKNOWN_AUTHORITY,
    19: UNKNOWN_AUTHORITY,
    20: UNKNOWN_AUTHORITY,
    21: UNKNOWN_AUTHORITY,
    22: PATH_TOO_LONG,
    23: REVOKED,
    25: PATH_TOO_LONG,
    26: WRONG_PURPOSE,
    29: UNKNOWN_AUTHORITY,
    30: UNKNOWN_AUTHORITY,
    32: NOT_AN_AUTHORITY,
    34: UNKNOWN_CRITICAL_EXTENSION,
    37: NOT_AN_AUTHORITY,
    39: WRONG_PURPOSE,
    41: BREAKS_RFC5280,
    47: NAME_NOT_PERMITTED,
    48: NAME_NOT_PERMITTED,
    51: NAME_NOT_PERMITTED,
    52: NAME_NOT_PERMITTED,
    53: NAME_NOT_PERMITTED,
    62: WRONG_NAME,
    63: WRONG_NAME,
    64: WRONG_NAME,
    66: WEAK,
    67: WEAK,
    68: WEAK,
    77: BAD_SIGNATURE,
    78: BAD_SIGNATURE,
    79: NOT_AN_AUTHORITY,
    # What only X509_V_FLAG_X509_STRICT looks at.
    **dict.fromkeys(range(80, 95), BREAKS_RFC5280),
    102: BREAKS_RFC5280,
    103: BREAKS_RFC5280,
}

KNOWN_NUMBERS = tuple(_BY_NUMBER)

# The library's own words where no certificate was judged at all.
_BY_WORDS = {
    "peer did not return a certificate": NO_CLIENT_CERTIFICATE,
    "key values mismatch": KEY_MISMATCH,
    "key type mismatch": KEY_MISMATCH,
    "ee key too small": WEAK,
    "ca key too small": WEAK,
    "ca md too weak": WEAK,
    "certificate required": NO_CLIENT_CERTIFICATE,
}
# Alerts of a peer that we do not run ourselves (RFC 8446, 6.2): all it tells us.
_BY_ALERT = {
    "certificate required": NO_CLIENT_CERTIFICATE,
    "unknown ca": UNKNOWN_AUTHORITY,
    "certificate expired": EXPIRED,
    "certificate unknown": CERTIFICATE_REJECTED,
    "bad certificate": CERTIFICATE_REJECTED,
    "unsupported certificate": WRONG_PURPOSE,
    "certificate revoked": REVOKED,
}


def verification_reason(number: int, words: str, by: str) -> Reason:
    """Name what OpenSSL's verification error says."""
    return Reason(_BY_NUMBER.get(number, HANDSHAKE_FAILED), words, by)


def library_reason(words: str, by: str) -> Reason:
    """Name an error of the TLS library from its words (`peer did not return a certificate`)."""
    lowered = words.lower().replace("_", " ")
    code = next((code for known, code in _BY_WORDS.items() if known in lowered), HANDSHAKE_FAILED)
    if code == HANDSHAKE_FAILED and "alert" in lowered:
        code = next((code for known, code in _BY_ALERT.items() if known in lowered), HANDSHAKE_FAILED)
    return Reason(code, lowered, by)
