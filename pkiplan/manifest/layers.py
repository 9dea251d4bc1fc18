"""Precedence, low to high: built-in profile, `defaults`, the issuer's `defaults`, profile, resource.

Maps merge by key, `key` only when its `type` stays; lists replace; null unsets; of `days`, `lifetime` and
`not_after` the highest layer's counts. What many resources share is merged and read once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pkiplan.manifest.definitions import EITHER_LIFETIME, SETTINGS, of_kind
from pkiplan.manifest.key_hints import KEY_HINTS
from pkiplan.manifest.keys import ADOPTING, expanded
from pkiplan.manifest.nodes import Mapping, Node, Templated, copied, drop, is_null, node_count
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.profiles import BUILT_IN, ISSUING, ROOT, SERVER, Profile, Profiles
from pkiplan.manifest.tables import unknown_key
from pkiplan.manifest.templates import mentions_each
from pkiplan.manifest.values import INVALID, kind_of
from pkiplan.model.resource import Kind

SECTIONS = {Kind.AUTHORITY: "authorities", Kind.CERTIFICATE: "certificates"}
KIND_SETTINGS = {Kind.AUTHORITY: of_kind("a"), Kind.CERTIFICATE: of_kind("c")}
# At the top of `defaults` these speak of certificates only: no authority shall live as short as a leaf by accident.
_FOR_CERTIFICATES = frozenset({*EITHER_LIFETIME, "not_before", "issuer", "profile"})
# Maps whose entries do not merge.
_WHOLE = frozenset({"passphrase"})


@dataclass(slots=True, eq=False, repr=False)
class Base:
    """What resources of one kind, profile and issuer share: merged nodes, and the values read of them.

    `dynamic` are the settings with templates that speak of `each`; they are read for each element.
    """

    profile: Profile
    family: str
    node: Mapping
    fields: dict[str, Any]
    dynamic: frozenset[str]
    is_sound: bool
    values: int


def overlay(lower: Mapping, upper: Mapping) -> Mapping:
    """Lay a layer of settings over another."""
    merged = copied(lower)
    for name, value, key_mark, value_mark in upper.entries():
        if name in EITHER_LIFETIME and not is_null(value):
            for other in EITHER_LIFETIME:
                if other != name and other in merged and other not in upper:
                    drop(merged, other)
        below = merged.get(name)
        merged.put(name, merged_value(name, below, value, value_mark), key_mark, value_mark)
    return merged


def merged_value(name: str, lower: Node | None, upper: Node, mark: int) -> Node:
    """Merge the values that two layers give one setting."""
    if name == "key":
        upper = expanded(upper, mark)
        lower = expanded(lower, mark) if lower is not None else None
        if isinstance(lower, Mapping) and isinstance(upper, Mapping) and not _is_other_key(lower, upper):
            return _merged_maps(lower, upper)
        return upper
    if isinstance(lower, Mapping) and isinstance(upper, Mapping) and name in SETTINGS and SETTINGS[name].merges:
        if "values" not in lower and "values" not in upper and name != "extensions":
            return _merged_maps(lower, upper)
        if name == "extensions":
            return overlay(lower, upper)
    return upper


def _is_other_key(lower: Mapping, upper: Mapping) -> bool:
    if any(name in upper and not is_null(upper[name]) for name in ADOPTING):
        return True
    kind = upper.get("type")
    return kind is not None and kind != lower.get("type", "ecdsa")


def _merged_maps(lower: Mapping, upper: Mapping) -> Mapping:
    merged = copied(lower)
    for name, value, key_mark, value_mark in upper.entries():
        below = merged.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping) and name not in _WHOLE
        merged.put(name, _merged_maps(below, value) if both else value, key_mark, value_mark)  # type: ignore[arg-type]  # both are maps
    return merged


class Layers:
    """The layers of a site, merged for each kind, profile and issuer once."""

    def __init__(self, defaults: Mapping, profiles: Profiles, problems: Problems) -> None:
        self._defaults = defaults
        self._profiles = profiles
        self._problems = problems
        self._bases: dict[tuple[Kind, str | None, int, bool], Base] = {}

    def base(self, kind: Kind, profile: Profile | None, issuer_defaults: Mapping | None, *, is_root: bool) -> Base:
        """Return what lies beneath a resource's own settings."""
        key = (kind, profile.name if profile else None, id(issuer_defaults), is_root)
        known = self._bases.get(key)
        if known is None:
            known = self._bases[key] = self._make(kind, profile, issuer_defaults, is_root=is_root)
        return known

    def layers(
        self, kind: Kind, profile: Profile | None, issuer_defaults: Mapping | None, *, is_root: bool
    ) -> tuple[str, list[Mapping]]:
        """List the layers beneath a resource, low to high, and the built-in profile they start from."""
        family = (profile.family if profile else None) or default_profile(kind, is_root=is_root)
        layers = [self._profiles.built_in(family)]
        for defaults in (self._defaults, issuer_defaults):
            if defaults is not None:
                layers += self._of_defaults(defaults, kind)
        layers += profile.layers if profile else ()
        return family, layers

    def _make(self, kind: Kind, profile: Profile | None, issuer_defaults: Mapping | None, *, is_root: bool) -> Base:
        family, layers = self.layers(kind, profile, issuer_defaults, is_root=is_root)
        settings = KIND_SETTINGS[kind]
        merged = Mapping(0)
        for layer in layers:
            merged = overlay(merged, layer)
        fields: dict[str, Any] = {}
        dynamic: set[str] = set()
        is_sound = True
        for name, value, _, value_mark in merged.entries():
            if name not in settings:
                continue
            if mentions_each(value):
                dynamic.add(name)
            elif is_null(value):
                fields[name] = None
            else:
                fields[name] = settings[name].type.read(value, value_mark, self._problems)
                is_sound = is_sound and fields[name] is not INVALID
        return Base(
            profile or Profile(family, (), family),
            family,
            merged,
            fields,
            frozenset(dynamic),
            is_sound,
            node_count(merged),
        )

    def _of_defaults(self, defaults: Mapping, kind: Kind) -> list[Mapping]:
        settings = KIND_SETTINGS[kind]
        top = Mapping(defaults.mark)
        for name, value, key_mark, value_mark in defaults.entries():
            if name in settings and (kind is Kind.CERTIFICATE or name not in _FOR_CERTIFICATES):
                top.put(name, value, key_mark, value_mark)
        below = defaults.get(SECTIONS[kind])
        return [top, below] if isinstance(below, Mapping) else [top]

    def default_of(self, name: str, kind: Kind, issuer_defaults: Mapping | None = None) -> tuple[Node, int] | None:
        """Return the `issuer` or `profile` that defaults give resources of a kind, with its mark."""
        for defaults in (issuer_defaults, self._defaults):
            if defaults is None:
                continue
            below = defaults.get(SECTIONS[kind])
            if isinstance(below, Mapping) and name in below:
                return below[name], below.value_mark(name)
            if kind is Kind.CERTIFICATE and name in defaults:
                return defaults[name], defaults.value_mark(name)
        return None

    def check_defaults(self, defaults: Node, mark: int) -> None:
        """Report what `defaults` of a site or an authority cannot say, whether a resource uses it or not."""
        if not isinstance(defaults, Mapping):
            self._problems.error(mark, f"expected a map of settings, not {kind_of(defaults)}", code="wrong-type")
            return
        for name, value, key_mark, value_mark in defaults.entries():
            kind = next((kind for kind, section in SECTIONS.items() if section == name), None)
            if kind is None:
                self.check_setting(
                    name,
                    value,
                    key_mark,
                    value_mark,
                    {**SETTINGS, "issuer": None, "profile": None},
                    [*SECTIONS.values()],
                )
            elif isinstance(value, Mapping):
                known = {**KIND_SETTINGS[kind], "issuer": None, "profile": None}
                for inner, element, inner_mark, element_mark in value.entries():
                    self.check_setting(inner, element, inner_mark, element_mark, known)
            elif not is_null(value):
                self._problems.error(value_mark, f"expected a map of settings, not {kind_of(value)}", code="wrong-type")

    def check_profiles(self, profiles: Mapping) -> None:
        """Report what profiles cannot say, whether a resource uses them or not."""
        for name, settings, _, value_mark in profiles.entries():
            if not isinstance(settings, Mapping):
                if not is_null(settings):
                    self._problems.error(
                        value_mark, f"expected a map of settings, not {kind_of(settings)}", code="wrong-type"
                    )
                continue
            found = self._profiles.find(name)
            kind = BUILT_IN[found.family][0] if found and found.family else None
            known: dict[str, Any] = {**(KIND_SETTINGS[kind] if kind else SETTINGS), "extends": None, "issuer": None}
            for inner, element, inner_mark, element_mark in settings.entries():
                if inner == "extends" and element.__class__ is not str and not is_null(element):
                    self._problems.error(
                        element_mark, f"expected the name of a profile, not {kind_of(element)}", code="wrong-type"
                    )
                self.check_setting(inner, element, inner_mark, element_mark, known)

    def check_setting(
        self,
        name: str,
        value: Node,
        key_mark: int,
        value_mark: int,
        known: dict[str, Any],
        also: list[str] | None = None,
    ) -> None:
        """Report an unknown setting, or a value that it cannot have."""
        if name not in known:
            hint = ""
            if name in SETTINGS:
                hint = f"`{name}` is for {'authorities' if SETTINGS[name].kinds == 'a' else 'certificates'} only"
            unknown_key(name, key_mark, [*known, *(also or [])], self._problems, hint=hint or KEY_HINTS.get(name, ""))
        elif known[name] is None or is_null(value) or isinstance(value, Templated):
            return
        elif name != "key" or not isinstance(value, Mapping):  # half a key may be completed by another layer
            known[name].type.read(value, value_mark, self._problems)


def default_profile(kind: Kind, *, is_root: bool) -> str:
    """Name the built-in profile of a resource that names none."""
    if kind is Kind.CERTIFICATE:
        return SERVER
    return ROOT if is_root else ISSUING


def wrong_profile(profile: Profile, kind: Kind) -> str:
    """Say why a profile does not fit a resource of this kind, or nothing."""
    if profile.family is None or BUILT_IN[profile.family][0] is kind:
        return ""
    fits = "authorities" if kind is Kind.CERTIFICATE else "certificates"
    return f"profile {shown(profile.name)} is for {fits}"
