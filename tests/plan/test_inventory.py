"""What exists, in order of urgency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pkiplan.model.observed import Missing, Unreadable
from pkiplan.plan.inventory import Inventory, Standing, take_inventory
from tests.plan.simulate import World
from tests.plan.sites import common_name, edited, small_site


def inventory(world: World) -> Inventory:
    return take_inventory(world.site, world.disk.observe(world.site), world.plan(), world.now)


def standings(world: World) -> dict[str, Standing]:
    return {entry.address: entry.standing for entry in inventory(world).entries}


def test_a_site_that_was_just_applied_is_valid_and_sorted_by_its_ends() -> None:
    entries = inventory(World.applied(small_site())).entries

    assert {entry.standing for entry in entries} == {Standing.VALID}
    assert [entry.address for entry in entries] == [
        "certificate.api",
        "certificate.web",
        "certificate.legacy",
        "authority.issuing",
        "authority.root",
    ]
    assert entries[0].life_left is not None
    assert entries[0].life_left > 0.99
    assert entries[0].renews_at is not None
    assert entries[0].key == "ecdsa P-256"


def test_the_most_urgent_comes_first() -> None:
    world = World.applied(small_site())
    world.set_certificate("certificate.legacy", Missing())
    world.set_certificate("certificate.api", Unreadable("garbage", is_damaged=True))
    world.set_key("authority.root", Missing())
    world.edit_certificate("certificate.web", not_before=world.now + timedelta(days=1))

    assert list(standings(world).items()) == [
        ("certificate.api", Standing.DAMAGED),
        ("certificate.legacy", Standing.MISSING),
        ("certificate.web", Standing.NOT_YET_VALID),
        ("authority.root", Standing.BLOCKED),
        ("authority.issuing", Standing.VALID),
    ]


def test_what_time_and_edits_bring_is_told_apart() -> None:
    world = World.applied(small_site())
    world.pass_days(70)
    world.site = edited(world.site, "certificate.legacy", lambda r: replace(r, subject=common_name("x")))

    assert standings(world)["certificate.web"] is Standing.RENEWAL_DUE
    assert standings(world)["certificate.legacy"] is Standing.CHANGE_PENDING

    world.pass_days(30)

    assert standings(world)["certificate.web"] is Standing.EXPIRED


def test_what_expires_before_a_moment_is_listed_with_what_is_missing() -> None:
    world = World.applied(small_site())
    world.set_certificate("certificate.legacy", Missing())

    expiring = inventory(world).expiring_before(world.now + timedelta(days=100))

    assert {entry.address for entry in expiring.entries} == {"certificate.api", "certificate.web", "certificate.legacy"}


def test_a_key_that_lies_beside_a_certificate_of_another_is_shared_too() -> None:
    world = World.applied(small_site())
    world.edit_key("certificate.api", spki_sha256=world.key("certificate.web").spki_sha256)

    warnings = [warning.summary for warning in inventory(world).warnings]

    assert warnings == ["one key is used by certificate.api, certificate.web"]


def test_dangers_are_warned_about() -> None:
    world = World.applied(small_site())
    key = world.key("certificate.web")
    world.edit_key("certificate.web", file=replace(key.file, mode=0o644))
    world.edit_certificate("certificate.api", spki_sha256=world.certificate("certificate.web").spki_sha256)
    world.edit_certificate("authority.root", not_after=world.now - timedelta(days=1))

    warnings = [warning.code for warning in inventory(world).warnings]

    assert warnings == ["key-readable-by-others", "key-shared", "trust-anchor-expired"]
