"""Commented manifests to start from, one for each shape of site."""

from __future__ import annotations

from importlib.resources import files

SHAPES: dict[str, str] = {
    "self-signed": "one self-signed certificate",
    "server": "a root, an issuing authority and a TLS server",
    "mtls": "mutual TLS between servers, clients and services",
    "kubernetes": "the certificates of a Kubernetes control plane",
    "dev": "trusted HTTPS on one's own machine",
}


def starter(shape: str) -> str:
    """Return the text of a starter manifest; raises KeyError for a shape that is not among `SHAPES`."""
    if shape not in SHAPES:
        raise KeyError(shape)
    return (files(__name__) / f"{shape}.yaml").read_text("utf-8")
