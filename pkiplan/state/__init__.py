"""What is really there: files are read, parsed and described, never changed."""

from __future__ import annotations

from pkiplan.state.observe import Observed, observe_site

__all__ = ["Observed", "observe_site"]
