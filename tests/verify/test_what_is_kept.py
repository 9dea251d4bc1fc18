"""Verification opens each key as late as it can, keeps the last few, and none once it is over."""

from __future__ import annotations

import gc
from itertools import count

import pytest

from pkiplan.verify import session
from pkiplan.verify.stacks import pyopenssl, stdlib_ssl
from pkiplan.verify.stacks.base import Identity
from pkiplan.verify.stacks.bounded_cache import BoundedCache
from tests.verify.asking import verified
from tests.verify.toy_site import Toy

FEW = 2
LEAVES = 12


def test_the_last_used_are_kept_and_no_more() -> None:
    kept: BoundedCache[object] = BoundedCache(2)
    first = kept.get("first", object)
    kept.get("second", object)

    assert kept.get("first", object) is first
    second = kept.get("second", object)
    kept.get("third", object)  # "first" was used longest ago

    assert kept.get("second", object) is second
    assert kept.get("first", object) is not first


class _Few(BoundedCache[object]):
    def __init__(self, most: int = FEW) -> None:
        super().__init__(min(most, FEW))


def _with_keys_alive() -> set[str]:
    """Name the certificates of which somebody still holds the key."""
    gc.collect()
    return {found.name for found in gc.get_objects() if isinstance(found, Identity)}


def test_keys_are_kept_of_a_few_at_a_time_and_of_none_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (session, pyopenssl, stdlib_ssl):
        monkeypatch.setattr(module, "BoundedCache", _Few)
    toy = Toy()
    toy.authority("root")
    mine = {f"certificate.kept{number}" for number in range(LEAVES)}
    for number in range(LEAVES):
        toy.leaf(f"kept{number}", "authority.root", names=[f"www{number}.toy.example"])
    at_once: list[int] = []
    checks = count()
    run = session.Session.run

    def watched(self: session.Session, *arguments: object) -> object:
        if next(checks) % 20 == 0:  # to look everywhere takes time
            at_once.append(len(_with_keys_alive() & mine))
        return run(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(session.Session, "run", watched)

    verified(toy, jobs=1)

    assert len(at_once) >= LEAVES / 2
    assert 0 < max(at_once) <= 3 * FEW, "the last ones, and those that each of two stacks has loaded"
    assert _with_keys_alive() & mine == set()
