"""Defaults as older versions had them: what was issued under one counts as equal until something else re-issues it.

A new version plans no change on an untouched tree that an older version made. When a default changes, one line is
added to `OLDER_DEFAULTS`; `tests/upgrade/` holds a tree from before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderDefault:
    """A default that has changed: up to and with `until` a field was `old`, since then it is `new`.

    `field` is the word a check compares by: `lifetime`, `signature`, `key.form`, `key.encryption`, or an extension
    (`key_usage`, a dotted OID).
    """

    until: str
    field: str
    old: object
    new: object


OLDER_DEFAULTS: tuple[OlderDefault, ...] = ()


def was_default(older_defaults: Sequence[OlderDefault], field: str, declared: object, observed: object) -> bool:
    """Tell whether what is observed was the default where the declared value is the default now."""
    accepted = [declared]
    for value in accepted:
        earlier = [older.old for older in older_defaults if older.field == field and older.new == value]
        if observed in earlier:
            return True
        accepted.extend(old for old in earlier if old not in accepted)
    return False
