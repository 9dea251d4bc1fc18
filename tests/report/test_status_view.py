from __future__ import annotations

import json
from datetime import timedelta

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.resource import Kind
from pkiplan.plan.inventory import Inventory, InventoryEntry, Standing
from pkiplan.report.moments import moment_text
from pkiplan.report.status import status_json, status_text
from tests.report.golden import assert_golden
from tests.report.values import NOW, UNMANAGED


def entry(address: str, standing: Standing, days: float | None, left: float | None) -> InventoryEntry:
    return InventoryEntry(
        address=address,
        kind=Kind.CERTIFICATE,
        standing=standing,
        subject=f"CN={address}",
        issuer="authority.issuing",
        path=f"pki/{address}/cert.pem",
        key="ecdsa P-256" if days is not None else "",
        serial=0x5F if days is not None else None,
        fingerprint_sha256="ab" * 32 if days is not None else None,
        not_before=NOW - timedelta(days=10) if days is not None else None,
        not_after=NOW + timedelta(days=days) if days is not None else None,
        renews_at=NOW + timedelta(days=days - 5) if days is not None else None,
        life_left=left,
    )


MIXED = Inventory(
    site="acme",
    made_at=NOW,
    entries=(
        entry("certificate.old", Standing.EXPIRED, -4, 0.0),
        entry("certificate.torn", Standing.DAMAGED, None, None),
        entry("certificate.new", Standing.MISSING, None, None),
        entry("certificate.tomorrow", Standing.NOT_YET_VALID, 91, 1.0),
        entry("certificate.off", Standing.BLOCKED, 3, 0.1),
        entry("certificate.web", Standing.RENEWAL_DUE, 12, 0.13),
        entry("certificate.api", Standing.CHANGE_PENDING, 60, 0.66),
        entry("authority.root", Standing.VALID, 3640, 0.997),
    ),
    unmanaged=UNMANAGED,
    warnings=(Diagnostic(severity=Severity.WARNING, summary="one key is used by two"),),
)


def test_inventory_reads_well() -> None:
    assert_golden("status/mixed.txt", status_text(MIXED))


def test_empty_inventory() -> None:
    assert_golden("status/empty.txt", status_text(Inventory(site="acme", made_at=NOW, entries=())))


def test_nothing_that_ends_soon_is_not_nothing_declared() -> None:
    ending = Inventory(site="acme", made_at=NOW, entries=(entry("certificate.web", Standing.VALID, 80, 0.9),))

    text = status_text(ending.expiring_before(NOW + timedelta(days=1)))

    assert text.endswith(f"\nStatus: nothing ends before {moment_text(NOW + timedelta(days=1))}.\n")


def test_large_inventory_shows_what_needs_attention() -> None:
    from dataclasses import replace

    valid = tuple(entry(f"certificate.n{number}", Standing.VALID, 80, 0.9) for number in range(5000))
    large = replace(MIXED, entries=MIXED.entries + valid, unmanaged=UNMANAGED * 20)

    assert_golden("status/large.txt", status_text(large))
    assert "certificate.n4999" in status_text(large, verbose=True)


def test_large_inventory_of_sound_ones_shows_the_next_to_end() -> None:
    valid = tuple(entry(f"certificate.n{number}", Standing.VALID, 80, 0.9) for number in range(100))
    text = status_text(Inventory(site="acme", made_at=NOW, entries=valid))

    assert "certificate.n29 " in text
    assert "70 more that are valid" in text


def test_json() -> None:
    document = json.loads(json.dumps(status_json(MIXED)))

    assert document["format_version"] == "1.0"
    assert document["timestamp"] == "2026-11-24T12:00:00Z"
    assert [resource["state"] for resource in document["resources"]][3:6] == ["not_yet_valid", "blocked", "renewal_due"]
    assert document["resources"][5]["not_after"] == "2026-12-06T12:00:00Z"
    assert document["resources"][1]["serial"] is None
    assert document["unmanaged"][1] == {"path": "notes.txt", "description": "file", "address": None}
    assert document["diagnostics"][0]["summary"] == "one key is used by two"


def test_colour_follows_urgency() -> None:
    text = status_text(MIXED, colour=True)

    assert "\x1b[31m!  certificate.old" in text
    assert "\x1b[33m~  certificate.web" in text
