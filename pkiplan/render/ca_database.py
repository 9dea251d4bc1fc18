r"""OpenSSL's CA database as text: `index.txt`, `index.txt.attr`, `serial`, `crlnumber` (openssl-ca(1), FILES).

One line a certificate, six fields with a tab between:

    V⇥271231235959Z⇥⇥0A1B2C⇥unknown⇥/C=SE/O=Acme/CN=www.acme.example

status (valid, revoked, expired), end, revocation (`time[,reason[,extra]]`), serial, file, subject. Lines are only ever
added, so there is no writer of a whole index: what a person or another program wrote stays. The texts are for files
whose bytes beyond ASCII, should there be any, were decoded with `surrogateescape`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from pkiplan.model.names import ATTRIBUTE_BY_OID, DistinguishedName

# What needs no escape: printable ASCII but for the two separators.
_PLAIN = re.compile(r"[ -*,-.0-~]*")

FIELDS = 6
VALID = "V"
# OpenSSL stores no path either.
UNKNOWN_FILE = "unknown"

# The attribute file outweighs the cnf: easy-rsa#344.
_UNIQUE_SUBJECT = "unique_subject"

# RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime after.
FIRST_GENERALIZED_YEAR = 2050


# crypto/txt_db/txt_db.c: a tab after a backslash is part of its field.
_FIELD_END = re.compile(r"(?<!\\)\t")
# What of each field of a line of ours can have got to the disk.
_BEGUN_FIELDS = (VALID + "?", "[0-9]*Z?", "", "[0-9A-F]*", "[unkow]*", ".*")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One line of `index.txt`, as it stands there but for the serial."""

    status: str
    expiry: str
    revocation: str
    serial: int
    file: str
    subject: str

    @property
    def not_after(self) -> datetime | None:
        """Return when the certificate ends, or None where that is no time."""
        return _moment(self.expiry)


def index_line(*, serial: int, not_after: datetime, subject: DistinguishedName) -> str:
    """Write the line of a certificate just issued, with its line end."""
    number = serial_digits(serial)
    # OpenSSL puts the serial where there is no subject: apps/ca.c, do_body.
    fields = (VALID, _time(not_after), "", number, UNKNOWN_FILE, subject_text(subject) or number)
    return "\t".join(fields) + "\n"


def parse_index(text: str) -> tuple[IndexEntry, ...]:
    """Read the certificates in an index; lines that are none (empty ones, comments) are passed over."""
    return tuple(entry for line in text.split("\n") for entry in _entry(line))


def _entry(line: str) -> Iterator[IndexEntry]:
    fields = line.removesuffix("\r").split("\t")
    if len(fields) != FIELDS or line.startswith("#"):
        return
    status, expiry, revocation, number, file, subject = fields
    serial = parse_number(number)
    if serial is not None:
        yield IndexEntry(status=status, expiry=expiry, revocation=revocation, serial=serial, file=file, subject=subject)


def unreadable_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the number and text of each line for which OpenSSL refuses the whole file; empty ones are passed over."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = _FIELD_END.split(line)
        if len(fields) != FIELDS or parse_number(fields[3]) is None:
            yield number, line


def is_begun_line(text: str) -> bool:
    """Tell whether a text is what `index_line` writes, cut short: by a crash, after which zeros may fill its place."""
    fields = text.rstrip("\0").split("\t")
    return (
        len(fields) <= FIELDS
        and (fields[0] == VALID or fields == [""])
        and all(re.fullmatch(wanted, field) for wanted, field in zip(_BEGUN_FIELDS, fields, strict=False))
    )


def attributes_text(existing: str = "") -> str:
    """Write `index.txt.attr` so that a subject may have several certificates, as every renewal needs.

    Other attributes stay.
    """
    others = [
        line for line in existing.split("\n") if line.strip() and line.partition("=")[0].strip() != _UNIQUE_SUBJECT
    ]
    return "\n".join([f"{_UNIQUE_SUBJECT} = no", *others]) + "\n"


def number_text(number: int) -> str:
    """Write the content of `serial` or `crlnumber`."""
    return serial_digits(number) + "\n"


def parse_number(text: str) -> int | None:
    """Read the content of `serial` or `crlnumber`, or return None where it is no number."""
    digits = text.strip()
    # int() would take underscores and signs as well.
    if not digits or not all(digit in "0123456789ABCDEFabcdef" for digit in digits):
        return None
    return int(digits, 16)


def serial_digits(serial: int) -> str:
    """Write a serial number as OpenSSL names it: hexadecimal digits, an even number of them."""
    digits = f"{serial:X}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def subject_text(name: DistinguishedName) -> str:
    r"""Write a name as OpenSSL's index has it: `/C=SE/O=A\/B/CN=\xC3\xBC`, `+` within a multi-valued RDN."""
    text = []
    for rdn in name.rdns:
        for position, attribute in enumerate(rdn):
            known = ATTRIBUTE_BY_OID.get(attribute.oid)
            word = known.short_name if known else attribute.oid
            text.append(f"{'+' if position else '/'}{word}={_escaped(attribute.value)}")
    return "".join(text)


def _escaped(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else "".join(_escapes(value))


def _escapes(value: str) -> Iterator[str]:
    # crypto/x509/x509_obj.c, X509_NAME_oneline: bytes outside of printable ASCII, and the two separators.
    for byte in value.encode("utf-8", "surrogateescape"):
        char = chr(byte)
        if char in "/+":
            yield f"\\{char}"
        elif " " <= char <= "~":
            yield char
        else:
            yield f"\\x{byte:02X}"


# What is issued together ends together.
@lru_cache(maxsize=64)
def _time(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    year = f"{moment.year % 100:02}" if moment.year < FIRST_GENERALIZED_YEAR else str(moment.year)
    return f"{year}{moment:%m%d%H%M%S}Z"


def _moment(text: str) -> datetime | None:
    digits = text.removesuffix("Z")
    if digits == text or not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == len("YYMMDDHHMMSS"):
        # RFC 5280, 4.1.2.5.1: 50 to 99 are of the last century.
        digits = ("19" if digits >= "50" else "20") + digits
    if len(digits) != len("YYYYMMDDHHMMSS"):
        return None
    try:
        # `strptime` takes ten times as long, and a millisecond to load.
        return datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}Z")
    except ValueError:
        return None
