"""Private keys that somebody put where a file is written anew: beside a certificate, in a chain, as an output.

pkiplan's own key lies in its own file; any other may be nowhere else.
"""

from __future__ import annotations

from pkiplan.apply import archive, filesystem, generations
from pkiplan.apply.work import Work
from pkiplan.model.observed import Found, Observation, ObservedFile, Unreadable
from pkiplan.model.resource import CERTIFICATE_FILE, Resource
from pkiplan.model.tree import DATA_LINK, LARGEST_PEM
from pkiplan.plan.changes import Change
from pkiplan.plan.key import spki_of
from pkiplan.x509.pem_lines import PRIVATE_KEY_BEGIN


def names_with_others_keys(work: Work, resource: Resource, change: Change, directory: int) -> list[str]:
    """List the files that a change writes anew though a private key may be in them that pkiplan did not put there."""
    found = work.observed.of(change.address)
    own_key = spki_of(found)
    own = [resource.cert_path or CERTIFICATE_FILE] if change.rewrites_certificate else []
    generation = generations.current_generation(directory)
    return [
        name
        for name in (*own, *change.files)
        if _may_hold_another_key(directory, name, _read(directory, generation, name), found.files.get(name), own_key)
    ]


def _may_hold_another_key(
    directory: int, name: str, content: bytes | None, found: Observation[ObservedFile] | None, own_key: str | None
) -> bool:
    held = found.value.contents.key_spki_sha256 if isinstance(found, Found) else None
    if held not in (None, own_key):
        return True
    count = 0 if content is None or b"PRIVATE KEY-----" not in content else len(PRIVATE_KEY_BEGIN.findall(content))
    if count or held is not None:
        return count > (held is not None)
    # Nobody can look into it. What pkiplan wrote lies in a generation.
    is_closed = isinstance(found, Unreadable) or (
        isinstance(found, Found) and found.value.contents.not_checked is not None
    )
    return is_closed and generations.is_plain(directory, name)


def _read(directory: int, generation: str | None, name: str) -> bytes | None:
    """Read a published file; None where there is none, or it cannot be read."""
    try:
        # As nearly all are published: a link to a file of the current generation.
        if generation is not None and filesystem.link_target(directory, name) == f"{DATA_LINK}/{name}":
            return filesystem.read_file(directory, f"{generation}/{name}", LARGEST_PEM)
        with archive.published(directory, name) as place:
            return None if place is None else filesystem.read_file(*place, LARGEST_PEM)
    except OSError:
        return None
