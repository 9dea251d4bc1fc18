"""Private keys that somebody put where a file is written anew: beside a certificate, in a chain, as an output.

pkiplan's own key lies in its own file; any other may be nowhere else.
"""

from __future__ import annotations

import re

from pkiplan.apply import archive, filesystem, generations
from pkiplan.apply.work import Work
from pkiplan.model.observed import Found, Observation, ObservedFile, Unreadable
from pkiplan.model.resource import CERTIFICATE_FILE, Resource
from pkiplan.model.tree import LARGEST_PEM
from pkiplan.plan.changes import Change
from pkiplan.plan.key import spki_of

_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


def names_with_others_keys(work: Work, resource: Resource, change: Change, directory: int) -> list[str]:
    """List the files that a change writes anew though a private key may be in them that pkiplan did not put there."""
    found = work.observed.of(change.address)
    own_key = spki_of(found)
    own = [resource.cert_path or CERTIFICATE_FILE] if change.rewrites_certificate else []
    return [
        name for name in (*own, *change.files) if _may_hold_another_key(directory, name, found.files.get(name), own_key)
    ]


def _may_hold_another_key(
    directory: int, name: str, found: Observation[ObservedFile] | None, own_key: str | None
) -> bool:
    is_own = isinstance(found, Found) and own_key is not None and found.value.contents.key_spki_sha256 == own_key
    count = _count_keys(directory, name)
    if count is not None and (count or is_own):
        return count > is_own
    # Nobody can look into it. What pkiplan wrote lies in a generation.
    is_closed = isinstance(found, Unreadable) or (
        isinstance(found, Found) and found.value.contents.not_checked is not None
    )
    return is_closed and generations.is_plain(directory, name)


def _count_keys(directory: int, name: str) -> int | None:
    """Count the private keys in a published PEM file; None where there is no file, or one too large to be one."""
    with archive.published(directory, name) as place:
        if place is None:
            return None
        parent, last = place
        facts = filesystem.file_facts(parent, last)
        if facts is None or facts.st_size > LARGEST_PEM:
            return None
        return len(_PRIVATE_KEY.findall(filesystem.read_file(parent, last, LARGEST_PEM)))
