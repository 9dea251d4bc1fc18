"""What exists, in order of urgency: the answer of `pkiplan status`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import (
    Found,
    Missing,
    ObservedCertificate,
    ObservedResource,
    ObservedState,
    UnmanagedFile,
    Unreadable,
)
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.validity import renewal_window
from pkiplan.plan.changes import Action, Change, Plan

OTHERS_MAY_READ = 0o004


class Standing(StrEnum):
    """How a resource stands, most urgent first."""

    EXPIRED = "expired"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    NOT_YET_VALID = "not yet valid"
    BLOCKED = "blocked"
    RENEWAL_DUE = "renewal due"
    CHANGE_PENDING = "change pending"
    VALID = "valid"


URGENCY = {standing: rank for rank, standing in enumerate(Standing)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """One declared resource as it stands now.

    `renews_at` is the moment from which `plan` renews it. `life_left` is the share of its life that is left, 0 to 1.
    """

    address: str
    kind: Kind
    standing: Standing
    subject: str
    issuer: str | None
    path: str
    key: str = ""
    serial: int | None = None
    fingerprint_sha256: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    renews_at: datetime | None = None
    life_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything declared, most urgent first, what nobody declared, and what looks dangerous.

    `ends_before` tells that only what is expired by that moment was asked for.
    """

    site: str
    made_at: datetime
    entries: tuple[InventoryEntry, ...]
    unmanaged: tuple[UnmanagedFile, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    ends_before: datetime | None = None

    def expiring_before(self, moment: datetime) -> Inventory:
        """Keep only what is expired by a moment, or has no certificate at all."""
        ending = tuple(entry for entry in self.entries if entry.not_after is None or entry.not_after < moment)
        return replace(self, entries=ending, ends_before=moment)


def take_inventory(site: Site, observed: ObservedState, plan: Plan, now: datetime) -> Inventory:
    """Tell of every resource how it stands, sorted by urgency, then end of validity, then address."""
    changes = {change.address: change for change in plan.changes}
    entries = [_entry(site, resource, observed.of(resource.address), changes, now) for resource in site]
    entries.sort(key=_urgency)
    return Inventory(
        site=site.name,
        made_at=now,
        entries=tuple(entries),
        unmanaged=plan.unmanaged,
        warnings=(*plan.warnings, *_dangers(site, observed, now)),
    )


def _urgency(entry: InventoryEntry) -> tuple[int, float, str]:
    end = entry.not_after.timestamp() if entry.not_after else 0.0
    return (URGENCY[entry.standing], end, entry.address)


def _entry(
    site: Site, resource: Resource, found: ObservedResource, changes: Mapping[str, Change], now: datetime
) -> InventoryEntry:
    change = changes.get(resource.address)
    if not isinstance(found.certificate, Found):
        return InventoryEntry(
            address=resource.address,
            kind=resource.kind,
            standing=_without_certificate(found.certificate),
            subject=str(resource.subject),
            issuer=resource.issuer,
            path=site.certificate_path(resource),
        )
    certificate = found.certificate.value
    life = certificate.not_after - certificate.not_before
    left = (certificate.not_after - now) / life if life.total_seconds() > 0 else 0.0
    return InventoryEntry(
        address=resource.address,
        kind=resource.kind,
        standing=_standing(certificate, change, now),
        subject=str(certificate.subject),
        issuer=resource.issuer,
        path=site.certificate_path(resource),
        key=str(certificate.key_spec),
        serial=certificate.serial,
        fingerprint_sha256=certificate.fingerprint_sha256,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        renews_at=certificate.not_after - renewal_window(resource.renew_before, life),
        life_left=min(max(left, 0.0), 1.0),
    )


def _without_certificate(found: Missing | Unreadable) -> Standing:
    if isinstance(found, Missing):
        return Standing.MISSING
    return Standing.DAMAGED if found.is_damaged else Standing.UNREADABLE


def _standing(certificate: ObservedCertificate, change: Change | None, now: datetime) -> Standing:
    if now > certificate.not_after:
        return Standing.EXPIRED
    if now < certificate.not_before:
        return Standing.NOT_YET_VALID
    if change is None:
        return Standing.VALID
    match change.action:
        case Action.BLOCKED:
            return Standing.BLOCKED
        case Action.RENEW:
            return Standing.RENEWAL_DUE
        case Action.KEEP:
            return Standing.VALID
        case _:
            return Standing.CHANGE_PENDING


def _dangers(site: Site, observed: ObservedState, now: datetime) -> Iterator[Diagnostic]:
    yield from _readable_keys(site, observed)
    yield from _shared_keys(site, observed)
    yield from _expired_anchors(site, observed, now)


def _readable_keys(site: Site, observed: ObservedState) -> Iterator[Diagnostic]:
    for resource in site:
        key = observed.of(resource.address).key
        if isinstance(resource.key, ManagedKey) and isinstance(key, Found) and key.value.file.mode & OTHERS_MAY_READ:
            yield Diagnostic(
                severity=Severity.WARNING,
                code="key-readable-by-others",
                summary=f"the key of {resource.address} can be read by everyone (mode {key.value.file.mode:04o})",
                place=resource.place,
                hint=f"`apply` mends the mode; `--replace {resource.address} --rekey` replaces the key",
            )


def _shared_keys(site: Site, observed: ObservedState) -> Iterator[Diagnostic]:
    """Find keys of which several make use, by certificate or by key file: these may be of different keys."""
    holders: dict[str, list[str]] = defaultdict(list)
    for resource in site:
        found = observed.of(resource.address)
        digests = [one.value.spki_sha256 for one in (found.certificate, found.key) if isinstance(one, Found)]
        for digest in dict.fromkeys(digests):
            if digest is not None:
                holders[digest].append(resource.address)
    for addresses in holders.values():
        if len(addresses) > 1:
            yield Diagnostic(
                severity=Severity.WARNING,
                code="key-shared",
                summary=f"one key is used by {', '.join(sorted(addresses))}",
                hint="give each its own: `pkiplan plan --replace ADDRESS --rekey`",
            )


def _expired_anchors(site: Site, observed: ObservedState, now: datetime) -> Iterator[Diagnostic]:
    for resource in site:
        certificate = observed.of(resource.address).certificate
        if not (resource.is_authority and resource.is_self_issued and isinstance(certificate, Found)):
            continue
        if now > certificate.value.not_after:
            yield Diagnostic(
                severity=Severity.WARNING,
                code="trust-anchor-expired",
                summary=f"the trust anchor {resource.address} expired on {certificate.value.not_after:%Y-%m-%d}",
                place=resource.place,
                hint="nothing beneath it verifies any more; `pkiplan apply` renews it, then distribute it again",
            )
