from __future__ import annotations

from xml.etree import ElementTree as ET

from pkiplan.report.junit import junit_text
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason, Sample, report_of


def result(check: str, outcome: Outcome, expected: Expected = Expected.ACCEPTED, **what: object) -> CheckResult:
    given = {"subject": "certificate.web", "stack": "pyopenssl", "version": "1.3", "strict": True} | what
    return CheckResult(check=check, outcome=outcome, expected=expected, **given)  # type: ignore[arg-type]


def test_a_report_is_suites_of_cases() -> None:
    why = Reason("expired", "certificate \x1b[31m has expired", "client")
    report = report_of(
        [
            result("server", Outcome.ACCEPTED, server="certificate.web", seconds=0.25),
            result("server", Outcome.REFUSED, subject="certificate.old", reason=why),
            result("control", Outcome.REFUSED, Expected.REFUSED, reason=why),
            result("late", Outcome.NOT_RUN, reason=Reason("not-supported", "cannot be told the time")),
        ]
    )

    root = ET.fromstring(junit_text(report))

    assert root.attrib == {"name": "pkiplan verify", "tests": "4", "failures": "1", "skipped": "1", "time": "0.250000"}
    assert [suite.get("name") for suite in root] == ["certificate.old", "certificate.web"]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "expected accepted, but refused: certificate \\x1b[31m has expired"
    assert failure.get("type") == "expired"
    skipped = root.find("testsuite/testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "cannot be told the time"
    assert "server, no client to certificate.web, pyopenssl, TLS 1.3, strict" in {
        case.get("name") for case in root.iter("testcase")
    }


def test_a_sample_says_that_it_is_one() -> None:
    report = report_of([result("server", Outcome.ACCEPTED)], sample=Sample(taken=20, of=401))

    assert ET.fromstring(junit_text(report)).get("name") == "pkiplan verify, a sample: 20 of 401 certificates"
