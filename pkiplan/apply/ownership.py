"""Who a file shall belong to: names made numbers before the first write, and directories others may pass."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable, Iterator

from pkiplan.apply.filesystem import Placement
from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.errors import PkiplanError
from pkiplan.model.keys import FileAttributes, ManagedKey
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change

# Others may pass through, but not list: for the directories above a file that is declared for another user.
PASSABLE_DIRECTORY = 0o711


def placement_of(attributes: FileAttributes, place: Place | None = None) -> Placement:
    """Turn declared attributes into numbers; raise where a name is unknown or this process may not give it."""
    return Placement(attributes.mode, _uid(attributes.owner, place), _gid(attributes.group, place))


def directory_placement(attributes: Iterable[FileAttributes], place: Place | None = None) -> Placement:
    """Return the mode and group of a directory that holds files with these attributes.

    It is 0700. Where a file in it is declared for another owner or group, that one must get at it: for one group the
    directory is 0750 and the group's, for several, or for an owner, others may pass through it (0711).
    """
    declared = [a for a in attributes if a.owner is not None or a.group is not None]
    if not declared:
        return Placement(0o700)
    groups = {a.group for a in declared}
    group = next(iter(groups)) if len(groups) == 1 else None
    if group is not None and all(a.owner is None for a in declared):
        return Placement(0o750, None, _gid(group, place))
    return Placement(PASSABLE_DIRECTORY)


def attributes_of(resource: Resource) -> list[FileAttributes]:
    """List the attributes of every file that lies in a resource's directory."""
    attributes = [resource.attributes, *(output.attributes for output in resource.outputs)]
    if isinstance(resource.key, ManagedKey) and not resource.key.is_adopted:
        attributes.append(resource.key.attributes)
    return attributes


def ownership_problems(site: Site, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    """Find the owners and groups of these changes that are unknown here, or that this process may not give."""
    for change in changes:
        resource = site.resources.get(change.address)
        if resource is None or change.action is Action.REMOVE:
            continue
        for attributes in attributes_of(resource):
            for number, name in ((_uid, attributes.owner), (_gid, attributes.group)):
                try:
                    number(name, resource.place)
                except PkiplanError as error:
                    yield from error.diagnostics


def _uid(owner: str | None, place: Place | None) -> int | None:
    if owner is None:
        return None
    try:
        uid = int(owner) if owner.isdecimal() else pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise _problem(f"there is no user `{owner}` on this machine", "create it, or correct `owner:`", place) from None
    if uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise _problem(
            f"only root can give a file to the user `{owner}`", "run pkiplan as root, or leave `owner:` out", place
        )
    return uid


def _gid(group: str | None, place: Place | None) -> int | None:
    if group is None:
        return None
    try:
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise _problem(
            f"there is no group `{group}` on this machine", "create it, or correct `group:`", place
        ) from None
    if os.geteuid() != 0 and gid != os.getegid() and gid not in os.getgroups():
        raise _problem(
            f"this user is not in the group `{group}`, so it cannot give it a file",
            "run pkiplan as root or as a member of the group, or leave `group:` out",
            place,
        )
    return gid


def _problem(summary: str, hint: str, place: Place | None) -> PkiplanError:
    return PkiplanError(Diagnostic(code="ownership", summary=summary, hint=hint, place=place))
