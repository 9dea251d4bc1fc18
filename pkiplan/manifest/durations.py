"""Lengths of time and moments, as a person writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pkiplan.manifest.problems import shown
from pkiplan.manifest.values import BadValueError
from pkiplan.model.validity import INCLUSIVE_SECOND, RenewBefore

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_DURATION = re.compile(r"([0-9]{1,12})([smhdwy])")
_DURATIONS = re.compile(r"(?:[0-9]{1,12}[smhdwy])+")
_SHARE = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
# RFC 3339, 5.6; seconds may not have fractions, because a certificate has none.
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)

DURATION_PATTERN = "^([0-9]+[smhdwy])+$"
# The year 9999 is the last that a certificate can name (RFC 5280, 4.1.2.5); what begins now must end before.
LONGEST_DAYS = 2_900_000
UNTIL_ISSUER = "until-issuer"


def duration(text: str) -> timedelta:
    """Read a duration such as `90d`, `12h` or `1y`; parts add up (`1d12h`), a year is 365 days."""
    if not _DURATIONS.fullmatch(text):
        number = re.fullmatch(r"([0-9]{1,12})( ?[A-Za-z]*)", text)
        unit = number[2].strip().lower()[:1] if number else ""
        hint = "write a number and a unit: `90d`, `12h`, `30m`, `1y`"
        if number and unit in _UNITS:
            hint = f"write `{number[1]}{unit}`"
        elif text.startswith(("P", "p")):
            hint = "ISO 8601 durations are not read; write `90d`, `12h`, `1y`"
        raise BadValueError(f"expected a duration, not {shown(text)}", hint=hint, code="duration")
    total = timedelta()
    for amount, unit in _DURATION.findall(text):
        try:
            total += int(amount) * _UNITS[unit]
        except OverflowError:
            total = timedelta.max
        if total > timedelta(days=LONGEST_DAYS):
            raise BadValueError(f"the duration {shown(text)} reaches beyond the year 9999", code="duration")
    return total


def lifetime(text: str) -> timedelta | str:
    """Read a lifetime, less the inclusive second, or `until-issuer`."""
    if text == UNTIL_ISSUER:
        return UNTIL_ISSUER
    length = duration(text)
    if not length:
        raise BadValueError("a lifetime of nothing", code="duration", hint="write for instance `90d`")
    return length - INCLUSIVE_SECOND


def days(number: int) -> timedelta:
    """Turn a number of days into a lifetime: N × 86,400 s less one second."""
    return timedelta(days=number) - INCLUSIVE_SECOND


def renew_before(text: str) -> RenewBefore:
    """Read how long before its end a certificate is renewed: a duration, or a share of its life."""
    share = _SHARE.fullmatch(text)
    if share is None:
        return duration(text)
    from fractions import Fraction

    fraction = Fraction(int(share[1]), int(share[2]))
    if fraction >= 1:
        raise BadValueError(
            f"a share of {shown(text)} would renew at once, every time",
            code="duration",
            hint="write a share below 1, such as `1/3`",
        )
    return fraction


def moment(text: str) -> datetime:
    """Read a moment by RFC 3339; a date alone is its first second in UTC."""
    match = _MOMENT.fullmatch(text)
    hint = "write it by RFC 3339, with its zone: `2027-01-31T12:00:00Z`, or the date alone"
    if match is None:
        raise BadValueError(f"expected a date and time, not {shown(text)}", hint=hint, code="moment")
    try:
        found = datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError as error:
        raise BadValueError(f"no such date and time: {shown(text)}", hint=hint, code="moment") from error
    try:
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError as error:
        raise BadValueError(f"no such date and time: {shown(text)}", hint=hint, code="moment") from error
    if found.year < 1950:  # RFC 5280, 4.1.2.5.1: UTCTime begins in 1950
        raise BadValueError(f"{shown(text)} lies before 1950, when certificates' time begins", code="moment")
    return found
