"""What must be allowed by name, what is pruned, and what the names on the command line mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.model.observed import UnmanagedFile
from pkiplan.model.resource import Kind
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Plan, PlanOptions
from tests.plan.both_ways import planned_both_ways
from tests.plan.simulate import World, cnf_digests
from tests.plan.sites import (
    NOW,
    authority,
    certificate,
    common_name,
    days,
    edited,
    site_of,
    small_site,
    wide_site,
    with_resources,
)


def codes(plan: Plan) -> list[str]:
    return [refusal.code for refusal in plan.refusals]


def test_rekeying_an_authority_is_refused_with_the_exact_flag() -> None:
    world = World.applied(small_site())

    plan = world.plan(replace=("authority.issuing",), rekey=True)

    (refusal,) = plan.refusals
    assert refusal.summary == "authority.issuing would be given a new key; 2 of 2 beneath it are issued anew"
    assert refusal.hint == "allow it with `--allow authority.issuing`"
    assert plan.changes[0].permission == "--allow authority.issuing"


@pytest.mark.parametrize("name", ["authority.issuing", "issuing"])
def test_rekeying_an_authority_is_allowed_by_name(name: str) -> None:
    world = World.applied(small_site())

    plan = world.plan(replace=("authority.issuing",), rekey=True, allow=(name,))

    assert plan.refusals == ()
    assert plan.changes[0].permission is None


def test_a_glob_allows_nothing() -> None:
    world = World.applied(small_site())

    with pytest.raises(PkiplanError, match="no such address"):
        world.plan(replace=("authority.issuing",), rekey=True, allow=("*",))


def test_modifying_and_renewing_an_authority_with_its_key_needs_no_permission() -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "authority.issuing", lambda r: replace(r, validity=days(900)))

    plan = world.plan(replace=("authority.root",))

    assert [change.action for change in plan.changes[:2]] == [Action.RENEW, Action.MODIFY]
    assert plan.refusals == ()


def test_a_protected_authority_is_rekeyed_only_after_its_manifest_was_changed() -> None:
    world = World.applied(edited(small_site(), "authority.issuing", lambda r: replace(r, protect=True)))

    plan = world.plan(replace=("authority.issuing",), rekey=True, allow=("authority.issuing",))

    assert codes(plan) == ["protected"]
    assert "protect: true" in plan.refusals[0].hint
    assert codes(world.plan(replace=("authority.issuing",), rekey=True)) == ["protected"]
    assert codes(world.plan(replace=("authority.issuing",))) == []


def many(world: World, number: int) -> Site:
    """Edit the first leaves of a wide site."""
    leaves = [address for address in world.site.resources if address.startswith("certificate.")][:number]
    site = world.site
    for address in leaves:
        site = edited(site, address, lambda r: replace(r, subject=common_name("x")))
    return site


@pytest.mark.parametrize(
    ("leaves", "edited_leaves", "refused"),
    [
        pytest.param(7, 7, [], id="a site below ten may change whole"),
        pytest.param(8, 5, [], id="half of a site of ten may change"),
        pytest.param(8, 6, ["too-many"], id="more than half of a site of ten needs --allow-many"),
    ],
)
def test_a_plan_that_strikes_many_is_refused(leaves: int, edited_leaves: int, refused: list[str]) -> None:
    world = World.applied(wide_site(leaves))
    site = many(world, edited_leaves)

    assert codes(world.plan_of(site)) == refused
    assert codes(world.plan_of(site, allow_many=True)) == []


def test_due_renewals_never_count() -> None:
    world = World.applied(wide_site(20))
    world.pass_days(70)

    plan = world.plan()

    assert plan.counts[Action.RENEW] == 20
    assert plan.refusals == ()


def test_creations_and_reencodings_never_count() -> None:
    assert World(wide_site(20)).plan().refusals == ()
    world = World.applied(wide_site(20))
    assert world.plan(replace=("authority.issuing",)).refusals == ()


def test_a_clock_that_is_behind_signs_nothing() -> None:
    world = World.applied(small_site())
    world.now = NOW - timedelta(days=9000)

    plan = world.plan()

    assert codes(plan) == ["clock-behind"]
    assert "2026-11-24" in plan.refusals[0].summary
    assert codes(world.plan(allow_many=True)) == []


def undeclared(world: World, *addresses: str, site: Site | None = None, **options: object) -> Plan:
    """Plan a site without some of its resources, whose files are found as unmanaged."""
    left = [r for r in (site or world.site) if r.address not in addresses]
    smaller = with_resources(world.site, left)
    files = [UnmanagedFile(path=f"{a}/cert.pem", description="certificate", address=a) for a in addresses]
    files += [UnmanagedFile(path=f"{a}/key.pem", description="key", address=a) for a in addresses]
    files.append(UnmanagedFile(path="notes.txt", description="text"))
    observed = replace(world.disk.observe(smaller), unmanaged=tuple(files))
    return planned_both_ways(
        smaller,
        observed,
        NOW,
        options=PlanOptions(**options),  # type: ignore[arg-type]
        cnf_digests=cnf_digests(smaller),
    )


def test_what_is_not_declared_is_shown_and_not_touched() -> None:
    plan = undeclared(World.applied(small_site()), "certificate.web")

    assert plan.changes == ()
    assert [file.path for file in plan.unmanaged] == [
        "certificate.web/cert.pem",
        "certificate.web/key.pem",
        "notes.txt",
    ]


def test_prune_removes_what_was_a_resource_and_nothing_else() -> None:
    plan = undeclared(World.applied(small_site()), "certificate.web", prune=True)

    (change,) = plan.changes
    assert (change.action, change.kind, change.permission) == (Action.REMOVE, Kind.CERTIFICATE, None)
    assert change.files == ("certificate.web/cert.pem", "certificate.web/key.pem")
    assert [file.path for file in plan.unmanaged] == ["notes.txt"]
    assert plan.refusals == ()


def test_prune_of_an_authority_needs_permission_and_comes_after_its_certificates() -> None:
    world = World.applied(small_site())

    plan = undeclared(world, "authority.issuing", "certificate.web", "certificate.api", prune=True)

    assert [change.address for change in plan.changes] == ["certificate.api", "certificate.web", "authority.issuing"]
    assert codes(plan) == ["not-allowed"]
    assert "would be removed" in plan.refusals[0].summary
    gone = ("authority.issuing", "certificate.web", "certificate.api")
    assert codes(undeclared(world, *gone, prune=True, allow=("authority.issuing",))) == []


def test_removals_count_against_what_was_there() -> None:
    world = World.applied(wide_site(20))
    leaves = [address for address in world.site.resources if address.startswith("certificate.")]

    assert codes(undeclared(world, *leaves, prune=True)) == ["too-many"]
    assert codes(undeclared(world, *leaves[:11], prune=True)) == []


def test_prune_with_a_target_removes_only_that() -> None:
    world = World.applied(small_site())

    plan = undeclared(world, "certificate.web", "certificate.api", prune=True, targets=("certificate.web",))

    assert [change.address for change in plan.changes] == ["certificate.web"]


def element_site() -> Site:
    return site_of(
        authority("root"),
        authority("web", "root", lifetime=900),
        certificate("web", "root"),
        certificate("node", "web", element="a1"),
        certificate("node", "web", element="a2"),
        certificate("nodes", "root"),
    )


A1, A2 = 'certificate.node["a1"]', 'certificate.node["a2"]'


@pytest.mark.parametrize(
    ("pattern", "planned"),
    [
        pytest.param(A1, ["authority.root", "authority.web", A1], id="an address with what it depends on"),
        pytest.param("certificate.node[a1]", ["authority.root", "authority.web", A1], id="without quotes"),
        pytest.param("node[a1]", ["authority.root", "authority.web", A1], id="an element without its kind"),
        pytest.param("certificate.node", ["authority.root", "authority.web", A1, A2], id="every element"),
        pytest.param("node", ["authority.root", "authority.web", A1, A2], id="every element without its kind"),
        pytest.param("root", ["authority.root"], id="a plain id"),
        pytest.param("*[a?]", ["authority.root", "authority.web", A1, A2], id="a glob"),
        pytest.param("nod*", ["authority.root", "authority.web", A1, A2, "certificate.nodes"], id="a glob of ids"),
        pytest.param("authority.*", ["authority.root", "authority.web"], id="a glob of a kind"),
        pytest.param("certificate.web", ["authority.root", "certificate.web"], id="the one of two kinds"),
    ],
)
def test_a_target_means(pattern: str, planned: list[str]) -> None:
    plan = World(element_site()).plan(targets=(pattern,))

    assert [change.address for change in plan.changes] == planned


def test_a_target_leaves_the_rest_out_of_the_plan() -> None:
    world = World.applied(element_site())

    plan = world.plan(targets=("nodes", A1), replace=("authority.root", A1))

    assert [change.address for change in plan.changes] == ["authority.root", A1]
    assert plan.kept == 2


@pytest.mark.parametrize(
    ("options", "summary", "hint"),
    [
        pytest.param(
            {"targets": ("certificate.nod",)},
            "--target certificate.nod: there is no such address",
            "did you mean certificate.node?",
            id="a misspelt target",
        ),
        pytest.param(
            {"targets": ("node[a3]",)},
            "--target node[a3]: there is no such address",
            'did you mean certificate.node["a2"]?',
            id="a misspelt element",
        ),
        pytest.param({"targets": ("z" * 60,)}, f"--target {'z' * 60}: there is no such address", "", id="nothing near"),
        pytest.param(
            {"targets": ("nodes",), "replace": (A1,)},
            f"--replace names what --target leaves out: {A1}",
            f"name it as a target too, `--target {A1}`, or leave --target out",
            id="something beyond the targets",
        ),
        pytest.param({"targets": ("x*",)}, "--target x*: there is no such address", "", id="a glob of nothing"),
        pytest.param(
            {"replace": ("authority.rot",)},
            "--replace authority.rot: there is no such address",
            "did you mean authority.root?",
            id="a misspelt replacement",
        ),
        pytest.param(
            {"targets": ("web",)},
            "--target web is not unique: authority.web, certificate.web",
            "say which one: authority.web or certificate.web",
            id="a plain id of two kinds",
        ),
        pytest.param(
            {"rekey": True},
            "--rekey says how to replace, but nothing is replaced",
            "name it: --replace ADDRESS --rekey",
            id="a re-key of nothing",
        ),
    ],
)
def test_a_name_that_means_nothing_is_an_error(options: dict[str, object], summary: str, hint: str) -> None:
    with pytest.raises(PkiplanError) as failure:
        World(element_site()).plan(**options)

    assert (failure.value.diagnostics[0].summary, failure.value.diagnostics[0].hint) == (summary, hint)


def test_a_given_key_cannot_be_replaced() -> None:
    from pkiplan.model.keys import ExternalKey

    site = edited(small_site(), "certificate.web", lambda r: replace(r, key=ExternalKey(path="x", is_request=False)))

    with pytest.raises(PkiplanError, match=r"certificate\.web cannot be given a new key"):
        World(site).plan(replace=("web",), rekey=True)


def test_an_element_may_hold_any_character() -> None:
    address = 'certificate.node["a\\"]x"]'
    site = site_of(authority("root"), replace(certificate("node", "root", element="a"), address=address))

    assert [change.address for change in World(site).plan(targets=(address,)).changes] == ["authority.root", address]
    assert len(World(site).plan(targets=('certificate.node[a"]x]',)).changes) == 2
