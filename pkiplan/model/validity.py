"""When a certificate is valid, as declared (RFC 5280, 4.1.2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction

# RFC 5280, 4.1.2.5: notAfter is inclusive, so N days end one second early
# (Let's Encrypt issued one second too much until 2021: facts/reliability.md, row 31).
INCLUSIVE_SECOND = timedelta(seconds=1)
DEFAULT_BACKDATE = timedelta(minutes=5)

# Renewal at two thirds of the life, at half when the life is under ten days (facts/defaults.md).
SHORT_LIFE = timedelta(days=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """The declared validity.

    Exactly one of `lifetime` and `not_after` is set, or neither: then the certificate ends with its
    issuer (`lifetime: until-issuer`). `lifetime` is exact: `not_after - not_before` to the second, already
    less the inclusive second. `not_before` of None is the moment of issuance less `backdate`, never
    before the issuer's own start.
    """

    lifetime: timedelta | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    backdate: timedelta = DEFAULT_BACKDATE

    @property
    def ends_with_issuer(self) -> bool:
        """Tell whether the certificate shall end when its issuer ends."""
        return self.lifetime is None and self.not_after is None


# How long before its end a certificate is renewed: a time, or a share of its life.
RenewBefore: TypeAlias = "timedelta | Fraction"


# Most certificates of a site live equally long.
@lru_cache(maxsize=64)
def renewal_window(renew_before: RenewBefore | None, life: timedelta) -> timedelta:
    """Return how long before its end a certificate with this life is due for renewal.

    None is the default: a third of the life, or half of it when the life is under ten days.
    """
    if isinstance(renew_before, timedelta):
        return renew_before
    if renew_before is None:
        return timedelta(seconds=int(life.total_seconds() * (1 / 2 if life < SHORT_LIFE else 1 / 3)))
    return timedelta(seconds=int(life.total_seconds() * renew_before))
