"""The files of a site's own templates, and what is known of them without reading them."""

from __future__ import annotations

import hashlib
import os
import stat

from pkiplan.errors import PkiplanError, system_words
from pkiplan.model.site import Site

SUFFIX = ".cnf.j2"
LARGEST_TEMPLATE = 256 * 1024

# Name, size, time of change and inode of every template in a site's directory: when any of it changes, they are
# read anew.
Snapshot = tuple[tuple[str, int, int, int], ...]


def template_digests(site: Site) -> dict[str, str]:
    """Give the SHA-256 of each of the site's own templates by its path; nothing without a directory of them."""
    if site.templates is None:
        return {}
    paths = [os.path.join(site.templates, name) for name, *_ in snapshot(site, site.templates)]
    return {path: hashlib.sha256(read(path).encode()).hexdigest() for path in paths}


def snapshot(site: Site, directory: str) -> Snapshot:
    """List the templates in a site's directory; raise `PkiplanError` for one outside of the site."""
    # A link in the path must not lead out of the site, unless the site was allowed to go there.
    if directory not in site.outside and not _is_inside(os.path.realpath(directory), os.path.realpath(site.base)):
        raise PkiplanError.of(f"the templates in {directory} lie outside of the site", code="templates-outside")
    try:
        with os.scandir(directory) as entries:
            found = [(e.name, e.stat(follow_symlinks=False)) for e in entries if e.name.endswith(SUFFIX)]
    except OSError as error:
        raise PkiplanError.of(
            f"cannot read the templates in {directory}: {system_words(error)}", code="templates-unreadable"
        ) from None
    return tuple(sorted((name, status.st_size, status.st_mtime_ns, status.st_ino) for name, status in found))


def _is_inside(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")


def read(path: str) -> str:
    """Return a template's text; raise `PkiplanError` for what is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PkiplanError.of(f"the template {path} is not a regular file", code="template-unreadable")
            data = file.read(LARGEST_TEMPLATE + 1)
    except OSError as error:
        raise PkiplanError.of(
            f"cannot read the template {path}: {system_words(error)}", code="template-unreadable"
        ) from None
    if len(data) > LARGEST_TEMPLATE:
        raise PkiplanError.of(
            f"the template {path} is larger than {LARGEST_TEMPLATE} bytes", code="template-unreadable"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise PkiplanError.of(f"the template {path} is not UTF-8 text", code="template-unreadable") from None
