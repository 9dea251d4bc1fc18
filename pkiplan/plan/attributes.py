"""Mode and owner of a file, compared."""

from __future__ import annotations

from pkiplan.model.keys import FileAttributes, ManagedKey
from pkiplan.model.observed import FileFacts
from pkiplan.model.resource import Resource
from pkiplan.plan.changes import Action, FieldChange, Reason
from pkiplan.plan.descriptions import mode
from pkiplan.plan.difference import SAME, Differences, differs

PRIVATE_DIRECTORY = 0o700
# Others may pass through, but not list: for the directories above a file that is declared for another user.
PASSABLE_DIRECTORY = 0o711


def attributes_of(resource: Resource) -> list[FileAttributes]:
    """List the attributes of every file that lies in a resource's directory."""
    attributes = [resource.attributes, *(output.attributes for output in resource.outputs)]
    if isinstance(resource.key, ManagedKey) and not resource.key.is_adopted:
        attributes.append(resource.key.attributes)
    return attributes


def directory_attributes(resource: Resource) -> FileAttributes:
    """Return the mode and group of a resource's directory.

    It is 0700. Where a file in it is declared for another owner or group, that one must get at it: for one group the
    directory is 0750 and the group's, for several, or for an owner, others may pass through it (0711).
    """
    declared = [a for a in attributes_of(resource) if a.owner is not None or a.group is not None]
    if not declared:
        return FileAttributes(mode=PRIVATE_DIRECTORY)
    groups = {a.group for a in declared}
    group = next(iter(groups)) if len(groups) == 1 else None
    if group is not None and all(a.owner is None for a in declared):
        return FileAttributes(mode=0o750, group=group)
    return FileAttributes(mode=PASSABLE_DIRECTORY)


def attribute_differences(name: str, file: FileFacts, declared: FileAttributes) -> Differences:
    """Find another mode, owner or group than declared; an owner that is not declared is not looked at."""
    if file.mode == declared.mode and declared.owner is None and declared.group is None:
        return SAME
    changes = []
    if file.mode != declared.mode:
        changes.append(FieldChange(f"{name} mode", mode(file.mode), mode(declared.mode)))
    if declared.owner is not None and declared.owner not in (file.owner, str(file.uid)):
        changes.append(FieldChange(f"{name} owner", file.owner, declared.owner))
    if declared.group is not None and declared.group not in (file.group, str(file.gid)):
        changes.append(FieldChange(f"{name} group", file.group, declared.group))
    if not changes:
        return SAME
    message = "; ".join(f"{change.field} {change.before} → {change.after}" for change in changes)
    return differs(Action.REENCODE, Reason.ATTRIBUTES_CHANGED, message, *changes)
