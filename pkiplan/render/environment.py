"""The templates: ours, and those a site puts in their place.

A template is text that a site's author writes, so it runs in a sandbox: it can change nothing, call nothing but a
few harmless filters, and what it prints is quoted unless it is `CnfText`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound, Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pkiplan.errors import PkiplanError, system_words
from pkiplan.model.site import Site
from pkiplan.render.extension_lines import Line, Section
from pkiplan.render.quoting import CnfText, CnfValueError, quote
from pkiplan.render.view import Signing

SUFFIX = ".cnf.j2"
_BUILT_IN = os.path.join(os.path.dirname(__file__), "templates")
LARGEST_TEMPLATE = 256 * 1024

# What cannot be written in the rendering that goes on; None outside of one.
PROBLEMS: ContextVar[list[str] | None] = ContextVar("PROBLEMS", default=None)

_FILTERS = (
    "first",
    "last",
    "length",
    "list",
    "lower",
    "sort",
    "trim",
    "unique",
    "upper",
    "default",
    "select",
    "reject",
)

# Name, size, time of change and inode of every template in a site's directory: when any of it changes, they are
# read anew.
_Snapshot = tuple[tuple[str, int, int, int], ...]


def environment_for(site: Site, older: str | None = None) -> Environment:
    """Return the compiled templates of a site; where `older` has one of ours, that stands in its place."""
    if site.templates is None:
        return _environment(None, (), older)
    return _environment(site.templates, _snapshot(site, site.templates), older)


def _snapshot(site: Site, directory: str) -> _Snapshot:
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


def template_digests(site: Site) -> dict[str, str]:
    """Give the SHA-256 of each of the site's own templates by its path; nothing without a directory of them."""
    if site.templates is None:
        return {}
    paths = [os.path.join(site.templates, name) for name, *_ in _snapshot(site, site.templates)]
    return {path: hashlib.sha256(_read(path).encode()).hexdigest() for path in paths}


def _is_inside(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")


class _TemplateLoader(BaseLoader):
    """Takes a template from the site's directory where it is there, else from an older version, else today's."""

    def __init__(self, directory: str | None, names: frozenset[str], older: str | None) -> None:
        self._directory = directory
        self._names = names
        self._older = older

    def get_source(  # Jinja's signature
        self,
        environment: Environment,  # noqa: ARG002
        template: str,
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        if self._directory is not None and template in self._names:
            path = os.path.join(self._directory, template)
            return _read(path), path, None
        if "/" in template or not template.endswith(SUFFIX):
            raise TemplateNotFound(template)
        if self._older is not None and os.path.isfile(path := os.path.join(self._older, template)):
            return _read(path), path, None
        try:
            with open(os.path.join(_BUILT_IN, template), encoding="utf-8") as file:
                return file.read(), None, None
        except FileNotFoundError:
            raise TemplateNotFound(template) from None


def _read(path: str) -> str:
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


# The values whose fields a template may read, and the `loop` of Jinja's own.
_READABLE = (Line, Section, Signing, LoopContext)


class _CnfEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox that reads a few values' fields, without calls and without arithmetic that multiplies text."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def is_safe_attribute(self, obj: object, attr: str, _value: object) -> bool:
        return isinstance(obj, _READABLE) and not attr.startswith("_")

    def is_safe_callable(self, obj: object) -> bool:
        # Super blocks and loop controls are callables of Jinja's own.
        return type(obj).__module__ == "jinja2.runtime"

    def call_binop(self, _context: object, operator: str, _left: object, _right: object) -> object:
        raise SecurityError(f"`{operator}` is not available in a template of openssl.cnf")


def _finalize(value: object) -> str:
    """Write what a template prints."""
    if isinstance(value, CnfText):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises: StrictUndefined
    try:
        return quote(str(value))
    except CnfValueError as error:
        problems = PROBLEMS.get()
        if problems is None:
            raise
        problems.append(str(error))
        return ""


@lru_cache(maxsize=8)
def _environment(directory: str | None, snapshot: _Snapshot, older: str | None) -> Environment:
    environment = _CnfEnvironment(
        loader=_TemplateLoader(directory, frozenset(name for name, *_ in snapshot), older),
        undefined=StrictUndefined,
        finalize=_finalize,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.globals.clear()
    return environment
