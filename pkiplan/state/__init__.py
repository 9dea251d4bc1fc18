"""What is really there: files are read, parsed and described, never changed.

Whoever only wants a saved plan imports `pkiplan.state.saved_plans`, and pays for nothing else.
"""

from __future__ import annotations
