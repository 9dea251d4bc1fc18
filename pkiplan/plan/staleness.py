"""In what a saved plan differs from one made now: which manifest, variable, file, or decision that time has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pkiplan.diagnostics import Diagnostic
from pkiplan.plan.changes import Action, Change, Reason
from pkiplan.plan.descriptions import moment, several
from pkiplan.plan.saved_plan import SavedPlan

AGAIN = "look at a new plan: `pkiplan plan`"

# Their messages tell how much time is left, or dates that count from now.
CLOCK_REASONS = frozenset(
    {
        Reason.EXPIRED,
        Reason.RENEWAL_DUE,
        Reason.NOT_YET_VALID,
        Reason.OUTLIVES_ISSUER,
        Reason.VALIDITY_IMPOSSIBLE,
    }
)
TEMPLATES = ".cnf.j2"
CLOCK_FIELDS = frozenset({"not_before", "not_after", "serial"})

# More changed files than these are counted: a directory that was moved changes every one.
FILES_NAMED = 50


def differences(saved: SavedPlan, current: SavedPlan) -> tuple[Diagnostic, ...]:
    """Name everything by which a saved plan is stale; nothing when it is what would be planned now.

    What was allowed (`--allow`) may differ: consent is given when a plan is applied.
    """
    causes = [
        *_whole(saved, current),
        *_inputs(saved.inputs, current.inputs),
        *_variables(saved, current),
        *_files(saved.files, current.files),
    ]
    # Other inputs lead to other decisions: those are consequences, and telling them would hide the cause.
    return tuple(causes or _decisions(saved, current))


def _stale(summary: str, hint: str = AGAIN) -> Diagnostic:
    return Diagnostic(summary=summary, hint=hint, code="stale-plan")


def _whole(saved: SavedPlan, current: SavedPlan) -> Iterator[Diagnostic]:
    if saved.plan.site != current.plan.site:
        yield _stale(f"the plan is for the site `{saved.plan.site}`, not `{current.plan.site}`")
    if saved.version != current.version:
        yield _stale(f"the plan was made by pkiplan {saved.version}, this is {current.version}")
    then, now = saved.plan.options, current.plan.options
    for word in ("targets", "replace", "rekey", "prune"):
        if getattr(then, word) != getattr(now, word):
            yield _stale(f"the plan was made with another `--{word.removesuffix('s')}`")


def _inputs(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Diagnostic]:
    for what, is_template in (("the manifest", False), ("the template", True)):
        chosen = [
            {path: digest for path, digest in inputs.items() if path.endswith(TEMPLATES) is is_template}
            for inputs in (then, now)
        ]
        yield from _changed(what, *chosen)


def _changed(what: str, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Diagnostic]:
    for path in sorted(then.keys() | now.keys()):
        if path not in now:
            yield _stale(f"{what} {path} belonged to the plan and is no longer read")
        elif path not in then:
            yield _stale(f"{what} {path} is read now and did not belong to the plan")
        elif then[path] != now[path]:
            yield _stale(f"{what} {path} has changed since the plan was made")


def _variables(saved: SavedPlan, current: SavedPlan) -> Iterator[Diagnostic]:
    then, now = _by_name(saved.variables), _by_name(current.variables)
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            how = (
                "is not given now" if name not in now else "was not given" if name not in then else "has another value"
            )
            yield _stale(f"the variable {name} {how}")
    if then == now and saved.variables != current.variables:
        yield _stale("the variables are given in another order")


def _by_name(variables: tuple[str, ...]) -> dict[str, list[str]]:
    """Gather the values by name; a later one wins, so all of them count, in order. `@FILE` is its own name."""
    values: dict[str, list[str]] = {}
    for variable in variables:
        name, _, value = variable.partition("=")
        values.setdefault(f"`{name}`", []).append(value)
    return values


def _files(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Diagnostic]:
    if then == now:
        return
    changed = list(_changed("the file", then, now))
    yield from changed[:FILES_NAMED]
    if len(changed) > FILES_NAMED:
        yield _stale(f"{len(changed) - FILES_NAMED} more files have changed since the plan was made")


def _decisions(saved: SavedPlan, current: SavedPlan) -> Iterator[Diagnostic]:
    then = {change.address: change for change in saved.plan.changes}
    now = {change.address: change for change in current.plan.changes}
    when = moment(saved.plan.made_at)
    for address in dict.fromkeys((*then, *now)):
        before, after = then.get(address), now.get(address)
        if before is None or after is None or _decision(before) != _decision(after):
            yield _stale(f"{address}: {_apart(before, after, when)}")
    if list(then) != list(now) and then.keys() == now.keys():
        yield _stale("the plan names its changes in another order")


def _decision(change: Change) -> object:
    """Give what is decided about a resource, without what the clock alone changes."""
    return (
        change.kind,
        change.action,
        change.key,
        change.signs,
        change.files,
        change.rewrites_certificate,
        change.is_clamped,
        change.is_fault,
        change.dates_are_declared and change.not_after,
        [
            (finding.reason, finding.because, None if finding.reason in CLOCK_REASONS else finding.message)
            for finding in change.findings
        ],
        {field for field in change.fields if field.field not in CLOCK_FIELDS},
    )


def _apart(before: Change | None, after: Change | None, when: str) -> str:
    then, now = _told(before), _told(after)
    if before is None or after is None or then != now:
        return f"{then} when the plan was made ({when}), now {now}"
    more, less = _reasons_beside(before, after), _reasons_beside(after, before)
    if more or less:
        told = [f"also: {several(more)}"] * bool(more) + [f"no longer: {several(less)}"] * bool(less)
        return f"{then} when the plan was made ({when}), now {'; '.join(told)}"
    fields = {field.field for field in {*before.fields} ^ {*after.fields}} - CLOCK_FIELDS
    what = several(sorted(fields)) if fields else "what would be done"
    return f"{what} in the plan of {when} is not what would be planned now"


def _reasons_beside(known: Change, change: Change) -> list[str]:
    """List why a change is made beside the reasons of another."""
    reasons = {(finding.reason, finding.because) for finding in known.findings}
    return [finding.message for finding in change.findings if (finding.reason, finding.because) not in reasons]


def _told(change: Change | None) -> str:
    if change is None:
        return Action.KEEP.value
    return f"{change.action.value} ({change.findings[0].message})" if change.findings else change.action.value
