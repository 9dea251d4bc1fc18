"""What is there but not declared: shown, and removed only where it was a resource once and `--prune` is given."""

from __future__ import annotations

from collections import defaultdict

from pkiplan.model.observed import ObservedState, UnmanagedFile
from pkiplan.model.resource import Kind
from pkiplan.plan.changes import Action, Change, Finding, Reason
from pkiplan.plan.descriptions import several
from pkiplan.plan.selection import Selection


def removals(observed: ObservedState, selection: Selection) -> tuple[Change, ...]:
    """List what is removed: certificates before authorities, then by address."""
    files: dict[str, list[str]] = defaultdict(list)
    for file in observed.unmanaged:
        if file.address is not None and file.address in selection.pruned:
            files[file.address].append(file.path)
    strangers = sorted(file.path for file in observed.unmanaged if file.address is None)
    changes = [_removal(address, tuple(sorted(paths)), strangers) for address, paths in files.items()]
    return tuple(sorted(changes, key=lambda change: (change.kind is Kind.AUTHORITY, change.address)))


def _removal(address: str, paths: tuple[str, ...], strangers: list[str]) -> Change:
    kind = Kind(address.partition(".")[0])
    staying = [stranger for stranger in strangers if stranger.startswith(tuple(f"{path}/" for path in paths))]
    fate = "its files go to the archive"
    if kind is Kind.AUTHORITY:
        fate = "its directory goes to the archive with all that lies in it"
    elif staying:
        fate = f"{fate}, what is not of it stays: {several(staying)}"
    return Change(
        address=address,
        kind=kind,
        action=Action.REMOVE,
        findings=(Finding(Reason.UNDECLARED, f"no longer declared; {fate}"),),
        files=paths,
        permission=f"--allow {address}" if kind is Kind.AUTHORITY else None,
    )


def unmanaged(observed: ObservedState, removed: tuple[Change, ...]) -> tuple[UnmanagedFile, ...]:
    """List what stays though nothing declares it, by path."""
    addresses = {change.address for change in removed}
    return tuple(
        sorted((file for file in observed.unmanaged if file.address not in addresses), key=lambda file: file.path)
    )
