"""Where each effective value of a resource came from; worked out only when somebody asks."""

from __future__ import annotations

from pkiplan.diagnostics import Place
from pkiplan.manifest.definitions import OWN
from pkiplan.manifest.layers import KIND_SETTINGS
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null
from pkiplan.manifest.resolve import Resolved
from pkiplan.manifest.sources import Sources
from pkiplan.model.extensions import KeyUsage
from pkiplan.model.names import COMMON_NAME_OID
from pkiplan.model.site import Site

_COMMON_NAME = ("subject.common_name", "subject.CN", "subject.cn", f"subject.{COMMON_NAME_OID}")


class Origins:
    """Answers `origins(address)`."""

    def __init__(self, resolved: Resolved, site: Site, sources: Sources) -> None:
        self._resolved = resolved
        self._site = site
        self._sources = sources

    def __call__(self, address: str) -> list[tuple[str, str, Place]]:
        """List path, value as text and place of every effective setting, by path."""
        resource = self._site.resources[address]
        block = self._resolved.declarations[resource.kind][resource.id]
        element = next((known for known in block.each() if known is not None and known.key == resource.element), None)
        settings = self._resolved.settler.settings(block, element, self._site.issuer_of(resource))
        found: list[tuple[str, str, Place]] = []
        merged = settings.base.node
        names = dict.fromkeys([*merged, *block.own])
        for name in names:
            if name in KIND_SETTINGS[resource.kind] and name not in settings.fields:
                continue  # another way to say it stands above
            if name in KIND_SETTINGS[resource.kind] or name in OWN or name in ("issuer", "profile", "self_signed"):
                node = settings.rendered.get(name, block.own.get(name, merged.get(name)))
                assert node is not None
                self._walk(name, node, (block.own if name in block.own else merged).value_mark(name), found)
        known = {path for path, _, _ in found}
        if resource.subject.common_name is not None and known.isdisjoint(_COMMON_NAME) and "subject" not in known:
            found.append(("subject.common_name", resource.subject.common_name, resource.place))
        usage = resource.extension("key_usage")
        if isinstance(usage, KeyUsage) and "key_usage" not in settings.fields:
            place = Place(f"built-in profile {settings.base.family}", 0)
            found.append(("key_usage", f"[{', '.join(usage.usages)}]", place))
        return sorted(found, key=lambda origin: origin[0])

    def _walk(self, path: str, node: Node, mark: int, found: list[tuple[str, str, Place]]) -> None:
        if isinstance(node, Mapping):
            for key, value, _, value_mark in node.entries():
                self._walk(f"{path}.{key}", value, value_mark, found)
        elif not is_null(node):
            found.append((path, _text(node), self._sources.place(mark)))


def _text(node: Node) -> str:
    if isinstance(node, Sequence):
        return "[" + ", ".join(_text(item) for item in node) + "]"
    if isinstance(node, Mapping):
        return "{" + ", ".join(f"{key}: {_text(value)}" for key, value in node.items()) + "}"
    if isinstance(node, Plain | Templated):
        return str(node)
    text = str(node)
    return f'"{text}"' if not text or any(char in ",[]{}\n" for char in text) or text != text.strip() else text
