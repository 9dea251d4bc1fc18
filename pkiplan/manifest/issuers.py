"""Who issues what: the declared issuer of each resource, authorities from the roots down, circles."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingABC

from pkiplan.hints import did_you_mean
from pkiplan.manifest.context import Context
from pkiplan.manifest.declarations import Declaration
from pkiplan.manifest.for_each import Element
from pkiplan.manifest.layers import Layers
from pkiplan.manifest.nodes import Mapping, Node, is_null, is_templated
from pkiplan.manifest.problems import circle_of, shown
from pkiplan.manifest.profiles import Profiles
from pkiplan.manifest.references import address, short_name, split_reference
from pkiplan.manifest.values import kind_of
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.tree import address_of

_CLOSE = re.compile(r"did you mean `(.*)`\?")


class Issuers:
    """Finds the issuer of a resource among the authorities that are made already."""

    def __init__(
        self,
        context: Context,
        declarations: MappingABC[Kind, dict[str, Declaration]],
        profiles: Profiles,
        layers: Layers,
        made: MappingABC[str, Resource],
    ) -> None:
        self._context = context
        self._problems = context.problems
        self._authorities = declarations[Kind.AUTHORITY]
        self._certificates = declarations[Kind.CERTIFICATE]
        self._profiles = profiles
        self._layers = layers
        self._made = made

    def make_authorities(self, make: Callable[[Declaration, Element | None], None]) -> None:
        """Make the authorities, those that issue before those they issue; who waits for ever is in a circle."""
        waiting = {
            address_of(Kind.AUTHORITY, declaration.id, element.key if element else None): (declaration, element)
            for declaration in self._authorities.values()
            for element in declaration.each()
        }
        issuers = {name: self._declared_address(*pair) for name, pair in waiting.items()}
        below: dict[str, list[str]] = {}
        ready: list[str] = []
        for name, issuer in issuers.items():
            if issuer in waiting:
                below.setdefault(issuer, []).append(name)
            else:
                ready.append(name)
        done: set[str] = set()
        while ready:
            name = ready.pop()
            make(*waiting[name])
            done.add(name)
            ready.extend(below.get(name, ()))
        self._report_circles({name: waiting[name] for name in waiting if name not in done}, issuers)

    def issuer(self, declaration: Declaration, element: Element | None) -> tuple[Resource | None, bool]:
        """Return the issuer, and whether all is well with it; what is not is reported."""
        given = self._declared(declaration)
        if given is None or is_null(given[0]):
            if declaration.kind is Kind.AUTHORITY or declaration.is_self_signed:
                return None, True
            hint = "write `issuer: NAME` of an authority, or `self_signed: true`"
            self._problems.error(declaration.mark, "no issuer", code="missing-key", at_key=True, hint=hint)
            return None, False
        node, mark = given
        text = str(node) if node.__class__ is str else self._context.text(node, mark, element)
        if text is None:
            if not is_templated(node):
                summary = f"expected the id of an authority, not {kind_of(node)}"
                self._problems.error(mark, summary, code="wrong-type")
            return None, False
        issuer = self._made.get(address(Kind.AUTHORITY, text) or "")
        if issuer is not None:
            return issuer, True
        parts = split_reference(Kind.AUTHORITY, text)
        declared = self._authorities.get(parts[0]) if parts else None
        if (
            declared is None
            or (declared.elements is not None and declared.is_sound)
            or (parts and parts[1] is not None)
        ):
            self._unknown(text, mark, declared)
        return None, False  # else what is wrong with it is told where it is declared

    def _declared(self, declaration: Declaration) -> tuple[Node, int] | None:
        """Return what a resource, its profile or the defaults say of its issuer."""
        own = declaration.own
        if "issuer" in own:
            return own["issuer"], own.value_mark("issuer")
        if declaration.is_self_signed:
            return None
        profile = own.get("profile")
        found = self._profiles.find(str(profile)) if isinstance(profile, str) else None
        for layer in reversed(found.layers if found else ()):
            if "issuer" in layer:
                return layer["issuer"], layer.value_mark("issuer")
        return self._layers.default_of("issuer", declaration.kind)

    def _declared_address(self, declaration: Declaration, element: Element | None) -> str | None:
        given = self._declared(declaration)
        if given is None or is_null(given[0]):
            return None
        text = self._context.text(given[0], given[1], element)
        return None if text is None else address(Kind.AUTHORITY, text)

    def _report_circles(
        self, waiting: dict[str, tuple[Declaration, Element | None]], issuers: MappingABC[str, str | None]
    ) -> None:
        told: set[str] = set()
        for start in sorted(waiting):
            path: list[str] = []
            current: str | None = start
            while current in waiting and current not in path and current not in told:
                path.append(current)
                current = issuers[current]
            if current in path:
                circle = path[path.index(current) :]
                own, mark = waiting[circle[0]][0].own, waiting[circle[0]][0].mark
                names = circle_of([short_name(name) for name in circle])
                self._problems.error(
                    own.value_mark("issuer") if "issuer" in own else mark,
                    f"issuers go round in a circle: {names}",
                    code="issuer-cycle",
                    hint="one of them must be a root: leave its `issuer` out",
                )
            told.update(path)

    def _unknown(self, text: str, mark: int, declared: Declaration | None) -> None:
        notes = []
        hint = did_you_mean(
            text, self._authorities, otherwise="" if self._authorities else "declare it under `authorities:`"
        )
        close = _CLOSE.fullmatch(hint)
        if declared is not None and declared.elements is not None:
            keys = [element.key for element in declared.elements]
            example = f", such as `{declared.id}[{keys[0]}]`" if keys else ""
            hint = f"`{declared.id}` has `for_each`; write `{declared.id}[KEY]`{example}"
            notes = [self._problems.note(declared.mark, f"`{declared.id}` is declared here")]
        elif close and close[1] in self._authorities:
            notes = [self._problems.note(self._authorities[close[1]].mark, f"`{close[1]}` is declared here")]
        elif text in self._certificates:
            hint = f"`{text}` is a certificate; only authorities issue"
        self._problems.error(mark, f"unknown issuer {shown(text)}", code="unknown-issuer", hint=hint, notes=notes)


def defaults_of(issuer: Resource | None, authorities: MappingABC[str, Declaration]) -> Mapping | None:
    """Return the `defaults` that an authority has for what it issues."""
    return authorities[issuer.id].defaults if issuer is not None else None
