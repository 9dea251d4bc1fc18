"""What was learnt before, in the user's cache directory; without it every decision is the same, later."""

from __future__ import annotations

from pkiplan.cache.store import Cache, open_cache

__all__ = ["Cache", "open_cache"]
