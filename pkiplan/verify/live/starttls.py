"""How a plain connection is asked to begin TLS, in the protocols that can."""

from __future__ import annotations

from collections.abc import Callable

from pkiplan.verify.live.wire import UnreachableError, Wire


def _smtp(wire: Wire) -> None:
    """RFC 3207."""
    _smtp_answer(wire, "220")
    wire.send(b"EHLO pkiplan.invalid\r\n")
    if not any(line[4:].strip().upper() == "STARTTLS" for line in _smtp_answer(wire, "250")):
        raise UnreachableError("the SMTP server does not offer STARTTLS")
    wire.send(b"STARTTLS\r\n")
    _smtp_answer(wire, "220")


def _smtp_answer(wire: Wire, code: str) -> list[str]:
    lines = [wire.line()]
    while lines[-1][3:4] == "-":
        lines.append(wire.line())
    if not lines[-1].startswith(code):
        raise UnreachableError(f"the SMTP server says {lines[-1]!r} where {code} belongs")
    return lines


def _imap(wire: Wire) -> None:
    """RFC 3501, 6.2.1."""
    greeting = wire.line()
    if not greeting.startswith(("* OK", "* PREAUTH")):
        raise UnreachableError(f"the IMAP server greets with {greeting!r}")
    wire.send(b"p1 STARTTLS\r\n")
    answer = wire.line()
    while not answer.startswith("p1 "):
        answer = wire.line()
    if not answer.upper().startswith("P1 OK"):
        raise UnreachableError(f"the IMAP server answers STARTTLS with {answer!r}")


def _postgres(wire: Wire) -> None:
    """PostgreSQL's frontend/backend protocol, SSLRequest: https://www.postgresql.org/docs/current/protocol-flow.html."""
    wire.send(bytes.fromhex("0000000804d2162f"))
    if wire.exactly(1) != b"S":
        raise UnreachableError("the PostgreSQL server does not offer TLS")


def _ldap(wire: Wire) -> None:
    """RFC 4511, 4.14: an extended request with the OID 1.3.6.1.4.1.1466.20037."""
    oid = b"1.3.6.1.4.1.1466.20037"
    request = bytes((0x80, len(oid))) + oid
    message = b"\x02\x01\x01" + bytes((0x77, len(request))) + request
    wire.send(bytes((0x30, len(message))) + message)
    header = wire.exactly(2)
    length = header[1]
    if length & 0x80:
        length = int.from_bytes(wire.exactly(length & 0x7F), "big")
    if header[0] != 0x30 or length > 4096:
        raise UnreachableError("the LDAP server's answer is not LDAP")
    # messageID, then ExtendedResponse [APPLICATION 24] that begins with resultCode ENUMERATED; 0 is success.
    answer = wire.exactly(length)
    _, found, rest = answer.partition(b"\x0a\x01")
    if b"\x78" not in answer or not found or rest[:1] != b"\x00":
        raise UnreachableError("the LDAP server refuses StartTLS")


STARTTLS: dict[str, Callable[[Wire], None]] = {"smtp": _smtp, "imap": _imap, "postgres": _postgres, "ldap": _ldap}
