"""`pkiplan apply`."""

from __future__ import annotations

from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import consent, options, remembered, statuses
from pkiplan.cli.interrupts import stop_when_asked, stopping_at_once
from pkiplan.cli.progress import apply_progress, verify_progress
from pkiplan.cli.session import Session, session_of
from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import PkiplanError

if TYPE_CHECKING:
    from pkiplan.apply.results import ApplyReport
    from pkiplan.plan.changes import Change, Plan, PlanOptions
    from pkiplan.verify.results import VerifyReport
    from pkiplan.workflow import ApplyInput, PlannedSite, PlanRequest

# The guard's own name for its refusal: pkiplan/plan/guards.py.
TOO_MANY = "too-many"

EPILOG = """\
\b
Examples:
  pkiplan apply                     carry out the last plan, after asking
  pkiplan apply --yes               the same without asking, for scheduled runs
  pkiplan apply plan.json           carry out a saved plan; naming it is the consent
  pkiplan apply site.yaml --yes --allow authority.root
  pkiplan apply site.yaml --yes --replace certificate.web    renew one certificate now

\b
Exit status: 0 done or nothing to do, 1 error, a change that failed, or a key that is
unreadable or damaged, 3 verification found something unexpected: after the changes
were applied or, with `verify_before_switch: true`, before anything was replaced,
130 interrupted.
"""


def apply(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SITE|PLANFILE]",
            help="A manifest, planned anew with the options given here, or a saved plan; without it the last plan "
            "made here, else site.yaml.",
            show_default=False,
        ),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "--auto-approve", help="Do not ask.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", metavar="N", min=1, help="At most so many changes at once; without it one a core."),
    ] = None,
    lock_timeout: Annotated[
        str, typer.Option("--lock-timeout", metavar="TIME", help="Wait so long for another apply: 30s, 5m.")
    ] = "0s",
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not verify afterwards.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a stream of JSON, one object a line, the first with a format_version.")
    ] = False,
    target: options.Targets = None,
    replace: options.Replace = None,
    rekey: options.Rekey = False,
    prune: options.Prune = False,
    allow: options.Allow = None,
    allow_many: options.AllowMany = False,
    extra_vars: options.Variables = None,
    allow_outside: options.AllowOutside = False,
) -> int:
    """Make the disk as the manifest declares it.

    Plans anew, shows the plan and asks; only `yes` is accepted. A saved plan is carried out exactly or, when
    manifests, variables, files or the decision have changed since, refused. Existing private keys are never
    overwritten. Afterwards everything that changed is verified with real handshakes; where the manifest says
    `verify_before_switch: true`, also before it replaces what is there.
    """
    session = session_of(ctx, is_json=json)
    session.is_stream = json
    seconds = options.duration("--lock-timeout", lock_timeout).total_seconds()
    from pkiplan import workflow

    found = workflow.resolve_apply_input(source)
    is_asked = not (yes or found.is_named)
    if is_asked:
        consent.demand_answerable(session)
    asked = options.plan_options(
        targets=target, replace=replace, rekey=rekey, prune=prune, allow=allow, allow_many=allow_many
    )
    _refuse_options_of_plan(found, asked, extra_vars)
    request = options.request(session, found.site, variables=extra_vars, allow_outside=allow_outside, options=asked)
    planned = _permitted(session, found, request, is_asked=is_asked)
    # Where only the work of an interrupted apply is left to finish, that was consented to then.
    if not planned.plan.pending and not planned.plan.interrupted:
        return _status_of_plan(session, planned.plan)
    if planned.plan.pending and is_asked:
        consent.ask("Apply this plan?", wanted="yes")
    report, refused = _carried_out(session, planned, found, jobs=jobs, lock_timeout=seconds)
    if report.is_interrupted:
        return statuses.INTERRUPTED
    if refused:
        return statuses.UNEXPECTED
    if report.is_complete:
        remembered.remember_after_apply(planned)
    verification = None if no_verify or not report.done else _verified(session, planned, report)
    return _status(session, planned.plan, report, verification)


def _carried_out(
    session: Session, planned: PlannedSite, found: ApplyInput, *, jobs: int | None, lock_timeout: float
) -> tuple[ApplyReport, list[VerifyReport]]:
    """Carry a plan out and show what came of it, with the rehearsals that kept it from being switched to."""
    from pkiplan import workflow

    refused: list[VerifyReport] = []
    with stop_when_asked(session) as stop, apply_progress(session) as progress:
        report = workflow.apply(
            planned,
            found,
            jobs=jobs,
            lock_timeout=lock_timeout,
            progress=progress,
            stop=stop,
            refused=refused.append,
        )
    _show_report(session, report)
    for rehearsal in refused:
        _show_verification(session, rehearsal)
        session.diagnose([_NOTHING_REPLACED])
    return report, refused


def _status(session: Session, plan: Plan, report: ApplyReport, verification: VerifyReport | None) -> int:
    if not report.is_complete:
        return statuses.FAILED
    # What is blocked is the graver: it may also be why a rule that needs it found something unexpected.
    status = _status_of_plan(session, plan)
    if verification is not None and not verification.is_as_expected:
        session.diagnose([_IN_PLACE_BUT_UNEXPECTED])
        return status or statuses.UNEXPECTED
    return status


