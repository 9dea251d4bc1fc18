"""Templates that Jinja fills in: those that a site puts in the place of ours, and those of older versions.

A template is text that a site's author writes, so it runs in a sandbox: it can change nothing, call nothing but a
few harmless filters, and what it prints is quoted unless it is `CnfText`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateError, TemplateNotFound, Undefined
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pkiplan.errors import kind_and_place
from pkiplan.model.site import Site
from pkiplan.render import built_in
from pkiplan.render.extension_lines import Line, Section
from pkiplan.render.quoting import CnfText, quote, written
from pkiplan.render.template_files import SUFFIX, Snapshot, read, snapshot
from pkiplan.render.view import Signing

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


def fill_in(site: Site, older: str | None, name: str, values: Mapping[str, Any], problems: list[str]) -> str:
    """Fill in a template; what goes wrong is added to the problems."""
    whose = site.templates or "pkiplan"
    token = PROBLEMS.set(problems)
    try:
        return _environment_for(site, older).get_template(name).render(values)
    except TemplateSyntaxError as error:
        problems.append(f"template {error.filename or error.name}, line {error.lineno}: {error.message}")
    except TemplateError as error:
        problems.append(f"a template of {whose}: {error.message}")
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        # What a template of the site's own can do wrong; it has nothing secret to speak of.
        problems.append(f"a template of {whose}: {kind_and_place(error) if site.templates is None else error}")
    finally:
        PROBLEMS.reset(token)
    return ""


def _environment_for(site: Site, older: str | None) -> Environment:
    """Return the compiled templates of a site; where `older` has one of ours, that stands in its place."""
    if site.templates is None:
        return _environment(None, (), older)
    return _environment(site.templates, snapshot(site, site.templates), older)


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
            return read(path), path, None
        if "/" in template or not template.endswith(SUFFIX):
            raise TemplateNotFound(template)
        if self._older is not None and os.path.isfile(path := os.path.join(self._older, template)):
            return read(path), path, None
        try:
            return built_in.source(template), None, None
        except FileNotFoundError:
            raise TemplateNotFound(template) from None


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
    problems = PROBLEMS.get()
    return quote(str(value)) if problems is None else written(value, problems)


@lru_cache(maxsize=8)
def _environment(directory: str | None, snapshot: Snapshot, older: str | None) -> Environment:
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
