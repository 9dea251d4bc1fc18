"""What a handler asks for: a file with its content and attributes; the executor places it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pkiplan.diagnostics import Place
from pkiplan.model.keys import FileAttributes


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWrite:
    """A file to write: its name in the resource's directory (or an absolute path), content, mode and owner."""

    name: str
    content: bytes = field(repr=False)
    attributes: FileAttributes
    place: Place | None = None
