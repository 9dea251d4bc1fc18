from __future__ import annotations

import json

import pytest

from pkiplan.diagnostics import Diagnostic, Note, Place, Severity
from pkiplan.report.diagnostics import counts_text, diagnostic_text, diagnostics_json
from tests.report.golden import assert_golden

UNKNOWN_KEY = Diagnostic(
    summary="unknown key `isuer`",
    code="unknown-key",
    place=Place("site.yaml", 14, 5, 5),
    path="certificates.web.isuer",
    hint="did you mean `issuer`?",
    source_line="    isuer: intermediate\n",
    notes=(Note(message="certificates.web is declared here", place=Place("site.yaml", 12, 3)),),
)
CASES: dict[str, Diagnostic] = {
    "unknown-key": UNKNOWN_KEY,
    "warning": Diagnostic(severity=Severity.WARNING, summary="the key of authority.root would be stored unencrypted"),
    "no-place": Diagnostic(summary="`site.yaml` does not exist", hint="start one with `pkiplan init`"),
    "no-source": Diagnostic(summary="cannot be read", place=Place("teams/a.yaml", 1, 1)),
    "hint-of-two-lines": Diagnostic(
        summary="rsa 1024 is too small", hint="to have it all the same:\nallow: [rsa-1024]"
    ),
    "long-line": Diagnostic(summary="too long", place=Place("s.yaml", 3, 200, 4), source_line="x" * 400),
    "end-of-line": Diagnostic(summary="a value is missing", place=Place("s.yaml", 3, 7, 4), source_line="dns: \n"),
    "wide-and-hostile": Diagnostic(
        summary="bad \x1b[31mname", place=Place("s.yaml", 3, 12, 4), source_line="  表表 abcd \u202eefgh"
    ),
    "tab": Diagnostic(summary="a tab", place=Place("s.yaml", 3, 2, 3), source_line="\tdns: x"),
}


@pytest.mark.parametrize("case", CASES)
def test_diagnostic_reads_well(case: str) -> None:
    assert_golden(f"diagnostics/{case}.txt", diagnostic_text([CASES[case]]))


def test_diagnostics_stand_apart() -> None:
    text = diagnostic_text([CASES["no-place"], CASES["warning"]])

    assert text.split("\n\n") == [
        diagnostic_text([CASES["no-place"]]).rstrip("\n"),
        diagnostic_text([CASES["warning"]]),
    ]


def test_nothing_gives_nothing() -> None:
    assert diagnostic_text([]) == ""


def test_colour_marks_the_severity() -> None:
    assert diagnostic_text([UNKNOWN_KEY], colour=True).startswith("\x1b[1;31merror[unknown-key]\x1b[0m: ")
    assert diagnostic_text([CASES["warning"]], colour=True).startswith("\x1b[1;33mwarning\x1b[0m: ")


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        (["unknown-key"], "1 error"),
        (["unknown-key", "no-place", "warning"], "2 errors, 1 warning"),
        (["warning"], "1 warning"),
        ([], ""),
    ],
)
def test_counts(cases: list[str], told: str) -> None:
    assert counts_text([CASES[case] for case in cases]) == told


def test_json_has_the_shape_that_ci_tools_know() -> None:
    document = diagnostics_json([UNKNOWN_KEY, CASES["warning"]])

    assert json.loads(json.dumps(document)) == {
        "format_version": "1.0",
        "valid": False,
        "error_count": 1,
        "warning_count": 1,
        "diagnostics": [
            {
                "severity": "error",
                "code": "unknown-key",
                "summary": "unknown key `isuer`",
                "detail": "did you mean `issuer`?",
                "path": "certificates.web.isuer",
                "range": {
                    "filename": "site.yaml",
                    "start": {"line": 14, "column": 5},
                    "end": {"line": 14, "column": 10},
                },
                "snippet": {
                    "context": "certificates.web.isuer",
                    "code": "    isuer: intermediate\n",
                    "start_line": 14,
                    "highlight_start_offset": 4,
                    "highlight_end_offset": 9,
                },
                "notes": [
                    {
                        "message": "certificates.web is declared here",
                        "range": {
                            "filename": "site.yaml",
                            "start": {"line": 12, "column": 3},
                            "end": {"line": 12, "column": 4},
                        },
                    }
                ],
            },
            {
                "severity": "warning",
                "code": "",
                "summary": "the key of authority.root would be stored unencrypted",
                "detail": "",
                "path": "",
            },
        ],
    }
