"""Mode and owner of a file, compared."""

from __future__ import annotations

from pkiplan.model.keys import FileAttributes
from pkiplan.model.observed import FileFacts
from pkiplan.plan.changes import Action, FieldChange, Reason
from pkiplan.plan.descriptions import mode
from pkiplan.plan.difference import SAME, Differences, differs


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
