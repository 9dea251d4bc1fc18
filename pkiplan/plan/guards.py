"""What must be allowed by name before a plan may be applied. Renewals that are due never count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.observed import Found, ObservedState
from pkiplan.model.resource import Kind
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change, Reason
from pkiplan.plan.descriptions import moment, several
from pkiplan.plan.selection import Selection

# A plan that strikes more than this share of a site of at least this size needs `--allow-many`.
MANY_SHARE = 2
MANY_SIZE = 10
STRIKING = frozenset({Action.MODIFY, Action.REKEY, Action.REMOVE})


def permitted(changes: Iterable[Change], selection: Selection) -> tuple[Change, ...]:
    """Take the demand for permission off the changes that were allowed by name."""
    return tuple(
        replace(change, permission=None) if change.permission and change.address in selection.allowed else change
        for change in changes
    )


def refusals(
    site: Site, observed: ObservedState, changes: Sequence[Change], selection: Selection, now: datetime
) -> tuple[Diagnostic, ...]:
    """Say which guards stop a plan, each with the option that would let it through."""
    return (
        *_protected(site, changes),
        *_not_allowed(site, changes),
        *_too_many(site, changes, selection),
        *_clock(site, observed, changes, selection, now),
    )


def _protected(site: Site, changes: Sequence[Change]) -> Iterable[Diagnostic]:
    for change in changes:
        resource = site.resources.get(change.address)
        if change.action is Action.REKEY and resource is not None and resource.protect:
            yield Diagnostic(
                code="protected",
                summary=f"{change.address} is protected (`protect: true`) and would be re-keyed",
                place=resource.place,
                hint="take `protect: true` out of its manifest first, or leave it out of this plan with `--target`",
            )


def _not_allowed(site: Site, changes: Sequence[Change]) -> Iterable[Diagnostic]:
    for change in changes:
        resource = site.resources.get(change.address)
        if change.permission is None or (resource is not None and resource.protect):
            continue
        verb = "removed" if change.action is Action.REMOVE else "given a new key"
        yield Diagnostic(
            code="not-allowed",
            summary=f"{change.address} would be {verb}{_reach(change)}",
            place=change.place,
            hint=f"allow it with `{change.permission}`",
        )


def _reach(change: Change) -> str:
    return f"; {change.reissued_beneath} of {change.beneath} beneath it are issued anew" if change.beneath else ""


def _too_many(site: Site, changes: Sequence[Change], selection: Selection) -> Iterable[Diagnostic]:
    struck = [change for change in changes if change.action in STRIKING]
    size = len(site.resources) + sum(change.action is Action.REMOVE for change in changes)
    if selection.allows_many or size < MANY_SIZE or len(struck) * MANY_SHARE <= size:
        return
    yield Diagnostic(
        code="too-many",
        summary=f"{len(struck)} of {size} would be modified, re-keyed or removed, more than half: "
        + several(change.address for change in struck),
        place=site.place,
        hint="allow it with `--allow-many`",
    )


def _clock(
    site: Site, observed: ObservedState, changes: Sequence[Change], selection: Selection, now: datetime
) -> Iterable[Diagnostic]:
    """Refuse to sign by a clock that most certificates say is behind (facts: reliability, row 34)."""
    early = {
        change.address
        for change in changes
        if change.is_pending and any(finding.reason is Reason.NOT_YET_VALID for finding in change.findings)
    }
    if not early or selection.allows_many:
        return
    starts = [
        certificate.value.not_before
        for certificate in (observed.of(address).certificate for address in site.resources)
        if isinstance(certificate, Found)
    ]
    if sum(start > now for start in starts) * 2 <= len(starts):
        return
    yield Diagnostic(
        code="clock-behind",
        summary=f"most certificates begin later than now ({moment(now)}), the last on {moment(max(starts))}: "
        "the clock seems to be behind",
        place=site.place,
        hint="set the clock; if it is right, allow it with `--allow-many`",
    )


def with_reach(site: Site, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Count for each authority that changes how many resources are beneath it, and how many are signed anew."""
    if not any(change.kind is Kind.AUTHORITY for change in changes):
        return tuple(changes)
    signed = {change.address for change in changes if change.signs}
    beneath = dict.fromkeys(site.resources, 0)
    reissued = dict.fromkeys(site.resources, 0)
    for resource in reversed(tuple(site)):  # what is issued comes before its issuer this way round
        if resource.issuer is not None:
            beneath[resource.issuer] += beneath[resource.address] + 1
            reissued[resource.issuer] += reissued[resource.address] + (resource.address in signed)
    return tuple(
        replace(change, beneath=beneath[change.address], reissued_beneath=reissued[change.address])
        if beneath.get(change.address)
        else change
        for change in changes
    )
