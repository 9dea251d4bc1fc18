"""A plan with nothing to do, told again from memory before anything of the planner is imported."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pkiplan.cache import remembered_plan
from pkiplan.cache.tree_digest import wait_for_next_tick
from pkiplan.cli.session import Session
from pkiplan.errors import PkiplanError
from pkiplan.state.side_by_side import spread

if TYPE_CHECKING:
    from pkiplan.workflow import PlannedSite

# A site with more resources is not planned once more after its apply: that takes time.
SMALL = 100


def tell_again(session: Session, asked: Mapping[str, Any]) -> bool:
    """Answer a plain `plan` from memory, where nothing has changed since; return whether it was answered."""
    from pkiplan.state.saved_plans import LAST_PLAN, write_plan_text

    known = remembered_plan.recall(asked, session.now.timestamp(), spread=spread)
    if known is None:
        return False
    try:
        write_plan_text(LAST_PLAN, known.document(f"{session.now:%Y-%m-%dT%H:%M:%SZ}"))
    except OSError:
        # What cannot be saved is told with its reason, by whoever makes the plan anew.
        return False
    session.diagnosed(known.talk)
    session.result(known.result[_colour(session.paints_result)])
    return True


def remember_after_apply(planned: PlannedSite) -> None:
    """Plan a small site once more after its apply, so that the next plan finds the answer ready."""
    from dataclasses import replace

    from pkiplan import workflow
    from pkiplan.plan.changes import PlanOptions

    if len(planned.site.resources) > SMALL:
        return
    wait_for_next_tick()
    request = replace(planned.request, options=PlanOptions())
    asked = remembered_plan.question(request.site, request.variables, allow_outside=request.allow_outside)
    # The apply is done; what is wrong with a plan made now, the next one tells.
    with contextlib.suppress(PkiplanError):
        remember(workflow.make_plan(request), asked)


def remember(planned: PlannedSite, asked: Mapping[str, Any]) -> None:
    """Remember a plan with nothing to do, with everything that it was made from."""
    import json

    from pkiplan.plan.descriptions import moment
    from pkiplan.report.diagnostics import diagnostic_text
    from pkiplan.report.plan import plan_text
    from pkiplan.workflow.remembering import evidence_of

    found = evidence_of(planned)
    if found is None:
        return
    evidence, interval = found
    text = json.dumps(planned.document, indent=2, ensure_ascii=False) + "\n"
    made_at = f'"timestamp": "{moment(planned.plan.made_at)}"'
    before, _, after = text.partition(made_at)
    head = made_at.partition(": ")[0] + ': "'
    talk = {_colour(paints): diagnostic_text(planned.warnings, colour=paints) for paints in (False, True)}
    remembered_plan.remember(
        asked,
        remembered_plan.RememberedPlan(
            result={_colour(paints): plan_text(planned.plan, colour=paints) for paints in (False, True)},
            talk=talk if planned.warnings else {},
            document=(before + head, '"' + after),
        ),
        evidence=evidence,
        interval=interval,
    )


def _colour(paints: bool) -> str:  # noqa: FBT001 - it is the value itself that is named
    return "coloured" if paints else "plain"
