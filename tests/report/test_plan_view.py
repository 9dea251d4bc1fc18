from __future__ import annotations

import pytest

from pkiplan.plan.changes import Action, FieldChange, Plan
from pkiplan.report.plan import cnf_diff_text, plan_text, summary_line
from tests.report.golden import assert_golden
from tests.report.values import (
    BLOCKED_OLD,
    CREATE_WEB,
    MODIFY_ISSUING,
    NOT_ALLOWED,
    REENCODE_OPS,
    REKEY_ROOT,
    REMOVE_GONE,
    RENEW_OPS,
    UNMANAGED,
    node,
    plan_of,
)

REKEYED_SITE = plan_of(
    REKEY_ROOT,
    MODIFY_ISSUING,
    *(node(number) for number in range(213)),
    CREATE_WEB,
    BLOCKED_OLD,
    refusals=(NOT_ALLOWED,),
    unmanaged=UNMANAGED,
)
PLANS: dict[str, Plan] = {
    "nothing-to-do": plan_of(kept=4),
    "nothing-declared": plan_of(kept=0),
    "one-kept": plan_of(kept=1),
    "create-and-renew": plan_of(CREATE_WEB, RENEW_OPS),
    "first-of-all": plan_of(CREATE_WEB, kept=0),
    "rekeyed-root-of-a-large-site": REKEYED_SITE,
    "reasons-of-one-cause": plan_of(MODIFY_ISSUING, REENCODE_OPS),
    "only-blocked": plan_of(BLOCKED_OLD),
    "removed-and-interrupted": plan_of(REMOVE_GONE, interrupted=("certificate.web was being renewed",)),
}


@pytest.mark.parametrize("case", PLANS)
def test_plan_reads_well(case: str) -> None:
    assert_golden(f"plan/{case}.txt", plan_text(PLANS[case]))


def test_verbose_plan_shows_every_change_and_what_is_unmanaged() -> None:
    text = plan_text(REKEYED_SITE, verbose=True)

    assert all(change.address in text for change in REKEYED_SITE.changes)
    assert "notes.txt" in text


def test_large_plan_stays_short() -> None:
    assert len(plan_text(REKEYED_SITE).splitlines()) < 60


def test_plan_for_another_time_says_so() -> None:
    assert plan_text(plan_of(kept=4), is_pretended=True).startswith("As it would be on 2026-11-24 12:00:00 UTC")


def test_colour_changes_nothing_but_colour() -> None:
    import re

    coloured = plan_text(REKEYED_SITE, colour=True)

    assert coloured != plan_text(REKEYED_SITE)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plan_text(REKEYED_SITE)


def test_legend_explains_only_the_symbols_that_occur() -> None:
    assert plan_text(plan_of(RENEW_OPS)).splitlines()[0] == "~ renew"


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        pytest.param("a", "b", ["a → b"], id="short ones stand on one line"),
        pytest.param("a", None, ["a → (none)"], id="what goes away is none"),
        pytest.param("x" * 60, "y" * 60, ["- " + "x" * 60, "+ " + "y" * 60], id="long ones stand one above the other"),
        pytest.param(
            ", ".join(f"host{n}.acme.example" for n in range(9)),
            ", ".join(f"host{n}.acme.example" for n in range(1, 10)),
            ["- host0.acme.example", "+ host9.acme.example", "  (8 unchanged)"],
            id="of long lists only what differs is shown",
        ),
    ],
)
def test_before_and_after(before: str, after: str | None, shown: list[str]) -> None:
    from dataclasses import replace

    change = replace(RENEW_OPS, findings=(), files=(), fields=(FieldChange("dns", before, after),))

    lines = plan_text(plan_of(change)).splitlines()[3:-2]

    assert [line.removeprefix("    dns").removeprefix("       ").removeprefix("  ") for line in lines] == shown


def test_hostile_text_cannot_move_the_cursor() -> None:
    from dataclasses import replace

    change = replace(RENEW_OPS, fields=(FieldChange("subject", "CN=a", "CN=\x1b[2Jb\u202ec\nd"),))

    text = plan_text(plan_of(change))

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"CN=\x1b[2Jb\u202ec\nd" in text


def test_every_action_has_its_words() -> None:
    from pkiplan.report.actions import DONE, GRAVITY, TO_DO

    assert set(TO_DO) == set(DONE) == set(Action) - {Action.KEEP, Action.BLOCKED}
    assert set(GRAVITY) == set(Action)


def test_summary_counts_what_is_unchanged_and_blocked() -> None:
    assert summary_line(plan_of(RENEW_OPS, BLOCKED_OLD, kept=1204)) == "Plan: 1 to renew; 1,204 unchanged. 1 blocked."


def test_diff_is_coloured_by_line() -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n same\n-old\n+new\n"

    assert cnf_diff_text(diff) == f"\n{diff}"
    assert "\x1b[32m+new\x1b[0m" in cnf_diff_text(diff, colour=True)
    assert "\x1b[31m-old\x1b[0m" in cnf_diff_text(diff, colour=True)
