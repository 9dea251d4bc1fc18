"""The layers of one resource, settled: every setting with one value, read."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingABC
from typing import Any

from pkiplan.hints import did_you_mean
from pkiplan.manifest.context import Context
from pkiplan.manifest.declarations import Declaration, Recipe
from pkiplan.manifest.definitions import EITHER_LIFETIME, OWN
from pkiplan.manifest.for_each import Element
from pkiplan.manifest.issuers import defaults_of
from pkiplan.manifest.keys import ADOPTING
from pkiplan.manifest.layers import KIND_SETTINGS, Layers, merged_value, wrong_profile
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null, is_templated
from pkiplan.manifest.problems import shown
from pkiplan.manifest.profiles import Profile, Profiles
from pkiplan.manifest.settings import Settings
from pkiplan.manifest.templates import mentions_each
from pkiplan.manifest.values import INVALID, kind_of
from pkiplan.model.resource import Kind, Resource

_CLOSE = re.compile(r"did you mean `(.*)`\?")
_KINDS = {kind: {**KIND_SETTINGS[kind], **OWN} for kind in Kind}


class Settler:
    """Settles resources; what is written alike many times is read once."""

    def __init__(
        self, context: Context, authorities: MappingABC[str, Declaration], profiles: Profiles, layers: Layers
    ) -> None:
        self._context = context
        self._problems = context.problems
        self._authorities = authorities
        self._profiles = profiles
        self._layers = layers
        self._keys: dict[tuple[Any, ...], tuple[Node, Any]] = {}

    def settings(self, declaration: Declaration, element: Element | None, issuer: Resource | None) -> Settings:
        """Settle one resource; what could not be read is named in `invalid`, and reported."""
        defaults = defaults_of(issuer, self._authorities)
        given = self._profile_node(declaration, defaults)
        name: str | None = None
        if given is not None:
            name = str(given[0]) if given[0].__class__ is str else self._context.text(*given, element)
            if name is None and not is_templated(given[0]):
                summary = f"expected the name of a profile, not {kind_of(given[0])}"
                self._problems.error(given[1], summary, code="wrong-type")
        key = (name, issuer.id if defaults is not None and issuer is not None else None)
        recipe = declaration.recipes.get(key)
        if recipe is None:
            profile, is_sound = self._profile(name, given[1] if given else declaration.mark, declaration.kind)
            recipe = self._recipe(declaration, profile, defaults, is_root=issuer is None)
            if not is_sound:
                recipe.invalid |= {"profile"}
            declaration.recipes[key] = recipe
        if element is not None and recipe.dynamic:
            return self._of_element(declaration, recipe, element)
        invalid = recipe.invalid.union(recipe.dynamic) if recipe.dynamic else recipe.invalid
        return Settings(declaration.own, recipe.base, recipe.fields, declaration.mark, recipe.rendered, invalid)

    def _profile_node(self, declaration: Declaration, issuer_defaults: Mapping | None) -> tuple[Node, int] | None:
        own = declaration.own
        if "profile" in own and not is_null(own["profile"]):
            return own["profile"], own.value_mark("profile")
        found = self._layers.default_of("profile", declaration.kind, issuer_defaults)
        return None if found is None or is_null(found[0]) else found

    def _profile(self, name: str | None, mark: int, kind: Kind) -> tuple[Profile | None, bool]:
        """Return a profile by name, and whether all is well with it; one that does not fit is left out."""
        if name is None:
            return None, True
        profile = self._profiles.find(name)
        if profile is None:
            if name not in self._profiles.own:
                own = self._profiles.own
                hint = did_you_mean(name, self._profiles.names)
                close = _CLOSE.fullmatch(hint)
                notes = []
                if close and close[1] in own:
                    notes = [self._problems.note(own.key_mark(close[1]), f"`{close[1]}` is declared here")]
                self._problems.error(
                    mark, f"unknown profile {shown(name)}", code="unknown-profile", hint=hint, notes=notes
                )
            return None, False
        why = wrong_profile(profile, kind)
        if why:
            hint = "`root-ca` and `issuing-ca` are for authorities" if kind is Kind.AUTHORITY else ""
            self._problems.error(mark, why, code="profile-kind", hint=hint)
            return None, False
        return profile, True

    def _recipe(
        self, declaration: Declaration, profile: Profile | None, defaults: Mapping | None, *, is_root: bool
    ) -> Recipe:
        base = self._layers.base(declaration.kind, profile, defaults, is_root=is_root)
        own, known, problems = declaration.own, _KINDS[declaration.kind], self._problems
        fields = base.fields.copy()
        rendered: dict[str, Node] = {}
        dynamic = set(base.dynamic)
        index = -1
        for name, value in own.items():
            index += 2
            definition = known.get(name)
            if definition is None:
                continue
            kind = value.__class__
            if name in EITHER_LIFETIME and not is_null(value):
                self._drop_lifetimes(name, own, fields, dynamic)
            if dynamic:
                dynamic.discard(name)
            if kind is Templated or (kind is Sequence and value.templated and mentions_each(value)):  # type: ignore[union-attr]  # narrowed by `kind`
                dynamic.add(name)
            elif kind is Plain and is_null(value):
                fields[name] = None
            elif name == "key":
                fields[name], rendered[name] = self._key(base.node.get("key"), value, own.marks[index])
                if is_templated(rendered[name]):
                    dynamic.add(name)
            elif kind is Mapping:
                value = merged_value(name, base.node.get(name), value, own.marks[index])  # noqa: PLW2901  # it is the value from here on
                rendered[name] = value
                if is_templated(value) and mentions_each(value):
                    dynamic.add(name)
                else:
                    fields[name] = definition.type.read(value, own.marks[index], problems)
            else:
                fields[name] = definition.type.read(value, own.marks[index], problems)
        for name in dynamic:
            fields.pop(name, None)
        if dynamic and declaration.elements is None:
            for name in sorted(dynamic - own.keys()):  # reports that there is no `each` here
                self._context.templates.render(base.node[name], base.node.value_mark(name), self._context.names)
        invalid = [name for name, value in fields.items() if value is INVALID]
        for name in invalid:
            del fields[name]
        return Recipe(base, fields, tuple(sorted(dynamic)), rendered, frozenset(invalid))

    def _drop_lifetimes(self, name: str, own: Mapping, fields: dict[str, Any], dynamic: set[str]) -> None:
        for other in EITHER_LIFETIME:
            if other != name and other not in own:
                fields.pop(other, None)
                dynamic.discard(other)

    def _key(self, lower: Node | None, upper: Node, mark: int) -> tuple[Any, Node]:
        """Merge and read a key; thousands are written alike, and those are read once."""
        remembered: tuple[Any, ...] | None = None
        if isinstance(upper, Mapping):
            if not upper.templated and upper.keys().isdisjoint(ADOPTING):
                entries = tuple(upper.items())
                if all(isinstance(value, str) for _, value in entries):
                    remembered = (id(lower), entries)
        elif not is_templated(upper):
            remembered = (id(lower), str(upper))
        if remembered is not None and remembered in self._keys:
            node, value = self._keys[remembered]
            return value, node
        node = merged_value("key", lower, upper, mark)
        if is_templated(node):
            return None, node
        before = self._problems.errors
        value = _KINDS[Kind.CERTIFICATE]["key"].type.read(node, mark, self._problems)
        if remembered is not None and self._problems.errors == before:
            self._keys[remembered] = (node, value)
        return value, node

    def _of_element(self, declaration: Declaration, recipe: Recipe, element: Element) -> Settings:
        fields = recipe.fields.copy()
        rendered = recipe.rendered.copy()
        names = self._context.names_for(element)
        templates, own, lower_node = self._context.templates, declaration.own, recipe.base.node
        start, before = len(self._problems.found), self._problems.errors
        invalid = recipe.invalid
        for name in recipe.dynamic:
            lower = lower_node.get(name)
            if name in own:
                mark = own.value_mark(name)
                value = templates.render(own[name], mark, names)
                if lower is not None:
                    value = merged_value(name, templates.render(lower, mark, names), value, mark)
            else:
                assert lower is not None
                mark = lower_node.value_mark(name)
                value = templates.render(lower, mark, names)
            rendered[name] = value
            read = None if is_null(value) else _KINDS[declaration.kind][name].type.read(value, mark, self._problems)
            if read is INVALID:
                invalid |= {name}
            else:
                fields[name] = read
        if self._problems.errors > before:
            self._context.name_element(start, element)
        return Settings(own, recipe.base, fields, declaration.mark, rendered, invalid)
