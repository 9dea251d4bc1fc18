"""Values of the model as JSON, for the cache; the shape is checked against their types when they are read back.

A value's JSON is a list of its fields in order; a member of a union is named first. What does not have the shape of its
type is refused as a whole, so that a damaged cache can only cost time.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

Decoder = Callable[[Any], Any]
Encoder = Callable[[Any], Any]


class NotOfThisShapeError(Exception):
    """The JSON is not that of a value of this type."""


def encode(value: object, skip: frozenset[str] = frozenset()) -> list[Any]:
    """Write a dataclass as JSON data; the fields in `skip` are left out."""
    fields_of_value: list[Any] = _encoder(_kind(value), skip)(value)
    return fields_of_value


def decode(kind: type[T], data: object, given: Mapping[str, object]) -> T:
    """Read a dataclass from JSON data; the fields left out when it was written are `given`."""
    shape: Any = kind
    known = _decoder(shape, frozenset(given))(data)
    made: T = shape(**known, **given)
    return made


def _kind(value: object) -> Any:
    return type(value)


@lru_cache(maxsize=256)
def _encoder(kind: Any, skip: frozenset[str] = frozenset()) -> Encoder:
    hints = typing.get_type_hints(kind)
    parts = [(f.name, _encoder_of(hints[f.name])) for f in fields(kind) if f.name not in skip]
    return lambda value: [encode_part(getattr(value, name)) for name, encode_part in parts]


@lru_cache(maxsize=256)
def _encoder_of(hint: Any) -> Encoder:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        members = {_tag(member): member for member in arguments}
        return lambda value: _encode_union(value, members)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            inner = _encoder_of(arguments[0])
            return lambda value: [inner(item) for item in value]
        each = [_encoder_of(argument) for argument in arguments]
        return lambda value: [encode_item(item) for encode_item, item in zip(each, value, strict=True)]
    if hint is bytes:
        return bytes.hex
    if hint is datetime:
        return datetime.isoformat
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda value: value.value
    shape: Any = hint
    if is_dataclass(hint):
        return _encoder(shape)
    return lambda value: value


def _encode_union(value: Any, members: Mapping[str, Any]) -> Any:
    tag = _tag(type(value))
    # Asked for when it is met: most of the members, kinds of extensions, occur in no certificate of a site.
    return [tag, _encoder_of(members[tag])(value)]


def _tag(kind: Any) -> str:
    return "none" if kind is type(None) else kind.__name__


@lru_cache(maxsize=256)
def _decoder(kind: Any, skip: frozenset[str]) -> Callable[[object], dict[str, Any]]:
    hints = typing.get_type_hints(kind)
    parts = [(f.name, _decoder_of(hints[f.name])) for f in fields(kind) if f.name not in skip]

    def decode_fields(data: object) -> dict[str, Any]:
        if not isinstance(data, list) or len(data) != len(parts):
            raise NotOfThisShapeError
        return {name: decode_part(item) for (name, decode_part), item in zip(parts, data, strict=True)}

    return decode_fields


@lru_cache(maxsize=256)
def _decoder_of(hint: Any) -> Decoder:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_decoder({_tag(member): member for member in arguments})
    if origin is tuple:
        return _tuple_decoder(arguments)
    if hint is type(None):
        return _exactly(type(None))
    if hint is bytes:
        return _from_text(bytes.fromhex)
    if hint is datetime:
        return _from_text(_aware)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _from_text(hint)
    if is_dataclass(hint):
        return _dataclass_decoder(hint)
    if hint in (str, int, bool):
        return _exactly(hint)
    raise TypeError(f"no shape for {hint}")


def _dataclass_decoder(kind: Any) -> Decoder:
    decode_fields = _decoder(kind, frozenset())
    return lambda data: kind(**decode_fields(data))


def _exactly(kind: type) -> Decoder:
    def check(data: Any) -> Any:
        # `type`, because a bool is an int for isinstance.
        if type(data) is not kind:
            raise NotOfThisShapeError
        return data

    return check


def _from_text(read: Callable[[str], Any]) -> Decoder:
    def convert(data: Any) -> Any:
        if type(data) is not str:
            raise NotOfThisShapeError
        try:
            return read(data)
        except ValueError:
            raise NotOfThisShapeError from None

    return convert


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _union_decoder(members: Mapping[str, Any]) -> Decoder:
    def choose(data: Any) -> Any:
        if not isinstance(data, list) or len(data) != 2 or type(data[0]) is not str or data[0] not in members:
            raise NotOfThisShapeError
        return _decoder_of(members[data[0]])(data[1])

    return choose


def _tuple_decoder(arguments: tuple[Any, ...]) -> Decoder:
    if arguments[-1] is Ellipsis:
        inner = _decoder_of(arguments[0])

        def decode_all(data: Any) -> Any:
            if not isinstance(data, list):
                raise NotOfThisShapeError
            return tuple(inner(item) for item in data)

        return decode_all
    each = [_decoder_of(argument) for argument in arguments]

    def decode_each(data: Any) -> Any:
        if not isinstance(data, list) or len(data) != len(each):
            raise NotOfThisShapeError
        return tuple(decode_item(item) for decode_item, item in zip(each, data, strict=True))

    return decode_each
