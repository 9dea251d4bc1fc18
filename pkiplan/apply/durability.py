"""Put what was written on the disk before anything is switched to it, many resources together."""

from __future__ import annotations

from collections.abc import Sequence

from pkiplan.apply.staging import Stage
from pkiplan.apply.tree import Tree


def sync_group(tree: Tree, stages: Sequence[Stage]) -> None:
    """Sync every waiting file of a group, the directories that hold them, and the names of new directories."""
    for stage in stages:
        stage.sync()
    tree.sync_new_directories()
