"""Live endpoints: plain code that reaches them, asks them to begin TLS, and shakes hands with them."""
