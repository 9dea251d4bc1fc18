"""The JSON Schema of a saved plan (draft-07); `schemas/plan.schema.json` is made from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pkiplan.diagnostics import Severity
from pkiplan.model.resource import Kind
from pkiplan.plan.changes import Action, KeyStep, Reason
from pkiplan.plan.document import SUMMARY_WORDS, TERRAFORM_ACTIONS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"}
OPTIONAL_MOMENT: Schema = {"anyOf": [MOMENT, {"type": "null"}]}
TEXTS: Schema = {"type": "array", "items": TEXT}
TEXT_BY_NAME: Schema = {"type": "object", "additionalProperties": TEXT}


def plan_schema() -> Schema:
    """Describe a saved plan. A minor version adds names, so unknown ones are allowed everywhere."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A plan of pkiplan",
        "description": "What `pkiplan plan --out` writes; compared with a new plan, never obeyed, and without secrets.",
        **_object(
            {
                "format_version": _text("major.minor: a minor step adds, a major one breaks", pattern=r"^1\.\d+$"),
                "pkiplan_version": _text("the version that made the plan"),
                "command": {"const": "plan"},
                "site": _text("the name of the site"),
                "manifest": {**OPTIONAL_TEXT, "description": "the SITE that was named; null for the default one"},
                "timestamp": {**MOMENT, "description": "the time the plan was made for"},
                "complete": {**FLAG, "description": "nothing is blocked"},
                "applyable": {**FLAG, "description": "there is something to do, and no guard refuses it"},
                "errored": {**FLAG, "description": "something is blocked by a fault"},
                "summary": _object(dict.fromkeys(SUMMARY_WORDS.values(), COUNT)),
                "options": _object(
                    {
                        "targets": TEXTS,
                        "replace": TEXTS,
                        "rekey": FLAG,
                        "prune": FLAG,
                        "allow": TEXTS,
                        "allow_many": FLAG,
                    }
                ),
                "resource_changes": {
                    "type": "array",
                    "items": {"$ref": "#/definitions/change"},
                    "description": "everything but what is kept, in the order in which it is done",
                },
                "resource_drift": {
                    "type": "array",
                    "items": {"$ref": "#/definitions/change"},
                    "description": "those of the changes whose files are not as an apply left them",
                },
                "checks": {
                    "type": "array",
                    "items": _object({"address": TEXT, "name": TEXT, "status": {"enum": ["unknown"]}}),
                    "description": "what the verification after the apply will tell",
                },
                "unmanaged": {
                    "type": "array",
                    "items": _object({"path": TEXT, "description": TEXT, "address": OPTIONAL_TEXT}),
                },
                "interrupted": TEXTS,
                "diagnostics": {"type": "array", "items": {"$ref": "#/definitions/diagnostic"}},
                "inputs": {
                    "type": "array",
                    "items": _object({"path": TEXT, "sha256": TEXT}),
                    "description": "every manifest and variable file that was read",
                },
                "variables": {**TEXTS, "description": "the -e options as given"},
                "observed": {
                    **TEXT_BY_NAME,
                    "description": "by path, the SHA-256 of what was observed, or `missing` or `unreadable`",
                },
            }
        ),
        "definitions": {"change": _change(), "diagnostic": _diagnostic()},
    }


def _change() -> Schema:
    words = sorted({word for words in TERRAFORM_ACTIONS.values() for word in words})
    return _object(
        {
            "address": TEXT,
            "type": _one_of(Kind),
            "name": TEXT,
            "source": {
                "anyOf": [_object({"file": TEXT, "line": COUNT, "column": COUNT, "length": COUNT}), {"type": "null"}]
            },
            "change": _object(
                {
                    "actions": {"type": "array", "items": {"enum": words}, "description": "in Terraform's words"},
                    "action_reason": {
                        "enum": [*Reason, None],
                        "description": "the first reason; treat an unknown one as unspecified",
                    },
                    "before": {"type": "object", "additionalProperties": OPTIONAL_TEXT},
                    "after": {"type": "object", "additionalProperties": OPTIONAL_TEXT},
                    "after_unknown": {"type": "object", "additionalProperties": FLAG},
                    "replace_paths": {"type": "array", "items": TEXTS},
                }
            ),
            "action": {**_one_of(Action), "description": "in pkiplan's words"},
            "reasons": {
                "type": "array",
                "items": _object({"reason": _one_of(Reason), "message": TEXT, "because": OPTIONAL_TEXT}),
            },
            "rekey": {**FLAG, "description": "an existing key is replaced by a new one"},
            "key": _one_of(KeyStep),
            "signs": {**FLAG, "description": "a new certificate is issued"},
            "not_before": OPTIONAL_MOMENT,
            "not_after": OPTIONAL_MOMENT,
            "dates_are_declared": FLAG,
            "is_clamped": {**FLAG, "description": "it ends with its issuer, sooner than declared"},
            "files": {
                "type": "array",
                "items": _object({"path": TEXT, "action": {"enum": ["create", "update", "delete"]}}),
            },
            "rewrites_certificate": FLAG,
            "is_fault": FLAG,
            "way_out": TEXT,
            "permission": {**OPTIONAL_TEXT, "description": "the option without which apply refuses"},
            "beneath": COUNT,
            "reissued_beneath": COUNT,
            "affects": {**TEXTS, "description": "the addresses that change because of this one"},
        },
        optional={"index": TEXT},
    )


def _diagnostic() -> Schema:
    position = _object({"line": COUNT, "column": COUNT})
    return _object(
        {"severity": _one_of(Severity), "summary": TEXT, "detail": TEXT, "code": TEXT, "path": TEXT},
        optional={"range": _object({"filename": TEXT, "start": position, "end": position})},
    )


def _object(members: dict[str, Schema], *, optional: dict[str, Schema] | None = None) -> Schema:
    return {"type": "object", "required": list(members), "properties": {**members, **(optional or {})}}


def _text(description: str, **more: str) -> Schema:
    return {**TEXT, "description": description, **more}


def _one_of(words: type[StrEnum]) -> Schema:
    return {"enum": [word.value for word in words]}
