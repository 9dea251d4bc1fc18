"""From when until when a certificate signed now is valid (RFC 5280, 4.1.2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pkiplan.model.resource import Resource
from pkiplan.model.validity import INCLUSIVE_SECOND, renewal_window
from pkiplan.plan.descriptions import moment, span

LATER_DATES = "declare later dates (`not_after`, `not_before`), or shorten `renew_before`"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerPeriod:
    """From when until when the issuer will be valid once the plan is carried out, and its address."""

    address: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedValidity:
    """The dates of a certificate to be signed.

    `is_clamped` when it ends with its issuer though it should live longer.
    """

    not_before: datetime
    not_after: datetime
    is_clamped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpossibleValidity:
    """Why a certificate signed now would be due again at once, so that signing would never end."""

    why: str
    way_out: str


def planned_start(resource: Resource, issuer: IssuerPeriod | None, now: datetime) -> datetime:
    """Return when a certificate signed now begins: as declared, else backdated, never before its issuer."""
    if resource.validity.not_before is not None:
        return resource.validity.not_before
    start = now - resource.validity.backdate
    return start if issuer is None else max(start, issuer.not_before)


def planned_validity(
    resource: Resource, issuer: IssuerPeriod | None, now: datetime
) -> PlannedValidity | ImpossibleValidity:
    """Compute the dates of a certificate signed now; `issuer` is None for a self-issued one."""
    validity = resource.validity
    start = planned_start(resource, issuer, now)
    wanted = start + validity.lifetime if validity.lifetime is not None else validity.not_after
    if wanted is None and issuer is None:
        return ImpossibleValidity(
            why="`lifetime: until-issuer` has no meaning here: it is its own issuer",
            way_out="give it `days:`, `lifetime:` or `not_after:`",
        )
    if issuer is not None and (wanted is None or wanted > issuer.not_after):
        planned = PlannedValidity(not_before=start, not_after=issuer.not_after, is_clamped=wanted is not None)
    else:
        assert wanted is not None
        planned = PlannedValidity(not_before=start, not_after=wanted)
    return _impossible(resource, planned, wanted, issuer, now) or planned


def useless_renewal(
    planned: PlannedValidity, ends_now: datetime, issuer: IssuerPeriod | None
) -> ImpossibleValidity | None:
    """Tell why a renewal that is due would not make a certificate last longer, or None when it would."""
    if planned.not_after > ends_now:
        return None
    if issuer is not None and planned.not_after == issuer.not_after:
        return ImpossibleValidity(
            why=f"it ends with its issuer {issuer.address} on {moment(issuer.not_after)}: "
            "renewing it would not make it last longer",
            way_out=_renew_first(issuer),
        )
    return ImpossibleValidity(
        why=f"it is declared to end on {moment(planned.not_after)}: renewing it would not make it last longer",
        way_out=LATER_DATES,
    )


def _impossible(
    resource: Resource,
    planned: PlannedValidity,
    wanted: datetime | None,
    issuer: IssuerPeriod | None,
    now: datetime,
) -> ImpossibleValidity | None:
    """Tell why a certificate with these dates could never satisfy its own check, or None when it can."""
    left = planned.not_after - now
    window = renewal_window(resource.renew_before, planned.not_after - planned.not_before)
    if planned.is_clamped and wanted is not None:
        # What is left of the issuer must leave room for a whole renewal window of the life that was asked for.
        window = max(window, renewal_window(resource.renew_before, wanted - planned.not_before))
    if planned.not_after > planned.not_before and left > window:
        return None
    if issuer is not None and planned.not_after == issuer.not_after:
        return ImpossibleValidity(
            why=f"{issuer.address} ends on {moment(issuer.not_after)}: the {_left(planned, now)} left "
            f"{_within(window)}",
            way_out=_renew_first(issuer),
        )
    if resource.validity.not_after is not None or resource.validity.not_before is not None:
        return ImpossibleValidity(
            why=f"its declared dates end on {moment(planned.not_after)}: the {_left(planned, now)} left "
            f"{_within(window)}",
            way_out=LATER_DATES,
        )
    return ImpossibleValidity(
        why=f"a certificate signed now would be due for renewal at once: the {_left(planned, now)} left "
        f"{_within(window)}",
        way_out="shorten `renew_before` or `backdate`, or give it a longer life",
    )


def _renew_first(issuer: IssuerPeriod) -> str:
    return (
        f"renew {issuer.address} first (`--replace {issuer.address}`), give it a longer life, or shorten `renew_before`"
    )


def _left(planned: PlannedValidity, now: datetime) -> str:
    return span(planned.not_after - now) if planned.not_after > now else "0 seconds"


def _within(window: timedelta) -> str:
    return f"are within its renewal window of {span(window + INCLUSIVE_SECOND)}"
