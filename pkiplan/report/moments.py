"""Moments in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pkiplan.plan.descriptions import span

_YEAR = timedelta(days=365)


def moment_text(moment: datetime) -> str:
    """Write a moment to the second: `2027-03-01 12:00:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def distance(moment: datetime, now: datetime) -> str:
    """Say how far away a moment is: `in 12 days`, `4 hours ago`."""
    return f"in {_span(moment - now)}" if moment >= now else f"{_span(now - moment)} ago"


def days_away(moment: datetime, now: datetime) -> str:
    """Say how far away a moment is in the units of the manifest: `in 3651 days`, `4 hours ago`."""
    return f"in {span(moment - now)}" if moment >= now else f"{span(now - moment)} ago"


def _span(time: timedelta) -> str:
    return f"{round(time / _YEAR)} years" if time >= 2 * _YEAR else span(time)
