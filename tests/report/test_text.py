from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkiplan.report.colour import ColourWish, Paint, is_coloured
from pkiplan.report.text import cells, counted, padded, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("żółw 表 ±→", "żółw 表 ±→"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202eevil", r"\u202eevil"),
        ("\u2028", r"\u2028"),
        ("\x7f", r"\x7f"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    assert all(char.isprintable() or char == "\u00a0" or char.isspace() for char in printable(text))
    assert not set(printable(text)) & set("\x1b\r\n\x07\x9b\u202e\u2066")


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("表a", 3), ("e\u0301", 1), ("", 0)])
def test_cells(text: str, width: int) -> None:
    assert cells(text) == width


@given(st.text(max_size=40), st.integers(min_value=1, max_value=30))
def test_shortened_fits(text: str, width: int) -> None:
    assert cells(shortened(printable(text), width)) <= width


def test_padded_counts_columns() -> None:
    assert padded("表", 4) == "表  "


def test_counted() -> None:
    assert [counted(1, "check"), counted(1204, "check"), counted(2, "authority", "authorities")] == [
        "1 check",
        "1,204 checks",
        "2 authorities",
    ]


@pytest.mark.parametrize(
    ("wish", "environment", "is_terminal", "coloured"),
    [
        pytest.param(None, {}, True, True, id="a terminal is coloured"),
        pytest.param(None, {}, False, False, id="a pipe is not"),
        pytest.param(None, {"TERM": "dumb"}, True, False, id="a dumb terminal is not"),
        pytest.param(None, {"NO_COLOR": "1"}, True, False, id="NO_COLOR turns it off"),
        pytest.param(None, {"NO_COLOR": ""}, True, True, id="an empty NO_COLOR does not count"),
        pytest.param(None, {"FORCE_COLOR": "1"}, False, True, id="FORCE_COLOR turns it on, in CI for instance"),
        pytest.param(
            None, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False, id="NO_COLOR is stronger than FORCE_COLOR"
        ),
        pytest.param(
            None, {"NO_COLOR": "1", "PKIPLAN_COLOR": "always"}, False, True, id="our own variable is stronger"
        ),
        pytest.param(
            None, {"NO_COLOR": "1", "PKIPLAN_COLOR": "auto"}, True, True, id="ours can ask for the terminal alone"
        ),
        pytest.param(None, {"PKIPLAN_COLOR": "purple"}, True, True, id="nonsense in it does not count"),
        pytest.param(ColourWish.NEVER, {"PKIPLAN_COLOR": "always"}, True, False, id="the option is the strongest"),
        pytest.param(ColourWish.ALWAYS, {"NO_COLOR": "1"}, False, True, id="the option is the strongest, also for on"),
        pytest.param(ColourWish.AUTO, {"NO_COLOR": "1"}, True, True, id="auto asks the terminal alone"),
    ],
)
def test_when_colour_is_wanted(
    wish: ColourWish | None, environment: dict[str, str], is_terminal: bool, coloured: bool
) -> None:
    assert is_coloured(wish, environment, is_terminal=is_terminal) is coloured


def test_every_paint_starts_and_ends() -> None:
    paint = Paint(is_on=True)
    paints = [paint.good, paint.changed, paint.bad, paint.alarming, paint.wary, paint.key, paint.aside, paint.strong]

    for painted in [*(one("x") for one in paints), paint.place("x")]:
        assert painted.startswith("\x1b[")
        assert painted.endswith("x\x1b[0m")
    assert paint.good("") == ""
    assert Paint().bad("x") == "x"
