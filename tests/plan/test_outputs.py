"""What the planner expects of each output format is what the format declares."""

from __future__ import annotations

from pkiplan.formats import FORMATS
from pkiplan.plan.outputs import HOLDINGS


def test_every_format_is_known_to_the_planner_with_its_defaults() -> None:
    defaults = {name: {option: values[0] for option, values in fmt.options.items()} for name, fmt in FORMATS.items()}

    assert {name: dict(holding.defaults) for name, holding in HOLDINGS.items()} == defaults
