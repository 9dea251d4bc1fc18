from __future__ import annotations

import json

import pytest

from pkiplan.report.verify import verify_json, verify_summary, verify_text
from pkiplan.report.verify_advice import advice
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason, Sample, report_of
from tests.report.golden import assert_golden

WEB = "certificate.web"
MISMATCH = Reason("host-name", "hostname mismatch", "client")


def check(name: str, *, expected: Expected, outcome: Outcome, **more: object) -> CheckResult:
    settings: dict[str, object] = {"subject": WEB, "server": WEB, "stack": "pyopenssl", "version": "1.3"} | more
    return CheckResult(check=name, expected=expected, outcome=outcome, **settings)  # type: ignore[arg-type]


def handshakes(*, wrong_name: Outcome = Outcome.REFUSED, subject: str = WEB) -> list[CheckResult]:
    results = [
        check(
            "path", expected=Expected.ACCEPTED, outcome=Outcome.ACCEPTED, stack="pyopenssl", version=None, server=None
        )
    ]
    for stack in ("pyopenssl", "ssl"):
        for version in ("1.2", "1.3"):
            common = {"stack": stack, "version": version, "subject": subject, "server": subject}
            results += [
                check(
                    "server",
                    expected=Expected.ACCEPTED,
                    outcome=Outcome.ACCEPTED,
                    target="www.acme.example",
                    strict=strict,
                    **common,
                )
                for strict in (True, False)
            ]
            results += [
                check(
                    "mutual", expected=Expected.ACCEPTED, outcome=Outcome.ACCEPTED, client="certificate.ops", **common
                ),
                check(
                    "control-wrong-name",
                    expected=Expected.REFUSED,
                    outcome=wrong_name if stack == "ssl" else Outcome.REFUSED,
                    expected_reason="host-name",
                    expected_by="client",
                    reason=MISMATCH,
                    **common,
                ),
            ]
    results.append(
        check(
            "control-expired",
            expected=Expected.REFUSED,
            outcome=Outcome.NOT_RUN,
            stack="ssl",
            reason=Reason("cannot", "Python's ssl cannot be told the time"),
        )
    )
    return results


def test_everything_as_expected() -> None:
    assert_golden("verify/as-expected.txt", verify_text(report_of(handshakes())))


def test_something_unexpected() -> None:
    report = report_of(handshakes(wrong_name=Outcome.ACCEPTED), sample=Sample(taken=1, of=2000))

    assert_golden("verify/unexpected.txt", verify_text(report))


def test_thousands_of_checks_show_only_the_unexpected() -> None:
    results = [result for number in range(100) for result in handshakes(subject=f"certificate.n{number}")]
    report = report_of([*results, *handshakes(wrong_name=Outcome.ACCEPTED)])

    assert_golden("verify/large.txt", verify_text(report))
    assert "certificate.n99" in verify_text(report, verbose=True)


def test_brief_report_has_no_table() -> None:
    assert verify_text(report_of(handshakes()), is_brief=True).splitlines()[0].startswith("· 1 check not run")


def test_unexpected_ones_beyond_many_are_counted() -> None:
    results = [
        check("server", expected=Expected.ACCEPTED, outcome=Outcome.REFUSED, target=f"h{number}", reason=MISMATCH)
        for number in range(60)
    ]

    assert "10 more are unexpected" in verify_text(report_of(results))


def test_nothing_to_verify() -> None:
    assert verify_summary(report_of([])) == "Verify: 0 checks: 0 accepted, 0 refused as they must be."


def test_json_has_a_version_and_every_result() -> None:
    document = json.loads(json.dumps(verify_json(report_of(handshakes()))))

    assert document["format_version"] == "1.0"
    assert document["summary"]["not_run"] == 1
    assert len(document["results"]) == len(handshakes())


