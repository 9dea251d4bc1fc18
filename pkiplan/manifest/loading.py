"""Load a site: the one way from files to a `Site`, with everything that is wrong with them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pkiplan.diagnostics import Diagnostic, Place, in_order
from pkiplan.manifest.files import Files, InputDigest
from pkiplan.model.site import Site

Origin = tuple[str, str, Place]


def _no_origins(address: str) -> list[Origin]:  # noqa: ARG001  # there is no site, so nothing comes from anywhere
    return []


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """A site, or why there is none; what was read to make it; and where each of its values came from.

    `site` is None exactly when `diagnostics` holds an error. `origins(address)` lists the effective settings of
    a resource: path of the field, its value as text, and the place that gave it. A place whose line is 0 is no
    file: the value is pkiplan's own, of a built-in profile. `looks` tell what names and links were looked for.
    """

    site: Site | None
    diagnostics: tuple[Diagnostic, ...]
    inputs: tuple[InputDigest, ...]
    looks: tuple[tuple[object, ...], ...] = ()
    origins: Callable[[str], list[Origin]] = field(default=_no_origins, compare=False)


def load_site(paths: Sequence[str], *, variables: Sequence[str], working_directory: str) -> LoadedSite:
    """Load manifests, and the files that they name, into a site."""
    # Loading makes many values and no garbage; collecting in between would take as long as all the rest.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _load(paths, variables, working_directory)
    finally:
        if was_enabled:
            gc.enable()


def _load(paths: Sequence[str], variables: Sequence[str], working_directory: str) -> LoadedSite:
    from pkiplan.manifest.documents import DocumentLoader
    from pkiplan.manifest.origins import Origins
    from pkiplan.manifest.problems import Problems, TooManyProblemsError
    from pkiplan.manifest.resolve import resolve
    from pkiplan.manifest.sources import Sources

    files = Files(working_directory)
    problems = Problems(Sources())
    site: Site | None = None
    origins: Callable[[str], list[Origin]] = _no_origins
    with suppress(TooManyProblemsError):
        manifest = DocumentLoader(files, problems).load(list(paths))
        if manifest is not None:
            resolved = resolve(manifest, list(variables), files, problems)
            site = resolved.site
            if site is not None:
                origins = Origins(resolved, site, problems.sources)
    inputs = tuple(sorted(files.inputs.values(), key=lambda known: known.path))
    return LoadedSite(site, in_order(problems.found), inputs, tuple(files.looks), origins)
