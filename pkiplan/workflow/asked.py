"""What the planner asks for while it decides, and only where it matters: found out when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic
from pkiplan.model.on_demand import OnDemand
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site

if TYPE_CHECKING:
    from pkiplan.manifest import LoadedSite


def cnf_digests(site: Site) -> Mapping[str, str]:
    """Give the SHA-256 of each resource's `openssl.cnf`, as it is to be."""
    render: Callable[[Resource], str] | None = None

    def find(address: str) -> str:
        nonlocal render
        from pkiplan.render import cnf_digest, cnf_renderer

        render = render or cnf_renderer(site)
        return cnf_digest(render(site.resources[address]))

    return OnDemand(site.resources, find)


def older_cnf_digests(site: Site, address: str) -> Iterator[str]:
    """Give the digests of the `openssl.cnf` that each version up to now writes, for a site as an older one read it."""
    from pkiplan.render import cnf_digest, render_cnf
    from pkiplan.render.older_templates import OLDER_TEMPLATES

    for templates in (None, *OLDER_TEMPLATES):
        yield cnf_digest(render_cnf(site, site.resources[address], older_templates=templates))


def lint_findings(site: Site) -> Mapping[str, tuple[Diagnostic, ...]]:
    """Give what the rules say of each resource."""

    def find(address: str) -> tuple[Diagnostic, ...]:
        from pkiplan.x509.lint import lint_resource

        resource = site.resources[address]
        return lint_resource(resource, site.chain_of(resource))

    return OnDemand(site.resources, find)


def says(loaded: LoadedSite, address: str, keys: Sequence[str]) -> bool:
    """Tell whether a manifest says one of these keys of a resource, or something beneath it."""
    return any(
        place.line > 0 and any(path == key or path.startswith(f"{key}.") for key in keys)
        for path, _, place in loaded.origins(address)
    )
