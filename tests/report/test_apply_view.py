from __future__ import annotations

import json

import pytest

from pkiplan.apply.results import ApplyEvent, ApplyReport, ChangeResult, Done, EventKind, Failed, NotRun
from pkiplan.plan.changes import Action
from pkiplan.report.apply import apply_text, event_json, event_line, stream_head, stream_tail
from tests.report.golden import assert_golden
from tests.report.values import CREATE_WEB, RENEW_OPS, plan_of

DONE = (
    ChangeResult(address="authority.root", action=Action.CREATE, outcome=Done()),
    ChangeResult(address="certificate.web", action=Action.RENEW, outcome=Done("the old key is in archive/web")),
)
TROUBLE = (
    *DONE,
    ChangeResult(address="authority.bad", action=Action.CREATE, outcome=Failed("no space left on device")),
    ChangeResult(address="certificate.app", action=Action.CREATE, outcome=NotRun("authority.bad failed")),
)
REPORTS: dict[str, ApplyReport] = {
    "complete": ApplyReport(results=DONE),
    "failed": ApplyReport(results=TROUBLE, notes=("what an earlier run left was finished",)),
    "interrupted": ApplyReport(results=(*DONE, *TROUBLE[3:]), is_interrupted=True),
    "nothing-done": ApplyReport(results=TROUBLE[2:3]),
}


@pytest.mark.parametrize("case", REPORTS)
def test_report_reads_well(case: str) -> None:
    assert_golden(f"apply/{case}.txt", apply_text(REPORTS[case]))


def test_verbose_report_lists_what_was_done() -> None:
    assert_golden("apply/verbose.txt", apply_text(REPORTS["failed"], verbose=True))


def event(kind: EventKind, **more: object) -> ApplyEvent:
    settings = {"address": "certificate.web", "action": Action.RENEW, "index": 1, "total": 3} | more
    return ApplyEvent(kind=kind, **settings)  # type: ignore[arg-type]


def test_what_waited_for_one_thing_is_told_together() -> None:
    waited = [
        ChangeResult(address=f"certificate.c{n}", action=Action.CREATE, outcome=NotRun("apply was asked to stop"))
        for n in range(5)
    ]

    text = apply_text(ApplyReport(results=tuple(waited), is_interrupted=True))

    assert text.splitlines()[0] == (
        "· 5 changes were not run: apply was asked to stop (certificate.c0, certificate.c1, certificate.c2 and 2 more)"
    )
    assert "certificate.c4 was not created" in apply_text(ApplyReport(results=tuple(waited)), verbose=True)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event(EventKind.STARTED, detail="generating rsa 4096"), ""),
        (event(EventKind.FINISHED), "~ certificate.web renewed"),
        (event(EventKind.FINISHED, seconds=1.25), "~ certificate.web renewed (1.2 s)"),
        (event(EventKind.FINISHED, detail="kept the old key"), "~ certificate.web renewed: kept the old key"),
        (event(EventKind.FAILED, detail="disk full"), "✗ certificate.web failed: disk full"),
        (event(EventKind.NOT_RUN, detail="authority.a failed"), ""),
        (event(EventKind.NOTE, address="", action=None, detail="finished what was left"), "finished what was left"),
    ],
)
def test_one_line_an_event(told: ApplyEvent, line: str) -> None:
    assert event_line(told) == line


def test_stream_tells_plan_events_and_end() -> None:
    report = REPORTS["failed"]
    stream = [*stream_head(plan_of(CREATE_WEB, RENEW_OPS)), event_json(event(EventKind.STARTED)), stream_tail(report)]

    assert [json.loads(json.dumps(one))["type"] for one in stream] == [
        "version",
        "planned_change",
        "planned_change",
        "change_summary",
        "apply_start",
        "change_summary",
    ]
    assert stream[0]["format_version"] == "1.0"
    assert stream[3]["changes"]["renew"] == 1
    assert stream[5] == {
        "type": "change_summary",
        "operation": "apply",
        "changes": {"create": 1, "renew": 1, "modify": 0, "re-key": 0, "re-encode": 0, "remove": 0},
        "failed": 1,
        "not_run": 1,
        "is_interrupted": False,
        "notes": ["what an earlier run left was finished"],
    }
