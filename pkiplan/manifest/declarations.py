"""The entries of `authorities:` and `certificates:`; with `for_each` one stands for several resources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pkiplan.manifest.context import Context
from pkiplan.manifest.definitions import OWN
from pkiplan.manifest.for_each import Element, ForEach
from pkiplan.manifest.key_hints import KEY_HINTS
from pkiplan.manifest.layers import KIND_SETTINGS, SECTIONS, Base, Layers
from pkiplan.manifest.nodes import Mapping, Node, Templated, is_null, node_count
from pkiplan.manifest.problems import shown
from pkiplan.manifest.references import ID
from pkiplan.manifest.tables import unknown_key
from pkiplan.manifest.templates import mentions_each
from pkiplan.manifest.values import Boolean, kind_of
from pkiplan.model.resource import Kind

_OWN_KEYS = {
    Kind.AUTHORITY: frozenset({"issuer", "profile", "for_each", "defaults", *OWN}),
    Kind.CERTIFICATE: frozenset({"issuer", "profile", "for_each", "self_signed", *OWN}),
}
_KNOWN = {kind: frozenset({*KIND_SETTINGS[kind], *_OWN_KEYS[kind]}) for kind in Kind}
_SPECIAL = frozenset({"for_each", "self_signed", "defaults"})


@dataclass(slots=True, eq=False, repr=False)
class Recipe:
    """How the resources of a declaration with one issuer and profile are made.

    `fields` are the same for all elements, `dynamic` are read for each; `rendered` holds merged nodes, `invalid`
    names what could not be read.
    """

    base: Base
    fields: dict[str, Any]
    dynamic: tuple[str, ...]
    rendered: dict[str, Node]
    invalid: frozenset[str]


@dataclass(slots=True, eq=False, repr=False)
class Declaration:
    """One entry. `elements` is None without `for_each`; `recipes` are by profile and issuer with defaults."""

    kind: Kind
    id: str
    own: Mapping
    mark: int
    elements: list[Element] | None = None
    is_self_signed: bool = False
    is_sound: bool = True
    defaults: Mapping | None = None
    recipes: dict[tuple[str | None, str | None], Recipe] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """Count the values that every element has in common."""
        return sum(node_count(value) for name, value in self.own.items() if name != "for_each")

    def each(self) -> Iterator[Element | None]:
        """Walk over the elements; a declaration without `for_each` is one resource."""
        return iter(self.elements) if self.elements is not None else iter((None,))


class DeclarationReader:
    """Reads the sections of a manifest."""

    def __init__(self, context: Context, for_each: ForEach, layers: Layers) -> None:
        self._context = context
        self._problems = context.problems
        self._for_each = for_each
        self._layers = layers

    def read(self, kind: Kind, section: Mapping) -> dict[str, Declaration]:
        """Read a section: ids, unknown keys, and what decides how many resources there are."""
        found: dict[str, Declaration] = {}
        folded: dict[str, str] = {}
        known = _KNOWN[kind]
        for key, value, key_mark, value_mark in section.entries():
            name = self._id(key, key_mark, folded, found)
            if name is None:
                continue
            if value.__class__ is not Mapping:
                sound = is_null(value)
                if not sound:
                    summary = f"expected a map of settings, not {kind_of(value)}"
                    self._problems.error(value_mark, summary, code="wrong-type")
                found[name] = Declaration(kind, name, Mapping(value_mark), key_mark, is_sound=sound)
                continue
            assert isinstance(value, Mapping)
            declaration = found[name] = Declaration(kind, name, value, key_mark)
            if not value.keys() <= known:
                self._unknown_keys(declaration)
            if value.templated or not _SPECIAL.isdisjoint(value):
                self._read_special(declaration)
        return found

    def _id(self, key: str, mark: int, folded: dict[str, str], found: dict[str, Declaration]) -> str | None:
        name: str | None = key
        if type(key) is Templated:
            name = self._context.templates.render_key(key, mark, self._context.names)
        if name is None:
            return None
        if not ID.fullmatch(name):
            hint = "at most 64 letters, digits, dots, underscores and hyphens, a letter or digit first"
            self._problems.error(mark, f"{shown(name)} is no id", code="id", at_key=True, hint=hint)
            return None
        other = folded.setdefault(name.casefold(), name)
        if other != name or name in found:
            is_same = other == name
            self._problems.error(
                mark,
                f"`{name}` is defined twice" if is_same else f"`{name}` and `{other}` differ in case only",
                code="duplicate-key" if is_same else "same-but-case",
                at_key=True,
                notes=[self._problems.note(found[other].mark, "first defined here")] if other in found else [],
            )
            return None
        return name

    def _unknown_keys(self, declaration: Declaration) -> None:
        kind = declaration.kind
        other = Kind.CERTIFICATE if kind is Kind.AUTHORITY else Kind.AUTHORITY
        for key in declaration.own:
            if key in _KNOWN[kind] or type(key) is Templated:
                continue
            hint = KEY_HINTS.get(key, "")
            if key in _KNOWN[other]:
                hint = f"`{key}` is for {SECTIONS[other]} only"
            if key == "extends":
                hint = "a resource names its profile: `profile: …`"
            unknown_key(key, declaration.own.key_mark(key), sorted(_KNOWN[kind]), self._problems, hint=hint)

    def _read_special(self, declaration: Declaration) -> None:
        if declaration.own.templated:
            declaration.own = self._context.render_static(declaration.own)
        own = declaration.own
        if "for_each" in own and not is_null(own["for_each"]):
            declaration.elements = self._for_each.elements(own["for_each"], own.value_mark("for_each"))
            if declaration.elements is None:
                declaration.elements = []
                declaration.is_sound = False
        elif mentions_each(own):
            declaration.is_sound = False
            for value, mark in zip(own.values(), own.marks[1::2], strict=True):
                if mentions_each(value):  # reports that there is no such thing here
                    self._context.templates.render(value, mark, self._context.names)
        if "self_signed" in own and not is_null(own["self_signed"]):
            self._read_self_signed(declaration)
        if "defaults" in own and not is_null(own["defaults"]) and declaration.kind is Kind.AUTHORITY:
            defaults = own["defaults"]
            self._layers.check_defaults(defaults, own.value_mark("defaults"))
            declaration.defaults = defaults if isinstance(defaults, Mapping) else None

    def _read_self_signed(self, declaration: Declaration) -> None:
        own = declaration.own
        read = Boolean().read(own["self_signed"], own.value_mark("self_signed"), self._problems)
        declaration.is_self_signed = read is True
        if read is True and "issuer" in own and not is_null(own["issuer"]):
            self._problems.error(
                own.value_mark("issuer"),
                "`self_signed: true` excludes an issuer",
                code="conflict",
                hint="leave one of them out",
            )
