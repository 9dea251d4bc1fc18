"""Jinja2 expressions that compute values and can do nothing else.

Jinja2's immutable sandbox alone lets `'a'|center(10**8)` and `'%99999999d' % 1` through, so the little that
manifests need is listed here: operators, filters and methods that cannot make much out of little. What is not
listed is an error. Attributes are keys of maps, never attributes of Python objects (CVE-2016-10745,
CVE-2019-10906, CVE-2024-56326, CVE-2025-27516 were ways through those).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pkiplan.manifest.problems import did_you_mean, listed, shown

LONGEST_RESULT = 65_536
LONGEST_EXPRESSION = 4_096
MOST_NODES = 400
DEEPEST = 40
LARGEST_NUMBER_BITS = 256
# Characters that all templates of a run may make together.
WORK_LIMIT = 128 * 1024 * 1024


class ExpressionError(Exception):
    """What is wrong with an expression."""

    def __init__(self, summary: str, hint: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.hint = hint


class Work:
    """How much the expressions of a run have made so far; there is an end to it."""

    def __init__(self) -> None:
        self.done = 0

    def count(self, amount: int) -> None:
        """Add to the work done."""
        self.done += amount
        if self.done > WORK_LIMIT:
            raise ExpressionError("the templates of this manifest make too much text")


def _too_much_text() -> ExpressionError:
    return ExpressionError(f"a template made more than {LONGEST_RESULT // 1024} KiB of text")


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    raise ExpressionError(f"{what} works on text, not on {kind_of(value)}")


def _items(value: Any, what: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        return list(value)
    if isinstance(value, dict):
        return list(value)
    raise ExpressionError(f"{what} works on lists, not on {kind_of(value)}")


NO_VALUE = "something that is no value"


def kind_of(value: object) -> str:
    """Say in words what a value is."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a map"
    return NO_VALUE


