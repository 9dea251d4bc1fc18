"""A plan as JSON: written, read back, compared, and never trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkiplan.diagnostics import Diagnostic, Place, Severity
from pkiplan.errors import PkiplanError
from pkiplan.model.observed import Missing, UnmanagedFile, Unreadable
from pkiplan.model.resource import Kind
from pkiplan.model.validity import Validity
from pkiplan.plan.changes import Action, Change, FieldChange, Finding, KeyStep, Plan, PlanOptions, Reason
from pkiplan.plan.document import plan_document
from pkiplan.plan.document_schema import plan_schema
from pkiplan.plan.saved_plan import SavedPlan, parse_plan_document
from pkiplan.plan.staleness import FILES_NAMED, differences
from tests.plan.cases import CASES, case_world
from tests.plan.simulate import World
from tests.plan.sites import NOW, days, edited, small_site


@dataclass(frozen=True)
class Read:
    path: str
    sha256: str


INPUTS = (Read("site.yaml", "aa"), Read("teams/a.yaml", "bb"))
FILES = {"/site/pki/authorities/root/cert.pem": "11", "/site/pki/authorities/root/key.pem": "missing"}


def document(plan: Plan, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"inputs": INPUTS, "variables": ("domain=acme.example", "@vars.yaml"), "files": FILES}
    return plan_document(plan, **(made | changes))


def saved(plan: Plan, **changes: Any) -> SavedPlan:
    return parse_plan_document(json.loads(json.dumps(document(plan, **changes))))


TEXT = st.text(max_size=20)
WORD = st.text(alphabet='abc._-[]"0', min_size=1, max_size=12)
TIMES = st.datetimes().map(lambda time: time.replace(microsecond=0, tzinfo=NOW.tzinfo)).filter(lambda t: t.year > 999)
COUNTS = st.integers(min_value=0, max_value=10**9)
PLACES = st.none() | st.builds(Place, WORD, COUNTS, COUNTS, st.integers(1, 100))
FIELDS = st.lists(
    st.builds(FieldChange, WORD, st.none() | TEXT, st.none() | TEXT, st.booleans()),
    max_size=4,
    unique_by=lambda field: field.field,
).map(tuple)
CHANGES = st.builds(
    Change,
    address=WORD,
    kind=st.sampled_from(Kind),
    action=st.sampled_from(Action),
    place=PLACES,
    findings=st.lists(st.builds(Finding, st.sampled_from(Reason), TEXT, st.none() | WORD), max_size=3).map(tuple),
    fields=FIELDS,
    key=st.sampled_from(KeyStep),
    signs=st.booleans(),
    not_before=st.none() | TIMES,
    not_after=st.none() | TIMES,
    dates_are_declared=st.booleans(),
    is_clamped=st.booleans(),
    files=st.lists(TEXT, max_size=3).map(tuple),
    rewrites_certificate=st.booleans(),
    is_fault=st.booleans(),
    way_out=TEXT,
    permission=st.none() | TEXT,
    beneath=COUNTS,
    reissued_beneath=COUNTS,
)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


def diagnostics(severity: Severity) -> st.SearchStrategy[tuple[Diagnostic, ...]]:
    made = st.builds(
        Diagnostic,
        severity=st.just(severity),
        summary=TEXT,
        code=TEXT,
        place=PLACES,
        path=TEXT,
        hint=TEXT,
        notes=st.just(()),
        source_line=st.none(),
    )
    return st.lists(made, max_size=2).map(tuple)


PLANS = st.builds(
    Plan,
    site=TEXT,
    made_at=TIMES,
    changes=st.lists(CHANGES, max_size=3, unique_by=lambda change: change.address).map(tuple),
    kept=COUNTS,
    options=st.builds(
        PlanOptions,
        targets=TEXTS,
        replace=TEXTS,
        rekey=st.booleans(),
        prune=st.booleans(),
        allow=TEXTS,
        allow_many=st.booleans(),
    ),
    unmanaged=st.lists(st.builds(UnmanagedFile, path=TEXT, description=TEXT, address=st.none() | TEXT), max_size=2).map(
        tuple
    ),
    warnings=diagnostics(Severity.WARNING),
    refusals=diagnostics(Severity.ERROR),
    interrupted=TEXTS,
)


@given(PLANS)
@settings(max_examples=150, deadline=None)
def test_a_plan_is_read_back_as_it_was_written(plan: Plan) -> None:
    back = saved(plan)

    assert back.plan == plan
    # Places, and what the clock gives, take no part in equality.
    assert [(c.place, c.not_before, c.not_after) for c in back.plan.changes] == [
        (c.place, c.not_before, c.not_after) for c in plan.changes
    ]
    assert (back.inputs, back.variables, back.files) == (
        {"site.yaml": "aa", "teams/a.yaml": "bb"},
        ("domain=acme.example", "@vars.yaml"),
        FILES,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_anything_else_is_refused_and_never_a_traceback(value: object) -> None:
    with pytest.raises(PkiplanError):
        parse_plan_document(value)


def paths(value: object, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the way to every value of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, item in inner for path in paths(item, (*prefix, key)))]


def whole_document() -> dict[str, Any]:
    world = case_world()
    world.pass_days(70)
    world.set_key("certificate.web", Unreadable("denied"))
    plan = replace(world.plan(replace=("api",)), unmanaged=(UnmanagedFile(path="x", description="text"),))
    parsed: dict[str, Any] = json.loads(json.dumps(document(plan)))
    return parsed


WHOLE = whole_document()
PATHS = [path for path in paths(WHOLE) if path]


@given(st.sampled_from(PATHS), JSON, st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_plan_with_one_value_changed_or_missing_is_a_plan_or_refused(
    path: tuple[Any, ...], value: object, is_removed: bool
) -> None:
    forged = json.loads(json.dumps(WHOLE))
    place = forged
    for key in path[:-1]:
        place = place[key]
    if is_removed:
        del place[path[-1]]
    else:
        place[path[-1]] = value

    try:
        parsed = parse_plan_document(forged)
    except PkiplanError:
        return

    assert differences(parsed, parsed) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": "2.0"}, "the plan has format version 2.0, this pkiplan reads 1.x"),
        ({"format_version": "one"}, "not a plan of pkiplan's: format_version is not a version such as 1.0"),
        ({"timestamp": "2026-11-24T12:00:00"}, "not a plan of pkiplan's: timestamp is not a time with its zone"),
        ({"timestamp": "0001-01-01T00:00:00+23:00"}, "not a plan of pkiplan's: timestamp is not a time"),
        ({"variables": [1]}, "not a plan of pkiplan's: variables is not a list of texts"),
        ({"observed": {"x": 1}}, "not a plan of pkiplan's: observed is not a map of texts"),
        ({"resource_changes": [1]}, "not a plan of pkiplan's: resource_changes[0] is not an object"),
        ({"summary": {"no_op": -1}}, "not a plan of pkiplan's: summary.no_op is not a number"),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PkiplanError) as failure:
        parse_plan_document(WHOLE | changes)

    assert failure.value.diagnostics[0].summary == message


def test_a_newer_minor_version_with_unknown_names_is_read() -> None:
    assert parse_plan_document(WHOLE | {"format_version": "1.7", "novelty": []}).plan.site == "acme"


@pytest.mark.parametrize("case", CASES[::7], ids=[case.sentence for case in CASES[::7]])
def test_every_plan_is_valid_by_its_schema(case: Any) -> None:
    import jsonschema

    world = case_world()
    case.change(world)

    jsonschema.validate(document(world.plan(**case.options)), plan_schema())


def test_the_skeleton_is_terraforms() -> None:
    world = World.applied(small_site())
    world.set_key("certificate.web", Missing())
    world.set_file("certificate.api", "chain.pem", Missing())

    made = document(world.plan())

    assert (made["complete"], made["applyable"], made["errored"]) == (True, True, False)
    api, web = made["resource_changes"]
    assert web["change"]["actions"] == ["create", "delete"]
    assert (web["change"]["action_reason"], web["rekey"]) == ("key_missing", True)
    assert (web["type"], web["name"], web["source"]["line"]) == ("certificate", "web", 20)
    assert api["change"]["actions"] == ["update"]
    assert api["files"] == [{"path": "chain.pem", "action": "update"}]
    assert made["summary"] == {
        "create": 0,
        "renew": 0,
        "rekey": 1,
        "update": 0,
        "reencode": 1,
        "delete": 0,
        "blocked": 0,
        "no_op": 3,
    }
    assert [change["address"] for change in made["resource_drift"]] == ["certificate.api", "certificate.web"]
    assert made["checks"] == [{"address": "certificate.web", "name": "verification", "status": "unknown"}]


def test_a_change_names_what_it_affects() -> None:
    world = World.applied(small_site())

    made = document(world.plan(replace=("issuing",), rekey=True))

    assert made["resource_changes"][0]["affects"] == ["certificate.api", "certificate.web"]
    assert made["applyable"] is False


# Staleness


def stale(then: SavedPlan, now: SavedPlan) -> list[str]:
    found = differences(then, now)
    assert all(diagnostic.code == "stale-plan" and diagnostic.hint for diagnostic in found)
    return [diagnostic.summary for diagnostic in found]


def test_the_same_plan_a_moment_later_is_not_stale() -> None:
    world = World.applied(small_site())
    world.pass_days(65)
    world.site = edited(world.site, "authority.issuing", lambda r: replace(r, validity=days(80)))
    then = saved(world.plan())
    world.now += timedelta(seconds=90)

    assert stale(then, saved(world.plan())) == []


def test_consent_given_later_is_no_difference() -> None:
    world = World.applied(small_site())
    then = saved(world.plan(replace=("issuing",), rekey=True))

    assert stale(then, saved(world.plan(replace=("issuing",), rekey=True, allow=("issuing",), allow_many=True))) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"inputs": (Read("site.yaml", "cc"), Read("new.yaml", "dd"))},
            [
                "the manifest new.yaml is read now and did not belong to the plan",
                "the manifest site.yaml has changed since the plan was made",
                "the manifest teams/a.yaml belonged to the plan and is no longer read",
            ],
            id="each manifest",
        ),
        pytest.param(
            {"variables": ("domain=x", "region=eu")},
            [
                "the variable `@vars.yaml` is not given now",
                "the variable `domain` has another value",
                "the variable `region` was not given",
            ],
            id="each variable, without its value",
        ),
        pytest.param(
            {"variables": ("@vars.yaml", "domain=acme.example")},
            ["the variables are given in another order"],
            id="the order of variables",
        ),
        pytest.param(
            {"files": {"/site/pki/authorities/root/cert.pem": "22", "/new": "33"}},
            [
                "the file /new is read now and did not belong to the plan",
                "the file /site/pki/authorities/root/cert.pem has changed since the plan was made",
                "the file /site/pki/authorities/root/key.pem belonged to the plan and is no longer read",
            ],
            id="each file",
        ),
    ],
)
def test_staleness_names_exactly(changes: dict[str, Any], expected: list[str]) -> None:
    plan = World(small_site()).plan()

    assert stale(saved(plan), saved(plan, **changes)) == expected


def test_many_changed_files_are_counted() -> None:
    plan = World(small_site()).plan()
    files = {f"/{number:04}": "x" for number in range(FILES_NAMED + 7)}

    found = stale(saved(plan, files={}), saved(plan, files=files))

    assert len(found) == FILES_NAMED + 1
    assert found[-1] == "7 more files have changed since the plan was made"


def test_a_plan_of_another_site_version_or_option_is_stale() -> None:
    plan = World(small_site()).plan()
    then = saved(plan)
    other = replace(then, version="0.0.9", plan=replace(plan, site="other", options=PlanOptions(targets=("x",))))

    assert stale(other, then) == [
        "the plan is for the site `other`, not `acme`",
        "the plan was made by pkiplan 0.0.9, this is 0.1.0",
        "the plan was made with another `--target`",
    ]


def test_a_decision_that_time_has_changed_is_named_with_both_times() -> None:
    world = World.applied(small_site())
    then = saved(world.plan())
    world.pass_days(61)

    assert stale(then, saved(world.plan())) == [
        f"{address}: keep when the plan was made (2026-11-24T12:00:00Z), now renew (28 days left, renews at 30 days)"
        for address in ("certificate.api", "certificate.web")
    ]


def test_a_reason_that_time_has_added_or_taken_is_named() -> None:
    world = World.applied(small_site())
    site = edited(world.site, "certificate.web", lambda r: replace(r, digest="sha512"))
    then = saved(world.plan_of(site))
    world.pass_days(61)
    now = saved(world.plan_of(site))
    modify = "certificate.web: modify (signature sha384 → sha512) when the plan was made"

    assert stale(then, now)[0] == f"{modify} (2026-11-24T12:00:00Z), now also: 28 days left, renews at 30 days"
    assert stale(now, then)[-1] == f"{modify} (2027-01-24T12:00:00Z), now no longer: 28 days left, renews at 30 days"


def test_a_decision_that_is_no_longer_made_is_named() -> None:
    world = World.applied(small_site())
    kept = saved(world.plan())
    world.site = edited(world.site, "certificate.web", lambda r: replace(r, validity=days(60)))

    assert stale(saved(world.plan()), kept) == [
        "certificate.web: modify (lifetime 90d → 60d) when the plan was made (2026-11-24T12:00:00Z), now keep"
    ]


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param({"action": Action.RENEW}, id="action"),
        pytest.param({"key": KeyStep.GENERATE}, id="key"),
        pytest.param({"signs": False}, id="signs"),
        pytest.param({"files": ()}, id="files"),
        pytest.param({"is_clamped": True}, id="clamped"),
        pytest.param({"fields": ()}, id="fields"),
        pytest.param({"findings": (Finding(Reason.LIFETIME_CHANGED, "nothing to see"),)}, id="message"),
    ],
)
def test_a_forged_plan_is_stale(forgery: dict[str, Any]) -> None:
    world = World.applied(small_site())
    world.site = edited(world.site, "certificate.web", lambda r: replace(r, validity=days(60)))
    plan = world.plan()
    forged = replace(plan, changes=(replace(plan.changes[0], **forgery),))

    assert stale(saved(forged), saved(plan)) != []


def test_changes_in_another_order_are_stale() -> None:
    plan = World(small_site()).plan()

    assert stale(saved(replace(plan, changes=plan.changes[::-1])), saved(plan)) == [
        "the plan names its changes in another order"
    ]


def test_declared_dates_take_part() -> None:
    world = World.applied(small_site())
    end = Validity(not_after=NOW + timedelta(days=40))
    world.site = edited(world.site, "certificate.web", lambda r: replace(r, validity=end))
    plan = world.plan()
    forged = replace(plan, changes=(replace(plan.changes[0], not_after=NOW + timedelta(days=41)),))

    assert stale(saved(forged), saved(plan)) != []


def test_a_change_without_reason_is_told_by_its_action() -> None:
    plan = World(small_site()).plan()
    silent = replace(plan, changes=(replace(plan.changes[0], findings=()), *plan.changes[1:]))

    assert stale(saved(silent), saved(plan))[0].startswith("authority.root: create when the plan was made")
