"""How long a certificate lives, which a manifest says in one of three ways."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pkiplan.manifest.durations import UNTIL_ISSUER, days
from pkiplan.manifest.problems import Problems
from pkiplan.manifest.settings import Settings
from pkiplan.model.validity import DEFAULT_BACKDATE, Validity

_ONE_OF = ("days", "lifetime", "not_after")


class Validities:
    """Reads validities; one that many resources have in common is made once."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._known: dict[tuple[Any, ...], Validity] = {}

    def read(self, settings: Settings, *, is_self_issued: bool) -> Validity | None:
        """Read how long a resource lives, or report why that cannot be told."""
        fields = settings.fields
        if not settings.invalid.isdisjoint((*_ONE_OF, "not_before")):
            return None
        given = [name for name in _ONE_OF if fields.get(name) is not None]
        if len(given) != 1:
            self._report_not_one(settings, given)
            return None
        key = tuple(fields.get(name) for name in (*_ONE_OF, "not_before", "backdate"))
        known = self._known.get(key)
        is_without_issuer = fields.get("lifetime") == UNTIL_ISSUER and is_self_issued
        if known is not None and not is_without_issuer:
            return known
        if is_without_issuer:
            self._problems.error(
                settings.mark_of("lifetime"),
                "`until-issuer` without an issuer",
                code="conflict",
                hint="write for instance `lifetime: 10y`",
            )
            return None
        return self._made(settings, given[0], key)

    def _made(self, settings: Settings, given: str, key: tuple[Any, ...]) -> Validity | None:
        count, lifetime, end, start, backdate = key
        if end is not None and start is not None and end <= start:
            self._problems.error(
                settings.mark_of("not_after"),
                "`not_after` is not after `not_before`",
                code="conflict",
                hint="write a later one",
            )
            return None
        length: timedelta | None = (
            days(count) if count is not None else lifetime if isinstance(lifetime, timedelta) else None
        )
        if start is not None and length is not None:
            try:
                start + length  # whether it overflows is the question
            except OverflowError:
                self._problems.error(
                    settings.mark_of(given), "the certificate would end after the year 9999", code="out-of-range"
                )
                return None
        validity = self._known[key] = Validity(
            lifetime=length,
            not_before=start,
            not_after=end,
            backdate=DEFAULT_BACKDATE if backdate is None else backdate,
        )
        return validity

    def _report_not_one(self, settings: Settings, given: Sequence[str]) -> None:
        if given:
            self._problems.error(
                settings.mark_of(given[1]),
                f"`{given[0]}` and `{given[1]}` exclude each other",
                code="conflict",
                hint="leave one of them out",
            )
            return
        self._problems.error(
            settings.mark_of("days", "lifetime"),
            "no lifetime",
            code="missing-key",
            hint="write for instance `days: 90`",
        )
