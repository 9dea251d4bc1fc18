from __future__ import annotations

import json

import pytest

from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason, report_document, report_of

EXPIRED = Reason("expired", "certificate has expired", "client")


def result(outcome: Outcome, expected: Expected = Expected.ACCEPTED, **what: object) -> CheckResult:
    given = {"check": "server", "subject": "certificate.web", "stack": "ssl"} | what
    return CheckResult(outcome=outcome, expected=expected, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "as_expected"),
    [
        pytest.param(result(Outcome.ACCEPTED), True, id="accepted as expected"),
        pytest.param(result(Outcome.REFUSED, reason=EXPIRED), False, id="refused, but expected accepted"),
        pytest.param(result(Outcome.ACCEPTED, Expected.REFUSED), False, id="accepted, but expected refused"),
        pytest.param(result(Outcome.REFUSED, Expected.REFUSED, reason=EXPIRED), True, id="refused for any reason"),
        pytest.param(
            result(Outcome.REFUSED, Expected.REFUSED, reason=EXPIRED, expected_reason="expired", expected_by="client"),
            True,
            id="refused for the expected reason by the expected side",
        ),
        pytest.param(
            result(Outcome.REFUSED, Expected.REFUSED, reason=EXPIRED, expected_reason="wrong-name"),
            False,
            id="refused, but for another reason",
        ),
        pytest.param(
            result(Outcome.REFUSED, Expected.REFUSED, reason=EXPIRED, expected_by="server"),
            False,
            id="refused, but by the other side",
        ),
        pytest.param(result(Outcome.NOT_RUN, Expected.REFUSED), True, id="not run disappoints nobody"),
        pytest.param(
            result(Outcome.REFUSED, Expected.REFUSED, reason=Reason("unreachable", "nobody there")),
            False,
            id="nobody there has refused nobody",
        ),
    ],
)
def test_what_is_as_expected(given: CheckResult, *, as_expected: bool) -> None:
    assert given.as_expected is as_expected


def test_a_report_is_sorted_counted_and_json() -> None:
    results = [result(Outcome.ACCEPTED, subject=f"certificate.{name}", seconds=0.1) for name in "cab"]
    report = report_of([*results, result(Outcome.NOT_RUN, subject="certificate.d")])

    document = json.loads(json.dumps(report_document(report)))

    assert [entry["subject"] for entry in document["results"]] == [f"certificate.{name}" for name in "abcd"]
    assert document["summary"] == {"checks": 4, "accepted": 3, "refused": 0, "not_run": 1, "unexpected": 0}


def test_stacks_that_disagree_are_shown() -> None:
    report = report_of([result(Outcome.ACCEPTED), result(Outcome.REFUSED, stack="pyopenssl", reason=EXPIRED)])

    (found,) = report.disagreements
    assert found.outcomes == (("pyopenssl", Outcome.REFUSED), ("ssl", Outcome.ACCEPTED))


def test_a_stack_of_one_strictness_is_held_against_the_strict_and_the_lax() -> None:
    strict, lax = (
        result(outcome, stack="pyopenssl", strict=strict)
        for outcome, strict in ((Outcome.REFUSED, True), (Outcome.ACCEPTED, False))
    )

    both, of_lax = (
        report_of([*ours, result(Outcome.ACCEPTED, stack="gnutls", strict=None)]).disagreements
        for ours in ([strict, lax], [lax])
    )

    assert [found.outcomes for found in both] == [(("gnutls", Outcome.ACCEPTED), ("pyopenssl", Outcome.REFUSED))]
    assert of_lax == ()


def test_one_word_for_several_faults_may_mean_any_of_them() -> None:
    def refused(wanted: str) -> CheckResult:
        reason = Reason("breaks-constraints", "violates the signer's constraints")
        return result(Outcome.REFUSED, Expected.REFUSED, reason=reason, expected_reason=wanted)

    assert refused("not-an-authority").as_expected
    assert not refused("wrong-name").as_expected


def test_a_check_that_one_stack_cannot_run_is_no_disagreement() -> None:
    report = report_of([result(Outcome.ACCEPTED), result(Outcome.NOT_RUN, stack="pyopenssl")])

    assert report.disagreements == ()