_NOTHING_REPLACED = Diagnostic(
    code="verification",
    summary="what was to be applied does not verify, so nothing was replaced",
    hint="the old certificates are still in their places; change what the checks above name, and apply again",
)
_IN_PLACE_BUT_UNEXPECTED = Diagnostic(
    code="verification",
    summary="the changes are in place, but verification found something unexpected",
    hint="change what the checks above name, apply again, and look with `pkiplan verify --full`; what was replaced is "
    "in the archive beside the certificates",
)


def _refuse_options_of_plan(found: ApplyInput, asked: PlanOptions, variables: list[str] | None) -> None:
    """Refuse what a saved plan already decided; permissions may still be given."""
    from pkiplan.plan.changes import PlanOptions

    decided = replaced(asked, allow=(), allow_many=False)
    if found.plan_file is not None and (decided != PlanOptions() or variables):
        anew = f"pkiplan apply {found.site or 'site.yaml'} …"
        raise PkiplanError.of(
            f"{'the plan' if found.is_named else 'the last plan'} {found.plan_file} is carried out as it was saved",
            hint=f"name the site to plan anew with these options, `{anew}`, or give them to `plan`",
            code="usage",
        )


def _permitted(session: Session, found: ApplyInput, request: PlanRequest, *, is_asked: bool) -> PlannedSite:
    """Make and show the plan; where a person can be asked, ask for the permissions that it lacks."""
    from pkiplan import workflow

    prompt = consent.passphrase_prompt(session)
    planned = workflow.plan_to_apply(found, request, prompt=prompt, while_waiting=stopping_at_once)
    _show_plan(session, planned)
    if not planned.plan.pending:
        return planned
    if planned.plan.refusals and is_asked:
        granted = _granted(planned.plan)
        request = replaced(request, options=granted)
        planned = workflow.plan_to_apply(found, request, prompt=prompt, while_waiting=stopping_at_once)
    if planned.plan.refusals:
        raise PkiplanError(*planned.plan.refusals)
    return planned


def _granted(plan: Plan) -> PlanOptions:
    """Ask for each permission by name; whoever types it has read it."""
    from pkiplan.report.actions import announced

    granted = set(plan.options.allow)
    for change in plan.pending:
        if change.permission is not None and change.address not in granted:
            consent.ask(
                f"{change.address} {announced(change)}; {change.reissued_beneath:,} of {change.beneath:,} beneath it "
                "are issued anew. Type its address to allow that.",
                wanted=change.address,
            )
            granted.add(change.address)
    allow_many = plan.options.allow_many
    for refusal in plan.refusals:
        if refusal.code == TOO_MANY:
            consent.ask(f"{refusal.summary}.", wanted="many")
            allow_many = True
    return replaced(plan.options, allow=tuple(sorted(granted)), allow_many=allow_many)


def _show_plan(session: Session, planned: PlannedSite) -> None:
    session.diagnose((*planned.warnings, *planned.plan.warnings))
    if session.is_json:
        from pkiplan.report.apply import stream_head

        for document in stream_head(planned.plan):
            session.line(document)
    elif not session.is_quiet:
        from pkiplan.report.plan import plan_text

        session.result(plan_text(planned.plan, colour=session.paints_result, verbose=session.is_verbose))
        session.result("\n" if planned.plan.pending else "")
        session.flush()


def _show_report(session: Session, report: ApplyReport) -> None:
    from pkiplan.report.apply import apply_text, stream_tail

    if session.is_json:
        session.line(stream_tail(report))
    else:
        session.tell("\n")
        session.result(apply_text(report, colour=session.paints_result, verbose=session.is_verbose))
        session.flush()


def _verified(session: Session, planned: PlannedSite, report: ApplyReport) -> VerifyReport:
    from pkiplan import workflow

    with verify_progress(session) as progress:
        verification = workflow.verify_applied(planned, report, progress=progress)
    _show_verification(session, verification)
    return verification


def _show_verification(session: Session, verification: VerifyReport) -> None:
    from pkiplan.report.verify import verify_json, verify_text

    if session.is_json:
        session.line({"type": "verification"} | verify_json(verification))
    else:
        session.result(
            "\n" + verify_text(verification, colour=session.paints_result, verbose=session.is_verbose, is_brief=True)
        )


def _status_of_plan(session: Session, plan: Plan) -> int:
    """Name what makes the status 1: the plan that told it may be far above, or was not shown at all."""
    faults = [change for change in plan.blocked if change.is_fault]
    if not session.is_json and (session.is_quiet or plan.pending):
        session.diagnose(_fault(change) for change in faults if not change.findings[0].because)
    return statuses.FAILED if faults else statuses.DONE


def _fault(change: Change) -> Diagnostic:
    summary = f"{change.address} is blocked: {change.findings[0].message}"
    return Diagnostic(code="blocked", summary=summary, place=change.place, hint=change.way_out)
