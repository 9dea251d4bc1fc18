"""The order of work: load, observe, plan, apply, verify; each file reads as a table of contents.

Everything heavy is imported where it is used: a command pays only for what it does.
"""

from __future__ import annotations

from pkiplan.workflow.applying import ApplyInput, apply, plan_to_apply, resolve_apply_input
from pkiplan.workflow.loading import Validation, find_manifest, init, load, schema, validate
from pkiplan.workflow.planning import PlannedSite, PlanRequest, SavedAt, cnf_diff, make_plan, save_plan, status
from pkiplan.workflow.showing import show
from pkiplan.workflow.verifying import prove_cnf, trace, verify, verify_applied

__all__ = [
    "ApplyInput",
    "PlanRequest",
    "PlannedSite",
    "SavedAt",
    "Validation",
    "apply",
    "cnf_diff",
    "find_manifest",
    "init",
    "load",
    "make_plan",
    "plan_to_apply",
    "prove_cnf",
    "resolve_apply_input",
    "save_plan",
    "schema",
    "show",
    "status",
    "trace",
    "validate",
    "verify",
    "verify_applied",
]
