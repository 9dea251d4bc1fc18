"""A new default is for new certificates: what an older version made by an older default is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from pkiplan.model.extensions import ExtendedKeyUsage, KeyUsage
from pkiplan.model.keys import FileAttributes, KeyEncryption, KeyForm, RsaKeySpec
from pkiplan.model.observed import Found, ObservedState
from pkiplan.model.resource import Output, Resource
from pkiplan.model.secret_references import EnvSecret
from pkiplan.model.site import Site
from pkiplan.plan.as_issued import site_as_issued
from pkiplan.plan.changes import Action, Plan
from pkiplan.plan.older_defaults import OlderDefault
from pkiplan.plan.planner import says_nothing
from tests.plan.both_ways import planned_both_ways
from tests.plan.simulate import World, cnf_digests
from tests.plan.sites import (
    P256,
    P384,
    certificate,
    common_name,
    days,
    edited,
    extension,
    small_site,
    with_extension,
    with_key,
    without_extension,
)

WEB, ISSUING = "certificate.web", "authority.issuing"
PKCS12 = Output(format="pkcs12", path="web.p12", attributes=FileAttributes(mode=0o600))
PASSPHRASE = (EnvSecret("KEY_PASSPHRASE"),)
SIGNING = extension("key_usage", KeyUsage(("digital_signature",)), critical=True)
AGREEING = extension("key_usage", KeyUsage(("digital_signature", "key_agreement")), critical=True)
CLIENT = extension("extended_key_usage", ExtendedKeyUsage(("1.3.6.1.5.5.7.3.2",)))


def default(field: str, old: object, new: object, until: str = "0.1") -> OlderDefault:
    return OlderDefault(until=until, field=field, old=old, new=new, keys=(field,))


Edit = Callable[[Resource], Resource]


def older_cnf(site: Site, address: str) -> Iterable[str]:
    """Give the cnf of a version whose templates were those of today."""
    return (cnf_digests(site)[address],)


def plan_after_upgrade(
    world: World, site: Site, older: Sequence[OlderDefault], *, said: Sequence[str] = (), **more: object
) -> Plan:
    observed: ObservedState = world.disk.observe(site)
    return planned_both_ways(
        site,
        observed,
        world.now,
        cnf_digests=cnf_digests(site),
        older_defaults=older,
        older_cnf_digests=older_cnf,
        says=lambda _, keys: any(key in said for key in keys),
        **more,  # type: ignore[arg-type]
    )


def upgraded(made: Edit, today: Edit) -> tuple[World, Site]:
    """Give what an older version made, and the site as the same manifest means it today."""
    world = World.applied(edited(small_site(), WEB, made))
    return world, edited(small_site(), WEB, today)


DEFAULTS = {
    "a lifetime": (
        lambda r: replace(r, validity=days(90)),
        lambda r: replace(r, validity=days(60)),
        default("lifetime", days(90).lifetime, days(60).lifetime),
    ),
    "a signature hash": (
        lambda r: replace(r, digest="sha256"),
        lambda r: replace(r, digest="sha512"),
        default("signature", ("sha256", False), ("sha512", False)),
    ),
    "a type of key": (lambda r: with_key(r, spec=P384), lambda r: with_key(r, spec=P256), default("key", P384, P256)),
    "a form of keys": (
        lambda r: with_key(r, form=KeyForm.SEC1),
        lambda r: with_key(r, form=KeyForm.PKCS8),
        default("key.form", KeyForm.SEC1, KeyForm.PKCS8),
    ),
    "an encryption of keys": (
        lambda r: with_key(r, passphrases=PASSPHRASE, encryption=KeyEncryption(rounds=200_000)),
        lambda r: with_key(r, passphrases=PASSPHRASE),
        default("key.encryption", KeyEncryption(rounds=200_000), KeyEncryption()),
    ),
    "a mode of keys": (
        lambda r: with_key(r, attributes=FileAttributes(mode=0o640)),
        lambda r: with_key(r, attributes=FileAttributes(mode=0o600)),
        default("key.mode", 0o640, 0o600),
    ),
    "a mode of certificates": (
        lambda r: replace(r, attributes=FileAttributes(mode=0o640)),
        lambda r: replace(r, attributes=FileAttributes(mode=0o644)),
        default("mode", 0o640, 0o644),
    ),
    "an extension": (
        lambda r: with_extension(r, AGREEING),
        lambda r: with_extension(r, SIGNING),
        default("key_usage", AGREEING, SIGNING),
    ),
    "an extension that was not there": (
        lambda r: without_extension(r, "extended_key_usage"),
        lambda r: with_extension(r, CLIENT),
        default("extended_key_usage", None, CLIENT),
    ),
    "an extension that was there": (
        lambda r: with_extension(r, CLIENT),
        lambda r: without_extension(r, "extended_key_usage"),
        default("2.5.29.37", CLIENT, None),
    ),
    "an option of an output": (
        lambda r: replace(r, outputs=(replace(PKCS12, options=(("compatibility", "legacy"),)),)),
        lambda r: replace(r, outputs=(PKCS12,)),
        default("pkcs12.compatibility", "legacy", "modern"),
    ),
}


# What a manifest says of an output stands in the output itself.
OF_FORMATS = ("pkcs12.compatibility",)


@pytest.mark.parametrize(
    ("made", "today", "older"), [pytest.param(*values, id=what) for what, values in DEFAULTS.items()]
)
def test_what_was_made_under_an_older_default_is_equal(made: Edit, today: Edit, older: OlderDefault) -> None:
    world, site = upgraded(made, today)

    assert plan_after_upgrade(world, site, ()).pending, "without its line the new default would change something"
    assert plan_after_upgrade(world, site, (older,)).changes == ()
    assert plan_after_upgrade(world, site, (replace(older, old="something else"),)).pending


@pytest.mark.parametrize(
    ("made", "today", "older"),
    [pytest.param(*values, id=what) for what, values in DEFAULTS.items() if values[2].field not in OF_FORMATS],
)
def test_a_value_that_the_manifest_says_is_no_default(made: Edit, today: Edit, older: OlderDefault) -> None:
    world, site = upgraded(made, today)

    assert plan_after_upgrade(world, site, (older,), said=(older.field,)).pending


def test_a_renewal_follows_the_new_defaults_and_tells_them_and_then_nothing_is_left() -> None:
    world, site = upgraded(
        lambda r: with_extension(replace(r, validity=days(90)), AGREEING),
        lambda r: with_extension(replace(r, validity=days(60)), SIGNING),
    )
    older = (
        default("lifetime", days(90).lifetime, days(60).lifetime),
        default("key_usage", AGREEING, SIGNING),
    )
    world.pass_days(70)

    plan = plan_after_upgrade(world, site, older)

    (change,) = (change for change in plan.changes if change.address == WEB)
    assert change.action is Action.RENEW
    assert {"key_usage", "lifetime"} <= {field.field for field in change.fields}
    assert [finding.reason.value for finding in change.findings] == ["renewal_due"]
    world.disk.apply(site, plan)
    world.site = site
    assert world.certificate(WEB).not_after - world.certificate(WEB).not_before == days(60).lifetime
    assert plan_after_upgrade(world, site, older).changes == ()
    assert world.plan().changes == ()


def test_an_edit_beside_an_older_default_changes_it_with_its_own_reason_alone() -> None:
    world, site = upgraded(lambda r: replace(r, validity=days(90)), lambda r: replace(r, validity=days(60)))
    site = edited(site, WEB, lambda r: replace(r, subject=common_name("new.example")))

    plan = plan_after_upgrade(world, site, (default("lifetime", days(90).lifetime, days(60).lifetime),))

    (change,) = plan.changes
    assert change.action is Action.MODIFY
    assert [finding.reason.value for finding in change.findings] == ["subject_changed"]


def test_what_is_created_has_the_new_default() -> None:
    world, site = upgraded(lambda r: replace(r, validity=days(90)), lambda r: replace(r, validity=days(60)))
    newcomer = replace(certificate("new"), validity=days(60))
    site = replace(site, resources={**site.resources, newcomer.address: newcomer})

    plan = plan_after_upgrade(world, site, (default("lifetime", days(90).lifetime, days(60).lifetime),))

    assert [(change.address, change.action) for change in plan.changes] == [(newcomer.address, Action.CREATE)]


def test_a_lost_cnf_is_written_as_today_and_then_nothing_is_left() -> None:
    world, site = upgraded(lambda r: with_extension(r, AGREEING), lambda r: with_extension(r, SIGNING))
    older = (default("key_usage", AGREEING, SIGNING),)
    del world.disk.resources[WEB].files["openssl.cnf"]  # type: ignore[attr-defined]

    plan = plan_after_upgrade(world, site, older)
    world.disk.apply(site, plan)

    assert [change.action for change in plan.changes] == [Action.REENCODE]
    assert plan_after_upgrade(world, site, older).changes == ()


def test_a_cnf_edited_by_hand_is_found_beneath_an_older_default() -> None:
    world, site = upgraded(lambda r: with_extension(r, AGREEING), lambda r: with_extension(r, SIGNING))
    cnf = world.file(WEB, "openssl.cnf")
    world.set_file(WEB, "openssl.cnf", Found(replace(cnf, file=replace(cnf.file, sha256="edited"))))

    plan = plan_after_upgrade(world, site, (default("key_usage", AGREEING, SIGNING),))

    assert [change.action for change in plan.changes] == [Action.REENCODE]


def test_a_default_that_changed_more_than_once_is_followed_back() -> None:
    world, site = upgraded(lambda r: replace(r, validity=days(90)), lambda r: replace(r, validity=days(60)))
    first = default("lifetime", days(90).lifetime, days(75).lifetime)
    second = default("lifetime", days(75).lifetime, days(60).lifetime, until="0.2")

    assert plan_after_upgrade(world, site, (first, second)).changes == ()
    assert plan_after_upgrade(world, site, (first,)).pending


def test_defaults_that_were_changed_back_and_forth_come_to_an_end() -> None:
    world, site = upgraded(lambda r: replace(r, validity=days(90)), lambda r: replace(r, validity=days(60)))
    circle = (
        default("lifetime", days(75).lifetime, days(60).lifetime),
        default("lifetime", days(60).lifetime, days(75).lifetime),
    )

    assert plan_after_upgrade(world, site, circle).pending


def test_a_site_made_by_the_defaults_of_today_is_the_same_object() -> None:
    site = small_site()
    older = (default("lifetime", days(75).lifetime, days(60).lifetime),)

    assert site_as_issued(site, World.applied(site).disk.observe(site), older, says_nothing) is site


def test_an_rsa_key_beneath_an_older_default_of_another_type_is_rekeyed() -> None:
    world, site = upgraded(lambda r: with_key(r, spec=P384), lambda r: with_key(r, spec=P256))
    site = edited(site, WEB, lambda r: with_key(r, spec=RsaKeySpec(2048)))

    assert [change.action for change in plan_after_upgrade(world, site, (default("key", P384, P256),)).changes] == [
        Action.REKEY
    ]
