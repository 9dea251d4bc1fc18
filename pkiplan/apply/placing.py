"""Put one resource's new files in their places, and keep what they replace."""

from __future__ import annotations

from pkiplan.apply import archive, filesystem, generations
from pkiplan.apply.overwritten_keys import names_with_others_keys
from pkiplan.apply.work import Work
from pkiplan.formats import FORMATS
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found
from pkiplan.model.resource import CERTIFICATE_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import DATA_LINK, archive_path, is_generation
from pkiplan.plan.changes import Change, KeyStep


def prepare(work: Work, resource: Resource, change: Change) -> str | None:
    """Keep what is replaced, and make the names under which the new files appear; return where the old ones went."""
    kept = None
    stage = work.stage_of(change.address)
    replaced = {name for name in replaced_names(resource, change) if name.startswith("/") or not stage.is_new}
    if replaced or not stage.is_new:
        with work.tree.directory(resource.directory) as directory:
            if not stage.is_new:
                replaced.update(names_with_others_keys(work, resource, change, directory))
            place = archive_path(resource.kind, resource.id, resource.element)
            kept = archive.keep(work.tree, place, work.now, _old_serial(work, change), directory, replaced)
    if stage.names and not stage.is_new:
        _keep_left_behind(work, resource)
    stage.publish()
    return kept


def _keep_left_behind(work: Work, resource: Resource) -> None:
    """Move generations to which no link leads into the archive: a key may be in them.

    The directory that lies in the place of `..data` where a tree was copied with its links followed goes there too.
    """
    place = archive_path(resource.kind, resource.id, resource.element)
    with work.tree.directory(resource.directory) as directory:
        if generations.current_generation(directory) is not None:
            return
        left = [
            name
            for name in filesystem.names_in(directory)
            if (is_generation(name) and name != work.generation.name)
            or (name == DATA_LINK and filesystem.is_directory(directory, name))
        ]
        if left:
            archive.move_some_in(work.tree, place, work.now, None, directory, left)


def settle(work: Work, resource: Resource, change: Change, before: str | None) -> bool:
    """Remove what must not linger once the switch is on the disk; return whether no old copy is left."""
    stage = work.stage_of(change.address)
    stage.is_switching = False
    try:
        stage.clean_up(before, dropped=_must_not_linger(resource, change))
    except OSError:
        return False
    work.forget_stage(change.address)
    return True


def _must_not_linger(resource: Resource, change: Change) -> tuple[str, ...]:
    """List the copies of a key in use that were stored otherwise: unencrypted, too open, under an old passphrase."""
    if change.key is KeyStep.GENERATE or (change.signs and change.key is KeyStep.KEEP):
        return ()
    outputs = tuple(
        output.path
        for output in resource.outputs
        if FORMATS[output.format].needs_key and output.path in change.files and not output.path.startswith("/")
    )
    return (resource.key.path, *outputs) if change.key is KeyStep.REENCODE else outputs


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
