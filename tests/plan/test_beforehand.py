"""What is said of a certificate as soon as it is seen counts only as long as what it rests on stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.observed import Found
from pkiplan.plan.beforehand import Beforehand
from pkiplan.plan.changes import Plan, Reason
from pkiplan.plan.planner import NOTHING_KNOWN, plan_site
from tests.plan.both_ways import said_beforehand
from tests.plan.simulate import World, cnf_digests
from tests.plan.sites import small_site

# In this order.
API, WEB, ITS_OWN_ISSUER = "certificate.api", "certificate.web", "certificate.legacy"


@pytest.fixture
def world() -> World:
    world = World(small_site())
    world.apply()
    return world


def said(world: World, *, lint: Mapping[str, tuple[Diagnostic, ...]] = NOTHING_KNOWN) -> Beforehand:
    return said_beforehand(
        world.site,
        world.disk.observe(world.site),
        world.now,
        cnf_digests=cnf_digests(world.site),
        lint=lint,
        older_cnf_digests=lambda _site, _address: (),
    )


def planned(world: World, beforehand: Beforehand, *, without: str = "") -> Plan:
    observed = world.disk.observe(world.site)
    seen = {address: found for address, found in observed.resources.items() if address != without}
    return plan_site(
        world.site,
        replace(observed, resources=seen),
        world.now,
        cnf_digests=cnf_digests(world.site),
        beforehand=beforehand,
    )


@pytest.mark.parametrize("address", [API, WEB, ITS_OWN_ISSUER])
def test_what_is_unchanged_need_not_be_seen_again(world: World, address: str) -> None:
    assert planned(world, said(world), without=address).changes == ()
    # Else it would be taken for missing.
    assert planned(world, Beforehand(), without=address).changes


class OfAuthorities(dict[str, tuple[Diagnostic, ...]]):
    """What the rules say, asked of authorities alone."""

    def get(self, address: str, default: Any = None) -> Any:
        assert address.startswith("authority."), address
        return super().get(address, default)


def test_the_rules_are_not_asked_whether_a_certificate_is_kept(world: World) -> None:
    world.now += timedelta(days=80)

    # What is signed anew they are asked of when it is decided.
    assert WEB not in said(world, lint=OfAuthorities()).unchanged


def test_an_authority_becomes_other_than_was_thought(world: World) -> None:
    beforehand = said(world)
    world.set_key("authority.issuing", Found(replace(world.key("authority.issuing"), spki_sha256="0" * 64)))

    assert {change.address for change in planned(world, beforehand).changes} >= {"authority.issuing", WEB}


def test_another_certificate_has_the_serial_number(world: World) -> None:
    beforehand = said(world)
    serial = beforehand.unchanged[API].serial
    shared = replace(beforehand.unchanged[WEB], serial=serial)
    world.set_certificate(WEB, Found(replace(world.certificate(WEB), serial=serial)))

    (change,) = planned(world, replace(beforehand, unchanged={**beforehand.unchanged, WEB: shared})).changes

    assert change.address == WEB
    assert [finding.reason for finding in change.findings] == [Reason.SERIAL_REUSED]
