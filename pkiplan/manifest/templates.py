"""Templates in values and ids: `{{ expression }}`, rendered once.

A plain dotted name (`{{ each.key }}.{{ domain }}`) is looked up here, without Jinja2: that is what nearly all
templates are, it is ten times as quick, and starting Jinja2 costs more than reading a small site.
Everything else is an expression of `expressions.py`, compiled once however often it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from typing import Any, cast

from pkiplan.manifest.nodes import (
    DEEPEST,
    Mapping,
    Node,
    Sequence,
    Templated,
    from_native,
    is_templated,
    native_size,
    pack,
    unpack,
)
from pkiplan.manifest.problems import Problems, TooManyProblemsError
from pkiplan.manifest.work import CHARACTERS, TEMPLATE, VALUE, TooMuchWorkError, Work

LONGEST_RESULT = 65_536
# Values that one template may make: a host in each of the most resources that a site can have.
MOST_VALUES = 250_000
_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*")
# A template without quotes and braces inside: its end is plain to see.
_SIMPLE = re.compile(r"\{\{([^{}'\"]*)\}\}")
# Words of the expression language, and the methods that a map has beside its keys.
_NOT_NAMES = frozenset(["true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"])
_MENTIONS_EACH = re.compile(r"\beach\b")

Variables = MappingABC[str, Any]
# Literal text, or an expression and where in the text it begins.
_Part = str | tuple[int, Callable[[Variables], Any]]
# What an expression is made of, as far as its names and its end are looked for: text in quotes, braces, and names but
# for those that follow a dot; `vars.name` counts as `name`.
_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|(?P<brace>[{}])|(?:\bvars\.|(?<![.\w]))(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
)


class TemplateProblemError(Exception):
    """A template that cannot be rendered; `offset` is where in the text it begins."""

    def __init__(self, summary: str, hint: str = "", code: str = "template", offset: int = 0) -> None:
        super().__init__(summary)
        self.summary = summary
        self.hint = hint
        self.code = code
        self.offset = offset


class UntoldError(Exception):
    """A template cannot be rendered because of a mistake elsewhere, which is told there."""


def names_in(text: str) -> set[str]:
    """Return the names that the templates of a text speak of, and the words of the language among them."""
    names: set[str] = set()
    begin = text.find("{{")
    while begin >= 0:
        depth, end = 0, len(text)
        for found in _TOKEN.finditer(text, begin + 2):
            if found["name"]:
                names.add(found["name"])
            depth += {"{": 1, "}": -1}.get(found["brace"], 0)
            if depth < 0:
                end = found.end()
                break
        begin = text.find("{{", end)
    return names


def mentions_each(node: Node) -> bool:
    """Tell whether a template within a node speaks of `each`."""
    if isinstance(node, Templated):
        return _MENTIONS_EACH.search(node) is not None
    if isinstance(node, Mapping):
        return node.templated and any(
            mentions_each(value) or mentions_each(_as_key(key)) for key, value in node.items()
        )
    if isinstance(node, Sequence):
        return node.templated and any(mentions_each(value) for value in node)
    return False


def _as_key(key: str) -> Node:
    return key


class Templates:
    """Renders nodes; compiled templates are kept."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._compiled: dict[str, list[_Part] | TemplateProblemError] = {}
        self._expressions: dict[str, Callable[[Variables], Any]] = {}
        self._compiler: Any = None
        self.work = Work()
        self.failed: set[str] = set()  # variables that could not be computed, which is told

    def render(self, node: Node, mark: int, variables: Variables) -> Node:
        """Return a node with its templates rendered; one that cannot be stays, and is reported."""
        if not is_templated(node):
            return node
        if isinstance(node, Templated):
            try:
                value = self.value(node, variables)
                if isinstance(value, list | tuple | dict):
                    self._count(value)
                return from_native(value, mark)
            except UntoldError:
                return node
            except TemplateProblemError as problem:
                within = self._place_within(node, mark, problem.offset)
                self.problems.error(mark, problem.summary, code=problem.code, hint=problem.hint, within=within)
            except TypeError as error:
                self.problems.error(mark, str(error), code="template")
            except TooMuchWorkError as error:
                raise self.stopped(mark, error) from error
            return node
        self.spend(len(node) * TEMPLATE, mark)
        if isinstance(node, Sequence):
            sequence = Sequence(node.mark)
            for element, element_mark in zip(node, node.marks, strict=True):
                sequence.put(self.render(element, element_mark, variables), element_mark)
            return sequence
        assert isinstance(node, Mapping)
        return self._render_map(node, variables)

    def _render_map(self, node: Mapping, variables: Variables) -> Mapping:
        mapping = Mapping(node.mark)
        for key, value, key_mark, value_mark in node.entries():
            name = self.render_key(key, key_mark, variables) if type(key) is Templated else key
            rendered = self.render(value, value_mark, variables)
            if name is None:
                continue
            if name in mapping:
                self.problems.error(
                    key_mark,
                    f"duplicate key `{name}` out of a template",
                    code="duplicate-key",
                    at_key=True,
                    notes=[self.problems.note(mapping.key_mark(name), "first defined here")],
                )
                continue
            mapping.put(name, rendered, key_mark, value_mark)
        return mapping

    def _count(self, value: object) -> None:
        """Count the values within a value that a template made; there is an end to them."""
        count, depth = native_size(value, min(MOST_VALUES, self.work.left // VALUE + 1))
        self.work.count(count * VALUE)
        if count > MOST_VALUES:
            raise TemplateProblemError(f"a template made more than {MOST_VALUES:,} values")
        if depth > DEEPEST:
            raise TemplateProblemError(f"a template made a value that is nested more than {DEEPEST} levels deep")

    def spend(self, amount: int, mark: int) -> None:
        """Count work that is done for what stands at a mark, and stop when it is too much."""
        try:
            self.work.count(amount)
        except TooMuchWorkError as error:
            raise self.stopped(mark, error) from error

    def stopped(self, mark: int, error: TooMuchWorkError) -> TooManyProblemsError:
        """Report that there is too much to do; looking for more problems would be more of it."""
        hint = "nothing after this place was looked at; make fewer elements, or shorter values"
        self.problems.error(mark, str(error), code="too-large", hint=hint)
        return TooManyProblemsError()

    def render_key(self, key: str, mark: int, variables: Variables) -> str | None:
        """Return the text of a templated key, or None when there is none (which is reported)."""
        try:
            value = self.value(key, variables)
        except TemplateProblemError as problem:
            self.problems.error(mark, problem.summary, code=problem.code, hint=problem.hint, at_key=True)
            return None
        except UntoldError:
            return None
        except TooMuchWorkError as error:
            raise self.stopped(mark, error) from error
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        self.problems.error(mark, "the template of a key must give text", code="template", at_key=True)
        return None

    def _place_within(self, text: str, mark: int, offset: int) -> int:
        """Return where the template at an offset of a text begins, if on a line below that of the mark.

        What a template begins with is written as it is, also where YAML folds lines.
        """
        file, line, column = unpack(mark)
        source = self.problems.sources.all[file]
        if (source.line(line) or "").startswith("*", column):
            return mark  # an alias: the text is written elsewhere
        begin = text[offset : offset + 2]
        before = text.count(begin, 0, offset)
        # Each line of the source is at least one character of the text.
        for number in range(line, line + offset + 2):
            written = (source.line(number) or "")[column if number == line else 0 :]
            if before >= written.count(begin):
                before -= written.count(begin)
                continue
            at = [found.start() for found in re.finditer(re.escape(begin), written)][before]
            is_it = written[at:].split()[:2] == text[offset:].split()[: len(written[at:].split()[:2])]
            return pack(file, number, at) if is_it and number > line else mark
        return mark

    def value(self, text: str, variables: Variables) -> Any:
        """Compute a template; one expression alone keeps its type, anything else is text."""
        parts = self._compiled.get(text)
        if parts is None:
            try:
                parts = self._split(text)
            except TemplateProblemError as problem:
                parts = problem
            self._compiled[text] = parts
        if isinstance(parts, TemplateProblemError):
            raise parts
        if self.failed and self.failed & names_in(text):
            raise UntoldError
        self.work.count(TEMPLATE)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return parts[0][1](variables)
        rendered: list[str] = []
        length = 0
        for part in parts:
            if isinstance(part, str):
                rendered.append(part)
            else:
                try:
                    value = part[1](variables)
                    rendered.append(value if type(value) is str else _within_text(value))
                except TemplateProblemError as problem:
                    problem.offset = part[0]
                    raise
            length += len(rendered[-1])
            if length > LONGEST_RESULT:
                raise TemplateProblemError(f"a template made more than {LONGEST_RESULT // 1024} KiB of text")
        self.work.count(length // CHARACTERS + len(parts))
        return "".join(rendered)

    def _split(self, text: str) -> list[_Part]:
        """Split a text into literal parts and compiled expressions."""
        if "{%" in text:
            raise TemplateProblemError(
                "statements (`{% … %}`) are no part of a manifest",
                "a value takes expressions: `{{ … }}`; loops are written with `for_each:`",
                "template-statement",
                text.index("{%"),
            )
        if text.count("{{") == len(_SIMPLE.findall(text)) == text.count("}}"):
            parts: list[_Part] = []
            end = 0
            for found in _SIMPLE.finditer(text):
                parts += (text[end : found.start()], (found.start(), self._expression(found[1])))
                end = found.end()
            parts.append(text[end:])
        else:
            parts = self._lexed(text)
        return [part for part in parts if part]

    def _lexed(self, text: str) -> list[_Part]:
        """Find expressions that hold quotes or braces, with Jinja2's own lexer."""
        from jinja2 import Environment, TemplateSyntaxError

        # Nothing is rendered with it; and a comment cannot begin, because no manifest holds a NUL.
        environment = Environment(
            comment_start_string="\0#", comment_end_string="#\0", keep_trailing_newline=True, autoescape=True
        )
        parts: list[_Part] = []
        inner: list[str] | None = None
        begin = end = 0
        try:
            for _, kind, value in environment.lex(text):
                if kind == "variable_begin":
                    # Found anew, because `{{-` takes the blanks before it away.
                    begin, inner = text.index(value, end), []
                    end = begin + len(value)
                    continue
                end += len(value)
                if kind == "variable_end":
                    parts.append((begin, self._expression("".join(inner or ()))))
                    inner = None
                elif inner is not None:
                    inner.append(value)
                else:
                    parts.append(value)
        except (TemplateSyntaxError, RecursionError) as error:
            message = error.message if isinstance(error, TemplateSyntaxError) else "too complicated"
            summary = f"the template is no expression: {message}"
            raise TemplateProblemError(summary, "write `{{ name }}`", offset=begin) from error
        if inner is not None:
            summary = "the template does not end: `}}` is missing"
            raise TemplateProblemError(summary, "write `{{ name }}`", offset=begin)
        return parts

    def _expression(self, source: str) -> Callable[[Variables], Any]:
        source = source.strip()
        known = self._expressions.get(source)
        if known is None:
            name = _NAME.fullmatch(source)
            if name and not _NOT_NAMES.intersection(source.split(".")[:1]):
                known = _lookup(name[1].split("."), self._full(source))
            else:
                known = self._full(source)
            self._expressions[source] = known
        return known

    def _full(self, source: str) -> Callable[[Variables], Any]:
        """Compile with Jinja2, but only once it is needed."""
        compiled: Callable[[Variables], Any] | None = None

        def evaluate(variables: Variables) -> Any:
            nonlocal compiled
            from pkiplan.manifest.expressions import Expressions
            from pkiplan.manifest.functions import ExpressionError

            if not source:
                raise TemplateProblemError("an empty template", "write `{{ name }}`")
            try:
                if compiled is None:
                    if self._compiler is None:
                        self._compiler = Expressions(self.work)
                    compiled = cast("Callable[[Variables], Any]", self._compiler.compile(source))
                return compiled(variables)
            except ExpressionError as error:
                raise TemplateProblemError(error.summary, error.hint) from error

        return evaluate


def _lookup(names: list[str], otherwise: Callable[[Variables], Any]) -> Callable[[Variables], Any]:
    """Follow a dotted name through maps; whatever is not found there is Jinja2's to tell."""
    if len(names) == 1:
        name = names[0]
        return lambda variables: variables[name] if name in variables else otherwise(variables)

    def follow(variables: Variables) -> Any:
        value: Any = variables
        for name in names:
            if not isinstance(value, dict) or name not in value:
                return otherwise(variables)
            value = value[name]
        return value

    return follow


def _within_text(value: object) -> str:
    from pkiplan.manifest.functions import ExpressionError, scalar_text

    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        return scalar_text(value)
    except ExpressionError as error:
        raise TemplateProblemError(
            error.summary, "a template that gives a list or a map must be the whole value"
        ) from error
