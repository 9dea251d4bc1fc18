"""What happens to an authority, and what that does to everything beneath it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.keys import ExternalKey, KeyForm, RsaKeySpec
from pkiplan.model.observed import Missing, ObservedState, Unreadable
from pkiplan.model.secret_references import EnvSecret
from pkiplan.model.validity import Validity
from pkiplan.plan.changes import Action, Finding, KeyStep, Reason
from pkiplan.plan.planner import plan_site
from tests.plan.both_ways import planned_both_ways
from tests.plan.simulate import World, cnf_digests, digest
from tests.plan.sites import (
    NOW,
    authority,
    days,
    deep_site,
    edited,
    small_site,
    wide_site,
    with_key,
)


def test_a_whole_site_is_created_issuers_first_with_keys_dates_and_files() -> None:
    world = World(small_site())

    plan = world.plan()

    assert [change.address for change in plan.changes] == list(world.site.resources)
    assert {change.action for change in plan.changes} == {Action.CREATE}
    assert {change.key for change in plan.changes} == {KeyStep.GENERATE}
    root, issuing, api, _, legacy = plan.changes
    assert root.not_before == NOW - timedelta(minutes=5)
    assert api.not_after == NOW + timedelta(days=90, minutes=-5, seconds=-1)
    assert api.files == ("chain.pem", "fullchain.pem", "openssl.cnf")
    assert legacy.files == ("fullchain.pem", "openssl.cnf")
    assert issuing.files == ("openssl.cnf",)
    assert (root.beneath, root.reissued_beneath) == (3, 3)
    assert (issuing.beneath, issuing.reissued_beneath) == (2, 2)
    assert plan.counts[Action.CREATE] == 5
    assert plan.refusals == ()


def test_a_rekeyed_root_of_a_deep_site_signs_one_authority_and_leaves_the_rest_its_keys() -> None:
    world = World.applied(deep_site(20))

    plan = world.plan(replace=("authority.a00",), rekey=True, allow=("authority.a00",))

    assert {change.address: change.action for change in plan.changes} == {
        "authority.a00": Action.REKEY,
        "authority.a01": Action.MODIFY,
        "certificate.web": Action.REENCODE,
    }
    assert plan.changes[1].findings == (
        Finding(Reason.ISSUER_REKEYED, "issuer authority.a00 is re-keyed", "authority.a00"),
    )
    assert plan.changes[2].findings[0] == Finding(
        Reason.FILE_LAGS, "chain.pem follows: authority.a01 is modified", "authority.a01"
    )
    assert (plan.changes[0].beneath, plan.changes[0].reissued_beneath) == (20, 1)


def test_every_authority_of_a_deep_site_rekeyed_signs_everything_in_one_plan() -> None:
    world = World.applied(deep_site(20))
    for level in range(20):
        world.site = edited(world.site, f"authority.a{level:02}", lambda r: with_key(r, spec=RsaKeySpec(3072)))
    allowed = tuple(f"authority.a{level:02}" for level in range(20))

    plan = world.apply(allow=allowed, allow_many=True)

    assert [change.action for change in plan.changes] == [Action.REKEY] * 20 + [Action.MODIFY]
    assert plan.changes[-1].findings[0].because == "authority.a19"
    assert world.plan().changes == ()


def test_a_wide_site_is_signed_anew_beneath_a_rekeyed_authority_with_its_reach() -> None:
    world = World.applied(wide_site(10_000))
    assert world.plan().changes == ()

    plan = world.plan(replace=("authority.issuing",), rekey=True)

    assert plan.counts[Action.MODIFY] == 10_000
    assert (plan.changes[0].beneath, plan.changes[0].reissued_beneath) == (10_000, 10_000)
    assert plan.changes[0].permission == "--allow authority.issuing"
    assert {change.findings for change in plan.changes[1:]} == {
        (Finding(Reason.ISSUER_REKEYED, "issuer authority.issuing is re-keyed", "authority.issuing"),)
    }


def test_leaves_get_a_new_key_when_renewed_unless_they_reuse_it_and_authorities_keep_theirs() -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "certificate.api", lambda resource: replace(resource, reuse_key=True))

    plan = world.plan(replace=("*",))

    assert {change.address: change.key for change in plan.changes} == {
        "authority.root": KeyStep.KEEP,
        "authority.issuing": KeyStep.KEEP,
        "certificate.api": KeyStep.KEEP,
        "certificate.web": KeyStep.GENERATE,
        "certificate.legacy": KeyStep.GENERATE,
    }


def test_modify_keeps_the_key() -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "certificate.web", lambda resource: replace(resource, validity=days(60)))

    (change,) = world.plan().changes

    assert (change.action, change.key, change.signs) == (Action.MODIFY, KeyStep.KEEP, True)


def test_a_key_in_another_form_is_reencoded_beside_whatever_else_is_done() -> None:
    world = World.applied(small_site())
    world.edit_key("certificate.web", form=KeyForm.SEC1)

    (change,) = world.plan().changes

    assert (change.action, change.key, change.signs, change.files) == (Action.REENCODE, KeyStep.REENCODE, False, ())


def test_another_mode_of_the_certificate_rewrites_it_without_signing() -> None:
    world = World.applied(small_site())
    world.edit_certificate("certificate.web", certificates_in_file=2)

    (change,) = world.plan().changes

    assert (change.rewrites_certificate, change.signs, change.key) == (True, False, KeyStep.KEEP)


def test_an_issuer_without_its_private_key_signs_nothing() -> None:
    site = small_site()
    site = edited(site, "authority.issuing", lambda r: replace(r, key=ExternalKey(path="ca.csr", is_request=True)))
    world = World(site)
    world.give_key(site.resources["authority.issuing"])

    plan = world.plan()

    by_address = {change.address: change for change in plan.changes}
    assert by_address["authority.issuing"].action is Action.CREATE
    assert by_address["certificate.web"].action is Action.BLOCKED
    assert by_address["certificate.web"].findings[0].message == "issuer authority.issuing has only its public key here"
    assert not by_address["certificate.web"].is_fault


def test_a_self_signed_certificate_needs_its_private_key() -> None:
    site = small_site()
    site = edited(site, "certificate.legacy", lambda r: replace(r, key=ExternalKey(path="x", is_request=True)))
    world = World(site)
    world.give_key(site.resources["certificate.legacy"])

    change = world.plan(targets=("legacy",)).changes[0]

    assert (change.action, change.is_fault) == (Action.BLOCKED, True)
    assert "only its public key" in change.findings[0].message


@pytest.mark.parametrize(
    ("key", "is_fault", "way_out"),
    [
        pytest.param(Missing(), False, "bring its key to pki/authorities/root/key.pem", id="offline"),
        pytest.param(Unreadable("garbage", is_damaged=True), True, "restore it at pki/authorities/root", id="damaged"),
        pytest.param(Unreadable("denied"), True, "make it readable at pki/authorities/root", id="unreadable"),
    ],
)
def test_a_blocked_change_says_the_way_out_and_whether_it_is_a_fault(key: object, is_fault: bool, way_out: str) -> None:
    world = World.applied(small_site())
    world.set_key("authority.root", key)  # type: ignore[arg-type]

    (change,) = world.plan().changes

    assert (change.action, change.is_fault) == (Action.BLOCKED, is_fault)
    assert change.way_out.startswith(way_out)
    assert "--replace authority.root --rekey --allow authority.root" in change.way_out


def test_an_adopted_key_is_never_offered_to_be_replaced() -> None:
    site = edited(small_site(), "authority.root", lambda r: with_key(r, is_adopted=True, path="/etc/root.key"))
    world = World(site)
    world.give_key(site.resources["authority.root"])
    world.apply()
    world.set_key("authority.root", Missing())

    (change,) = world.plan().changes

    assert change.way_out == "bring its key to /etc/root.key to sign with it"


def test_an_issuer_with_an_expired_blocked_certificate_signs_nothing() -> None:
    world = World.applied(small_site())
    world.set_key("authority.root", Missing())
    world.now += timedelta(days=1200)

    plan = world.plan(targets=("web",))

    assert {change.address: change.findings[0].reason for change in plan.changes} == {
        "authority.root": Reason.KEY_OFFLINE,
        "authority.issuing": Reason.ISSUER_BLOCKED,
        "certificate.web": Reason.ISSUER_BLOCKED,
    }


def test_a_foreign_certificate_beside_an_authoritys_key_cannot_sign_while_its_repair_is_blocked() -> None:
    world = World.applied(small_site())
    world.edit_certificate("authority.issuing", spki_sha256=digest("x"))
    world.set_key("authority.root", Missing())
    world.site = edited(world.site, "certificate.web", lambda resource: replace(resource, validity=days(60)))

    plan = world.plan()

    assert {change.address: change.action for change in plan.changes}["certificate.web"] is Action.BLOCKED


def test_an_authority_that_is_gone_but_listed_in_its_index_is_rekeyed() -> None:
    site = small_site()
    observed = ObservedState(resources={}, issued_serials={"authority.issuing": frozenset({0x2A})})

    plan = planned_both_ways(site, observed, NOW, cnf_digests={})

    change = plan.changes[1]
    assert change.action is Action.REKEY
    assert change.findings[0].message == "key and certificate are gone, yet it issued serial 2a"


def test_a_certificate_moved_to_a_new_authority_lets_that_one_be_created() -> None:
    world = World.applied(small_site())
    site = world.site
    new = authority("new", "root", lifetime=900)
    web = replace(site.resources["certificate.web"], issuer="authority.new")
    resources = dict(site.resources)
    del resources["certificate.web"], resources["certificate.api"]
    world.site = replace(site, resources={**resources, new.address: new, web.address: web})

    plan = world.plan()

    assert [(change.address, change.action) for change in plan.changes] == [
        ("authority.new", Action.CREATE),
        ("certificate.web", Action.MODIFY),
    ]
    assert plan.changes[1].findings[0] == Finding(
        Reason.ISSUER_CHANGED, "issuer authority.new is created", "authority.new"
    )


def test_a_clamped_leaf_is_signed_with_a_warning_that_names_both_ends() -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "certificate.web", lambda resource: replace(resource, validity=days(2000)))

    plan = world.plan()

    (change,) = plan.changes
    assert change.is_clamped
    assert change.not_after == world.certificate("authority.issuing").not_after
    (warning,) = plan.warnings
    assert warning.code == "clamped-to-issuer"
    assert "sooner than declared (2000d)" in warning.summary


def test_until_issuer_is_no_clamp_and_warns_of_nothing() -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "certificate.web", lambda resource: replace(resource, validity=Validity()))

    plan = world.plan()

    assert not plan.changes[0].is_clamped
    assert plan.warnings == ()


def test_an_authoritys_plain_key_is_warned_about_in_every_plan_until_that_is_said_to_be_meant() -> None:
    site = edited(small_site(), "authority.root", lambda r: with_key(r, plain_is_intended=False))
    world = World.applied(site)

    assert [warning.code for warning in world.plan().warnings] == ["plain-authority-key"]


def test_an_adopted_authority_key_is_warned_about_as_it_lies() -> None:
    site = edited(small_site(), "authority.root", lambda r: with_key(r, plain_is_intended=False, is_adopted=True))
    world = World(site)
    assert [warning.code for warning in world.plan().warnings] == []

    world.give_key(site.resources["authority.root"])

    assert [warning.code for warning in world.plan().warnings] == ["plain-authority-key"]


@pytest.mark.parametrize(
    ("addresses", "summary"),
    [
        (("certificate.web",), "one key is not checked without a passphrase: certificate.web"),
        (
            ("authority.issuing", "certificate.api", "certificate.web", "certificate.legacy"),
            (
                "4 keys are not checked without a passphrase: "
                "authority.issuing, certificate.api, certificate.web and 1 more"
            ),
        ),
    ],
)
def test_encrypted_keys_that_nobody_opened_are_told_in_one_line(addresses: tuple[str, ...], summary: str) -> None:
    site = small_site()
    for address in addresses:
        site = edited(site, address, lambda r: with_key(r, passphrases=(EnvSecret("X"),), plain_is_intended=False))
    world = World.applied(site)
    for address in addresses:
        world.edit_key(address, spki_sha256=None, spec=None)

    plan = world.plan()

    assert plan.changes == ()
    assert [(warning.code, warning.summary) for warning in plan.warnings] == [("key-not-checked", summary)]


class Lint(dict[str, tuple[Diagnostic, ...]]):
    """Findings that are made when they are asked for, and remember who asked."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__()
        self.diagnostic = diagnostic
        self.asked: list[str] = []

    def get(self, key: str, default: object = None) -> tuple[Diagnostic, ...]:
        self.asked.append(key)
        return (self.diagnostic,)


