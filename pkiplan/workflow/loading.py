"""From manifests on disk to a site, and the first manifest of all."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import ManifestError, PkiplanError, system_words

if TYPE_CHECKING:
    from pkiplan.manifest import LoadedSite
    from pkiplan.model.site import Site

DEFAULT_MANIFESTS = ("site.yaml", "site.yml")


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Every problem of some manifests, and how much they declare."""

    diagnostics: tuple[Diagnostic, ...]
    authorities: int
    certificates: int


def find_manifest(argument: str | None) -> str:
    """Return what a command shall read: the file named, the default one of a directory, or a directory of others."""
    if argument is not None and not os.path.isdir(argument):
        return argument
    candidates = [os.path.join(argument or "", name) for name in DEFAULT_MANIFESTS]
    for path in candidates:
        if _is_file(path):
            return path
    if argument is not None and any(name.endswith((".yaml", ".yml")) for name in sorted(os.listdir(argument))):
        return argument  # all of its manifests, none of which names the others
    raise PkiplanError.of(
        f"no manifest here: neither {candidates[0]} nor {candidates[1]} exists",
        hint="name one (`pkiplan plan FILE`), change there (`pkiplan -C DIR plan`), or start one with `pkiplan init`",
        code="no-manifest",
    )


def _is_file(path: str) -> bool:
    """Tell whether a file is there; a directory that cannot be looked into is an error, not an empty one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except PermissionError:
        raise PkiplanError.of(
            f"cannot look for {path}: permission denied", hint="see that this user may read it", code="unreadable-file"
        ) from None
    except OSError:
        return False


def load(
    argument: str | None, *, variables: Sequence[str] = (), allow_outside: bool = False
) -> tuple[LoadedSite, Site]:
    """Read and decode a site's manifests; raise `ManifestError` with every problem found."""
    loaded = _load([argument] if argument is not None else [], variables)
    if loaded.site is None:
        raise ManifestError(loaded.diagnostics)
    if not allow_outside:
        _refuse_outside(loaded.site)
    _refuse_links(loaded.site)
    return loaded, loaded.site


def _load(arguments: Sequence[str], variables: Sequence[str]) -> LoadedSite:
    from pkiplan.manifest import load_site

    paths = [find_manifest(argument) for argument in arguments] or [find_manifest(None)]
    return load_site(paths, variables=variables, working_directory=os.getcwd())


def _refuse_outside(site: Site) -> None:
    problems = [
        Diagnostic(
            code="outside-the-site",
            summary=f"{path} lies outside of the manifest's directory",
            place=site.place,
            hint="if the manifest may reach there, say `--allow-outside` (or PKIPLAN_ALLOW_OUTSIDE=1)",
        )
        for path in site.outside
    ]
    if problems:
        raise PkiplanError(*problems)


def _refuse_links(site: Site) -> None:
    """Refuse a tree behind a link in the manifest's directory, by which anybody could lead it out of there."""
    link = _first_link(site.base, site.directory)
    if link is None:
        return
    base, real = os.path.realpath(site.base), os.path.realpath(site.directory)
    if real == base or real.startswith(base.rstrip("/") + "/"):
        way_out = f"`directory: {os.path.relpath(real, base)}`"
    else:
        way_out = f"`directory: {real}`, and say `--allow-outside`"
    raise PkiplanError(
        Diagnostic(
            code="directory-behind-link",
            summary=f"the site's directory cannot be used: {link} is a symbolic link, which is not followed",
            place=site.place,
            hint=f"name the directory itself: {way_out}",
        )
    )


def _first_link(base: str, path: str) -> str | None:
    """Return the first step from a directory to a path beneath it that is a link; None also for a path elsewhere."""
    if not path.startswith(base.rstrip("/") + "/"):
        return None
    current = base
    for name in path[len(base) :].strip("/").split("/"):
        current = os.path.join(current, name)
        if os.path.islink(current):
            return current
    return None


def validate(arguments: Sequence[str], *, variables: Sequence[str]) -> Validation:
    """Decode manifests and nothing more, and tell every problem at once."""
    loaded = _load(arguments, variables)
    resources = tuple(loaded.site or ())
    return Validation(
        diagnostics=loaded.diagnostics,
        authorities=sum(resource.is_authority for resource in resources),
        certificates=sum(not resource.is_authority for resource in resources),
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the manifest."""
    from pkiplan.manifest.schema import site_schema

    return site_schema()


def init(directory: str, shape: str) -> tuple[str, ...]:
    """Write a manifest to start from and a `.gitignore`; return what was written. Never over an existing manifest."""
    from pkiplan.manifest.starters import starter

    text = starter(shape)
    manifest = os.path.join(directory, DEFAULT_MANIFESTS[0])
    ignore = os.path.join(directory, ".gitignore")
    written = []
    for name in DEFAULT_MANIFESTS:
        _refuse_existing(os.path.join(directory, name))
    try:
        os.makedirs(directory, exist_ok=True)
        _write_new(manifest, text)
        written.append(manifest)
        if not os.path.lexists(ignore):
            _write_new(ignore, "# pkiplan's lock, journal and last plan\n.pkiplan/\n")
            written.append(ignore)
    except OSError as error:
        summary = f"cannot write {error.filename or directory}: {system_words(error)}"
        raise PkiplanError.of(summary, code="not-writable") from None
    return tuple(written)


def _refuse_existing(path: str) -> None:
    if os.path.lexists(path):
        raise PkiplanError.of(
            f"{path} exists already; it was not touched", hint="choose another directory", code="exists"
        )


def _write_new(path: str, text: str) -> None:
    """Write a file where there is none, whole or not at all."""
    file = open(path, "x", encoding="utf-8")  # noqa: SIM115 - one that cannot be made is not ours to remove
    try:
        with file:
            file.write(text)
    except OSError as error:
        with suppress(OSError):
            os.unlink(path)
        raise OSError(error.errno, error.strerror, path) from None
