"""The manifest language: YAML that says which authorities and certificates shall exist → `Site`."""

from __future__ import annotations

from pkiplan.manifest.files import InputDigest
from pkiplan.manifest.loading import LoadedSite, load_site

__all__ = ["InputDigest", "LoadedSite", "load_site"]
