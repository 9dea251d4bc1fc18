"""`openssl.cnf` from templates: what a person can go on with the day pkiplan is gone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkiplan.model.resource import Resource
    from pkiplan.model.site import Site


def render_cnf(site: Site, resource: Resource, *, older_templates: str | None = None) -> str:
    """Render a resource's `openssl.cnf`; raise `PkiplanError` with its place for a value that cannot be written.

    `older_templates` are those of an earlier version, where they differ from today's.
    """
    from pkiplan.render.cnf import render

    return render(site, resource, older_templates)


def cnf_renderer(site: Site) -> Callable[[Resource], str]:
    """Return what renders the resources of a site, one after another: the same texts as `render_cnf` gives, sooner."""
    from pkiplan.render.patterns import CnfPatterns

    return CnfPatterns(site, render_cnf).text


def cnf_digest(text: str) -> str:
    """Return the SHA-256 in hex by which a cnf on disk is compared."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