def scalar_text(value: object) -> str:
    """Write a value within text, as YAML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return value
    raise ExpressionError(f"{kind_of(value)} cannot be written within text")


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = _text(value, "`replace`"), _text(old, "`replace`"), _text(new, "`replace`")
    if not old:
        raise ExpressionError("`replace` needs something to replace")
    if len(text) + text.count(old) * (len(new) - len(old)) > LONGEST_RESULT:
        raise _too_much_text()
    return text.replace(old, new)


def _join(value: Any, separator: Any = "") -> str:
    parts = [scalar_text(part) for part in _items(value, "`join`")]
    separator = _text(separator, "`join`")
    if sum(map(len, parts)) + len(separator) * max(0, len(parts) - 1) > LONGEST_RESULT:
        raise _too_much_text()
    return str(separator.join(parts))


def _split(value: Any, separator: Any = None, most: Any = -1) -> list[str]:
    if separator is not None and not _text(separator, "`split`"):
        raise ExpressionError("`split` needs a separator that is not empty")
    return _text(value, "`split`").split(separator, most if isinstance(most, int) else -1)


def _first(value: Any) -> Any:
    items = _items(value, "`first`")
    if not items:
        raise ExpressionError("`first` of an empty list")
    return items[0]


def _last(value: Any) -> Any:
    items = _items(value, "`last`")
    if not items:
        raise ExpressionError("`last` of an empty list")
    return items[-1]


def _sort(value: Any) -> list[Any]:
    try:
        return sorted(_items(value, "`sort`"))
    except TypeError as error:
        raise ExpressionError("`sort` cannot compare these values") from error


def _unique(value: Any) -> list[Any]:
    found: list[Any] = []
    seen: set[tuple[type, str]] = set()
    for item in _items(value, "`unique`"):
        key = (type(item), scalar_text(item))
        if key not in seen:
            seen.add(key)
            found.append(item)
    return found


def _int(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    text = value.strip() if isinstance(value, str) else str(value)
    if isinstance(value, float) and value == value and abs(value) < 1e15:  # NaN differs from itself
        return int(value)
    if not text.lstrip("-").isdecimal() or len(text) > 30 or not text.isascii():
        raise ExpressionError(f"`int` cannot read {shown(text)} as a number")
    return int(text)


def _pad(value: Any, width: Any) -> str:
    if not isinstance(width, int) or not 0 <= width <= 64:
        raise ExpressionError("`zfill` takes a width from 0 to 64")
    return scalar_text(value).zfill(width)


def _length(value: Any) -> int:
    if isinstance(value, str | list | tuple | dict):
        return len(value)
    raise ExpressionError(f"`length` works on text, lists and maps, not on {kind_of(value)}")


def _number(value: Any, what: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"{what} works on numbers, not on {kind_of(value)}")


def _extreme(choose: Callable[[list[Any]], Any], name: str) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        items = _items(value, name)
        if not items:
            raise ExpressionError(f"{name} of an empty list")
        try:
            return choose(items)
        except TypeError as error:
            raise ExpressionError(f"{name} cannot compare these values") from error

    return apply


def _default(value: Any, otherwise: Any = "", boolean: Any = False) -> Any:  # noqa: FBT002  # Jinja2's own signature
    if isinstance(value, StrictUndefined) or (boolean and not value):
        return otherwise
    return value


def _on_text(method: Callable[[str], str], name: str) -> Callable[[Any], str]:
    return lambda value: method(_text(value, f"`{name}`"))


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(_number(value, "`abs`")),
    "capitalize": _on_text(str.capitalize, "capitalize"),
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _first,
    "int": _int,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": lambda value: _items(value, "`list`"),
    "lower": _on_text(str.lower, "lower"),
    "max": _extreme(max, "`max`"),
    "min": _extreme(min, "`min`"),
    "replace": _replace,
    "reverse": lambda value: value[::-1] if isinstance(value, str) else _items(value, "`reverse`")[::-1],
    "sort": _sort,
    "split": _split,
    "string": scalar_text,
    "title": _on_text(str.title, "title"),
    "trim": _on_text(str.strip, "trim"),
    "unique": _unique,
    "upper": _on_text(str.upper, "upper"),
    "zfill": _pad,
}


def _affix(name: str, method: Callable[[str, str], Any]) -> Callable[[str, Any], Any]:
    return lambda text, affix: method(text, _text(affix, f"`{name}`"))


def _strip(method: Callable[[str, str | None], str]) -> Callable[..., str]:
    return lambda text, characters=None: method(text, None if characters is None else _text(characters, "`strip`"))


TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "capitalize": str.capitalize,
    "endswith": _affix("endswith", str.endswith),
    "isalnum": str.isalnum,
    "isalpha": str.isalpha,
    "isdigit": str.isdigit,
    "lower": str.lower,
    "lstrip": _strip(str.lstrip),
    "removeprefix": _affix("removeprefix", str.removeprefix),
    "removesuffix": _affix("removesuffix", str.removesuffix),
    "replace": _replace,
    "rstrip": _strip(str.rstrip),
    "split": _split,
    "startswith": _affix("startswith", str.startswith),
    "strip": _strip(str.strip),
    "title": str.title,
    "upper": str.upper,
    "zfill": _pad,
}
MAP_METHODS: dict[str, Callable[..., Any]] = {
    "get": lambda mapping, key, otherwise=None: mapping.get(key, otherwise) if isinstance(key, str) else otherwise,
    "items": lambda mapping: [list(pair) for pair in mapping.items()],
    "keys": list,
    "values": lambda mapping: list(mapping.values()),
}
TESTS = frozenset(
    {
        "defined",
        "undefined",
        "none",
        "string",
        "number",
        "integer",
        "boolean",
        "mapping",
        "sequence",
        "true",
        "false",
        "even",
        "odd",
        "in",
        "==",
        "eq",
        "ne",
        "!=",
        "lt",
        "<",
        "le",
        "<=",
        "gt",
        ">",
        "ge",
        ">=",
        "lower",
        "upper",
    }
)

_ALLOWED = (
    nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List,
    nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.And, nodes.Or,
    nodes.Not, nodes.Compare, nodes.Operand, nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv,
    nodes.Mod, nodes.Neg, nodes.Pos, nodes.Call,
)  # fmt: skip


def _fail(value: StrictUndefined) -> NoReturn:
    """Raise Jinja2's own error for what is undefined; any use of it does."""
    str(value)
    raise AssertionError  # a strict undefined has no text


