"""Many files and documents → one manifest: maps merge, the same id twice and contradicting scalars are errors."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pkiplan.diagnostics import Diagnostic
from pkiplan.manifest.definitions import SITE, SITE_HINTS
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.files import Files
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence, Templated, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.sources import Source
from pkiplan.manifest.tables import unknown_key
from pkiplan.manifest.values import BadValueError, kind_of, report

_OF = {"vars": "variables", "defaults": "settings"}
_MAPS = ("vars", "profiles", "authorities", "certificates")


@dataclass(slots=True, eq=False, repr=False)
class Manifest:
    """What all documents say together. `scalars` hold node and mark of what can be said once."""

    vars: Mapping = field(default_factory=lambda: Mapping(0))
    profiles: Mapping = field(default_factory=lambda: Mapping(0))
    authorities: Mapping = field(default_factory=lambda: Mapping(0))
    certificates: Mapping = field(default_factory=lambda: Mapping(0))
    defaults: Mapping = field(default_factory=lambda: Mapping(0))
    verify: Sequence = field(default_factory=lambda: Sequence(0))
    scalars: dict[str, tuple[Node, int]] = field(default_factory=dict)
    vars_files: list[tuple[Node, int]] = field(default_factory=list)


class DocumentLoader:
    """Reads manifests with everything they include, each file once."""

    def __init__(self, files: Files, problems: Problems) -> None:
        self._files = files
        self._problems = problems
        self._seen: set[str] = set()
        self._manifest = Manifest()
        self._unusable = False

    def load(self, paths: list[str]) -> Manifest | None:
        """Read the manifests named on the command line; None when there is nothing to go on with."""
        waiting: list[tuple[str, int | None]] = []
        for path in paths:
            try:
                found = self._files.manifests_of(path)
            except BadValueError as bad:
                self._without_place(bad)
                continue
            for manifest in found:
                directory = os.path.dirname(manifest)
                if directory not in self._files.roots:
                    self._files.roots.append(directory)
                waiting.append((manifest, None))
        roots: list[Mapping] = []
        while waiting:
            path, mark = waiting.pop(0)
            if os.path.realpath(path) in self._seen:
                continue
            self._seen.add(os.path.realpath(path))
            for document in self._read(path, mark):
                roots.append(document)
                waiting.extend(self._included(document))
        for document in roots:
            self._merge(document)
        if not self._unusable and "version" not in self._manifest.scalars and roots:
            self._problems.error(
                roots[0].mark,
                "`version: 1` is missing",
                code="missing-key",
                hint="it says which language the manifest is written in; put it first",
            )
        return self._manifest if roots else None

    def _without_place(self, bad: BadValueError) -> None:
        self._unusable = True
        self._problems.add(Diagnostic(summary=bad.summary, code=bad.code, hint=bad.hint, place=bad.place))

    def _read(self, path: str, mark: int | None) -> list[Mapping]:
        try:
            text = self._files.read_text(path)
        except BadValueError as bad:
            if mark is None:
                if bad.code == "missing-file" and not bad.hint:
                    bad.hint = "`pkiplan init` writes a starter manifest"
                self._without_place(bad)
            else:
                report(bad, mark, self._problems)
            return []
        source = Source(self._files.shown(path), os.path.dirname(path), text)
        number = self._problems.sources.add(source)
        before = self._problems.errors
        documents = read_documents(text, number, self._problems)
        source.documents = documents
        self._problems.complete_paths()
        found: list[Mapping] = []
        for document in documents:
            if isinstance(document, Mapping) and _is_plan(document):
                self._unusable = True
                self._problems.error(
                    document.mark,
                    "this is a saved plan, not a manifest",
                    code="wrong-type",
                    hint=f"`pkiplan apply {source.shown}` carries it out, `pkiplan show {source.shown}` shows it",
                )
            elif isinstance(document, Mapping):
                found.append(document)
            elif not is_null(document):
                self._unusable = True
                self._problems.add(
                    Diagnostic(
                        summary=f"a manifest is a map, not {kind_of(document)}",
                        code="wrong-type",
                        place=self._problems.sources.place(number << 48),
                        hint="it begins with `version: 1`",
                        source_line=source.line(0),
                    )
                )
        if not found and self._problems.errors == before:
            self._unusable = True
            self._problems.add(
                Diagnostic(
                    summary="the file is empty" if not text.strip() else "the file holds nothing but comments",
                    code="empty-file",
                    place=self._problems.sources.place(number << 48),
                    hint="a manifest begins with `version: 1`; `pkiplan init` writes a starter",
                )
            )
        self._unusable |= self._problems.errors > before
        return found

    def _included(self, document: Mapping) -> list[tuple[str, int | None]]:
        found: list[tuple[str, int | None]] = []
        for pattern, mark in self._texts(document, "include"):
            directory = self._problems.sources.of(mark).directory
            try:
                matches = self._files.matching(directory, pattern)
            except BadValueError as bad:
                self._problems.error(mark, bad.summary, code=bad.code, hint=bad.hint)
                continue
            if not matches:
                self._problems.warning(mark, f"no file matches {shown(pattern)}", code="empty-include")
            found.extend((match, mark) for match in matches)
        return found

    def _texts(self, document: Mapping, key: str) -> list[tuple[str, int]]:
        value = document.get(key)
        if value is None or is_null(value):
            return []
        mark = document.value_mark(key)
        nodes = list(zip(value, value.marks, strict=True)) if isinstance(value, Sequence) else [(value, mark)]
        texts: list[tuple[str, int]] = []
        for node, node_mark in nodes:
            if node.__class__ is Templated:
                self._problems.error(
                    node_mark,
                    f"`{key}` takes no templates",
                    code="template",
                    hint="variables are known only once all files are read",
                )
            elif node.__class__ is not str or not node:
                self._problems.error(node_mark, f"expected a path or pattern, not {kind_of(node)}", code="wrong-type")
            else:
                texts.append((str(node), node_mark))
        return texts

    def _merge(self, document: Mapping) -> None:
        for key, value, key_mark, value_mark in document.entries():
            if key not in SITE:
                unknown_key(key, key_mark, list(SITE), self._problems, hint=SITE_HINTS.get(key, ""))
            elif is_null(value) or key == "include":
                continue
            elif key in _MAPS:
                self._merge_map(getattr(self._manifest, key), value, value_mark, key)
            elif key == "defaults":
                if self._is_map(value, value_mark, key) and isinstance(value, Mapping):
                    self._merge_deep(self._manifest.defaults, value)
            elif key == "verify":
                self._merge_verify(value, value_mark)
            elif key == "vars_files":
                nodes = zip(value, value.marks, strict=True) if isinstance(value, Sequence) else [(value, value_mark)]
                self._manifest.vars_files.extend(nodes)
            else:
                self._merge_scalar(self._manifest.scalars, key, value, key_mark, value_mark)

    def _is_map(self, value: Node, mark: int, key: str) -> bool:
        if isinstance(value, Mapping):
            return True
        hint = "ids are keys of a map, not elements of a list: `web: {…}`" if isinstance(value, Sequence) else ""
        if key == "vars":
            hint = "write `name: value`"
        of = _OF.get(key, key)
        self._problems.error(mark, f"expected a map of {of}, not {kind_of(value)}", code="wrong-type", hint=hint)
        return False

    def _merge_map(self, into: Mapping, value: Node, mark: int, key: str) -> None:
        if not self._is_map(value, mark, key):
            return
        assert isinstance(value, Mapping)
        if not into.mark:
            into.mark = value.mark
        for name, element, key_mark, value_mark in value.entries():
            if name not in into:
                into.put(name, element, key_mark, value_mark)
            elif not (key == "vars" and into[name] == element):
                self._twice(f"`{name}` is defined twice among {key}", key_mark, into.key_mark(name))

    def _merge_deep(self, into: Mapping, value: Mapping) -> None:
        for name, element, key_mark, value_mark in value.entries():
            known = into.get(name)
            if known is None:
                into.put(name, self._deep_copy(element), key_mark, value_mark)
            elif isinstance(known, Mapping) and isinstance(element, Mapping):
                self._merge_deep(known, element)
                into.templated |= known.templated
            elif known != element or known.__class__ is not element.__class__:
                self._twice(f"`{name}` is given twice with different values", key_mark, into.key_mark(name))

    def _deep_copy(self, node: Node) -> Node:
        if not isinstance(node, Mapping):
            return node
        copy = Mapping(node.mark)
        self._merge_deep(copy, node)
        return copy

    def _merge_scalar(
        self, into: dict[str, tuple[Node, int]], key: str, value: Node, key_mark: int, value_mark: int
    ) -> None:
        if key in into and (into[key][0] != value or isinstance(value, Plain) != isinstance(into[key][0], Plain)):
            self._twice(f"`{key}` is given twice with different values", key_mark, into[key][1])
        else:
            into.setdefault(key, (value, value_mark))

    def _merge_verify(self, value: Node, mark: int) -> None:
        if not isinstance(value, Sequence):
            self._problems.error(mark, f"expected a list of rules, not {kind_of(value)}", code="wrong-type")
            return
        for element, element_mark in zip(value, value.marks, strict=True):
            self._manifest.verify.put(element, element_mark)

    def _twice(self, summary: str, mark: int, first: int) -> None:
        self._problems.error(
            mark, summary, code="duplicate-key", at_key=True, notes=[self._problems.note(first, "first defined here")]
        )


def _is_plan(document: Mapping) -> bool:
    return "format_version" in document and "resource_changes" in document
