"""Put what was written on the disk before anything is switched to it, many resources together.

Syncing each of many files takes several times as long as one `syncfs` for all of them. That one also waits for what
others write to the same file system, so a few resources are synced file by file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pkiplan.apply import archive
from pkiplan.apply.ca_database import CaDatabase
from pkiplan.apply.staging import Stage
from pkiplan.apply.tree import Tree

# Up to so many resources are synced file by file.
FEW = 8


def sync_group(tree: Tree, stages: Sequence[Stage], databases: Sequence[CaDatabase], kept: Sequence[str]) -> None:
    """Sync the waiting files of a group, the lines of what was signed, what was `kept` of old files, and all names."""
    elsewhere = _sync_together(tree, stages)
    is_whole = elsewhere is not None
    for database in databases:
        database.sync(is_on_disk=is_whole and _is_beside(tree, database.directory))
    for path in kept:
        if not (is_whole and _is_beside(tree, path)):
            archive.sync_entry(tree, path)
    for stage in stages if elsewhere is None else elsewhere:
        stage.sync()
    tree.sync_new_directories(are_on_disk=elsewhere == [])


def sync_switches(tree: Tree, stages: Sequence[Stage]) -> None:
    """Sync the switches of a group to its new generations."""
    elsewhere = _sync_together(tree, stages)
    for stage in stages if elsewhere is None else elsewhere:
        stage.sync_switch()


def _sync_together(tree: Tree, stages: Sequence[Stage]) -> list[Stage] | None:
    """Sync the site's file system as a whole; return what lies elsewhere, or None where it was not to be done."""
    if len(stages) <= FEW or not tree.sync_file_system():
        return None
    # Most lie in one directory.
    device_of = cache(tree.device_of)
    return [stage for stage in stages if not stage.lies_on(device_of(""), device_of)]


def _is_beside(tree: Tree, directory: str) -> bool:
    return tree.device_of(directory) == tree.device_of("")
