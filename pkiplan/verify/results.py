"""What verification found: one shape for every probe, stack and kind of certificate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Expected(StrEnum):
    """What a check must end with."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class Outcome(StrEnum):
    """What a check ended with; what a stack cannot do is not run, never a failure."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was refused or not run: a stable code, the words, and which side refused."""

    code: str = ""
    text: str = ""
    by: str = ""


ACCEPTED = Reason()
UNREACHABLE = "unreachable"
BREAKS_CONSTRAINTS = "breaks-constraints"

_MADE_FOR_IT = "throw-away "

# Stacks that name several faults with one word: whichever of them was wanted may be meant (GnuTLS says
# GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE of basic constraints, path lengths and name constraints alike).
_COARSE = {BREAKS_CONSTRAINTS: ("not-an-authority", "path-too-long", "name-not-permitted")}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check and how it ended.

    `check` is stable and kebab-case. `subject` is the address of the certificate it is about; `server` and
    `client` are addresses, `throw-away …` for an impostor or a stand-in, or `host:port` for a live endpoint; None
    where there is no such side. `target` is the host name or the purpose. A control names the reason it must
    be refused for, and by which side; an empty `expected_reason` takes any. `key_exchange` names the group of an
    accepted handshake, where the stack tells. `declared_at` is the place of the rule that asked for the check.
    """

    check: str
    subject: str
    server: str | None = None
    client: str | None = None
    stack: str
    version: str | None = None
    strict: bool | None = None
    target: str = ""
    expected: Expected
    expected_reason: str = ""
    expected_by: str = ""
    outcome: Outcome
    reason: Reason = ACCEPTED
    key_exchange: str = ""
    declared_at: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def as_expected(self) -> bool:
        """Tell whether this is what had to happen; what was not run does not disappoint."""
        if self.outcome is Outcome.NOT_RUN:
            return True
        if self.reason.code == UNREACHABLE:
            return False  # an endpoint that is down has refused nobody
        if self.outcome.value != self.expected.value:
            return False
        if self.outcome is Outcome.ACCEPTED:
            return True
        meant = ("", self.reason.code, *_COARSE.get(self.reason.code, ()))
        return self.expected_reason in meant and self.expected_by in ("", self.reason.by)

    @property
    def sort_key(self) -> tuple[str, ...]:
        """Give the place of this result in a report, the same from run to run."""
        sides = (self.server or "", self.client or "", self.version or "", str(self.strict), self.stack)
        return (self.subject, self.check, self.target, *sides, self.outcome.value, self.reason.text)

    def __str__(self) -> str:
        """Say in one line what was done and what came of it."""
        how = " ".join(part for part in (f"TLS {self.version}" if self.version else "", self.mode) if part)
        over = f"{self.stack}, {how}" if how else self.stack
        about = f"{self.check} {self.target}".rstrip() + self.partners
        why = f": {self.reason.text}" if self.reason.text else ""
        return f"{self.subject}: {about} ({over}): {self.outcome.value}{why}"

    @property
    def partners(self) -> str:
        """Name who else took part, and that a rule was about no client; what was made for a check has no name here."""
        others = [side for side in (self.server, self.client) if side is not None and side != self.subject]
        named = "".join(f" with {side}" for side in others if not side.startswith(_MADE_FOR_IT))
        is_alone = self.check == "rule" and self.server is not None and self.client is None
        return f"{named} without client" if is_alone else named

    @property
    def mode(self) -> str:
        """Name how strictly the chain was judged, where that was a question."""
        return "" if self.strict is None else "strict" if self.strict else "lax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How many of how many certificates were looked at when only a sample was asked for."""

    taken: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Two stacks that judge the same handshake differently."""

    subject: str
    check: str
    target: str
    version: str | None
    outcomes: tuple[tuple[str, Outcome], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """Everything that was checked, sorted. `stacks` are name and version text of each stack that took part."""

    results: tuple[CheckResult, ...]
    stacks: tuple[tuple[str, str], ...] = ()
    sample: Sample | None = None
    seconds: float = field(default=0.0, compare=False)

    def count(self, outcome: Outcome) -> int:
        """Count the checks that ended so."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def unexpected(self) -> tuple[CheckResult, ...]:
        """List what did not end as it had to."""
        return tuple(result for result in self.results if not result.as_expected)

    @property
    def not_run(self) -> tuple[CheckResult, ...]:
        """List what could not be run."""
        return tuple(result for result in self.results if result.outcome is Outcome.NOT_RUN)

    @property
    def is_as_expected(self) -> bool:
        """Tell whether everything that ran ended as it had to."""
        return not self.unexpected

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """List handshakes about which two stacks disagree.

        A stack that judges in its own one way is held against the strict judgement of the others and the lax one.
        """
        cells: dict[tuple[object, ...], list[CheckResult]] = {}
        for result in self.results:
            if result.outcome is not Outcome.NOT_RUN:
                sides = (result.server, result.client, result.version)
                cells.setdefault((result.subject, result.check, result.target, *sides), []).append(result)
        found = (
            Disagreement(
                subject=group[0].subject,
                check=group[0].check,
                target=group[0].target,
                version=group[0].version,
                outcomes=tuple((result.stack, result.outcome) for result in group),
            )
            for cell in cells.values()
            for group in _by_strictness(cell)
            if len({result.outcome for result in group}) > 1
        )
        return tuple(dict.fromkeys(found))


