"""The sites that are measured: a root, an issuing authority and so many leaves, told one by one or by `for_each`."""

from __future__ import annotations

import shutil
from enum import Enum
from pathlib import Path

HEAD = """\
version: 1
site: bench
directory: pki
defaults:
  subject: {organization: Bench, country: SE}
authorities:
  root:
    subject: {common_name: Bench Root}
    key: {type: ecdsa, curve: P-256, passphrase: none}
  issuing:
    issuer: root
    subject: {common_name: Bench Issuing}
    key: {type: ecdsa, curve: P-256, passphrase: none}
    path_length: 0
certificates:
"""
LEAF = """\
  node-{number}:
    issuer: issuing
    profile: {profile}
    key: {key}
    subject:
      common_name: node-{number}.bench.example
    dns:
      - node-{number}.bench.example
    days: 90
"""
LEAVES = """\
  node:
    for_each: {{range: [1, {leaves}]}}
    issuer: issuing
    profile: {profile}
    key: {key}
    subject:
      common_name: "node-{{{{ each.key }}}}.bench.example"
    dns: ["node-{{{{ each.key }}}}.bench.example"]
    days: 90
"""


class Shape(Enum):
    """How a manifest tells its leaves."""

    EXPLICIT = "explicit"
    FOR_EACH = "for_each"


def manifest(leaves: int, shape: Shape, *, key: str = "ecdsa-p256", profile: str = "server") -> str:
    """Return the manifest of a site with so many leaves."""
    if shape is Shape.FOR_EACH:
        return HEAD + LEAVES.format(leaves=leaves, key=key, profile=profile)
    return HEAD + "".join(LEAF.format(number=number, key=key, profile=profile) for number in range(1, leaves + 1))


def fresh_site(directory: Path, text: str) -> Path:
    """Make a directory that holds this manifest and nothing else."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / "site.yaml").write_text(text)
    return directory
