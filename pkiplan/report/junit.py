"""A verification as JUnit XML, as CI systems read it (https://github.com/testmoapp/junitxml)."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as ET

from pkiplan.report.text import printable
from pkiplan.verify.results import CheckResult, Outcome, VerifyReport


def junit_text(report: VerifyReport) -> str:
    """Write a report with one suite for each certificate and one case for each check."""
    sampled = f", a sample: {report.sample.taken} of {report.sample.of} certificates" if report.sample else ""
    root = ET.Element("testsuites", _counts(f"pkiplan verify{sampled}", report.results))
    for subject, group in groupby(report.results, key=lambda result: result.subject):
        results = tuple(group)
        suite = ET.SubElement(root, "testsuite", _counts(subject, results))
        for result in results:
            _add_case(suite, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(name: str, results: tuple[CheckResult, ...]) -> dict[str, str]:
    return {
        "name": printable(name),
        "tests": str(len(results)),
        "failures": str(sum(not result.as_expected for result in results)),
        "skipped": str(sum(result.outcome is Outcome.NOT_RUN for result in results)),
        "time": f"{sum(result.seconds for result in results):.6f}",
    }


def _add_case(suite: ET.Element, result: CheckResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {"classname": printable(result.subject), "name": _name(result), "time": f"{result.seconds:.6f}"},
    )
    text = printable(result.reason.text)
    if result.outcome is Outcome.NOT_RUN:
        ET.SubElement(case, "skipped", {"message": text})
    elif not result.as_expected:
        expected = " ".join(part for part in (result.expected.value, result.expected_reason) if part)
        message = f"expected {expected}, but {result.outcome.value}" + (f": {text}" if text else "")
        kind = result.reason.code or "accepted"
        failure = ET.SubElement(case, "failure", {"message": message, "type": kind})
        failure.text = printable(str(result))


def _name(result: CheckResult) -> str:
    """Name a case so that no two of a certificate are alike, and the same check has the same name from run to run."""
    how = [result.stack, f"TLS {result.version}" if result.version else "", result.mode]
    sides = f"{result.client or 'no client'} to {result.server}" if result.server and result.version else ""
    return printable(", ".join(part for part in (f"{result.check} {result.target}".rstrip(), sides, *how) if part))