class _Method:
    """A method of a text or map, bound; the only thing that can be called."""

    __slots__ = ("function", "name", "owner")

    def __init__(self, function: Callable[..., Any], owner: Any, name: str) -> None:
        self.function = function
        self.owner = owner
        self.name = name


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, closed further."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self, work: Work) -> None:
        super().__init__(undefined=StrictUndefined, optimized=False, autoescape=False, cache_size=0)
        self.work = work
        self.globals = {}
        self.filters = {name: self._counted(function) for name, function in FILTERS.items()}
        self.tests = {name: test for name, test in self.tests.items() if name in TESTS}

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*arguments: Any, **named: Any) -> Any:
            try:
                result = function(*arguments, **named)
            except TypeError as error:
                raise ExpressionError("a filter or method got arguments that it does not take") from error
            self.work.count(_size(result))
            return result

        return apply

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look a key of a map up; nothing else has attributes, but text and maps have a few methods."""
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
            if attribute in MAP_METHODS:
                return _Method(MAP_METHODS[attribute], obj, attribute)
        if isinstance(obj, str) and attribute in TEXT_METHODS:
            return _Method(TEXT_METHODS[attribute], obj, attribute)
        if isinstance(obj, StrictUndefined):
            _fail(obj)
        return self._absent(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look a key of a map or an element of a list up."""
        if isinstance(obj, dict):
            if isinstance(argument, str) and argument in obj:
                return obj[argument]
            return self._absent(obj, argument)
        if isinstance(obj, list | tuple | str) and isinstance(argument, int | slice) and not isinstance(argument, bool):
            try:
                return obj[argument]
            except (IndexError, TypeError, ValueError):
                return self._absent(obj, argument)
        if isinstance(obj, StrictUndefined):
            _fail(obj)
        return self._absent(obj, argument)

    def _absent(self, obj: Any, name: Any) -> Any:
        hint = did_you_mean(str(name), [str(key) for key in obj]) if isinstance(obj, dict) else ""
        return self.undefined(f"{kind_of(obj)} has no `{str(name)[:60]}`" + (f"\n{hint}" if hint else ""))

    def call(self, context: Any, obj: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ARG002
        """Call a method from the list."""
        if isinstance(obj, _Method):
            return self._counted(obj.function)(obj.owner, *arguments, **named)
        raise ExpressionError(
            "only the methods of text and maps can be called", f"known: {listed(sorted(TEXT_METHODS))}"
        )

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        """Compute with numbers; only `+` also joins texts and lists."""
        for operand in (left, right):
            if isinstance(operand, StrictUndefined):
                _fail(operand)
        if operator == "+" and type(left) is type(right) and isinstance(left, str | list):
            if isinstance(left, str) and len(left) + len(right) > LONGEST_RESULT:
                raise _too_much_text()
            result: Any = left + right
            self.work.count(_size(result))
            return result
        if operator == "**":
            raise ExpressionError("`**` is not among the operators of a manifest", "write the number")
        for operand in (left, right):
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                hint = "text is joined with `~`" if operator == "+" else ""
                raise ExpressionError(f"`{operator}` works on numbers, not on {kind_of(operand)}", hint)
        result = _compute(operator, left, right)
        if isinstance(result, int) and result.bit_length() > LARGEST_NUMBER_BITS:
            raise ExpressionError("a template made a number that is too large")
        return result

    def call_unop(self, context: Any, operator: str, argument: Any) -> Any:  # noqa: ARG002
        """Give a number a sign."""
        number = _number(argument, f"`{operator}`")
        return -number if operator == "-" else number


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
    if isinstance(value, str):
        if len(value) > LONGEST_RESULT:
            raise _too_much_text()
        return len(value) + 1
    if isinstance(value, list):
        if len(value) > LONGEST_RESULT:
            raise ExpressionError("a template made a list that is too long")
        return len(value) + 1
    return 1


Expression = Callable[[Mapping[str, Any]], Any]


class Expressions:
    """Compiles expressions, each once."""

    def __init__(self) -> None:
        self._work = Work()
        self._environment = _Environment(self._work)

    def compile(self, source: str) -> Expression:
        """Compile one expression into a function of its variables."""
        if len(source) > LONGEST_EXPRESSION:
            raise ExpressionError(f"an expression of more than {LONGEST_EXPRESSION} characters")
        try:
            _check(self._environment.parse("{{" + source + "}}"))
            compiled = self._environment.compile_expression(source, undefined_to_none=False)
        except TemplateSyntaxError as error:
            raise ExpressionError(f"the template is no expression: {error.message}") from error
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            raise ExpressionError("the expression is too complicated") from error

        def evaluate(variables: Mapping[str, Any]) -> Any:
            try:
                result = compiled(**variables)
                if isinstance(result, StrictUndefined):
                    _fail(result)
            except UndefinedError as error:
                raise undefined_variable(error.message or "", variables) from error
            except TemplateError as error:
                raise ExpressionError(f"the template cannot be computed: {error.message}") from error
            except (TypeError, ValueError, RecursionError, ArithmeticError, LookupError, NameError) as error:
                raise ExpressionError(f"the template cannot be computed: {error}") from error
            if kind_of(result) == NO_VALUE and not isinstance(result, _Method):
                raise ExpressionError("the expression gives nothing that a manifest can hold")
            if isinstance(result, _Method):
                raise ExpressionError(f"`{result.name}` is a method", f"write `{result.name}()`")
            self._work.count(_size(result))
            return result

        return evaluate


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


def _check(tree: nodes.Template) -> None:
    """Refuse what is not on the list, before anything is compiled."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or len(tree.body[0].nodes) != 1:
        raise ExpressionError("the template is no expression: one expression goes between `{{` and `}}`")
    count = 0
    waiting: list[tuple[nodes.Node, int]] = [(tree.body[0], 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MOST_NODES or depth > DEEPEST:
            raise ExpressionError("the expression is too complicated")
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
        if (
            isinstance(node, nodes.Const)
            and isinstance(node.value, int)
            and node.value.bit_length() > LARGEST_NUMBER_BITS
        ):
            raise ExpressionError("a number that is too large")
        if isinstance(node, nodes.Const) and isinstance(node.value, float) and not isfinite(node.value):
            raise ExpressionError("a number that is too large")
        if isinstance(node, nodes.Call):
            _check_call(node)
        waiting.extend((child, depth + 1) for child in _children(node))


def _check_call(node: nodes.Call) -> None:
    if not isinstance(node.node, nodes.Getattr):
        name = node.node.name if isinstance(node.node, nodes.Name) else "this"
        raise ExpressionError(
            f"`{name}` is no function of a manifest's expressions", f"filters: {listed(sorted(FILTERS))}"
        )
    if node.node.attr not in TEXT_METHODS and node.node.attr not in MAP_METHODS:
        raise ExpressionError(
            f"unknown method {shown(node.node.attr)}", did_you_mean(node.node.attr, {**TEXT_METHODS, **MAP_METHODS})
        )
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise ExpressionError("`*` and `**` before arguments are no part of a manifest's expressions")


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    return node.iter_child_nodes()
