"""How much a manifest may make pkiplan do: templates and `for_each` can make much out of little, so there is an end.

The unit is about a tenth of a microsecond on a slow machine. Counting, unlike a clock, says the same every time.
"""

from __future__ import annotations

# Ten short templates in each of 250,000 resources, and some.
WORK_LIMIT = 128 * 1024 * 1024
# Values that all resources hold together: some forty in each of 250,000.
MOST_VALUES = 10_000_000

TEMPLATE = 40  # one template rendered, one value copied
OPERATION = 16  # one operator, filter or method
VALUE = 100  # one value of a list or map that a template made, read as what it is for
CHARACTERS = 64  # text is quick: so many characters for a unit


class TooMuchWorkError(Exception):
    """The manifest wants more than it may."""


class Work:
    """How much has been done in this run."""

    __slots__ = ("done", "held")

    def __init__(self) -> None:
        self.done = 0
        self.held = 0

    @property
    def left(self) -> int:
        """Tell how much may still be done."""
        return WORK_LIMIT - self.done

    def count(self, amount: int) -> None:
        """Add to what templates have done."""
        self.done += amount
        if self.done > WORK_LIMIT:
            raise TooMuchWorkError("the templates of this manifest make too much work")

    def hold(self, values: int) -> None:
        """Add to what the resources hold."""
        self.held += values
        if self.held > MOST_VALUES:
            raise TooMuchWorkError(f"the resources of this manifest hold more than {MOST_VALUES:,} values together")
