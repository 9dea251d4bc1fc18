"""Who a file shall belong to: names made numbers before the first write, and directories others may pass."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pkiplan.apply.filesystem import Placement
from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.errors import PkiplanError
from pkiplan.model.keys import FileAttributes
from pkiplan.model.site import Site
from pkiplan.plan.attributes import attributes_of
from pkiplan.plan.changes import Action, Change


def placement_of(attributes: FileAttributes, place: Place | None = None) -> Placement:
    """Turn declared attributes into numbers; raise where a name is unknown or this process may not give it."""
    if attributes.owner is None and attributes.group is None:
        return _own(attributes.mode)
    return Placement(attributes.mode, _uid(attributes.owner, place), _gid(attributes.group, place))


@lru_cache(maxsize=64)
def _own(mode: int) -> Placement:
    return Placement(mode)


def ownership_problems(site: Site, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    """Find the owners and groups of these changes that are unknown here, or that this process may not give."""
    for change in changes:
        resource = site.resources.get(change.address)
        if resource is None or change.action is Action.REMOVE:
            continue
        for attributes in attributes_of(resource):
            if attributes.owner is None and attributes.group is None:
                continue
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
