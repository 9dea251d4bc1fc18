"""What holds for one resource or element, and where each of it was written."""

from __future__ import annotations

from typing import Any

from pkiplan.manifest.layers import Base
from pkiplan.manifest.nodes import Mapping, Node

_NO_FIELDS: dict[str, Any] = {}
_NO_NODES: dict[str, Node] = {}


class Settings:
    """The settings of one resource or element: values, and where each comes from."""

    __slots__ = ("base", "fields", "invalid", "mark", "own", "rendered")

    def __init__(
        self,
        own: Mapping,
        base: Base,
        fields: dict[str, Any],
        mark: int,
        rendered: dict[str, Node],
        invalid: frozenset[str],
    ) -> None:
        self.own = own
        self.base = base
        self.fields = fields
        self.mark = mark
        self.rendered = rendered
        self.invalid = invalid  # what could not be read, and was told already

    def without_values(self) -> Settings:
        """Return what tells only where each setting is: the values are in the resource by now."""
        return Settings(self.own, self.base, _NO_FIELDS, self.mark, _NO_NODES, self.invalid)

    def node_of(self, name: str) -> Node | None:
        """Return what the manifest gives for a setting: merged and rendered, the resource's own, or from below."""
        for layer in (self.rendered, self.own, self.base.node):
            if name in layer:
                return layer[name]
        return None

    def mark_within(self, name: str, *entries: str) -> int:
        """Return where an entry of a setting that is a map was written, else where the setting is."""
        node = self.node_of(name)
        if isinstance(node, Mapping):
            for entry in entries:
                if entry in node and node.value_mark(entry) & 0xFFFFFFFFFFFF:
                    return node.value_mark(entry)
        return self.mark_of(name)

    def mark_of(self, *names: str) -> int:
        """Return where the first of these settings was written, else where the resource is."""
        for name in names:
            if name in self.own:
                return self.own.value_mark(name)
            if name in self.base.node and self.base.node.value_mark(name) & 0xFFFFFFFFFFFF:
                return self.base.node.value_mark(name)
        return self.mark

    def is_own(self, name: str) -> bool:
        """Tell whether the resource itself gives a setting."""
        return name in self.own
