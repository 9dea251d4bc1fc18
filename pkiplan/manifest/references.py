"""How a manifest names resources: `web`, `node[a1]`, `node["a1"]`, each also with the kind before it."""

from __future__ import annotations

import re

from pkiplan.model.resource import Kind
from pkiplan.model.tree import address_of

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[(?:\"((?:[^\"\\]|\\.)*)\"|([^\"\]]*))\])?")


def split_reference(kind: Kind, text: str) -> tuple[str, str | None] | None:
    """Split a name into id and key of an element (None: there is none); None where it is no name at all."""
    match = _REFERENCE.fullmatch(text.removeprefix(f"{kind.value}."))
    if match is None:
        return None
    resource_id, quoted, plain = match.groups()
    return resource_id, re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain


def address(kind: Kind, text: str) -> str | None:
    """Return the address that a name means, whether there is such a resource or not."""
    if text.isalnum() and text.isascii():  # nearly all are
        return f"{kind.value}.{text}"
    parts = split_reference(kind, text)
    return None if parts is None else address_of(kind, *parts)


def short_name(address_: str) -> str:
    """Return the name without its kind."""
    return address_.partition(".")[2]
