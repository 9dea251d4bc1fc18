"""Ratios between pkiplan and the bare cost of the same work, measured in one run; see README.md."""
