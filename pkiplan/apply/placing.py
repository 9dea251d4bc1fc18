"""Put one resource's new files in their places, and keep what they replace."""

from __future__ import annotations

from dataclasses import dataclass

from pkiplan.apply import archive
from pkiplan.apply.journal import Journal
from pkiplan.apply.work import Work
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found
from pkiplan.model.resource import CERTIFICATE_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import archive_path
from pkiplan.plan.changes import Change, KeyStep


@dataclass(frozen=True, slots=True)
class Placed:
    """The files are in their places. `kept` is where what they replaced went; `is_tidy` that no old copy is left."""

    kept: str | None
    is_tidy: bool


def put_in_place(work: Work, journal: Journal, resource: Resource, change: Change) -> Placed:
    """Archive what is replaced, switch, and remove what must not linger."""
    stage = work.stage_of(change.address)
    kept = None
    replaced = replaced_names(resource, change)
    if replaced:
        with work.tree.directory(resource.directory) as directory:
            place = archive_path(resource.kind, resource.id, resource.element)
            kept = archive.keep(work.tree, place, work.now, _old_serial(work, change), directory, replaced)
    before = stage.switch(journal)
    try:
        # An unencrypted, or too open, copy of a key in use must not linger in the generation before.
        stage.clean_up(before, dropped=(resource.key.path,) if change.key is KeyStep.REENCODE else ())
    except OSError:
        return Placed(kept, is_tidy=False)
    work.forget_stage(change.address)
    return Placed(kept, is_tidy=True)


def kept_names(site: Site, resource: Resource) -> list[str]:
    """List every declared file of a resource that its generation must hold; what was given to pkiplan stays put."""
    key = resource.key
    return [
        *((key.path,) if isinstance(key, ManagedKey) and not key.is_adopted else ()),
        resource.cert_path or CERTIFICATE_FILE,
        *site.derived_files(resource),
        *(output.path for output in resource.outputs),
    ]


def replaced_names(resource: Resource, change: Change) -> list[str]:
    """List the files that go to the archive when a change is switched to."""
    names = []
    if change.signs:
        names.append(resource.cert_path or CERTIFICATE_FILE)
    if change.key is KeyStep.GENERATE:
        names.append(resource.key.path)
    return names


def _old_serial(work: Work, change: Change) -> int | None:
    observed = work.observed.of(change.address).certificate
    return observed.value.serial if isinstance(observed, Found) else None