def test_a_lint_error_blocks_what_would_be_signed_and_nothing_else() -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "certificate.web", lambda resource: replace(resource, validity=days(60)))
    lint = Lint(Diagnostic(summary="no name", hint="give it one", code="names"))

    plan = plan_site(world.site, world.disk.observe(world.site), NOW, cnf_digests=cnf_digests(world.site), lint=lint)

    (change,) = plan.changes
    assert (change.action, change.is_fault, change.way_out) == (Action.BLOCKED, True, "give it one")
    assert [finding.reason for finding in change.findings] == [Reason.LINT_REFUSED, Reason.LIFETIME_CHANGED]
    assert lint.asked == ["certificate.web"]


def test_a_lint_warning_is_a_warning_of_the_plan() -> None:
    world = World(small_site())
    warning = Diagnostic(severity=Severity.WARNING, summary="long", code="lifetime")

    plan = planned_both_ways(world.site, world.disk.observe(world.site), NOW, cnf_digests={}, lint=Lint(warning))

    assert {change.action for change in plan.changes} == {Action.CREATE}
    assert plan.warnings == (warning,) * 5


def test_a_cnf_whose_digest_nobody_gave_is_not_compared() -> None:
    world = World.applied(small_site())

    plan = planned_both_ways(world.site, world.disk.observe(world.site), NOW)

    assert plan.changes == ()


def test_what_an_interrupted_apply_left_is_passed_on() -> None:
    observed = ObservedState(resources={}, interrupted=("certificate.web was half done",))

    assert planned_both_ways(small_site(), observed, NOW).interrupted == ("certificate.web was half done",)


def test_the_plan_does_not_depend_on_the_order_in_which_files_were_observed() -> None:
    world = World.applied(small_site())
    observed = world.disk.observe(world.site)
    turned = replace(observed, resources=dict(reversed(list(observed.resources.items()))))
    later = NOW + timedelta(days=70)

    assert planned_both_ways(world.site, observed, later) == planned_both_ways(world.site, turned, later)


def test_a_leafs_certificate_in_place_of_an_authoritys_cannot_sign_while_its_repair_is_blocked() -> None:
    world = World.applied(small_site())
    leaf = world.certificate("certificate.web").extensions
    world.edit_certificate("authority.issuing", extensions=leaf)
    world.set_key("authority.root", Missing())
    world.site = edited(world.site, "certificate.web", lambda resource: replace(resource, validity=days(60)))

    plan = world.plan()

    assert {change.address: change.action for change in plan.changes}["certificate.web"] is Action.BLOCKED
