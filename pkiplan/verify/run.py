"""Verify a site: every certificate by every probe, every rule of the manifest, in a pool of threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime

from pkiplan.errors import PkiplanError
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.verify.credentials import Credential, NotRunError, Subject, UnusableError, first_line
from pkiplan.verify.probes import PROBES
from pkiplan.verify.probes.base import Probe
from pkiplan.verify.reasons import UNUSABLE_CERTIFICATE
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason, VerifyReport, report_of
from pkiplan.verify.scope import EVERYTHING, Depth, VerifyScope, select
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks import all_stacks
from pkiplan.verify.stacks.base import TlsStack


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEvent:
    """One certificate or rule is done: so many of so many."""

    address: str
    done: int
    of: int


def verify_site(
    site: Site,
    *,
    now: datetime,
    scope: VerifyScope = EVERYTHING,
    load: Callable[[Resource], Credential],
    stacks: tuple[TlsStack, ...] | None = None,
    jobs: int | None = None,
    progress: Callable[[VerifyEvent], None] | None = None,
) -> VerifyReport:
    """Verify what the scope names, and report every check; never raises for what a certificate is like.

    `load` gives the credential of a resource and raises PkiplanError when there is none. `progress` is called
    in the caller's thread.
    """
    started = time.perf_counter()
    stacks = all_stacks() if stacks is None else stacks
    session = Session(site, now=now, load=load, stacks=stacks)
    selection = select(site, scope)
    results: list[CheckResult] = []
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1, thread_name_prefix="verify") as pool:
        work = {
            pool.submit(_verify_resource, session, resource, depth): resource.address
            for resource, depth in selection.depths
        }
        for done, future in enumerate(as_completed(work), start=1):
            results.extend(future.result())
            if progress is not None:
                progress(VerifyEvent(address=work[future], done=done, of=len(work)))
    return report_of(
        results,
        stacks=tuple((stack.name, stack.version) for stack in stacks),
        sample=selection.sample,
        seconds=time.perf_counter() - started,
    )


def _verify_resource(session: Session, resource: Resource, depth: Depth) -> list[CheckResult]:
    try:
        subject = session.subject(resource)
    except PkiplanError as error:
        return [_verdict("credential", resource, Outcome.REFUSED, Reason(UNUSABLE_CERTIFICATE, first_line(error)))]
    except UnusableError as error:
        return [_verdict("credential", resource, Outcome.REFUSED, error.reason)]
    results: list[CheckResult] = []
    for name, probe in PROBES.items():
        results.extend(_run_probe(session, subject, depth, name, probe))
    return results


def _run_probe(session: Session, subject: Subject, depth: Depth, name: str, probe: Probe) -> Iterator[CheckResult]:
    # At a glance one stack is enough: which certificate it is makes no difference to the second opinion.
    stacks = session.stacks if depth is Depth.FULL else session.stacks[:1]
    try:
        for found in probe(session, subject, depth):
            if isinstance(found, HandshakeCheck):
                yield from session.run(found, stacks)
            else:
                yield found
    except NotRunError as error:
        yield _verdict(name, subject.resource, Outcome.NOT_RUN, error.reason)
    except UnusableError as error:
        yield _verdict(name, subject.resource, Outcome.REFUSED, error.reason)
    except ValueError as error:
        # cryptography says so of extensions that do not parse, and only once they are looked at.
        yield _verdict(
            name, subject.resource, Outcome.REFUSED, Reason(UNUSABLE_CERTIFICATE, f"cannot be parsed: {error}")
        )


def _verdict(check: str, resource: Resource, outcome: Outcome, reason: Reason) -> CheckResult:
    return CheckResult(
        check=check,
        subject=resource.address,
        stack="pkiplan",
        expected=Expected.ACCEPTED,
        outcome=outcome,
        reason=reason,
    )
