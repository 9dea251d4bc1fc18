from __future__ import annotations

import pytest

from pkiplan.verify.results import VerifyReport
from pkiplan.verify.run import verify_site
from pkiplan.verify.scope import VerifyScope
from tests.verify.toy_site import NOW, Toy, usual_site


@pytest.fixture(scope="module")
def usual() -> tuple[Toy, VerifyReport]:
    toy = usual_site()
    return toy, verify_site(toy.site, now=NOW, load=toy.load, scope=VerifyScope(full=True))


def test_a_sound_site_is_as_expected_on_every_stack(usual: tuple[Toy, VerifyReport]) -> None:
    _, report = usual

    for r in report.results:
        print(r, round(r.seconds * 1000, 1))
    assert [str(result) for result in report.unexpected] == []
    print(report.seconds)
