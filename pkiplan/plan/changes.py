"""A plan as data: what is done to which resource, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.model.observed import UnmanagedFile
from pkiplan.model.resource import Kind


class Action(StrEnum):
    """What is done to a resource. `docs/planning.md` says when."""

    KEEP = "keep"
    CREATE = "create"
    RENEW = "renew"
    MODIFY = "modify"
    REKEY = "re-key"
    REENCODE = "re-encode"
    REMOVE = "remove"
    BLOCKED = "blocked"


SYMBOLS: dict[Action, str] = {
    Action.KEEP: " ",
    Action.CREATE: "+",
    Action.RENEW: "~",
    Action.MODIFY: "~",
    Action.REKEY: "±",
    Action.REENCODE: "~",
    Action.REMOVE: "-",
    Action.BLOCKED: "!",
}


class Reason(StrEnum):
    """Why, for machines; consumers treat unknown reasons as unspecified. `apply` never branches on them."""

    MISSING = "missing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    EXPIRED = "expired"
    RENEWAL_DUE = "renewal_due"
    NOT_YET_VALID = "not_yet_valid"
    LIFETIME_CHANGED = "lifetime_changed"
    OUTLIVES_ISSUER = "outlives_issuer"
    SUBJECT_CHANGED = "subject_changed"
    NAMES_CHANGED = "names_changed"
    EXTENSION_CHANGED = "extension_changed"
    SIGNATURE_ALGORITHM_CHANGED = "signature_algorithm_changed"
    VERSION_CHANGED = "version_changed"
    KEY_IDENTIFIER_CHANGED = "key_identifier_changed"
    SERIAL_REUSED = "serial_reused"
    ISSUER_CHANGED = "issuer_changed"
    ISSUER_RENEWED = "issuer_renewed"
    ISSUER_REKEYED = "issuer_rekeyed"
    SIGNATURE_INVALID = "signature_invalid"
    KEY_MISSING = "key_missing"
    KEY_MISMATCH = "key_mismatch"
    KEY_TYPE_CHANGED = "key_type_changed"
    KEY_FORM_CHANGED = "key_form_changed"
    KEY_ENCRYPTION_CHANGED = "key_encryption_changed"
    PASSPHRASE_CHANGED = "passphrase_changed"  # noqa: S105 - a word for a reason, no password
    KEY_OFFLINE = "key_offline"
    KEY_UNSOUND = "key_unsound"
    KEY_BOUND_TO_PSS = "key_bound_to_pss"
    ATTRIBUTES_CHANGED = "attributes_changed"
    FILE_MISSING = "file_missing"
    FILE_LAGS = "file_lags"
    FILE_CHANGED = "file_changed"
    ISSUER_BLOCKED = "issuer_blocked"
    REQUESTED = "requested"
    UNDECLARED = "undeclared"
    INTERRUPTED = "interrupted"
    VALIDITY_IMPOSSIBLE = "validity_impossible"
    LINT_REFUSED = "lint_refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a change; `message` shows the values, `because` is the address of another resource at fault."""

    reason: Reason
    message: str
    because: str | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, in the words of the manifest; None is absent, `after_unknown` known after apply."""

    field: str
    before: str | None
    after: str | None
    after_unknown: bool = False


class KeyStep(StrEnum):
    """What happens to the private key."""

    KEEP = "keep"
    GENERATE = "generate"
    REENCODE = "re-encode"


_NOTHING_TO_DO = (Action.KEEP, Action.BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Everything that is done to one resource, and why; complete, so that apply decides nothing.

    `signs` tells whether a new certificate is issued, valid from `not_before` to `not_after` (the clock of
    this plan; they take no part when two plans are compared, unless the manifest gives the date: then
    `dates_are_declared`). `files` are the derived files and outputs that are written, by name, sorted.
    `is_fault` marks a blocked change that makes the run fail (unreadable or damaged), unlike an offline key.
    `way_out` says what a person can do about a blocked change. `permission` is the option that must be given
    before apply will do it (`--allow authority.root`), or None. `beneath` counts the certificates below an
    authority, `reissued_beneath` those that this plan signs anew.
    """

    address: str
    kind: Kind
    action: Action
    place: Place | None = field(default=None, compare=False)
    findings: tuple[Finding, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    key: KeyStep = KeyStep.KEEP
    signs: bool = False
    not_before: datetime | None = field(default=None, compare=False)
    not_after: datetime | None = field(default=None, compare=False)
    dates_are_declared: bool = False
    is_clamped: bool = False
    files: tuple[str, ...] = ()
    rewrites_certificate: bool = False
    is_fault: bool = False
    way_out: str = ""
    permission: str | None = None
    beneath: int = 0
    reissued_beneath: int = 0

    @property
    def is_pending(self) -> bool:
        """Tell whether apply has something to do here."""
        return self.action not in _NOTHING_TO_DO


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What was asked for on the command line that changes the decision; kept in the saved plan.

    `targets` and `replace` are addresses or globs; `rekey` gives a new key to what is replaced. `allow` are
    addresses.
    """

    targets: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    rekey: bool = False
    prune: bool = False
    allow: tuple[str, ...] = ()
    allow_many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The decision for a whole site.

    `changes` hold everything but what is kept, in the order in which apply does it: issuers before what they
    issue, removals last. `kept` counts the rest. `warnings` are for people. `refusals` say which guard stops
    the plan from being applied, each with the option that would allow it.
    """

    site: str
    made_at: datetime
    changes: tuple[Change, ...]
    kept: int
    options: PlanOptions = PlanOptions()
    unmanaged: tuple[UnmanagedFile, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    refusals: tuple[Diagnostic, ...] = ()
    interrupted: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[Change, ...]:
        """List the changes that apply carries out."""
        return tuple([change for change in self.changes if change.action not in _NOTHING_TO_DO])

    @property
    def blocked(self) -> tuple[Change, ...]:
        """List what cannot be done here and now."""
        return tuple(change for change in self.changes if change.action is Action.BLOCKED)

    @property
    def counts(self) -> Mapping[Action, int]:
        """Count the changes by action, what is kept included."""
        counts = dict.fromkeys(Action, 0)
        for change in self.changes:
            counts[change.action] += 1
        counts[Action.KEEP] = self.kept
        return counts
