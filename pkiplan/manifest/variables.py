"""Variables, low to high: `vars`, `vars_files` (the later wins), `-e` on the command line (the later wins)."""

from __future__ import annotations

import os
import re
from typing import Any

from pkiplan.diagnostics import Diagnostic
from pkiplan.hints import listed
from pkiplan.manifest.documents import Manifest
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.files import Files
from pkiplan.manifest.nodes import Mapping, Native, Node, Sequence, Templated, is_null, native
from pkiplan.manifest.problems import Problems, circle_of, shown
from pkiplan.manifest.sources import Source
from pkiplan.manifest.templates import Templates, mentions_each, names_in
from pkiplan.manifest.values import BadValueError, kind_of, report

RESERVED = frozenset(
    {
        "vars",
        "self",
        "each",
        "site",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
    }
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def read_variables(
    manifest: Manifest, given: list[str], files: Files, templates: Templates, problems: Problems
) -> dict[str, Any]:
    """Return every variable with its value; a template in one may speak of the others."""
    from_command_line: dict[str, Native] = {}
    for text in given:
        _read_given(text, from_command_line, files, problems)
    nodes: dict[str, tuple[Node, int]] = {}
    for name, value, key_mark, value_mark in manifest.vars.entries():
        if _is_name(name, key_mark, problems):
            nodes[name] = (value, value_mark)
    known: dict[str, list[tuple[str, Node, int, int]]] = {}
    before: dict[str, Any] | None = None
    waiting: list[tuple[set[str], int]] = []
    for path, mark in manifest.vars_files:
        rendered = path
        if isinstance(path, Templated):
            if before is None:
                before = _render(nodes, from_command_line, templates, None)
            rendered = templates.render(path, mark, scope(before))
            waiting.append((templates.failed & names_in(path), mark))
        found = _read_file(rendered, mark, files, problems, known)
        templates.spend(len(found), mark)
        if found:
            nodes.update(found)
            before = None
    variables = _render(nodes, from_command_line, templates, problems)
    for names, mark in waiting:
        if names and not names & templates.failed:
            summary = f"{listed(sorted(names))} cannot be computed yet where this file is named"
            hint = "name the files that it takes before this one"
            problems.error(mark, summary, code="undefined-variable", hint=hint)
    return variables


def scope(variables: dict[str, Any]) -> dict[str, Any]:
    """Return what a template sees: each variable by its name, and all of them as `vars`."""
    return {**variables, "vars": variables}


def _is_name(name: str, mark: int, problems: Problems) -> bool:
    why = _wrong_name(name)
    if why:
        problems.error(
            mark, why, code="variable-name", at_key=True, hint="letters, digits and underscores, no digit first"
        )
    return not why


def _wrong_name(name: str) -> str:
    if name in RESERVED:
        return f"a variable cannot be called `{name}`: templates know something else by that name"
    return "" if _NAME.fullmatch(name) else f"{shown(name)} is no name of a variable"


def _read_file(
    path: Node, mark: int, files: Files, problems: Problems, known: dict[str, list[tuple[str, Node, int, int]]]
) -> dict[str, tuple[Node, int]]:
    """Read a file of variables; one that is named again is not parsed again."""
    if path.__class__ is not str:
        if path.__class__ is not Templated:
            problems.error(mark, f"expected a path, not {kind_of(path)}", code="wrong-type")
        return {}
    try:
        absolute = files.inside(problems.sources.of(mark).directory, str(path))
        if absolute not in known:
            known[absolute] = _variables_of(files.read_text(absolute), absolute, files, problems)
    except BadValueError as bad:
        report(bad, mark, problems)
        return {}
    found = {}
    for name, value, key_mark, value_mark in known[absolute]:
        if _is_name(name, key_mark, problems):
            found[name] = (value, value_mark)
    return found


def _variables_of(text: str, absolute: str, files: Files, problems: Problems) -> list[tuple[str, Node, int, int]]:
    source = Source(files.shown(absolute), os.path.dirname(absolute), text)
    number = problems.sources.add(source)
    source.documents = read_documents(text, number, problems)
    found: list[tuple[str, Node, int, int]] = []
    for document in source.documents:
        if isinstance(document, Mapping):
            found.extend(document.entries())
        elif not is_null(document):
            problems.error(number << 48, f"a file of variables is a map, not {kind_of(document)}", code="wrong-type")
    return found


def _read_given(text: str, into: dict[str, Native], files: Files, problems: Problems) -> None:
    """Read one `-e`: `key=value`, `@file.yaml`, or a map such as `{"key": 1}`. Its values are taken as they are."""
    if text.startswith("@"):
        absolute = os.path.join(files.working_directory, text[1:])
        try:
            content = files.read_text(os.path.normpath(absolute))
        except BadValueError as bad:
            problems.add(Diagnostic(summary=f"-e {text}: {bad.summary}", code=bad.code, hint=bad.hint, place=bad.place))
            return
        for name, value, key_mark, _ in _variables_of(content, os.path.normpath(absolute), files, problems):
            if _is_name(name, key_mark, problems):
                into[name] = native(value)
        return
    if text.startswith("{"):
        source = Source("-e", files.working_directory, text)
        number = problems.sources.add(source)
        source.documents = read_documents(text, number, problems)
        for document in source.documents:
            if isinstance(document, Mapping):
                into.update({name: native(value) for name, value in document.items()})
        return
    name, equals, value = text.partition("=")
    why = "" if equals else "expected `key=value` or `@file.yaml`"
    why = why or _wrong_name(name)
    if why:
        problems.add(Diagnostic(summary=f"-e {shown(text)}: {why}", code="variable-name"))
        return
    into[name] = _given_value(value)


def _given_value(text: str) -> Native:
    """Read a value of the command line: a number or boolean where nothing of the text is lost by it."""
    if re.fullmatch("0|-?[1-9][0-9]{0,17}", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text)


def _render(
    nodes: dict[str, tuple[Node, int]], given: dict[str, Native], templates: Templates, problems: Problems | None
) -> dict[str, Any]:
    """Compute the variables, each after those that it speaks of; without `problems`, no mistake is told yet."""
    values: dict[str, Any] = {}
    templates.failed = set()
    speaks_of: dict[str, set[str]] = {}
    for name, (node, _) in nodes.items():
        if name in given:
            continue
        expressions = _templates_in(node)
        if expressions:
            speaks_of[name] = set().union(*map(names_in, expressions)) & nodes.keys()
        else:
            values[name] = native(node)
    values.update(given)
    if not speaks_of:
        return values
    from graphlib import CycleError, TopologicalSorter

    try:
        order = list(TopologicalSorter(speaks_of).static_order())
    except CycleError as error:
        cycle = [str(name) for name in error.args[1]]
        if problems is not None:
            problems.error(
                nodes[cycle[0]][1],
                f"variables speak of each other in a circle: {circle_of(cycle[:0:-1])}",
                code="variable-cycle",
                hint="write the value of one of them without the others",
            )
        templates.failed = speaks_of.keys() - values.keys()
        return values
    for name in order:
        if name not in speaks_of:
            continue
        node, mark = nodes[name]
        if mentions_each(node):
            templates.failed.add(name)
            if problems is not None:
                problems.error(mark, "`each` exists only beneath a resource with `for_each`", code="template")
            continue
        before = len(templates.problems.found), templates.problems.errors
        rendered = templates.render(node, mark, scope(values))
        if templates.problems.errors > before[1] or templates.failed & speaks_of[name]:
            templates.failed.add(name)
        else:
            values[name] = native(rendered)
        if problems is None:
            del templates.problems.found[before[0] :]
            templates.problems.errors = before[1]
    return values


def _templates_in(node: Node) -> list[str]:
    if isinstance(node, Templated):
        return [str(node)]
    if isinstance(node, Mapping):
        return (
            [
                text
                for key, value in node.items()
                for text in ([key] if isinstance(key, Templated) else []) + _templates_in(value)
            ]
            if node.templated
            else []
        )
    if isinstance(node, Sequence) and node.templated:
        return [text for value in node for text in _templates_in(value)]
    return []
