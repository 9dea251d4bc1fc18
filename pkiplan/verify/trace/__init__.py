"""One handshake told step by step, read off the messages that the TLS library itself reports."""
