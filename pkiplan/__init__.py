"""pkiplan: plan, apply and verify a private PKI whose state is its PEM files."""

__version__ = "0.1.0"
