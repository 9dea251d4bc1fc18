"""Laws over random edits and damage: a plan does enough, and no more than enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pkiplan.model.extensions import BasicConstraints, KeyUsage
from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, FileAttributes, KeyEncryption, KeyForm, RsaKeySpec
from pkiplan.model.observed import Missing, Unreadable
from pkiplan.model.resource import Resource
from pkiplan.model.secret_references import EnvSecret
from pkiplan.model.site import Site
from pkiplan.model.validity import Validity
from pkiplan.plan.changes import Action
from tests.plan.cases import OUTPUTS
from tests.plan.simulate import World, digest
from tests.plan.sites import (
    NOW,
    authority,
    certificate,
    common_name,
    days,
    edited,
    extension,
    server_extensions,
    site_of,
    with_extension,
    with_key,
)


def base_site() -> Site:
    return site_of(
        authority("root"),
        authority("a", "root", lifetime=1095),
        authority("b", "a", lifetime=800, path_length=0),
        certificate("one", "a"),
        certificate("own", None, lifetime=365),
        certificate("three", "b"),
        replace(certificate("two", "b"), outputs=OUTPUTS),
    )


ADDRESSES = tuple(base_site().resources)
LEAVES = tuple(address for address in ADDRESSES if address.startswith("certificate."))

Edit = Callable[[Resource], Resource]
LIFETIMES = st.integers(20, 4000).map(days)
SPECS = st.sampled_from([EcKeySpec(Curve.P521), RsaKeySpec(3072), EdKeySpec("ed25519")])
NAMES = st.sampled_from(["x.example", "y.example", "z.example"])


def edit_of(
    strategy: st.SearchStrategy[object], make: Callable[[Resource, object], Resource]
) -> st.SearchStrategy[Edit]:
    return strategy.map(lambda value: lambda resource: make(resource, value))


EDITS: st.SearchStrategy[Edit] = st.one_of(
    edit_of(NAMES, lambda r, v: replace(r, subject=common_name(str(v)))),
    edit_of(LIFETIMES, lambda r, v: replace(r, validity=v)),  # type: ignore[arg-type]
    edit_of(st.integers(1, 3000), lambda r, v: replace(r, renew_before=timedelta(days=int(str(v))))),
    edit_of(SPECS, lambda r, v: with_key(r, spec=v)),
    edit_of(st.just(EnvSecret("X")), lambda r, v: with_key(r, passphrases=(v,), plain_is_intended=False)),
    edit_of(st.sampled_from(KeyForm), lambda r, v: with_key(r, form=v)),
    edit_of(st.sampled_from([0o600, 0o640]), lambda r, v: replace(r, attributes=FileAttributes(mode=int(str(v))))),
    edit_of(st.booleans(), lambda r, v: replace(r, reuse_key=bool(v))),
    edit_of(st.sampled_from(["sha256", "sha512"]), lambda r, v: replace(r, digest=str(v))),
    edit_of(
        st.booleans(), lambda r, v: with_extension(r, extension("key_usage", KeyUsage(("crl_sign",)), critical=bool(v)))
    ),
    edit_of(
        st.integers(0, 3),
        lambda r, v: replace(r, validity=Validity(not_after=NOW + timedelta(days=30 + 400 * int(str(v))))),
    ),
    edit_of(
        st.integers(5, 9),
        lambda r, v: with_extension(r, extension("basic_constraints", BasicConstraints(r.is_authority, int(str(v))))),
    ),
)
LEAF_EDITS = st.one_of(
    EDITS,
    edit_of(NAMES, lambda r, v: replace(r, extensions=server_extensions("keep.example", str(v)))),
    edit_of(st.just(Validity()), lambda r, v: replace(r, validity=v) if r.issuer else r),  # type: ignore[arg-type]
    edit_of(st.sampled_from(["a", "b", "root"]), lambda r, v: replace(r, issuer=f"authority.{v}") if r.issuer else r),
)


Damage = Callable[[World, str], None]


def replaces_key(world: World, address: str) -> None:
    world.edit_key(address, spki_sha256=digest("stranger"))


def damages_file(world: World, address: str) -> None:
    for path in world.disk.of(address).files:
        world.set_file(address, path, Unreadable("garbage", is_damaged=True))


DAMAGES: st.SearchStrategy[Damage] = st.sampled_from(
    [
        lambda world, address: world.set_key(address, Missing()),
        lambda world, address: world.set_key(address, Unreadable("garbage", is_damaged=True)),
        lambda world, address: world.set_certificate(address, Missing()),
        lambda world, address: world.set_certificate(address, Unreadable("garbage", is_damaged=True)),
        lambda world, address: world.edit_certificate(address, subject_key_id=b"x"),
        lambda world, address: world.edit_certificate(address, not_after=NOW + timedelta(days=1)),
        lambda world, address: world.edit_key(address, encryption=KeyEncryption(rounds=1)),
        lambda world, address: world.disk.resources.pop(address),
        replaces_key,
        damages_file,
    ]
)


def consent() -> dict[str, object]:
    """Allow everything, so that no guard stands in the way."""
    return {"allow": tuple(a for a in ADDRESSES if a.startswith("authority.")), "allow_many": True}


@given(
    st.lists(st.tuples(st.sampled_from(ADDRESSES), EDITS), max_size=3),
    st.lists(st.tuples(st.sampled_from(LEAVES), LEAF_EDITS), max_size=3),
    st.dictionaries(st.sampled_from(ADDRESSES), DAMAGES, max_size=3),
    st.integers(0, 1500),
)
@settings(max_examples=400, deadline=None)
def test_applying_a_plan_leaves_nothing_to_do(
    edits: list[tuple[str, Edit]], leaf_edits: list[tuple[str, Edit]], damages: dict[str, Damage], age: int
) -> None:
    world = World.applied(base_site())
    for address, edit in (*edits, *leaf_edits):
        world.site = edited(world.site, address, edit)
    for address, damage in damages.items():
        damage(world, address)
    world.pass_days(age)

    world.apply(**consent())

    assert world.plan().pending == ()


@given(st.lists(st.integers(1, 200), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_site_left_alone_is_only_ever_renewed(gaps: list[int]) -> None:
    world = World.applied(base_site())
    for gap in gaps:
        world.pass_days(gap)

        plan = world.apply()

        assert {change.action for change in plan.changes} <= {Action.RENEW, Action.REENCODE}
        assert world.plan().changes == ()


@given(st.sampled_from(ADDRESSES), EDITS, st.integers(0, 25))
@settings(max_examples=150, deadline=None)
def test_undoing_an_edit_before_the_apply_empties_the_plan(address: str, edit: Edit, age: int) -> None:
    world = World.applied(base_site())
    before = world.site
    world.pass_days(age)

    world.plan_of(edited(before, address, edit))

    assert world.plan_of(before).changes == ()


@given(st.sampled_from(LEAVES), st.lists(LEAF_EDITS, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_changing_one_leaf_never_touches_another(address: str, edits: list[Edit]) -> None:
    world = World.applied(base_site())
    for edit in edits:
        world.site = edited(world.site, address, edit)

    assert {change.address for change in world.plan().changes} <= {address}


@given(st.sampled_from(LEAVES), DAMAGES)
@settings(max_examples=60, deadline=None)
def test_damage_to_one_leaf_never_touches_another(address: str, damage: Damage) -> None:
    world = World.applied(base_site())
    damage(world, address)

    assert {change.address for change in world.plan().changes} == {address}


@given(st.sampled_from(ADDRESSES), EDITS)
@settings(max_examples=150, deadline=None)
def test_nothing_is_signed_without_a_reason_that_names_it(address: str, edit: Edit) -> None:
    world = World.applied(base_site())
    world.site = edited(world.site, address, edit)

    plan = world.plan()

    by_address = {change.address: change for change in plan.changes}
    for change in plan.changes:
        assert change.findings
        # Whatever was not edited itself changes because of an authority that is in the plan too.
        causes = {finding.because for finding in change.findings}
        assert change.address == address or causes & by_address.keys()
