"""Moments and spans of time in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_DAYS_OF_A_YEAR = 365


def day(moment: datetime) -> str:
    """Write the day of a moment: `2027-03-01`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def moment_text(moment: datetime) -> str:
    """Write a moment to the second: `2027-03-01 12:00:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment_json(moment: datetime | None) -> str | None:
    """Write a moment for programs (RFC 3339): `2027-03-01T12:00:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else None


def distance(moment: datetime, now: datetime) -> str:
    """Say how far away a moment is: `in 12 days`, `4 hours ago`."""
    return f"in {span(moment - now)}" if moment >= now else f"{span(now - moment)} ago"


def span(time: timedelta) -> str:
    """Say a span of time in its largest fitting unit, rounded down: `12 days`, `1 hour`."""
    days, seconds = time.days, time.seconds
    if days >= 2 * _DAYS_OF_A_YEAR:
        return f"{days // _DAYS_OF_A_YEAR} years"
    for count, unit in ((days, "day"), (seconds // 3600, "hour"), (seconds // 60, "minute"), (seconds, "second")):
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 seconds"
