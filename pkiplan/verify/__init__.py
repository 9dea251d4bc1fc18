"""Prove with real handshakes that what must be accepted is accepted, and what must be refused is refused.

`run.verify_site` is the way in. `results` holds what comes out and imports no TLS library.
"""
