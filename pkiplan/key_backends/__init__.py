"""Where private keys live. A new backend is one file and one line here."""

from __future__ import annotations

from pkiplan.key_backends.base import KeyBackend
from pkiplan.key_backends.files import FilesBackend

KEY_BACKENDS: dict[str, KeyBackend] = {"files": FilesBackend()}
