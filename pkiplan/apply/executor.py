"""Carry out a plan: all keys first, then certificates from the root down with what is made from them, then the switch.

Nothing is switched before it is whole, read back and on the disk. A failure in one branch leaves the others to finish.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from cryptography.x509 import Certificate

from pkiplan.apply import archive, durability, key_making, preflight, removal
from pkiplan.apply.authority import file_writes as authority_files
from pkiplan.apply.certificate import file_writes as certificate_files
from pkiplan.apply.generations import generation_of_run
from pkiplan.apply.issuing import issue
from pkiplan.apply.journal import Journal, new_journal
from pkiplan.apply.order import levels, waiting_for
from pkiplan.apply.placing import kept_names, prepare, settle
from pkiplan.apply.rehearsal import Rehearsal, Waiting
from pkiplan.apply.results import (
    ApplyEvent,
    ApplyReport,
    ChangeResult,
    Done,
    EventKind,
    Failed,
    NotRun,
    Outcome,
)
from pkiplan.apply.tree import Tree, open_tree
from pkiplan.apply.work import Work
from pkiplan.cache import Cache
from pkiplan.cache.memory import Memory
from pkiplan.errors import PkiplanError
from pkiplan.model.observed import ObservedState
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change, KeyStep, Plan
from pkiplan.secrets import SecretResolver
from pkiplan.x509.keys import public_key_facts

# How a change becomes files, by kind of resource.
HANDLERS = {Kind.AUTHORITY: authority_files, Kind.CERTIFICATE: certificate_files}

# So many resources are put on the disk together, then switched together.
GROUP = 1024

Progress = Callable[[ApplyEvent], None]


def apply_plan(
    site: Site,
    plan: Plan,
    observed: ObservedState,
    *,
    now: datetime,
    resolver: SecretResolver,
    cnf_texts: Callable[[Resource], str],
    jobs: int = 1,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    cache: Cache | None = None,
    rehearsal: Rehearsal | None = None,
) -> ApplyReport:
    """Carry out the pending changes of a plan that was made from this very state; the site's lock must be held.

    Raises `PkiplanError` before the first write when something is known to fail. `jobs` changes are worked on side by
    side. `stop` asks to begin nothing more; what is whole by then is still switched. What encrypted files hold is put
    into the `cache`, for the caller to save. `rehearsal` tries what is whole before it is switched; where it says why
    not, nothing is.
    """
    if plan.refusals:
        raise PkiplanError(*plan.refusals)
    if not plan.pending:
        return ApplyReport()
    tree = _opened_tree(site)
    try:
        run = os.urandom(4).hex()
        changes = {change.address: change for change in plan.pending}
        work = Work(site, observed, now, resolver, cnf_texts, tree, generation_of_run(now, run), changes, Memory(cache))
        preflight.check(work)
        directories = {a: site.resources[a].directory for a in changes if a in site.resources}
        journal = new_journal(tree, run, now, directories)
        executor = _Executor(work, journal, max(1, jobs), progress or _tell_nobody, stop or threading.Event())
        return executor.run(rehearsal)
    finally:
        tree.close()


class _Executor:
    """The state of one run: what became of each change so far."""

    def __init__(self, work: Work, journal: Journal, jobs: int, progress: Progress, stop: threading.Event) -> None:
        self._work = work
        self._journal = journal
        self._jobs = jobs
        self._progress = progress
        self._stop = stop
        self._outcomes: dict[str, Outcome] = {}
        self._seconds: dict[str, float] = {}
        self._waiting = waiting_for(work)
        self._told = threading.Lock()
        self._is_clean = True

    def run(self, rehearsal: Rehearsal | None) -> ApplyReport:
        """Do it all, and report."""
        pending = list(self._work.changes.values())
        resources = [change for change in pending if change.action is not Action.REMOVE]
        self._begin()
        try:
            self._each([c for c in resources if c.key is not KeyStep.KEEP], self._make_key)
            for level in levels(self._work.site, resources):
                self._each(level, self._make_files)
            self._work.forget_everything()
            if rehearsal is not None:
                self._rehearse(rehearsal, pending)
            self._switch_all(resources)
            self._each([change for change in pending if change.action is Action.REMOVE], self._remove)
            self._tidy(resources)
        finally:
            self._work.forget_everything()
        if self._is_clean:
            self._end()
        return ApplyReport(
            results=tuple(
                ChangeResult(
                    address=change.address,
                    action=change.action,
                    outcome=self._outcomes[change.address],
                    seconds=self._seconds.get(change.address, 0.0),
                )
                for change in pending
            ),
            is_interrupted=self._stop.is_set(),
            notes=()
            if self._is_clean
            else ("something is left unfinished; the next apply finishes or discards it first",),
        )

    def _begin(self) -> None:
        try:
            self._journal.begin()
        except OSError as error:
            raise PkiplanError.of(f"cannot begin: {_words(error)}; nothing was changed", code="journal") from None

    def _end(self) -> None:
        try:
            self._journal.end()
        except OSError:
            self._is_clean = False

    def _each(self, changes: Iterable[Change], step: Callable[[Change], None]) -> None:
        """Do one step for each change, `jobs` at a time; begin nothing more once asked to stop."""
        if self._jobs == 1:
            for change in changes:
                self._guarded(change, step)
            return
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="apply") as pool:
            try:
                for change in changes:
                    # A short queue: a site of ten thousand must not lie in memory as futures.
                    if len(running) >= 2 * self._jobs:
                        running = _unfinished(running, FIRST_COMPLETED)
                    running.add(pool.submit(self._guarded, change, step))
                _unfinished(running, ALL_COMPLETED)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _guarded(self, change: Change, step: Callable[[Change], None]) -> None:
        """Do one step for one change; whatever goes wrong is that change's result."""
        if change.address in self._outcomes:
            return
        because = self._hindrance(change)
        if because is not None:
            self._finish(change, NotRun(because))
            return
        self._attempt(change, step)

    def _attempt(self, change: Change, step: Callable[[Change], None]) -> bool:
        begun = time.monotonic()
        try:
            step(change)
        except (PkiplanError, OSError) as error:
            failed = Failed(_words(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours in one branch must not stop the others
            failed = Failed(_fault(error))
        else:
            return True
        finally:
            self._seconds[change.address] = self._seconds.get(change.address, 0.0) + time.monotonic() - begun
        self._finish(change, failed)
        return False

    def _hindrance(self, change: Change) -> str | None:
        if self._stop.is_set():
            return "apply was asked to stop"
        resource = self._work.site.resources.get(change.address)
        issuer = None if resource is None else resource.issuer
        if issuer is not None and isinstance(self._outcomes.get(issuer), Failed | NotRun):
            return f"{issuer} was not applied"
        return None

    def _make_key(self, change: Change) -> None:
        resource = self._work.site.resources[change.address]
        self._tell(EventKind.STARTED, change, detail=key_making.told(resource, change))
        self._work.stage_of(change.address).place_directory()
        key_making.make_key(self._work, resource, change)

    def _make_files(self, change: Change) -> None:
        work = self._work
        resource = work.site.resources[change.address]
        if change.key is KeyStep.KEEP:
            self._tell(EventKind.STARTED, change)
        stage = work.stage_of(change.address)
        stage.place_directory()
        if resource.is_authority:
            work.database_of(resource).prepare()
        certificate = issue(work, resource, change) if change.signs else _certificate_at_hand(work, resource, change)
        if certificate is not None and change.key is KeyStep.GENERATE:
            key_making.remember_key(work, resource, *public_key_facts(certificate.public_key()))
        if certificate is not None:
            with stage.kept_open():
                for write in HANDLERS[resource.kind](work, resource, change, certificate):
                    stage.write(write, work.placement(write.attributes, resource))
        for name in kept_names(work.site, resource):
            stage.carry_over(name)
        stage.carry_over_undeclared()
        self._release(resource)

    def _release(self, resource: Resource) -> None:
        """Let go of an authority's key once the last one that waits for its signature has it."""
        issuer = resource.issuer or resource.address
        with self._told:
            self._waiting[issuer] = self._waiting.get(issuer, 0) - 1
            is_last = self._waiting[issuer] <= 0
        if is_last:
            self._work.forget_signing_key(issuer)

    def _rehearse(self, rehearsal: Rehearsal, pending: Sequence[Change]) -> None:
        """Let what is whole be tried; where it may not be switched, nothing is, and nothing is removed either."""
        whole = [c.address for c in pending if c.address not in self._outcomes and c.action is not Action.REMOVE]
        if not whole:
            return
        self._tell(EventKind.NOTE, None, detail="verifying what is new before it replaces what is there")
        why_not = rehearsal(Waiting(frozenset(whole), self._work))
        if not why_not:
            return
        for change in pending:
            self._finish(change, NotRun(why_not))
        with contextlib.suppress(OSError):
            self._work.withdraw_databases()

    def _switch_all(self, changes: Sequence[Change]) -> None:
        """Switch everything that is whole, issuers before what they issue, group by group."""
        ready = [change for change in changes if change.address not in self._outcomes]
        for start in range(0, len(ready), GROUP):
            self._switch_group(ready[start : start + GROUP])

    def _switch_group(self, group: Sequence[Change]) -> None:
        """Put on the disk what a group is switched to, switch, and put that on the disk before it is told."""
        work = self._work
        kept: dict[str, str | None] = {}
        before: dict[str, str | None] = {}

        def prepared(change: Change) -> None:
            kept[change.address] = prepare(work, work.site.resources[change.address], change)

        def switched(change: Change) -> None:
            before[change.address] = work.stage_of(change.address).switch(self._journal)

        def settled(change: Change) -> None:
            resource = work.site.resources[change.address]
            self._is_clean &= settle(work, resource, change, before[change.address])
            where = kept[change.address]
            self._finish(change, Done("" if where is None else f"what was replaced is in {where}"))

        ready = [change for change in group if self._attempt(change, prepared)]
        stages = [work.stage_of(change.address) for change in ready]
        archived = [path for path in kept.values() if path is not None]
        if not self._synced(ready, lambda: durability.sync_group(work.tree, stages, work.databases(), archived)):
            return
        done = [change for change in ready if self._is_issued_from_here(change) and self._attempt(change, switched)]
        stages = [work.stage_of(change.address) for change in done]
        if self._synced(done, lambda: durability.sync_switches(work.tree, stages)):
            for change in done:
                self._attempt(change, settled)

    def _is_issued_from_here(self, change: Change) -> bool:
        """Tell whether a change's issuer is in its place; where it is not, the change is not run."""
        issuer = self._work.site.resources[change.address].issuer
        if issuer is None or not isinstance(self._outcomes.get(issuer), Failed | NotRun):
            return True
        self._finish(change, NotRun(f"{issuer} was not applied"))
        return False

    def _synced(self, changes: Sequence[Change], sync: Callable[[], None]) -> bool:
        """Sync a group; where that fails, all of it has failed."""
        try:
            sync()
        except (PkiplanError, OSError) as error:
            for change in changes:
                self._finish(change, Failed(_words(error)))
            return False
        return True

    def _remove(self, change: Change) -> None:
        self._tell(EventKind.STARTED, change)
        where = removal.remove(self._work, change)
        self._finish(change, Done(f"moved to {where}"))

    def _tidy(self, changes: Sequence[Change]) -> None:
        """Remove what failed changes left, and what was archived for long enough."""
        for change in changes:
            if isinstance(self._outcomes.get(change.address), Done):
                continue
            stage = self._work.stage_of(change.address)
            if stage.is_switching:
                # Some of its files may have their places: the next apply finishes that, by the journal.
                self._is_clean = False
                if stage.plain:
                    continue
            try:
                stage.discard()
            except OSError:
                self._is_clean = False
        try:
            archive.remove_expired(self._work.tree, self._work.now)
        except OSError as error:
            self._tell(EventKind.NOTE, None, detail=f"old archived certificates could not be removed: {_words(error)}")

    def _finish(self, change: Change, outcome: Outcome) -> None:
        with self._told:
            if change.address in self._outcomes:
                return
            self._outcomes[change.address] = outcome
        match outcome:
            case Done(detail):
                self._tell(EventKind.FINISHED, change, detail=detail)
            case Failed(why):
                self._tell(EventKind.FAILED, change, detail=why)
            case NotRun(because):
                self._tell(EventKind.NOT_RUN, change, detail=because)

    def _tell(self, kind: EventKind, change: Change | None, *, detail: str = "") -> None:
        event = ApplyEvent(
            kind=kind,
            address="" if change is None else change.address,
            action=None if change is None else change.action,
            detail=detail,
            index=len(self._outcomes),
            total=len(self._work.changes),
            seconds=0.0 if change is None else self._seconds.get(change.address, 0.0),
        )
        # Whoever looks on may have gone away (a closed pipe); that must not end an apply half way.
        with self._told, contextlib.suppress(Exception):
            self._progress(event)


def _tell_nobody(_: ApplyEvent) -> None:
    """Let events pass."""


def _unfinished(running: set[Future[None]], until: str) -> set[Future[None]]:
    """Wait, let what is finished speak up if it was broken off, and return the rest."""
    finished, rest = wait(running, return_when=until)
    for future in finished:
        future.result()
    return rest


def _certificate_at_hand(work: Work, resource: Resource, change: Change) -> Certificate | None:
    """Return the certificate in use, where a change writes anything that is made from it."""
    return work.certificate_of(resource) if change.files or change.rewrites_certificate else None


def _opened_tree(site: Site) -> Tree:
    try:
        return open_tree(site)
    except OSError as error:
        raise PkiplanError.of(f"cannot write in {site.directory}: {_words(error)}", code="not-writable") from None


def _words(error: Exception) -> str:
    """Say what went wrong in one line."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{(error.strerror or type(error).__name__).lower()}"
    return "; ".join(str(error).splitlines())


def _fault(error: Exception) -> str:
    """Tell of a fault in pkiplan itself by its kind and line; its text might hold a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error: {type(error).__name__} in {os.path.basename(frame.filename)}:{frame.lineno}"
