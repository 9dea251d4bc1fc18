"""A plan as JSON: Terraform's skeleton, so that OPA, conftest and jq users feel at home.

A minor step of `format_version` adds; a major one breaks. No secret is in it: of keys it holds nothing but the type.
It is written here, read back by `saved_plan`, and compared by `staleness`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pkiplan import __version__
from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.model.resource import Kind
from pkiplan.plan.changes import Action, Change, KeyStep, Plan, PlanOptions, Reason
from pkiplan.plan.descriptions import moment

FORMAT_VERSION = "1.0"

# Terraform's words. What the key and the certificate go through stands in `action`.
TERRAFORM_ACTIONS: dict[Action, tuple[str, ...]] = {
    Action.KEEP: ("no-op",),
    Action.CREATE: ("create",),
    Action.RENEW: ("update",),
    Action.MODIFY: ("update",),
    Action.REKEY: ("create", "delete"),
    Action.REENCODE: ("update",),
    Action.REMOVE: ("delete",),
    Action.BLOCKED: ("no-op",),
}
SUMMARY_WORDS: dict[Action, str] = {
    Action.CREATE: "create",
    Action.RENEW: "renew",
    Action.REKEY: "rekey",
    Action.MODIFY: "update",
    Action.REENCODE: "reencode",
    Action.REMOVE: "delete",
    Action.BLOCKED: "blocked",
    Action.KEEP: "no_op",
}

# The disk is not as the last apply left it, for whatever reason.
DRIFT = frozenset(
    {
        Reason.DAMAGED,
        Reason.UNREADABLE,
        Reason.SIGNATURE_INVALID,
        Reason.SERIAL_REUSED,
        Reason.KEY_MISSING,
        Reason.KEY_MISMATCH,
        Reason.KEY_OFFLINE,
        Reason.ATTRIBUTES_CHANGED,
        Reason.FILE_MISSING,
        Reason.FILE_CHANGED,
        Reason.UNDECLARED,
    }
)


class DigestedInput(Protocol):
    """A manifest or variable file that was read: its path as shown, and the SHA-256 of its bytes."""

    @property
    def path(self) -> str:
        """Return the path as shown."""
        ...

    @property
    def sha256(self) -> str:
        """Return the digest in hex."""
        ...


def plan_document(
    plan: Plan,
    *,
    inputs: Iterable[DigestedInput],
    variables: Sequence[str],
    files: Mapping[str, str],
    manifest: str | None = None,
) -> dict[str, Any]:
    """Write a plan with everything it depends on.

    `variables` are the `-e` options as given, `files` the digests of what was observed, by path, and `manifest` is the
    SITE that was named, or None for the default one.
    """
    affected = _affected(plan)
    changes = {change.address: _change_document(change, affected) for change in plan.changes}
    return {
        "format_version": FORMAT_VERSION,
        "pkiplan_version": __version__,
        "command": "plan",
        "site": plan.site,
        "manifest": manifest,
        "timestamp": moment(plan.made_at),
        "complete": not plan.blocked,
        "applyable": bool(plan.pending) and not plan.refusals,
        "errored": any(change.is_fault for change in plan.changes),
        "summary": {word: plan.counts[action] for action, word in SUMMARY_WORDS.items()},
        "options": _options_document(plan.options),
        "resource_changes": list(changes.values()),
        "resource_drift": [changes[change.address] for change in plan.changes if _is_drift(change)],
        "checks": [
            {"address": change.address, "name": "verification", "status": "unknown"}
            for change in plan.changes
            if change.signs and change.kind is Kind.CERTIFICATE
        ],
        "unmanaged": [
            {"path": file.path, "description": file.description, "address": file.address} for file in plan.unmanaged
        ],
        "interrupted": list(plan.interrupted),
        "diagnostics": [diagnostic_document(diagnostic) for diagnostic in (*plan.refusals, *plan.warnings)],
        "inputs": [{"path": read.path, "sha256": read.sha256} for read in inputs],
        "variables": list(variables),
        "observed": dict(sorted(files.items())),
    }


def _affected(plan: Plan) -> Mapping[str, list[str]]:
    """List, by address, what changes because of it."""
    affected: dict[str, list[str]] = defaultdict(list)
    for change in plan.changes:
        for cause in dict.fromkeys(finding.because for finding in change.findings):
            if cause is not None:
                affected[cause].append(change.address)
    return affected


def _is_drift(change: Change) -> bool:
    return any(finding.reason in DRIFT for finding in change.findings)


def _options_document(options: PlanOptions) -> dict[str, Any]:
    return {
        "targets": list(options.targets),
        "replace": list(options.replace),
        "rekey": options.rekey,
        "prune": options.prune,
        "allow": list(options.allow),
        "allow_many": options.allow_many,
    }


def _change_document(change: Change, affected: Mapping[str, list[str]]) -> dict[str, Any]:
    base, bracket, element = change.address.partition("[")
    return {
        "address": change.address,
        "type": change.kind.value,
        "name": base.partition(".")[2],
        **({"index": element.removesuffix("]").strip('"')} if bracket else {}),
        "source": _place_document(change.place),
        "change": {
            "actions": list(TERRAFORM_ACTIONS[change.action]),
            "action_reason": change.findings[0].reason.value if change.findings else None,
            "before": {field.field: field.before for field in change.fields},
            "after": {field.field: field.after for field in change.fields},
            "after_unknown": {field.field: True for field in change.fields if field.after_unknown},
            "replace_paths": [["key"]] if change.action is Action.REKEY else [],
        },
        "action": change.action.value,
        "reasons": [
            {"reason": finding.reason.value, "message": finding.message, "because": finding.because}
            for finding in change.findings
        ],
        "rekey": change.key is KeyStep.GENERATE and change.action is not Action.CREATE,
        "key": change.key.value,
        "signs": change.signs,
        "not_before": moment(change.not_before) if change.not_before else None,
        "not_after": moment(change.not_after) if change.not_after else None,
        "dates_are_declared": change.dates_are_declared,
        "is_clamped": change.is_clamped,
        "files": [{"path": path, "action": _file_action(change)} for path in change.files],
        "rewrites_certificate": change.rewrites_certificate,
        "is_fault": change.is_fault,
        "way_out": change.way_out,
        "permission": change.permission,
        "beneath": change.beneath,
        "reissued_beneath": change.reissued_beneath,
        "affects": affected.get(change.address, []),
    }


def _file_action(change: Change) -> str:
    match change.action:
        case Action.CREATE:
            return "create"
        case Action.REMOVE:
            return "delete"
        case _:
            return "update"


def _place_document(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"file": place.file, "line": place.line, "column": place.column, "length": place.length}


def diagnostic_document(diagnostic: Diagnostic) -> dict[str, Any]:
    """Write a diagnostic in the shape that CI tools know from `terraform validate -json`."""
    place = diagnostic.place
    document: dict[str, Any] = {
        "severity": diagnostic.severity.value,
        "summary": diagnostic.summary,
        "detail": diagnostic.hint,
        "code": diagnostic.code,
        "path": diagnostic.path,
    }
    if place is not None:
        start = {"line": place.line, "column": place.column}
        end = {"line": place.line, "column": place.column + place.length}
        document["range"] = {"filename": place.file, "start": start, "end": end}
    return document
