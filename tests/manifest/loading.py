"""How the tests of the manifest language load a manifest from text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pkiplan.diagnostics import Severity
from pkiplan.manifest import LoadedSite, load_site
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site

HEAD = """\
version: 1
authorities:
  root: {}
  issuing: {issuer: root}
"""


def load_text(directory: Path, text: str, *, variables: Sequence[str] = (), **files: str) -> LoadedSite:
    """Write a manifest (and further files, `hosts_csv` as `hosts.csv`), and load it."""
    (directory / "site.yaml").write_text(text, "utf-8", newline="")
    for name, content in files.items():
        (directory / name.replace("_", ".")).write_text(content, "utf-8")
    return load_site(["site.yaml"], variables=variables, working_directory=str(directory))


def site_of(directory: Path, text: str, *, variables: Sequence[str] = (), **files: str) -> Site:
    """Load a manifest that must be without mistakes."""
    loaded = load_text(directory, text, variables=variables, **files)
    assert loaded.site is not None, [str(diagnostic) for diagnostic in loaded.diagnostics]
    return loaded.site


def certificate(
    directory: Path, body: str, *, variables: Sequence[str] = (), head: str = HEAD, **files: str
) -> Resource:
    """Load one server certificate `web` with these settings."""
    text = head + "certificates:\n  web:\n    issuer: issuing\n    dns: [a.example]\n"
    text += "".join(f"    {line}\n" for line in body.splitlines())
    return site_of(directory, text, variables=variables, **files).resources["certificate.web"]


def mistakes(loaded: LoadedSite) -> list[str]:
    """List what is wrong, without places."""
    return [found.summary for found in loaded.diagnostics if found.severity is Severity.ERROR]
