"""The renewal window, by default and as declared."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from pkiplan.model.validity import INCLUSIVE_SECOND, Validity, renewal_window


@pytest.mark.parametrize(
    ("renew_before", "life", "window"),
    [
        pytest.param(None, timedelta(days=90), timedelta(days=30), id="a third of the life"),
        pytest.param(None, timedelta(days=10), timedelta(days=10) / 3, id="ten days are not short"),
        pytest.param(None, timedelta(days=8), timedelta(days=4), id="half of a short life"),
        pytest.param(Fraction(1, 4), timedelta(days=100), timedelta(days=25), id="a declared share"),
        pytest.param(timedelta(days=7), timedelta(days=100), timedelta(days=7), id="a declared time"),
    ],
)
def test_renewal_window(renew_before: Fraction | timedelta | None, life: timedelta, window: timedelta) -> None:
    assert renewal_window(renew_before, life) == window


def test_validity_without_lifetime_or_end_ends_with_its_issuer() -> None:
    assert Validity().ends_with_issuer
    assert not Validity(lifetime=timedelta(days=1) - INCLUSIVE_SECOND).ends_with_issuer
