"""One verification: every certificate by every probe, every rule of the manifest, in a pool of threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from datetime import datetime

from pkiplan.errors import PkiplanError, kind_and_place
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site, VerifyRule
from pkiplan.verify import VerifyEvent
from pkiplan.verify.credentials import Credential, NotRunError, UnusableError, first_line
from pkiplan.verify.probes import PROBES, RULE_PROBES
from pkiplan.verify.reasons import UNUSABLE_CERTIFICATE
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason, VerifyReport, report_of
from pkiplan.verify.scope import Depth, VerifyScope, rules_about, select
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks import all_stacks
from pkiplan.verify.stacks.base import TlsStack

_OURS = "pkiplan"


@dataclass(frozen=True, kw_only=True)
class _Options:
    scope: VerifyScope
    jobs: int
    progress: Callable[[VerifyEvent], None] | None


class Run:
    """A site, what to verify of it and with what; `report` does the work."""

    def __init__(
        self,
        site: Site,
        *,
        now: datetime,
        scope: VerifyScope,
        load: Callable[[Resource], Credential],
        stacks: tuple[TlsStack, ...] | None,
        others: tuple[TlsStack, ...],
        jobs: int | None,
        progress: Callable[[VerifyEvent], None] | None,
        is_pretended: bool | None,
    ) -> None:
        stacks = (*(all_stacks() if stacks is None else stacks), *others)
        self._session = Session(site, now=now, load=load, stacks=stacks, is_pretended=is_pretended)
        self._options = _Options(scope=scope, jobs=jobs or os.cpu_count() or 1, progress=progress)

    def report(self) -> VerifyReport:
        """Verify everything selected and sort the results."""
        started = time.perf_counter()
        selection = select(self._session.site, self._options.scope)
        rules = rules_about(self._session.site, selection, self._options.scope)
        with ThreadPoolExecutor(max_workers=self._options.jobs, thread_name_prefix="verify") as pool:
            work: dict[Future[list[CheckResult]], str] = {}
            for resource, depth in selection.depths:
                work[pool.submit(_verify_resource, self._session, resource, depth)] = resource.address
            for rule in rules:
                work[pool.submit(_verify_rule, self._session, rule)] = rule.connect or rule.server or ""
            try:
                results = self._gather(work)
            except BaseException:
                # Whoever interrupts waits for the handshakes that are begun, not for all that was asked.
                self._session.is_stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return report_of(
            results,
            stacks=tuple((stack.name, stack.version) for stack in self._session.stacks),
            sample=selection.sample,
            seconds=time.perf_counter() - started,
        )

    def _gather(self, work: dict[Future[list[CheckResult]], str]) -> list[CheckResult]:
        results: list[CheckResult] = []
        if self._options.progress is None:
            # Waking up for each would take the interpreter from those that work, a thousand times.
            wait(work, return_when=FIRST_EXCEPTION)
        for done, future in enumerate(as_completed(work), start=1):
            results.extend(future.result())
            if self._options.progress is not None:
                self._options.progress(VerifyEvent(address=work[future], done=done, of=len(work)))
        return results


def _verify_resource(session: Session, resource: Resource, depth: Depth) -> list[CheckResult]:
    # At a glance one stack is enough: which certificate it is makes no difference to the second opinion.
    stacks = session.stacks if depth is Depth.FULL else session.stacks[:1]

    def everything() -> Iterator[CheckResult]:
        subject = session.subject(resource)
        for name, probe in PROBES.items():
            yield from _guarded(name, resource.address, _carried_out(session, probe(session, subject, depth), stacks))

    return list(_guarded("credential", resource.address, everything()))


def _verify_rule(session: Session, rule: VerifyRule) -> list[CheckResult]:
    name = "rule" if rule.connect is None else "connect"
    checks = RULE_PROBES[name](session, rule)
    about = rule.server or rule.client or rule.connect or ""
    results = _guarded(name, about, _carried_out(session, checks, session.stacks))
    return [replace(result, declared_at=str(rule.place)) for result in results]


def _carried_out(
    session: Session, checks: Iterable[HandshakeCheck | CheckResult], stacks: tuple[TlsStack, ...]
) -> Iterator[CheckResult]:
    for found in checks:
        if session.is_stopped.is_set():
            return
        if isinstance(found, HandshakeCheck):
            yield from session.run(found, stacks)
        else:
            yield found


def _guarded(check: str, address: str, results: Iterator[CheckResult]) -> Iterator[CheckResult]:
    """Turn what stops a probe into its last result."""
    try:
        yield from results
    except NotRunError as error:
        yield _verdict(check, address, Outcome.NOT_RUN, error.reason)
    except UnusableError as error:
        yield _verdict(check, address, Outcome.REFUSED, error.reason)
    except PkiplanError as error:
        yield _verdict(check, address, Outcome.REFUSED, Reason(UNUSABLE_CERTIFICATE, first_line(error)))
    except ValueError as error:
        # cryptography says so of what does not parse, and only once that is looked at.
        reason = Reason(UNUSABLE_CERTIFICATE, f"the certificate cannot be parsed: {kind_and_place(error)}")
        yield _verdict(check, address, Outcome.REFUSED, reason)


def _verdict(check: str, address: str, outcome: Outcome, reason: Reason) -> CheckResult:
    return CheckResult(
        check=check, subject=address, stack=_OURS, expected=Expected.ACCEPTED, outcome=outcome, reason=reason
    )
