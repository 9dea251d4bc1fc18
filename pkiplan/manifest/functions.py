"""What an expression of a manifest can call: filters, methods and tests that cannot make much out of little."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

from jinja2 import StrictUndefined

from pkiplan.manifest.nodes import native_size
from pkiplan.manifest.problems import shown
from pkiplan.manifest.work import CHARACTERS

LONGEST_RESULT = 65_536
LONGEST_LIST = 65_536


class ExpressionError(Exception):
    """What is wrong with an expression."""

    def __init__(self, summary: str, hint: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.hint = hint


class Method:
    """A method of a text or map, bound; the only thing that can be called."""

    __slots__ = ("function", "name", "owner")

    def __init__(self, function: Callable[..., Any], owner: Any, name: str) -> None:
        self.function = function
        self.owner = owner
        self.name = name


def fail(value: StrictUndefined) -> NoReturn:
    """Raise Jinja2's own error for what is undefined; any use of it does."""
    str(value)
    raise AssertionError  # a strict undefined has no text


def too_much_text() -> ExpressionError:
    """Say that a template made too much."""
    return ExpressionError(f"a template made more than {LONGEST_RESULT // 1024} KiB of text")


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, StrictUndefined):
        fail(value)
    raise ExpressionError(f"{what} works on text, not on {kind_of(value)}")


def _items(value: Any, what: str) -> list[Any]:
    if isinstance(value, list | tuple | str | dict):
        return list(value)
    if isinstance(value, StrictUndefined):
        fail(value)
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
        case Method():
            return "a method"
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
        case StrictUndefined():
            fail(value)
    raise ExpressionError(f"{kind_of(value)} cannot be written within text")


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = _text(value, "`replace`"), _text(old, "`replace`"), _text(new, "`replace`")
    if not old:
        raise ExpressionError("`replace` needs something to replace")
    if len(text) + text.count(old) * (len(new) - len(old)) > LONGEST_RESULT:
        raise too_much_text()
    return text.replace(old, new)


def _join(value: Any, separator: Any = "") -> str:
    parts = [scalar_text(part) for part in _items(value, "`join`")]
    separator = _text(separator, "`join`")
    if sum(map(len, parts)) + len(separator) * max(0, len(parts) - 1) > LONGEST_RESULT:
        raise too_much_text()
    return str(separator.join(parts))


def _split(value: Any, separator: Any = None, most: Any = -1) -> list[str]:
    if separator is not None and not _text(separator, "`split`"):
        raise ExpressionError("`split` needs a separator that is not empty")
    if isinstance(most, bool) or not isinstance(most, int) or not -1 <= most <= LONGEST_LIST:
        raise ExpressionError(f"`split` takes a number of splits from 0 to {LONGEST_LIST:,}")
    return _text(value, "`split`").split(separator, most)


def _end(name: str, index: int) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        items = value if isinstance(value, list | tuple | str) else _items(value, name)
        if not items:
            raise ExpressionError(f"{name} of an empty list")
        return items[index]

    return apply


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


def number(value: Any, what: str) -> Any:
    """Return a value that must be a number."""
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
    "abs": lambda value: abs(number(value, "`abs`")),
    "capitalize": _on_text(str.capitalize, "capitalize"),
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _end("`first`", 0),
    "int": _int,
    "join": _join,
    "last": _end("`last`", -1),
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
    "trim": lambda value, characters=None: _strip(str.strip)(_text(value, "`trim`"), characters),
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


def _find_cost(text: str, wanted: object) -> int:
    """Say how long looking for a text in another may take (Python looks for short ones in O(n × m))."""
    return len(text) * min(len(wanted), 100) // 128 if isinstance(wanted, str) else 0


def cost(name: str, value: Any, arguments: tuple[Any, ...]) -> int:
    """Say what a filter or method costs beyond itself, by what it is given; in units of `work`."""
    match name:
        case "first" | "last" | "length" | "count" | "default" | "d" | "get" | "int" | "abs":
            return 0
        case "replace" | "split" | "startswith" | "endswith" if isinstance(value, str):
            return len(value) // 8 + (_find_cost(value, arguments[0]) if arguments else 0)
        case "sort" | "unique" | "max" | "min":
            return 5 * (native_size(value)[0] if isinstance(value, list) else _length(value))
    if isinstance(value, str):
        return len(value) if name in ("list", "join") else len(value) // 8
    return len(value) if isinstance(value, list | tuple | dict) else 0


def comparison_cost(operator: str, left: Any, right: Any) -> int:
    """Say what a comparison may cost."""
    if operator in ("in", "notin"):
        if isinstance(right, str):
            return len(right) // 64 + _find_cost(right, left)
        if isinstance(right, list | tuple):
            return 3 * native_size(right)[0] if isinstance(left, list | dict) else len(right) // 4
        return 0
    if isinstance(left, str):
        return len(left) // CHARACTERS
    return 3 * native_size(left)[0] if isinstance(left, list | dict | tuple) else 0


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}
_SIGNS = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "notin": "not in"}


def compare(name: str, left: Any, right: Any) -> bool:
    """Compare two values; `name` is Jinja2's name of the operator."""
    for operand in (left, right):
        if isinstance(operand, StrictUndefined):
            fail(operand)
    if name in ("in", "notin") and isinstance(right, dict) and not isinstance(left, str | int | float):
        return name == "notin"
    try:
        return bool(_COMPARISONS[name](left, right))
    except TypeError as error:
        if name in ("in", "notin"):
            raise ExpressionError(f"`in` looks into text, lists and maps, not into {kind_of(right)}") from error
        sign = _SIGNS.get(name, name)
        raise ExpressionError(f"`{sign}` cannot compare {kind_of(left)} with {kind_of(right)}") from error


def concatenated(*parts: Any) -> str:
    """Join texts as `~` does; numbers and booleans are written as YAML writes them."""
    texts = [scalar_text(part) for part in parts]
    if sum(map(len, texts)) > LONGEST_RESULT:
        raise too_much_text()
    return "".join(texts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _test(name: str) -> Callable[[Any, Any], bool]:
    return lambda left, right: compare(name, left, right)


TESTS: dict[str, Callable[..., bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: not isinstance(value, StrictUndefined),
    "even": lambda value: number(value, "`even`") % 2 == 0,
    "false": lambda value: value is False,
    "in": _test("in"),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "lower": lambda value: _text(value, "`lower`").islower(),
    "mapping": lambda value: isinstance(value, dict),
    "none": lambda value: value is None,
    "number": _is_number,
    "odd": lambda value: number(value, "`odd`") % 2 == 1,
    "sequence": lambda value: isinstance(value, str | list | tuple | dict),
    "string": lambda value: isinstance(value, str),
    "true": lambda value: value is True,
    "undefined": lambda value: isinstance(value, StrictUndefined),
    "upper": lambda value: _text(value, "`upper`").isupper(),
    **dict.fromkeys(("==", "eq"), _test("eq")),
    **dict.fromkeys(("!=", "ne"), _test("ne")),
    **dict.fromkeys(("<", "lt"), _test("lt")),
    **dict.fromkeys(("<=", "le"), _test("lteq")),
    **dict.fromkeys((">", "gt"), _test("gt")),
    **dict.fromkeys((">=", "ge"), _test("gteq")),
}
