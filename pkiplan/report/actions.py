"""The words and colours of the actions, before and after they are done."""

from __future__ import annotations

from pkiplan.plan.changes import SYMBOLS, Action, Change, KeyStep
from pkiplan.report.colour import Paint

TO_DO: dict[Action, str] = {
    Action.CREATE: "to create",
    Action.RENEW: "to renew",
    Action.MODIFY: "to modify",
    Action.REKEY: "to re-key",
    Action.REENCODE: "to re-encode",
    Action.REMOVE: "to remove",
}

DONE: dict[Action, str] = {
    Action.CREATE: "created",
    Action.RENEW: "renewed",
    Action.MODIFY: "modified",
    Action.REKEY: "re-keyed",
    Action.REENCODE: "re-encoded",
    Action.REMOVE: "removed",
}

# What a person should see last, because it is next to the question: the gravest.
GRAVITY: tuple[Action, ...] = (
    Action.KEEP,
    Action.REENCODE,
    Action.CREATE,
    Action.RENEW,
    Action.MODIFY,
    Action.REKEY,
    Action.REMOVE,
    Action.BLOCKED,
)


def announced(change: Change) -> str:
    """Say what will happen to a resource, the fate of its key included."""
    if change.action is Action.BLOCKED:
        return "is blocked"
    told = f"will be {DONE[change.action]}"
    if change.action in (Action.RENEW, Action.MODIFY):
        return f"{told} with a new key" if change.key is KeyStep.GENERATE else f"{told}, its key stays"
    return f"{told}, nothing is signed" if change.action is Action.REENCODE else told


def symbol(action: Action, paint: Paint) -> str:
    """Give the sign of an action in its colour."""
    return painted(action, SYMBOLS[action], paint)


def painted(action: Action, text: str, paint: Paint) -> str:
    """Paint a text in the colour of an action."""
    match action:
        case Action.KEEP:
            return text
        case Action.CREATE:
            return paint.good(text)
        case Action.REKEY:
            return paint.key(text)
        case Action.REMOVE | Action.BLOCKED:
            return paint.bad(text)
        case _:
            return paint.changed(text)


def counts_text(counts: dict[Action, int], words: dict[Action, str]) -> str:
    """Write `4 to create, 1 to renew`; only what there is."""
    return ", ".join(f"{counts[action]:,} {word}" for action, word in words.items() if counts.get(action))