def test_colour() -> None:
    text = verify_text(report_of(handshakes(wrong_name=Outcome.ACCEPTED)), colour=True)

    assert "\x1b[32m✓\x1b[0m" in text
    assert "\x1b[31m!\x1b[0m" in text


def test_verbose_table_names_both_sides() -> None:
    text = verify_text(report_of(handshakes()), verbose=True)

    assert [line.split()[:3] for line in text.splitlines()[1:2]] == [["check", "server", "client"]]
    assert "  mutual                   itself  certificate.ops" in text


def test_stand_ins_have_no_name_worth_reading() -> None:
    client = check(
        "client",
        expected=Expected.ACCEPTED,
        outcome=Outcome.ACCEPTED,
        subject="certificate.ops",
        server="throw-away server",
        client="certificate.ops",
    )
    rule = check("rule", expected=Expected.REFUSED, outcome=Outcome.REFUSED, target="www.acme.example")

    text = verify_text(report_of([client, rule]))

    assert "throw-away" not in text
    assert "rule www.acme.example without client" in text


def test_an_unexpected_rule_names_its_client() -> None:
    common = {"expected": Expected.ACCEPTED, "outcome": Outcome.REFUSED, "target": "www.acme.example"}

    text = verify_text(report_of([check("rule", client="certificate.ops", **common), check("rule", **common)]))  # type: ignore[arg-type]

    assert "rule www.acme.example with certificate.ops (pyopenssl, TLS 1.3): refused" in text
    assert "rule www.acme.example without client (pyopenssl, TLS 1.3): refused" in text


def test_reasons_on_request() -> None:
    told = verify_text(report_of(handshakes()), verbose=True)

    assert "Why they were refused:" in told
    assert "    control-wrong-name: hostname mismatch, says the client (pyopenssl, ssl)" in told
    assert "Why they were refused:" not in verify_text(report_of(handshakes()))


@pytest.mark.parametrize(
    ("found", "way_out"),
    [
        pytest.param({"reason": Reason("expired", "")}, "`pkiplan apply` renews what is due", id="expired"),
        pytest.param({"reason": Reason("other-certificate-served", "")}, "read its files anew", id="not reloaded"),
        pytest.param({"reason": Reason("unreachable", "")}, "whether the endpoint is up", id="nobody there"),
        pytest.param({"reason": Reason("key-mismatch", "")}, "`--replace ADDRESS --rekey`", id="no pair"),
        pytest.param(
            {"name": "connect", "reason": Reason("handshake-failed", "tlsv1 alert protocol version")},
            "which `versions:` it must speak",
            id="another version",
        ),
        pytest.param({"name": "connect", "reason": Reason("handshake-failed", "")}, "its own log", id="it breaks off"),
        pytest.param({"reason": Reason("something-new", "")}, "`pkiplan verify --trace ADDRESS`", id="anything else"),
        pytest.param(
            {"expected": Expected.REFUSED, "outcome": Outcome.ACCEPTED}, "before it is explained", id="let in"
        ),
        pytest.param(
            {"name": "rule", "expected": Expected.REFUSED, "outcome": Outcome.ACCEPTED}, "change the rule", id="a rule"
        ),
    ],
)
def test_every_finding_has_a_way_out(found: dict[str, object], way_out: str) -> None:
    given = {"name": "server", "expected": Expected.ACCEPTED, "outcome": Outcome.REFUSED} | found
    report = report_of([check(**given)] * 2)  # type: ignore[arg-type]

    (told,) = advice(report)
    assert way_out in told
    assert verify_text(report).endswith(f"What to do:\n  * {told}\n")


def test_what_concerns_most_is_told_first() -> None:
    expired, unreachable = (
        check("server", expected=Expected.ACCEPTED, outcome=Outcome.REFUSED, reason=Reason(code, ""))
        for code in ("expired", "unreachable")
    )

    assert "renews" in advice(report_of([unreachable, expired, expired]))[0]
    assert advice(report_of(handshakes())) == ()
