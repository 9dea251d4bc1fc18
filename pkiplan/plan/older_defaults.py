"""Defaults as older versions had them: what was made under one counts as equal until something else re-issues it.

A new version plans no change on an untouched tree that an older version made. When a default changes, one line is
added to `OLDER_DEFAULTS`; `tests/upgrade/` holds a tree from before. The decision then compares what is there with
the declaration as the older version would have read it, and whatever is signed anew follows today's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderDefault:
    """A default that has changed: up to and with `until` a field was `old`, since then it is `new`.

    `field` is one of `as_issued.ASPECTS`, an extension (`key_usage`, a dotted OID), or an option of a format
    (`pkcs12.compatibility`). `keys` are the keys of the manifest that say it: where one of them is written, the value
    is nobody's default.
    """

    until: str
    field: str
    old: object
    new: object
    keys: tuple[str, ...]


OLDER_DEFAULTS: tuple[OlderDefault, ...] = ()
