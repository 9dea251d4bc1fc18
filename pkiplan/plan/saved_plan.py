"""A plan as JSON, read back. A plan file may be anything: what is not a plan is an error that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from pkiplan.diagnostics import Diagnostic, Place, Severity
from pkiplan.errors import PkiplanError
from pkiplan.model.observed import UnmanagedFile
from pkiplan.model.resource import Kind
from pkiplan.plan.changes import Action, Change, FieldChange, Finding, KeyStep, Plan, PlanOptions, Reason
from pkiplan.plan.document import FORMAT_VERSION

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

AGAIN = "make a plan with `pkiplan plan --out FILE`"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan with everything it was made from: manifests and files by their digests, variables as given."""

    plan: Plan
    version: str
    manifest: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def parse_plan_document(document: object) -> SavedPlan:
    """Read a plan from parsed JSON; raise `PkiplanError` for whatever is none. Unknown names are ignored."""
    top = _Object(document, "")
    _demand_known_version(top.text("format_version"))
    changes = top.list("resource_changes", _change)
    diagnostics = top.list("diagnostics", _diagnostic)
    summary = top.object("summary")
    return SavedPlan(
        version=top.text("pkiplan_version"),
        manifest=top.optional_text("manifest"),
        inputs=dict(top.list("inputs", lambda item: (item.text("path"), item.text("sha256")))),
        variables=top.texts("variables"),
        files=top.object("observed").texts_by_name(),
        plan=Plan(
            site=top.text("site"),
            made_at=top.moment("timestamp"),
            changes=changes,
            kept=summary.number("no_op"),
            options=_options(top.object("options")),
            unmanaged=top.list("unmanaged", _unmanaged),
            warnings=tuple(d for d in diagnostics if d.severity is Severity.WARNING),
            refusals=tuple(d for d in diagnostics if d.severity is Severity.ERROR),
            interrupted=top.texts("interrupted"),
        ),
    )


def _demand_known_version(version: str) -> None:
    major, _, minor = version.partition(".")
    ours = FORMAT_VERSION.partition(".")[0]
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()):
        _refuse("format_version", "a version such as 1.0")
    if major != ours:
        raise PkiplanError.of(
            f"the plan has format version {version[:40]}, this pkiplan reads {ours}.x",
            hint=f"use the version that made it, or {AGAIN}",
            code="plan-format",
        )


def _refuse(where: str, wanted: str) -> NoReturn:
    raise PkiplanError.of(f"not a plan of pkiplan's: {where or 'it'} is not {wanted}", hint=AGAIN, code="not-a-plan")


class _Object:
    """A JSON object that is being read, and where it stands in the document."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            _refuse(where, "an object")
        self._members: dict[str, Any] = value
        self._where = where

    def _at(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def text(self, name: str) -> str:
        value = self._members.get(name)
        return value if isinstance(value, str) else _refuse(self._at(name), "text")

    def optional_text(self, name: str) -> str | None:
        return None if self._members.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        value = self._members.get(name)
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return value if is_number else _refuse(self._at(name), "a number")  # type: ignore[return-value]

    def flag(self, name: str) -> bool:
        value = self._members.get(name)
        return value if isinstance(value, bool) else _refuse(self._at(name), "true or false")

    def word(self, name: str, words: type[E]) -> E:
        try:
            return words(self.text(name))
        except ValueError:
            _refuse(self._at(name), f"one of {', '.join(words)}")

    def moment(self, name: str) -> datetime:
        try:
            time = datetime.fromisoformat(self.text(name))
        except ValueError:
            _refuse(self._at(name), "a time")
        if time.tzinfo is None:
            _refuse(self._at(name), "a time with its zone")
        try:
            return time.astimezone(UTC).replace(microsecond=0)
        except OverflowError:
            _refuse(self._at(name), "a time")

    def optional_moment(self, name: str) -> datetime | None:
        return None if self._members.get(name) is None else self.moment(name)

    def object(self, name: str) -> _Object:
        return _Object(self._members.get(name), self._at(name))

    def optional_object(self, name: str) -> _Object | None:
        return None if self._members.get(name) is None else self.object(name)

    def _items(self, name: str) -> list[Any]:
        value = self._members.get(name)
        return value if isinstance(value, list) else _refuse(self._at(name), "a list")

    def list(self, name: str, read: Callable[[_Object], T]) -> tuple[T, ...]:
        at = self._at(name)
        return tuple(read(_Object(item, f"{at}[{number}]")) for number, item in enumerate(self._items(name)))

    def texts(self, name: str) -> tuple[str, ...]:
        items = self._items(name)
        if not all(isinstance(item, str) for item in items):
            _refuse(self._at(name), "a list of texts")
        return tuple(items)

    def texts_by_name(self) -> dict[str, str]:
        if not all(isinstance(value, str) for value in self._members.values()):
            _refuse(self._where, "a map of texts")
        return dict(self._members)

    def names(self) -> tuple[str, ...]:
        return tuple(self._members)

    def has(self, name: str) -> bool:
        return bool(self._members.get(name))


def _options(options: _Object) -> PlanOptions:
    return PlanOptions(
        targets=options.texts("targets"),
        replace=options.texts("replace"),
        rekey=options.flag("rekey"),
        prune=options.flag("prune"),
        allow=options.texts("allow"),
        allow_many=options.flag("allow_many"),
    )


def _change(change: _Object) -> Change:
    return Change(
        address=change.text("address"),
        kind=change.word("type", Kind),
        action=change.word("action", Action),
        place=_place(change.optional_object("source")),
        findings=change.list("reasons", _finding),
        fields=_fields(change.object("change")),
        key=change.word("key", KeyStep),
        signs=change.flag("signs"),
        not_before=change.optional_moment("not_before"),
        not_after=change.optional_moment("not_after"),
        dates_are_declared=change.flag("dates_are_declared"),
        is_clamped=change.flag("is_clamped"),
        files=change.list("files", lambda file: file.text("path")),
        rewrites_certificate=change.flag("rewrites_certificate"),
        is_fault=change.flag("is_fault"),
        way_out=change.text("way_out"),
        permission=change.optional_text("permission"),
        beneath=change.number("beneath"),
        reissued_beneath=change.number("reissued_beneath"),
    )


def _finding(finding: _Object) -> Finding:
    return Finding(finding.word("reason", Reason), finding.text("message"), finding.optional_text("because"))


def _fields(change: _Object) -> tuple[FieldChange, ...]:
    before, after, unknown = change.object("before"), change.object("after"), change.object("after_unknown")
    return tuple(
        FieldChange(name, before.optional_text(name), after.optional_text(name), after_unknown=unknown.has(name))
        for name in before.names()
    )


def _place(place: _Object | None) -> Place | None:
    if place is None:
        return None
    return Place(place.text("file"), place.number("line"), place.number("column"), place.number("length"))


def _unmanaged(file: _Object) -> UnmanagedFile:
    return UnmanagedFile(
        path=file.text("path"), description=file.text("description"), address=file.optional_text("address")
    )


def _diagnostic(diagnostic: _Object) -> Diagnostic:
    return Diagnostic(
        severity=diagnostic.word("severity", Severity),
        summary=diagnostic.text("summary"),
        hint=diagnostic.text("detail"),
        code=diagnostic.text("code"),
        path=diagnostic.text("path"),
        place=_range(diagnostic.optional_object("range")),
    )


def _range(place: _Object | None) -> Place | None:
    if place is None:
        return None
    start, end = place.object("start"), place.object("end")
    length = max(end.number("column") - start.number("column"), 1)
    return Place(place.text("filename"), start.number("line"), start.number("column"), length)
