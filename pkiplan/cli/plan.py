"""`pkiplan plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pkiplan.cli import options, remembered, statuses
from pkiplan.cli.session import Session, session_of

if TYPE_CHECKING:
    from pkiplan.plan.changes import Plan

EPILOG = """\
\b
Examples:
  pkiplan plan                              what would apply do, and why
  pkiplan plan --at +90d                    what will the scheduled run do in three months
  pkiplan plan --replace certificate.web    renew one certificate now
  pkiplan plan --out p.json && pkiplan apply p.json

\b
Exit status: 0 done, 1 error or a key that is unreadable or damaged,
2 changes are pending (only with --detailed-exitcode).
"""


def plan(
    ctx: typer.Context,
    site: options.Site = None,
    *,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Save the plan in this file, for `apply FILE`.")
    ] = None,
    json: options.Json = False,
    at: options.At = None,
    target: options.Targets = None,
    replace: options.Replace = None,
    rekey: options.Rekey = False,
    prune: options.Prune = False,
    allow: options.Allow = None,
    allow_many: options.AllowMany = False,
    diff: Annotated[bool, typer.Option("--diff", help="Add what changes in the openssl.cnf files.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when changes are pending.")
    ] = False,
    extra_vars: options.Variables = None,
    allow_outside: options.AllowOutside = False,
) -> int:
    """Show what apply would do, and why.

    Compares the manifest with what is on disk and prints, for each authority and certificate that is not as
    declared, the least that mends it. Changes nothing and needs no passphrase. The plan is saved, and `pkiplan
    apply` carries out exactly that plan or, when something has changed since, refuses.
    """
    session = session_of(ctx, is_json=json)
    if at is not None and out is not None:
        raise typer.BadParameter("a plan made for another time (--at) cannot be saved", param_hint="--out")
    is_plain = not (out or json or at or target or replace or rekey or prune or allow or allow_many or diff)
    question = options.question(session, site, variables=extra_vars, allow_outside=allow_outside) if is_plain else None
    if question is not None and remembered.tell_again(session, question):
        return statuses.DONE
    from pkiplan import workflow

    asked = options.plan_options(
        targets=target, replace=replace, rekey=rekey, prune=prune, allow=allow, allow_many=allow_many
    )
    planned = workflow.make_plan(
        options.request(session, site, variables=extra_vars, allow_outside=allow_outside, at=at, options=asked)
    )
    session.diagnose((*planned.warnings, *planned.plan.warnings))
    if json:
        session.document(planned.document)
    else:
        _show(session, planned.plan, is_pretended=at is not None, cnf_diff=workflow.cnf_diff(planned) if diff else "")
    if at is None:
        saved = workflow.save_plan(planned, out)
        session.diagnose(saved.warnings)
        if saved.path is not None and planned.plan.pending and not planned.plan.refusals:
            session.tell(f"\nThe plan is saved; `pkiplan apply{f' {out}' if out else ''}` carries it out.\n")
    if question is not None:
        remembered.remember(planned, question)
    return _status(planned.plan, is_detailed=detailed_exitcode)


def _show(session: Session, plan: Plan, *, is_pretended: bool, cnf_diff: str) -> None:
    from pkiplan.report.plan import cnf_diff_text, plan_text

    session.result(
        plan_text(
            plan,
            colour=session.paints_result,
            verbose=session.is_verbose,
            is_pretended=is_pretended,
        )
    )
    if cnf_diff:
        session.result(cnf_diff_text(cnf_diff, colour=session.paints_result))


def _status(plan: Plan, *, is_detailed: bool) -> int:
    if any(change.is_fault for change in plan.blocked):
        return statuses.FAILED
    return statuses.CHANGES_PENDING if is_detailed and plan.pending else statuses.DONE
