r"""How a value is written into `openssl.cnf` (OpenSSL's config(5)), and which values cannot be.

Nothing gets into the text but through `quote`, or as `CnfText`, which only this package makes from its own words
and numbers.
"""

from __future__ import annotations

import re

# In a value OpenSSL takes off \ and the three kinds of quotes, expands $, and starts a comment at # (and at ; in some
# builds). A backslash before any of them keeps it: conf_def.c, str_copy; the backquote is among the quotes there,
# though config(5) does not say so.
_SPECIAL = re.compile(r"""[\\"'`$#;]""")
_PLAIN = re.compile(r"[A-Za-z0-9:/.,@=+*_%&?~()\[\]{}!|<>^-]+(?: [A-Za-z0-9:/.,@=+*_%&?~()\[\]{}!|<>^-]+)*")
# A line end would begin a new setting or section, and NUL would cut the value off; the other control characters and
# separators are in no name that anyone means. Lone surrogates are no text.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class CnfText(str):
    """Text that is written as it is, because this package made it and not a person."""

    __slots__ = ()


class CnfValueError(ValueError):
    """A value that `openssl.cnf` cannot hold; the message shows it and says why."""


def is_plain(value: str) -> bool:
    """Tell whether a value is written as it is."""
    return _PLAIN.fullmatch(value) is not None


def quote(value: str) -> CnfText:
    """Write a value so that OpenSSL reads exactly these characters, or raise `CnfValueError`."""
    if is_plain(value):
        return CnfText(value)
    return CnfText(_SPECIAL.sub(r"\\\g<0>", _writable(value)))


def comment(value: str) -> CnfText:
    """Write a value into a comment: on one line, and not going on in the next."""
    if _writable(value).endswith("\\"):
        raise CnfValueError(f"{value!r} ends in a backslash, which would draw the next line into the comment")
    return CnfText(value)


def _writable(value: str) -> str:
    if forbidden := _FORBIDDEN.search(value):
        what = "no Unicode character" if "\ud800" <= forbidden[0] <= "\udfff" else "a control character"
        raise CnfValueError(f"{value!r} holds {forbidden[0]!r}, {what}")
    # OpenSSL trims blanks; so would a person who reads the file.
    if value != value.strip():
        raise CnfValueError(f"{value!r} begins or ends with a blank")
    return value
