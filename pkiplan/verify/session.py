"""One run of verification: the stacks, the time, the impostors, and how a check becomes results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event

from pkiplan.model.keys import ManagedKey
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.verify.credentials import Credential, ParsedPem, Subject
from pkiplan.verify.impostors import Impostors
from pkiplan.verify.made_once import MadeOnce
from pkiplan.verify.purposes import serves_tls
from pkiplan.verify.reasons import NOT_SUPPORTED
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason
from pkiplan.verify.stacks.base import HandshakeOutcome, HandshakeSetup, TlsStack
from pkiplan.verify.stacks.bounded_cache import BoundedCache

# A run that begins so far from the machine's clock was given another time on purpose; less is what an apply
# may have taken before it.
_CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeCheck:
    """A handshake to be made on every stack, and how it must end."""

    check: str
    subject: str
    setup: HandshakeSetup
    target: str = ""
    expected: Expected = Expected.ACCEPTED
    expected_reason: str = ""
    expected_by: str = ""


class Session:
    """What the probes of one run share."""

    def __init__(
        self,
        site: Site,
        *,
        now: datetime,
        load: Callable[[Resource], Credential],
        stacks: tuple[TlsStack, ...],
        is_pretended: bool | None = None,
    ) -> None:
        self.site = site
        self.now = now
        self.stacks = stacks
        self.impostors = Impostors()
        self.once = MadeOnce()
        self.is_stopped = Event()
        self._load = load
        self._parsed: ParsedPem = {}
        self._subjects: BoundedCache[Subject] = BoundedCache(64)
        self.servers_by_root = _servers_by_root(site)
        if is_pretended is None:
            is_pretended = abs(datetime.now(UTC) - now) > _CLOCK_TOLERANCE
        self._is_pretended = is_pretended

    def subject(self, resource: Resource) -> Subject:
        """Load a resource's credential, or take it from the last few; raises UnusableError or PkiplanError."""

        def make() -> Subject:
            return Subject(self._load(resource), self.site.chain_of(resource), self._parsed)

        return self._subjects.get(resource.address, make)

    def root_address(self, resource: Resource) -> str:
        """Return the address of the root a resource hangs from: its own when it is self-issued."""
        chain = self.site.chain_of(resource)
        return chain[-1].address if chain else resource.address

    def is_clock_moved(self, time: datetime) -> bool:
        """Tell whether a check at this time needs another clock than the machine's."""
        return self._is_pretended or time != self.now

    def at(self, setup: HandshakeSetup, time: datetime) -> HandshakeSetup:
        """Move a handshake to another time."""
        return replace(setup, time=time, is_clock_moved=self.is_clock_moved(time))

    def run(self, check: HandshakeCheck, stacks: tuple[TlsStack, ...] | None = None) -> Iterator[CheckResult]:
        """Make a handshake on each stack, and say how it ended."""
        for stack in self.stacks if stacks is None else stacks:
            if not stack.is_told_strictness and not check.setup.strict and check.expected is Expected.ACCEPTED:
                continue  # to this stack it is the strict handshake once more
            why_not = stack.cannot(check.setup)
            if why_not is None and check.expected_by:
                why_not = stack.cannot_judge(check.expected_by)
            if why_not is not None:
                yield _result(check, stack, Outcome.NOT_RUN, Reason(NOT_SUPPORTED, why_not))
                continue
            outcome = stack.handshake(check.setup)
            yield _finished(check, stack, outcome)


def _servers_by_root(site: Site) -> dict[str, tuple[Resource, ...]]:
    """List the servers under each root whose key can be at hand."""
    servers: dict[str, list[Resource]] = {}
    for resource in site:
        if serves_tls(resource) and isinstance(resource.key, ManagedKey):
            chain = site.chain_of(resource)
            servers.setdefault(chain[-1].address if chain else resource.address, []).append(resource)
    return {root: tuple(found) for root, found in servers.items()}


def _finished(check: HandshakeCheck, stack: TlsStack, outcome: HandshakeOutcome) -> CheckResult:
    ended = Outcome.ACCEPTED if outcome.accepted else Outcome.REFUSED
    return _result(check, stack, ended, outcome.reason, outcome.key_exchange, outcome.seconds)


def _result(
    check: HandshakeCheck,
    stack: TlsStack,
    outcome: Outcome,
    reason: Reason,
    key_exchange: str = "",
    seconds: float = 0.0,
) -> CheckResult:
    setup = check.setup
    return CheckResult(
        check=check.check,
        subject=check.subject,
        server=setup.server.name,
        client=setup.client.name if setup.client else None,
        stack=stack.name,
        version=setup.version,
        strict=setup.strict if stack.is_told_strictness else None,
        target=check.target,
        expected=check.expected,
        expected_reason=check.expected_reason,
        expected_by=check.expected_by,
        outcome=outcome,
        reason=reason,
        key_exchange=key_exchange,
        seconds=seconds,
    )
