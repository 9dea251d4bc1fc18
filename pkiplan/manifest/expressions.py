"""Jinja2 expressions that compute values and can do nothing else.

Jinja2's immutable sandbox alone lets `'a'|center(10**8)` and `'%99999999d' % 1` through (and `'%99999999d' is even`),
so the little that manifests need is listed, here and in `functions.py`: operators, filters, methods and tests that
cannot make much out of little. What is not listed is an error, and what is done is counted. Attributes are keys of
maps, never attributes of Python objects (CVE-2016-10745, CVE-2019-10906, CVE-2024-56326, CVE-2025-27516 were ways
through those).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pkiplan.hints import did_you_mean, listed
from pkiplan.manifest.functions import (
    FILTERS,
    LONGEST_LIST,
    LONGEST_RESULT,
    MAP_METHODS,
    NO_VALUE,
    TESTS,
    TEXT_METHODS,
    ExpressionError,
    Method,
    compare,
    comparison_cost,
    concatenated,
    cost,
    fail,
    kind_of,
    number,
    too_much_text,
)
from pkiplan.manifest.problems import shown
from pkiplan.manifest.work import CHARACTERS, OPERATION, TEMPLATE, Work

LONGEST_EXPRESSION = 4_096
MOST_NODES = 400
DEEPEST = 40
LARGEST_NUMBER_BITS = 256
_PART = 5  # units of work for each node of an expression
# Names that no manifest can write, for what Jinja2 would otherwise do itself, and uncounted.
_COMPARE = "(compare)"
_CONCAT = "(concat)"
_SLICE = "(slice)"

_ALLOWED = (
    nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List,
    nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.And, nodes.Or,
    nodes.Not, nodes.Compare, nodes.Operand, nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv,
    nodes.Mod, nodes.Neg, nodes.Pos, nodes.Call,
)  # fmt: skip


class _Absent(StrictUndefined):
    """What a value has not; the hint is looked for only when somebody must be told."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        owner: object = self._undefined_obj
        name: object = self._undefined_name
        if not isinstance(name, str | int | float):
            return f"{kind_of(owner)} has no such key: the key of a map is text, not {kind_of(name)}"
        summary = f"{kind_of(owner)} has no {shown(str(name))}"
        if not isinstance(owner, dict):
            return summary
        if not isinstance(name, str) and str(name) in owner:
            return f"{summary}\nkeys are text: write `['{name}']`"
        return f"{summary}\n{did_you_mean(str(name), [str(key) for key in owner])}"


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, closed further."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self, work: Work) -> None:
        super().__init__(undefined=StrictUndefined, optimized=False, autoescape=False, cache_size=0)
        self.work = work
        self.globals = {}
        self.filters = {name: self._counted(name, function) for name, function in FILTERS.items()}
        self.filters[_COMPARE] = self._compare
        self.filters[_SLICE] = self._slice
        self.filters[_CONCAT] = self._counted(_CONCAT, concatenated)
        self.tests = {name: self._counted_test(test) for name, test in TESTS.items()}

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*arguments: Any, **named: Any) -> Any:
            if name not in ("default", "d"):
                _check_defined(*arguments, *named.values())
            self.work.count(OPERATION + cost(name, arguments[0], (*arguments[1:], *named.values())))
            try:
                result = function(*arguments, **named)
            except TypeError as error:
                raise ExpressionError(f"`{name}` got arguments that it does not take") from error
            self.work.count(_size(result))
            return result

        return apply

    def _counted_test(self, test: Callable[..., bool]) -> Callable[..., bool]:
        def apply(value: Any, *arguments: Any) -> bool:
            self.work.count(OPERATION + sum(comparison_cost("in", value, argument) for argument in arguments))
            self.work.count(sum(comparison_cost("eq", value, argument) for argument in arguments))
            try:
                return test(value, *arguments)
            except TypeError as error:
                raise ExpressionError("a test got arguments that it does not take") from error

        return apply

    def _compare(self, left: Any, *rest: Any) -> bool:
        """Compare a chain of values: `a < b <= c`."""
        for name, right in zip(rest[::2], rest[1::2], strict=True):
            self.work.count(OPERATION + comparison_cost(name, left, right))
            if not compare(name, left, right):
                return False
            left = right
        return True

    def _slice(self, value: Any, *ends: Any) -> Any:
        """Cut a piece out of a text or list; Jinja2 does it past `getitem`."""
        _check_defined(value, *ends)
        if not isinstance(value, str | list | tuple):
            raise ExpressionError(f"a slice is taken of text and lists, not of {kind_of(value)}")
        if ends[2] == 0 or not all(end is None or type(end) is int for end in ends):
            raise ExpressionError("a slice takes whole numbers, and no step of 0")
        result = value[slice(*ends)]
        self.work.count(OPERATION + len(result) // 8)
        return result

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look a key of a map up; nothing else has attributes, but text and maps have a few methods."""
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
            if attribute in MAP_METHODS:
                return Method(MAP_METHODS[attribute], obj, attribute)
        if isinstance(obj, str) and attribute in TEXT_METHODS:
            return Method(TEXT_METHODS[attribute], obj, attribute)
        if isinstance(obj, StrictUndefined):
            fail(obj)
        return _Absent(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look a key of a map or an element of a list up."""
        _check_defined(obj, argument)
        if isinstance(obj, dict) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        if isinstance(obj, list | tuple | str) and isinstance(argument, int) and not isinstance(argument, bool):
            try:
                return obj[argument]
            except IndexError:
                return _Absent(obj=obj, name=cast("Any", argument))
        return _Absent(obj=obj, name=argument)

    def call(self, context: Any, obj: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ARG002
        """Call a method from the list."""
        if isinstance(obj, Method):
            return self._counted(obj.name, obj.function)(obj.owner, *arguments, **named)
        if isinstance(obj, StrictUndefined):
            fail(obj)
        raise ExpressionError(
            "only the methods of text and maps can be called", f"known: {listed(sorted(TEXT_METHODS))}"
        )

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        """Compute with numbers; only `+` also joins texts and lists."""
        self.work.count(OPERATION)
        _check_defined(left, right)
        if operator == "+" and type(left) is type(right) and isinstance(left, str | list):
            if isinstance(left, str) and len(left) + len(right) > LONGEST_RESULT:
                raise too_much_text()
            result: Any = left + right
            self.work.count(_size(result))
            return result
        for operand in (left, right):
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                hint = (
                    "`+` takes two numbers, two texts or two lists; text is joined with `~`" if operator == "+" else ""
                )
                raise ExpressionError(f"`{operator}` works on numbers, not on {kind_of(operand)}", hint)
        result = _compute(operator, left, right)
        if (isinstance(result, float) and not isfinite(result)) or (
            isinstance(result, int) and result.bit_length() > LARGEST_NUMBER_BITS
        ):
            raise ExpressionError("a template made a number that is too large")
        return result

    def call_unop(self, context: Any, operator: str, argument: Any) -> Any:  # noqa: ARG002
        """Give a number a sign."""
        _check_defined(argument)
        value = number(argument, f"`{operator}`")
        return -value if operator == "-" else value


def _check_defined(*values: Any) -> None:
    for value in values:
        if isinstance(value, StrictUndefined):
            fail(value)


def _compute(operator: str, left: Any, right: Any) -> Any:
    try:
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case "//":
                return left // right
        return left % right
    except ZeroDivisionError as error:
        raise ExpressionError("a division by zero") from error
    except OverflowError as error:
        raise ExpressionError("a template made a number that is too large") from error


def _size(value: Any) -> int:
    """Say what making a value costs; one that is too large is an error."""
    if isinstance(value, str):
        if len(value) > LONGEST_RESULT:
            raise too_much_text()
        return len(value) // CHARACTERS
    if isinstance(value, list):
        if len(value) > LONGEST_LIST:
            raise ExpressionError(f"a template made a list of more than {LONGEST_LIST:,} elements")
        return len(value)
    return 0


Expression = Callable[[Mapping[str, Any]], Any]


class Expressions:
    """Compiles expressions, each once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._environment = _Environment(work)

    def compile(self, source: str) -> Expression:
        """Compile one expression into a function of its variables."""
        if len(source) > LONGEST_EXPRESSION:
            raise ExpressionError(f"an expression of more than {LONGEST_EXPRESSION} characters")
        try:
            names, size = _check(self._environment.parse("{{" + source + "}}"))
            compiled = self._compiled(source)
        except TemplateSyntaxError as error:
            raise ExpressionError(f"the template is no expression: {_in_our_words(error.message or '')}") from error
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            raise ExpressionError("the expression is too complicated") from error

        def evaluate(variables: Mapping[str, Any]) -> Any:
            self._work.count(TEMPLATE + size * _PART)
            try:
                result = compiled(**{name: variables[name] for name in names if name in variables})
                if isinstance(result, StrictUndefined):
                    fail(result)
            except UndefinedError as error:
                raise undefined_variable(error.message or "", variables) from error
            except TemplateError as error:
                raise ExpressionError(f"the template cannot be computed: {error.message}") from error
            except (TypeError, ValueError, RecursionError, ArithmeticError, LookupError, NameError) as error:
                raise ExpressionError(f"the template cannot be computed: {error}") from error
            if isinstance(result, Method):
                raise ExpressionError(f"`{result.name}` is a method", f"write `{result.name}()`")
            if kind_of(result) == NO_VALUE:
                raise ExpressionError("the expression gives nothing that a manifest can hold")
            self._work.count(_size(result))
            return result

        return evaluate

    def _compiled(self, source: str) -> TemplateExpression:
        """Do as `Environment.compile_expression` does, with comparisons, `~` and slices made calls that are counted."""
        expression = Parser(self._environment, source, state="variable").parse_expression()
        expression.set_environment(self._environment)
        body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), _rewritten(expression), lineno=1)]
        template = self._environment.from_string(nodes.Template(body, lineno=1))
        return TemplateExpression(template, False)


def _rewritten(node: nodes.Node) -> nodes.Node:
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, field, _rewritten(value))
        elif isinstance(value, list):
            setattr(node, field, [_rewritten(item) if isinstance(item, nodes.Node) else item for item in value])
    if isinstance(node, nodes.Compare):
        rest = [part for operand in node.ops for part in (nodes.Const(operand.op), operand.expr)]
        return _call(_COMPARE, node.expr, rest, node)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        ends = [end or nodes.Const(None) for end in (node.arg.start, node.arg.stop, node.arg.step)]
        return _call(_SLICE, node.node, ends, node)
    if isinstance(node, nodes.Concat):
        return _call(_CONCAT, node.nodes[0], node.nodes[1:], node)
    return node


def _call(name: str, first: nodes.Node, rest: list[Any], place: nodes.Node) -> nodes.Filter:
    return nodes.Filter(first, name, rest, [], None, None, lineno=place.lineno, environment=place.environment)


def _in_our_words(message: str) -> str:
    """Say in words that fit a manifest what Jinja2 says of templates."""
    for theirs in ("'end of print statement'", "'end of template'", "end of print statement"):
        message = message.replace(theirs, "`}}`")
    return message


def undefined_variable(message: str, variables: Mapping[str, Any]) -> ExpressionError:
    """Tell of a name that nothing stands for."""
    summary, _, hint = message.partition("\n")
    if summary.startswith("'") and summary.endswith("' is undefined"):
        name = summary[1:].removesuffix("' is undefined")
        return undefined_name(name, variables)
    return ExpressionError(f"undefined in a template: {summary}", hint)


def undefined_name(name: str, variables: Mapping[str, Any]) -> ExpressionError:
    """Tell of a variable that does not exist, with the nearest one that does."""
    if name == "each":
        return ExpressionError(
            "`each` exists only beneath a resource with `for_each`", "add `for_each:`, or write the value"
        )
    known = [*variables, *(variables.get("vars") or {})]
    return ExpressionError(
        f"undefined variable {shown(name)}",
        did_you_mean(name, known, otherwise=f"define it under `vars:`, or with `-e {name}=…`"),
    )


def _check(tree: nodes.Template) -> tuple[tuple[str, ...], int]:
    """Refuse what is not on the list, before anything is compiled; return the names it mentions, and its size."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or len(tree.body[0].nodes) != 1:
        raise ExpressionError("the template is no expression: one expression goes between `{{` and `}}`")
    names: set[str] = set()
    count = 0
    waiting: list[tuple[nodes.Node, int]] = [(tree.body[0], 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MOST_NODES or depth > DEEPEST:
            raise ExpressionError("the expression is too complicated")
        _check_node(node)
        if isinstance(node, nodes.Name):
            names.add(node.name)
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())
    return tuple(sorted(names)), count


def _check_node(node: nodes.Node) -> None:
    if isinstance(node, nodes.Pow):
        raise ExpressionError("`**` is not among the operators of a manifest", "write the number")
    if not isinstance(node, _ALLOWED):
        raise ExpressionError(f"`{type(node).__name__}` is no part of a manifest's expressions")
    if isinstance(node, nodes.Name) and node.name == "self":  # Jinja2's word for the template
        raise undefined_name("self", {})
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise ExpressionError(f"unknown filter {shown(node.name)}", did_you_mean(node.name, FILTERS))
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise ExpressionError(f"unknown test {shown(node.name)}", did_you_mean(node.name, TESTS))
    if isinstance(node, nodes.Const):
        value = node.value
        if (isinstance(value, int) and value.bit_length() > LARGEST_NUMBER_BITS) or (
            isinstance(value, float) and not isfinite(value)
        ):
            raise ExpressionError("a number that is too large")
    if isinstance(node, nodes.Call):
        _check_call(node)


# What templates elsewhere have a function for, and a manifest has another word.
_FUNCTIONS_ELSEWHERE = {"range": "for elements with numbers write `for_each: {range: [1, N]}`"}


def _check_call(node: nodes.Call) -> None:
    if not isinstance(node.node, nodes.Getattr):
        name = node.node.name if isinstance(node.node, nodes.Name) else "this"
        hint = _FUNCTIONS_ELSEWHERE.get(name) or f"filters: {listed(sorted(FILTERS))}"
        raise ExpressionError(f"`{name}` is no function of a manifest's expressions", hint)
    if node.node.attr not in TEXT_METHODS and node.node.attr not in MAP_METHODS:
        raise ExpressionError(
            f"unknown method {shown(node.node.attr)}", did_you_mean(node.node.attr, {**TEXT_METHODS, **MAP_METHODS})
        )
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise ExpressionError("`*` and `**` before arguments are no part of a manifest's expressions")
