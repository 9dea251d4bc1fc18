"""Addresses and globs as given on the command line (`--target`, `--replace`, `--allow`), matched to what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pkiplan.errors import PkiplanError
from pkiplan.hints import nearest
from pkiplan.model.resource import Kind
from pkiplan.plan.descriptions import several

KIND_PREFIXES = tuple(f"{kind.value}." for kind in Kind)


class Addresses:
    """Everything that can be named: what is declared, and what was a resource once."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._by_form = {_plain(address): address for address in addresses}

    def find(self, option: str, pattern: str, *, globs: bool = True) -> tuple[str, ...]:
        """List what a pattern means, in order; raise `PkiplanError` when it means nothing, or is not unique.

        An address may be written `certificate.node["a1"]` or `certificate.node[a1]`; without its element it means all
        of them, and a plain id does when only one kind has it. `*` and `?` are globs.
        """
        wanted = _plain(pattern)
        if wanted in self._by_form:
            return (self._by_form[wanted],)
        forms = self._matching(wanted, globs=globs)
        if not forms:
            raise self._unknown(option, pattern)
        kinds = {form.partition(".")[0] for form in forms}
        if len(kinds) > 1 and not _is_glob(wanted):
            raise PkiplanError.of(
                f"{option} {pattern} is not unique: {several(forms)}",
                hint="say which one: " + " or ".join(f"{kind}.{pattern}" for kind in sorted(kinds)),
                code="ambiguous-address",
            )
        return tuple(self._by_form[form] for form in forms)

    def _matching(self, wanted: str, *, globs: bool) -> list[str]:
        if globs and _is_glob(wanted):
            expression = re.compile("".join(_GLOBS.get(char, re.escape(char)) for char in wanted), re.DOTALL)
            return [form for form in self._by_form if any(map(expression.fullmatch, _names(form)))]
        return [form for form in self._by_form if wanted in _names(form)]

    def _unknown(self, option: str, pattern: str) -> PkiplanError:
        names: dict[str, str] = {}
        for form, address in self._by_form.items():
            whole, base, *_ = ways = _names(form)
            for way in ways:
                # Whoever left the element out meant all of them.
                names.setdefault(way, base if "[" not in way and base != whole else address)
        near = nearest(_plain(pattern), names, likeness=0.5)
        hint = f"did you mean {names[near]}?" if near else ""
        return PkiplanError.of(f"{option} {pattern}: there is no such address", hint=hint, code="unknown-address")


_GLOBS = {"*": ".*", "?": "."}


def _is_glob(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _plain(address: str) -> str:
    """Write an address without the quotes around its element."""
    base, bracket, element = address.partition("[")
    if bracket and element.startswith('"') and element.endswith('"]') and len(element) > len('"]'):
        element = re.sub(r"\\(.)", r"\1", element[1:-2]) + "]"
    return base + bracket + element


def _names(form: str) -> Sequence[str]:
    """List the ways in which a person may name an address: whole, without element, without kind, without both."""
    base = form.partition("[")[0]
    prefix = next((prefix for prefix in KIND_PREFIXES if form.startswith(prefix)), "")
    return (form, base, form[len(prefix) :], base[len(prefix) :])
