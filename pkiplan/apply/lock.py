"""One apply at a time: a lock of the kernel on a file that stays, so it dies with its process and is never stale."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from filelock import FileLock, Timeout

from pkiplan.apply import filesystem
from pkiplan.apply.journal import recover
from pkiplan.apply.outcomes import in_one_line
from pkiplan.apply.processes import host_name, own_pid
from pkiplan.apply.tree import open_tree
from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import InterruptedByUserError, LockedError, PkiplanError
from pkiplan.model.site import Site
from pkiplan.model.tree import CONTROL_DIRECTORY, JOURNAL_FILE, LOCK_FILE, LOCK_HOLDER_FILE

_WAYS_OUT = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there"),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "pkiplan writes here; see that the directory can be written by this user",
    ),
    errno.ELOOP: "put a directory there: nothing is read or written through a link",
}

# So long a lock that became free, or a wish to stop, may go unnoticed.
_POLL_SECONDS = 0.05


@contextlib.contextmanager
def site_lock(
    site: Site,
    timeout: float = 0.0,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[str, ...]]:
    """Hold the site's lock; wait at most `timeout` seconds for another apply, for ever when it is negative.

    `stop` ends the wait, and `tell` gets a line when it begins. What an interrupted apply left is finished or
    undone first; the lines that tell so are given.
    """
    control = f"{site.directory}/{CONTROL_DIRECTORY}"
    try:
        tree = open_tree(site)
        try:
            with tree.made_directory(CONTROL_DIRECTORY) as opened:
                _refuse_planted(opened, control)
                lock = FileLock(f"{control}/{LOCK_FILE}", timeout=0, mode=0o600, thread_local=False)
                begin_to_wait = partial(_tell_of_wait, tell, opened, control, timeout)
                if not _is_acquired(lock, timeout, stop, begin_to_wait):
                    raise _locked(opened, control)
        finally:
            tree.close()
    except OSError as error:
        raise PkiplanError.of(
            f"cannot lock {site.directory}: {in_one_line(error)}", hint=_WAYS_OUT.get(error.errno or 0, ""), code="lock"
        ) from None
    try:
        recovered = _recovered(site)
        with _holder(site):
            yield recovered
    finally:
        lock.release()


def _is_acquired(
    lock: FileLock, timeout: float, stop: threading.Event | None, begin_to_wait: Callable[[], None]
) -> bool:
    until = time.monotonic() + timeout
    is_waiting = False
    while True:
        with contextlib.suppress(Timeout):
            lock.acquire()
            return True
        if stop is not None and stop.is_set():
            raise InterruptedByUserError.of(
                "interrupted while it waited for another apply; nothing was changed", code="interrupted"
            )
        if timeout >= 0 and time.monotonic() >= until:
            return False
        if not is_waiting:
            is_waiting = True
            begin_to_wait()
        # Not `stop.wait`: the handler that sets it runs in this very thread, which would hold what it needs.
        time.sleep(_POLL_SECONDS)


def is_untouched(site: Site) -> bool:
    """Tell whether no apply ever took the site's lock, so that none has left anything in hand either."""
    control = f"{site.directory}/{CONTROL_DIRECTORY}"
    return not any(os.path.lexists(f"{control}/{name}") for name in (LOCK_FILE, JOURNAL_FILE))


@contextlib.contextmanager
def _holder(site: Site) -> Iterator[None]:
    """Write down who holds the lock, for whoever waits; the lock does not depend on it."""
    told = {
        "pid": own_pid(),
        "host": host_name(),
        "user": os.environ.get("USER") or str(os.geteuid()),
        "since": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    with contextlib.suppress(OSError), _control(site) as control:
        filesystem.unlink(control, LOCK_HOLDER_FILE)
        filesystem.create_file(control, LOCK_HOLDER_FILE, json.dumps(told).encode() + b"\n", filesystem.PRIVATE)
    try:
        yield
    finally:
        with contextlib.suppress(OSError), _control(site) as control:
            filesystem.unlink(control, LOCK_HOLDER_FILE)


@contextlib.contextmanager
def _control(site: Site) -> Iterator[int]:
    tree = open_tree(site)
    try:
        with tree.directory(CONTROL_DIRECTORY) as control:
            yield control
    finally:
        tree.close()


def _recovered(site: Site) -> tuple[str, ...]:
    try:
        tree = open_tree(site)
        try:
            return recover(tree, _adopted(site), [resource.directory for resource in site if resource.is_authority])
        finally:
            tree.close()
    except OSError as error:
        raise PkiplanError.of(
            f"cannot look for, or finish, an interrupted apply: {in_one_line(error)}", code="journal"
        ) from None


def _adopted(site: Site) -> frozenset[str]:
    return frozenset(os.path.dirname(site.certificate_path(r)) for r in site if (r.cert_path or "").startswith("/"))


def _refuse_planted(control: int, path: str) -> None:
    facts = filesystem.file_facts(control, LOCK_FILE)
    if facts is not None and not stat.S_ISREG(facts.st_mode):
        raise PkiplanError.of(f"{path}/{LOCK_FILE} is not a regular file, so it was not made by pkiplan", code="lock")


def _tell_of_wait(tell: Callable[[str], None], control: int, path: str, timeout: float) -> None:
    limit = f", at most {timeout:g} s" if timeout >= 0 else ""
    tell(f"waiting{limit}: {_held(control, path)}")


def _locked(control: int, path: str) -> LockedError:
    return LockedError(
        Diagnostic(
            code="locked",
            summary=_held(control, path),
            hint="wait for it with `--lock-timeout 60s`; the lock ends with its process, there is nothing to remove",
        )
    )


def _held(control: int, path: str) -> str:
    """Say who holds the lock, as far as it is written down."""
    holder = "another apply"
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(filesystem.read_file(control, LOCK_HOLDER_FILE, 4096))
        if isinstance(told, dict):
            holder = (
                f"another apply (pid {told.get('pid')} on {told.get('host')}, user {told.get('user')},"
                f" since {told.get('since')})"
            )
    return f"{holder} works on {os.path.dirname(path)}"
