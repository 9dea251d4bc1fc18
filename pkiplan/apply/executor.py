"""Carry out a plan: all keys first, then certificates from the root down with what is made from them, then the switch.

Nothing is switched before it is whole, read back and on the disk. A failure in one branch leaves the others to finish.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
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
from pkiplan.apply.outcomes import Outcomes, Progress, in_one_line, tell_nobody
from pkiplan.apply.placing import kept_names, prepare, settle
from pkiplan.apply.rehearsal import Rehearsal, Waiting
from pkiplan.apply.results import ApplyReport, Done, EventKind, Failed, NotRun
from pkiplan.apply.tree import Tree, open_tree, unopened_tree
from pkiplan.apply.work import Work
from pkiplan.cache import Cache
from pkiplan.cache.memory import Memory
from pkiplan.errors import PkiplanError
from pkiplan.model.keys import ManagedKey, RsaKeySpec
from pkiplan.model.observed import ObservedState
from pkiplan.model.resource import KEY_FILE, Kind, Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change, KeyStep, Plan
from pkiplan.secrets import SecretResolver

# How a change becomes files, by kind of resource.
HANDLERS = {Kind.AUTHORITY: authority_files, Kind.CERTIFICATE: certificate_files}

# So many resources are put on the disk together, then switched together.
GROUP = 1024


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
    side. `stop` asks to begin no further change; those that were begun are finished. What encrypted files hold is put
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
        journal = new_journal(tree, run, now, directories, _begun(work))
        executor = _Executor(work, journal, max(1, jobs), progress or tell_nobody, stop or threading.Event())
        return executor.run(rehearsal)
    finally:
        tree.close()


def check_plan(site: Site, plan: Plan, observed: ObservedState, now: datetime, resolver: SecretResolver) -> None:
    """Raise what `apply_plan` would raise before its first write; nothing is made, not even the site's directory."""
    changes = {change.address: change for change in plan.pending}
    tree, generation = unopened_tree(site), generation_of_run(now, "")
    preflight.check(Work(site, observed, now, resolver, lambda _: "", tree, generation, changes, Memory(None)))


def _begun(work: Work) -> list[str]:
    """List the directories of the authorities that this run begins, and of which nothing is there yet."""
    return [
        resource.directory
        for address, change in work.changes.items()
        if change.action is Action.CREATE
        and (resource := work.site.resources[address]).is_authority
        and not resource.directory.startswith("/")
        and resource.cert_path is None
        and isinstance(resource.key, ManagedKey)
        and resource.key.path == KEY_FILE
        and not work.observed.issued_serials.get(address)
    ]