def _by_strictness(results: list[CheckResult]) -> Iterator[list[CheckResult]]:
    found = {result.strict for result in results if result.strict is not None}
    modes: list[bool | None] = [*sorted(found, reverse=True)] or [None]
    for mode in modes:
        yield [result for result in results if result.strict in (mode, None)]


def report_of(
    results: Iterable[CheckResult],
    *,
    stacks: tuple[tuple[str, str], ...] = (),
    sample: Sample | None = None,
    seconds: float = 0.0,
) -> VerifyReport:
    """Make a report whose order depends on nothing but its results."""
    ordered = tuple(sorted(results, key=lambda result: result.sort_key))
    return VerifyReport(results=ordered, stacks=stacks, sample=sample, seconds=seconds)


def result_document(result: CheckResult) -> dict[str, Any]:
    """Write one result as a JSON object."""
    return {
        "check": result.check,
        "subject": result.subject,
        "server": result.server,
        "client": result.client,
        "stack": result.stack,
        "version": result.version,
        "strict": result.strict,
        "target": result.target,
        "expected": result.expected.value,
        "declared_at": result.declared_at or None,
        "expected_reason": result.expected_reason,
        "expected_by": result.expected_by,
        "outcome": result.outcome.value,
        "reason": {"code": result.reason.code, "text": result.reason.text, "by": result.reason.by},
        "key_exchange": result.key_exchange or None,
        "as_expected": result.as_expected,
        "seconds": round(result.seconds, 6),
    }


def report_document(report: VerifyReport) -> dict[str, Any]:
    """Write a report as a JSON object, without a format version: that is the view's."""
    return {
        "summary": {
            "checks": len(report.results),
            "accepted": report.count(Outcome.ACCEPTED),
            "refused": report.count(Outcome.REFUSED),
            "not_run": report.count(Outcome.NOT_RUN),
            "unexpected": len(report.unexpected),
        },
        "stacks": [{"name": name, "version": version} for name, version in report.stacks],
        "sample": {"taken": report.sample.taken, "of": report.sample.of} if report.sample else None,
        "disagreements": [
            {
                "subject": found.subject,
                "check": found.check,
                "target": found.target,
                "version": found.version,
                "outcomes": {stack: outcome.value for stack, outcome in found.outcomes},
            }
            for found in report.disagreements
        ],
        "results": [result_document(result) for result in report.results],
    }
