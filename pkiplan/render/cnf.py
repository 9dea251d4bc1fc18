"""`openssl.cnf` of one resource: the template filled in, and looked at again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import TemplateError
from jinja2.exceptions import TemplateSyntaxError

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import PkiplanError, kind_and_place
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.render.environment import PROBLEMS, environment_for
from pkiplan.render.view import view

# OpenSSL reads a line in pieces of this many bytes, and up to 1.1.1 (LibreSSL still) takes a single backslash at the
# end of a piece for the end of a line, so that it is lost: conf_def.c, CONFBUFSIZE.
PIECE = 510
# Characters with their backslashes, some hundred of them, so fewer bytes than a piece; the last is no backslash, since
# after one a further backslash does not mean that the line goes on. Or many backslashes, which are safe together.
_WRAPPED = re.compile(r"(?:\\.|[^\\]){0,99}(?:\\[^\\]|[^\\])|(?:\\\\)+(?:\\?[^\\])?")

_SECTION = re.compile(r"\s*\[\s*([^\]]*?)\s*\]")
_SETTING = re.compile(r"\s*([^=#]*?)\s*=")


def render(site: Site, resource: Resource, older_templates: str | None = None) -> str:
    """Render a resource's `openssl.cnf`; the same site gives the same text."""
    problems: list[str] = []
    values = view(site, resource, problems)
    token = PROBLEMS.set(problems)
    try:
        text = environment_for(site, older_templates).get_template(f"{resource.kind.value}.cnf.j2").render(values)
    except TemplateSyntaxError as error:
        problems.append(f"template {error.filename or error.name}, line {error.lineno}: {error.message}")
    except TemplateError as error:
        problems.append(f"a template of {site.templates or 'pkiplan'}: {error.message}")
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        # What a template of the site's own can do wrong; it has nothing secret to speak of.
        why = kind_and_place(error) if site.templates is None else error
        problems.append(f"a template of {site.templates or 'pkiplan'}: {why}")
    finally:
        PROBLEMS.reset(token)
    if not problems:
        text = "\n".join(_kept_whole(line) for line in text.split("\n"))
        if site.templates is not None:
            problems += _repetitions(text)
    if problems:
        raise PkiplanError(*(_diagnostic(resource, problem) for problem in dict.fromkeys(problems)))
    return text


def _diagnostic(resource: Resource, problem: str) -> Diagnostic:
    return Diagnostic(
        summary=f"{resource.address} cannot be written into openssl.cnf: {problem}",
        code="cnf-value",
        place=resource.place,
    )


def _kept_whole(line: str) -> str:
    """Break a line that OpenSSL would read wrongly into several that it reads as one."""
    if len(line) * 4 < PIECE or not _loses_backslash(line.encode()):
        return line
    return "\\\n".join(_WRAPPED.findall(line))


def _loses_backslash(line: bytes) -> bool:
    return any(
        line[end - 1 : end] == b"\\" and line[end - 2 : end - 1] != b"\\" for end in range(PIECE, len(line), PIECE)
    )


def _repetitions(text: str) -> Iterator[str]:
    """Find a section or a setting that is there twice: OpenSSL merges the one and lets the last of the other win."""
    section = "default"
    seen: set[tuple[str, str]] = set()
    for line in text.split("\n"):
        if begins := _SECTION.match(line):
            section, setting = begins[1], ""
        elif sets := _SETTING.match(line):
            setting = sets[1]
        else:
            continue
        if (section, setting) in seen:
            yield f"`{setting}` is twice in [{section}]" if setting else f"[{section}] is there twice"
        seen.add((section, setting))
