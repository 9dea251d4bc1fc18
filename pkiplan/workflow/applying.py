"""From consent to files: what apply was asked for, whether it still holds, and carrying it out."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import WRONG_PASSPHRASE, PkiplanError, StalePlanError
from pkiplan.workflow.planning import PlannedSite, PlanRequest, make_plan, make_plan_again

if TYPE_CHECKING:
    from threading import Event

    from pkiplan.apply.rehearsal import Rehearsal, Waiting
    from pkiplan.apply.results import ApplyEvent, ApplyReport
    from pkiplan.plan.saved_plan import SavedPlan
    from pkiplan.verify.results import VerifyReport

Prompt = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class ApplyInput:
    """What apply shall carry out: a site that is planned now, or a saved plan to compare with.

    `is_named` tells that the plan file was named on the command line, which is consent by itself.
    """

    site: str | None
    plan_file: str | None = None
    is_named: bool = False
    saved: SavedPlan | None = None


def resolve_apply_input(argument: str | None) -> ApplyInput:
    """Find out what `apply [SITE | PLANFILE]` means; a plan file is known by its content, not by its name."""
    from pkiplan.state.saved_plans import is_plan_file, last_plan, read_plan_file

    if argument is not None:
        _demand_readable(argument)
    plan_file = last_plan() if argument is None else argument if is_plan_file(argument) else None
    if plan_file is None:
        return ApplyInput(site=argument)
    from pkiplan.plan.saved_plan import parse_plan_document

    saved = parse_plan_document(read_plan_file(plan_file))
    return ApplyInput(site=saved.manifest, plan_file=plan_file, is_named=argument is not None, saved=saved)


def _demand_readable(path: str) -> None:
    """Refuse at once, before consent is spoken of, what is not there or must not be read."""
    hint = "name a manifest, or a plan that `pkiplan plan --out FILE` saved"
    if not os.path.lexists(path):
        raise PkiplanError.of(f"no such file: `{path}`", hint=hint, code="missing-file")
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PkiplanError.of(
            f"cannot read `{path}`: permission denied", hint="see that this user may read it", code="unreadable-file"
        )


def plan_to_apply(
    found: ApplyInput,
    request: PlanRequest,
    *,
    prompt: Prompt | None,
    while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> PlannedSite:
    """Plan what apply will do; refuse when that is not exactly what the saved plan says.

    `while_waiting` is entered whenever a passphrase is waited for, also by the apply that follows.
    """
    from pkiplan.secrets import SecretResolver

    resolver = SecretResolver(os.environ, prompt, while_waiting=while_waiting)
    if found.saved is None:
        planned = make_plan(request, resolver=resolver)
        _refuse_wrong_passphrases(planned)
        return planned
    planned = make_plan(_as_saved(request, found.saved), resolver=resolver)
    _refuse_wrong_passphrases(planned)
    _refuse_stale(found.saved, planned)
    return planned


def _refuse_wrong_passphrases(planned: PlannedSite) -> None:
    """Refuse before anything else is said: with the wrong passphrase every other answer would mislead."""
    from pkiplan.model.observed import Unreadable
    from pkiplan.plan.key import key_path

    wrong = []
    for resource in planned.site:
        key = planned.observed.state.of(resource.address).key
        if isinstance(key, Unreadable) and key.is_closed:
            wrong.append(
                Diagnostic(
                    code=WRONG_PASSPHRASE,
                    summary=f"{key_path(planned.site, resource)}: {key.why}",
                    place=resource.place,
                    hint="give the passphrase that the key was written with; nothing was changed",
                )
            )
    if wrong:
        raise PkiplanError(*wrong)


def _as_saved(request: PlanRequest, saved: SavedPlan) -> PlanRequest:
    """Ask for what the saved plan asked for; permissions may be added."""
    options = replace(
        saved.plan.options,
        allow=tuple(sorted({*saved.plan.options.allow, *request.options.allow})),
        allow_many=saved.plan.options.allow_many or request.options.allow_many,
    )
    return replace(request, site=saved.manifest, variables=saved.variables, options=options)


def _refuse_stale(saved: SavedPlan, planned: PlannedSite) -> None:
    from pkiplan.plan.saved_plan import parse_plan_document
    from pkiplan.plan.staleness import differences

    found = differences(saved, parse_plan_document(planned.document))
    if found:
        raise StalePlanError(*found)


def _refuse_overtaken(planned: SavedPlan, current: PlannedSite) -> None:
    """Refuse a plan that another apply has overtaken since it was made, just now: how is told in one line."""
    from pkiplan.plan.saved_plan import parse_plan_document
    from pkiplan.plan.staleness import differences

    found = differences(planned, parse_plan_document(current.document))
    if found:
        others = ", among others" if len(found) > 1 else ""
        raise StalePlanError(
            replace(
                found[0],
                summary=f"overtaken by somebody else, nothing was changed: {found[0].summary}{others}",
                hint="run apply again: it plans anew",
            )
        )


def _is_done_meanwhile(planned: PlannedSite, found: ApplyInput, current: PlannedSite) -> bool:
    """Tell whether nothing is left to do of a plan that was made just now; a saved one is carried out or refused."""
    if found.saved is not None or not planned.plan.pending:
        return False
    is_sound = not any(change.is_fault for change in current.plan.blocked)
    return is_sound and not current.plan.pending and not current.plan.interrupted


def apply(
    planned: PlannedSite,
    found: ApplyInput,
    *,
    jobs: int | None,
    lock_timeout: float,
    progress: Callable[[ApplyEvent], None],
    stop: Event,
    refused: Callable[[VerifyReport], None] = lambda _: None,
) -> ApplyReport:
    """Carry a plan out under the site's lock, after making sure that it still is the plan.

    Where the site wants its new certificates verified before the switch and they do not hold, `refused` gets what
    verification found, and nothing is replaced. What an interrupted apply left is finished or undone first, and told
    as a note, as is another apply that is waited for. Where that has done all that was to do, nothing is done.
    """
    from pkiplan.apply.executor import apply_plan
    from pkiplan.apply.lock import site_lock
    from pkiplan.apply.results import ApplyEvent, ApplyReport, EventKind
    from pkiplan.cache import open_cache
    from pkiplan.plan.saved_plan import parse_plan_document
    from pkiplan.render import cnf_renderer

    assert planned.resolver is not None, "only plan_to_apply makes plans that are applied"
    _refuse_before_the_lock(planned)
    cache = open_cache()

    def note(line: str) -> None:
        progress(ApplyEvent(kind=EventKind.NOTE, detail=line))

    with site_lock(planned.site, timeout=lock_timeout, stop=stop, tell=note) as recovered:
        for line in recovered:
            note(line)
        current = make_plan_again(planned)
        if current is not planned:
            if _is_done_meanwhile(planned, found, current):
                return ApplyReport(notes=("what was planned was done meanwhile by somebody else",))
            refuse = _refuse_overtaken if found.saved is None else _refuse_stale
            refuse(parse_plan_document(planned.document), current)
        report = apply_plan(
            current.site,
            current.plan,
            current.observed.state,
            now=current.request.now,
            resolver=planned.resolver,
            cnf_texts=cnf_renderer(current.site),
            jobs=jobs or os.cpu_count() or 1,
            progress=progress,
            stop=stop,
            rehearsal=_rehearsal(planned, refused) if planned.site.verify_before_switch else None,
            cache=cache,
        )
    if cache is not None:
        # What was encrypted just now is known: the next plan checks it without its passphrase.
        cache.save()
    _forget_last_plan(found)
    return report


def _refuse_before_the_lock(planned: PlannedSite) -> None:
    """Refuse a first apply while there is no trace of it: the lock lies in the tree, and would be the first to be made.

    Later ones are refused under the lock alone, where nobody else changes what they look at.
    """
    from pkiplan.apply.executor import check_plan
    from pkiplan.apply.lock import is_untouched

    assert planned.resolver is not None
    if not is_untouched(planned.site):
        return
    try:
        check_plan(planned.site, planned.plan, planned.observed.state, planned.request.now, planned.resolver)
    except PkiplanError:
        # Another first apply may have begun meanwhile, and changed what was looked at; then the lock's holder judges.
        if is_untouched(planned.site):
            raise


def _rehearsal(planned: PlannedSite, refused: Callable[[VerifyReport], None]) -> Rehearsal:
    from pkiplan.workflow.verifying import verify_waiting

    def rehearse(waiting: Waiting) -> str:
        report = verify_waiting(planned, waiting)
        if report.is_as_expected:
            return ""
        refused(report)
        return "what is new does not verify, so nothing is replaced"

    return rehearse


def _forget_last_plan(found: ApplyInput) -> None:
    """Remove the last plan once it was carried out; a plan file that somebody named stays theirs."""
    from pkiplan.state.saved_plans import last_plan, remove_plan_file

    if found.plan_file is not None and found.plan_file == last_plan():
        remove_plan_file(found.plan_file)