class _Executor:
    """The state of one run: what became of each change so far."""

    def __init__(self, work: Work, journal: Journal, jobs: int, progress: Progress, stop: threading.Event) -> None:
        self._work = work
        self._journal = journal
        self._jobs = jobs
        self._stop = stop
        self._outcomes = Outcomes(len(work.changes), progress)
        self._begun: set[str] = set()
        self._waiting = waiting_for(work)
        self._releasing = threading.Lock()
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
            self._withdraw_the_unborn(resources)
        finally:
            self._work.forget_everything()
        if self._is_clean:
            self._end()
        return ApplyReport(
            results=self._outcomes.results(pending),
            is_interrupted=self._stop.is_set(),
            notes=()
            if self._is_clean
            else ("something is left unfinished; the next apply finishes or discards it first",),
        )

    def _begin(self) -> None:
        try:
            self._journal.begin()
        except OSError as error:
            raise PkiplanError.of(f"cannot begin: {in_one_line(error)}; nothing was changed", code="journal") from None

    def _end(self) -> None:
        try:
            self._journal.end()
        except OSError:
            self._is_clean = False

    def _each(self, changes: Sequence[Change], step: Callable[[Change], None]) -> None:
        """Do one step for each change, `jobs` at a time where that pays; begin no further change once asked to stop."""
        if self._jobs == 1 or not any(map(self._waits_for_a_library, changes)):
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

    def _waits_for_a_library(self, change: Change) -> bool:
        """Tell whether other threads can go on meanwhile: while RSA keys are made, and passphrases stretched."""
        resource = self._work.site.resources.get(change.address)
        if resource is None or not isinstance(resource.key, ManagedKey):
            return False
        makes_rsa = change.key is KeyStep.GENERATE and isinstance(resource.key.spec, RsaKeySpec)
        return makes_rsa or resource.key.is_encrypted or any(output.passphrases for output in resource.outputs)

    def _is_dear(self, change: Change) -> bool:
        """Tell whether a change, once its key is made, is finished although apply was asked to stop.

        All keys are made first: that of an elliptic curve's leaf takes no time to make again, and thousands of them
        would keep whoever asked waiting.
        """
        resource = self._work.site.resources.get(change.address)
        return self._waits_for_a_library(change) or (resource is not None and resource.is_authority)

    def _guarded(self, change: Change, step: Callable[[Change], None]) -> None:
        """Do one step for one change; whatever goes wrong is that change's result."""
        if not self._outcomes.is_open(change):
            return
        is_late = self._stop.is_set() and change.address not in self._begun
        because = "apply was asked to stop" if is_late else self._unapplied_issuer(change)
        if because is not None:
            self._outcomes.finish(change, NotRun(because))
            return
        if self._is_dear(change):
            self._begun.add(change.address)
        self._outcomes.attempt(change, step)

    def _unapplied_issuer(self, change: Change) -> str | None:
        """Say that a change's issuer did not come to its place, if it did not."""
        resource = self._work.site.resources.get(change.address)
        issuer = None if resource is None else resource.issuer
        if issuer is not None and isinstance(self._outcomes.of(issuer), Failed | NotRun):
            return f"{issuer} was not applied"
        return None

    def _make_key(self, change: Change) -> None:
        resource = self._work.site.resources[change.address]
        self._outcomes.tell(EventKind.STARTED, change, detail=key_making.told(resource, change))
        self._work.stage_of(change.address).place_directory()
        key_making.make_key(self._work, resource, change)

    def _make_files(self, change: Change) -> None:
        work = self._work
        resource = work.site.resources[change.address]
        if change.key is KeyStep.KEEP:
            self._outcomes.tell(EventKind.STARTED, change)
        stage = work.stage_of(change.address)
        stage.place_directory()
        if resource.is_authority:
            work.database_of(resource).prepare()
        certificate = issue(work, resource, change) if change.signs else _certificate_at_hand(work, resource, change)
        if certificate is not None and change.key is KeyStep.GENERATE:
            key_making.remember_new_key(work, resource, certificate)
        if certificate is not None:
            with stage.kept_open():
                for write in HANDLERS[resource.kind](work, resource, change, certificate):
                    stage.write(write, work.placement(write.attributes, resource))
        for name in () if stage.is_new else kept_names(work.site, resource):
            stage.carry_over(name)
        stage.carry_over_undeclared()
        self._release(resource)

    def _release(self, resource: Resource) -> None:
        """Let go of an authority's key once the last one that waits for its signature has it."""
        issuer = resource.issuer or resource.address
        with self._releasing:
            self._waiting[issuer] = self._waiting.get(issuer, 0) - 1
            is_last = self._waiting[issuer] <= 0
        if is_last:
            self._work.forget_signing_key(issuer)

    def _rehearse(self, rehearsal: Rehearsal, pending: Sequence[Change]) -> None:
        """Let what is whole be tried; where it may not be switched, nothing is, and nothing is removed either."""
        whole = [c.address for c in pending if self._outcomes.is_open(c) and c.action is not Action.REMOVE]
        if not whole:
            return
        self._outcomes.tell(EventKind.NOTE, detail="verifying what is new before it replaces what is there")
        why_not = rehearsal(Waiting(frozenset(whole), self._work))
        if not why_not:
            return
        for change in pending:
            self._outcomes.finish(change, NotRun(why_not))
        with contextlib.suppress(OSError):
            self._work.withdraw_databases()

    def _withdraw_the_unborn(self, changes: Sequence[Change]) -> None:
        """Remove what this run entered for authorities that did not come to be: they have issued nothing.

        Else the next plan takes the lines for certificates of an authority that was lost.
        """
        if not self._is_clean:
            return
        for change in changes:
            resource = self._work.site.resources[change.address]
            family = (resource, *self._work.site.issued_by(change.address)) if resource.is_authority else ()
            if not family or change.action is not Action.CREATE:
                continue
            if not any(isinstance(self._outcomes.of(each.address), Done) for each in family):
                with contextlib.suppress(OSError, PkiplanError):
                    self._work.database_of(resource).withdraw()

    def _switch_all(self, changes: Sequence[Change]) -> None:
        """Switch everything that is whole, issuers before what they issue, group by group."""
        ready = [change for change in changes if self._outcomes.is_open(change)]
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
            self._outcomes.finish(change, Done("" if where is None else f"what was replaced is in {where}"))

        ready = [change for change in group if self._outcomes.attempt(change, prepared)]
        stages = [work.stage_of(change.address) for change in ready]
        archived = [path for path in kept.values() if path is not None]
        if not self._synced(ready, lambda: durability.sync_group(work.tree, stages, work.databases(), archived)):
            return
        done = [
            change for change in ready if self._is_issued_from_here(change) and self._outcomes.attempt(change, switched)
        ]
        stages = [work.stage_of(change.address) for change in done]
        if self._synced(done, lambda: durability.sync_switches(work.tree, stages)):
            for change in done:
                self._outcomes.attempt(change, settled)

    def _is_issued_from_here(self, change: Change) -> bool:
        """Tell whether a change's issuer is in its place; where it is not, the change is not run."""
        because = self._unapplied_issuer(change)
        if because is not None:
            self._outcomes.finish(change, NotRun(because))
        return because is None

    def _synced(self, changes: Sequence[Change], sync: Callable[[], None]) -> bool:
        """Sync a group; where that fails, all of it has failed."""
        try:
            sync()
        except (PkiplanError, OSError) as error:
            for change in changes:
                self._outcomes.finish(change, Failed(in_one_line(error)))
            return False
        return True

    def _remove(self, change: Change) -> None:
        self._outcomes.tell(EventKind.STARTED, change)
        where = removal.remove(self._work, change)
        self._outcomes.finish(change, Done(f"moved to {where}"))

    def _tidy(self, changes: Sequence[Change]) -> None:
        """Remove what failed changes left, and what was archived for long enough."""
        for change in changes:
            if isinstance(self._outcomes.of(change.address), Done):
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
            self._outcomes.tell(
                EventKind.NOTE, detail=f"old archived certificates could not be removed: {in_one_line(error)}"
            )


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
        raise PkiplanError.of(f"cannot write in {site.directory}: {in_one_line(error)}", code="not-writable") from None
