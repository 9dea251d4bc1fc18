"""What every step of resolving a manifest works with: where problems go, and what templates see."""

from __future__ import annotations

from typing import Any

from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.manifest.files import Files
from pkiplan.manifest.for_each import Element
from pkiplan.manifest.nodes import Mapping, Node, Templated, is_null, is_templated
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.templates import Templates, mentions_each

_AND_OTHERS = " and others"


class Context:
    """Problems, files, templates, and the names that templates can use."""

    def __init__(self, files: Files, problems: Problems) -> None:
        self.files = files
        self.problems = problems
        self.templates = Templates(problems)
        self.names: dict[str, Any] = {}
        self._names_of_element: dict[str, Any] = {}
        self._told: dict[tuple[str, Place | None], int] = {}

    def names_for(self, element: Element | None) -> dict[str, Any]:
        """Return what templates see beneath an element of `for_each`, until those of another are asked for."""
        if element is None:
            return self.names
        if not self._names_of_element:
            self._names_of_element = dict(self.names)
        self._names_of_element["each"] = element.each
        return self._names_of_element

    def text(self, node: Node, mark: int, element: Element | None) -> str | None:
        """Return a name that a node gives, rendered; None for anything else."""
        if is_templated(node):
            node = self.templates.render(node, mark, self.names_for(element))
        if isinstance(node, str) and not is_templated(node) and not is_null(node):
            return str(node)
        return None

    def render_static(self, node: Mapping) -> Mapping:
        """Render what is the same for all elements; an entry that speaks of `each` waits for its element."""
        rendered = Mapping(node.mark)
        for key, value, key_mark, value_mark in node.entries():
            name: str | None = key
            if type(key) is Templated:
                if mentions_each(key):
                    self.problems.error(key_mark, "`each` cannot be part of this key", code="template", at_key=True)
                    continue
                name = self.templates.render_key(key, key_mark, self.names)
            if name is None:
                continue
            if name in rendered:
                summary = f"duplicate key {shown(name)} out of a template"
                self.problems.error(key_mark, summary, code="duplicate-key", at_key=True)
                continue
            rendered.put(name, self._static_value(value, value_mark), key_mark, value_mark)
        return rendered

    def _static_value(self, value: Node, mark: int) -> Node:
        if not is_templated(value):
            return value
        if not mentions_each(value):
            return self.templates.render(value, mark, self.names)
        return self.render_static(value) if isinstance(value, Mapping) else value

    def name_element(self, start: int, element: Element) -> None:
        """Say which element the problems from `start` on are about; what several have in common is told once."""
        from dataclasses import replace

        from pkiplan.diagnostics import Note

        found = self.problems.found
        kept: list[Diagnostic] = []
        for problem in found[start:]:
            key = (problem.summary, problem.place)
            first = self._told.get(key)
            if first is None:
                self._told[key] = start + len(kept)
                note = Note(message=f"for the element {shown(element.key)}", place=element.place)
                kept.append(replace(problem, notes=(*problem.notes, note)))
            elif not found[first].notes[-1].message.endswith(_AND_OTHERS):
                *notes, last = found[first].notes
                found[first] = replace(
                    found[first], notes=(*notes, replace(last, message=f"{last.message}{_AND_OTHERS}"))
                )
        found[start:] = kept
