"""Whatever lies in the cache, a plan says what it says without one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SITE, Here


def _answer(here: Here) -> object:
    run = here.run("plan", "--json")
    document = json.loads(run.out)
    return run.status, {name: document[name] for name in ("summary", "observed", "unmanaged", "diagnostics")}


def _each(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    def damage(cache: Path, _: Path) -> None:
        for file in cache.iterdir():
            file.write_bytes(change(file.read_bytes()))

    return damage


def _foreign(_: Path, state: Path) -> None:
    (state / "pkiplan/cache-key").write_bytes(b"somebody else's key, 32 bytes ok")


def _other_kinds(cache: Path, _: Path) -> None:
    files = sorted(cache.glob("*.facts"))
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, contents[1:] + contents[:1], strict=True):
        file.write_bytes(content)


def _unreadable(cache: Path, _: Path) -> None:
    for file in cache.iterdir():
        file.unlink()
        file.mkdir()


def _swapped_facts(content: bytes) -> bytes:
    """Give each digest the facts of another."""
    header, *lines = content.split(b"\n")
    keys = [line.partition(b" ")[0] for line in lines]
    values = [line.partition(b" ")[2] for line in lines]
    return b"\n".join([header, *(key + b" " + value for key, value in zip(keys, reversed(values), strict=True))])


DAMAGES = {
    "truncated to nothing": _each(lambda _: b""),
    "truncated in the middle": _each(lambda content: content[: len(content) // 2]),
    "truncated by one byte": _each(lambda content: content[:-1]),
    "of an older version": _each(lambda content: content.replace(b"pkiplan cache 2", b"pkiplan cache 1")),
    "random": _each(lambda content: os.urandom(len(content))),
    "saying later ends": _each(lambda content: content.replace(b"2027-", b"2099-").replace(b"2026-", b"2098-")),
    "saying other keys": _each(lambda content: content.replace(b"P-256", b"P-384")),
    "with facts of other files": _each(_swapped_facts),
    "with one kind in the place of another": _other_kinds,
    "sealed by somebody else": _foreign,
    "with directories in the place of files": _unreadable,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("days", [90, 60], ids=["nothing to do", "something to do"])
def test_a_plan_says_the_same(
    applied: Here, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path, Path], None], days: int
) -> None:
    applied.run("plan")
    applied.write(SITE.replace("days: 90", f"days: {days}"))
    home = applied.directory.parent
    assert len(list((home / "cache/pkiplan").glob("*.facts"))) == 3

    damage(home / "cache/pkiplan", home / "state")
    told = _answer(applied)
    again = _answer(applied)

    monkeypatch.setenv("PKIPLAN_CACHE", "off")
    assert told == again == _answer(applied)
