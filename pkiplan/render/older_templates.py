"""Templates as older versions had them: an `openssl.cnf` that one of them wrote is right until it is written anew.

When a template changes, its former text is kept in `templates/older/VERSION/`, together with what else has changed
since that version, and that directory is listed here; what templates are given (`view.py`) must then still have what
the older ones print. `tests/upgrade/` fails where that was forgotten.
"""

from __future__ import annotations

# Absolute paths, the latest first.
OLDER_TEMPLATES: tuple[str, ...] = ()
