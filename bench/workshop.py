"""Where sites are made and programs are started: always in the same surroundings, with a cache of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.measuring import Program, measure
from bench.sites import Shape, fresh_site, manifest

PEERS = Path(__file__).parent / "peers"
# A site that was made longer ago is made anew, so that nothing in it comes near to its renewal.
STALE_AFTER = 20 * 86_400


class Workshop:
    """A directory with sites of all sizes; `quick` makes every size tiny, to see that everything runs."""

    def __init__(self, directory: Path, *, quick: bool) -> None:
        self._directory = directory
        self._is_quick = quick
        # So many pairs of what takes milliseconds, and of what takes half a minute.
        self.many = 3 if quick else 21
        self.twice = 1 if quick else 2
        self.empty = directory / "empty"
        self._graves = directory / "graves"
        cache = directory / "cache"
        self._cache = cache / "pkiplan"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            # Without compiled files every start would compile; an installed program has them.
            if not name.startswith(("PKIPLAN_", "PYTHON"))
        } | {"XDG_CACHE_HOME": str(cache), "XDG_STATE_HOME": str(directory / "state"), "LC_ALL": "C.UTF-8"}
        cache.mkdir(parents=True, exist_ok=True)
        # The first start writes the compiled files.
        measure(self.pkiplan("schema"))

    def size(self, leaves: int) -> int:
        """Return how many leaves are really made."""
        return min(leaves, 3 + leaves // 1_000) if self._is_quick else leaves

    def few(self, leaves: int) -> int:
        """Return how many pairs are measured of a size."""
        return 1 if self._is_quick or leaves > 1_000 else 5

    def bare_python(self) -> Program:
        """Give the interpreter that does nothing."""
        return Program(line=[sys.executable, "-c", "pass"], environment=self.environment)

    def pkiplan(self, *arguments: str, site: Path | None = None, prepare: Callable[[], None] | None = None) -> Program:
        """Give a call of the installed command."""
        place = [] if site is None else ["-C", str(site)]
        command = Path(sys.executable).with_name("pkiplan")
        return Program(line=[str(command), *place, *arguments], environment=self.environment, prepare=prepare)

    def peer(self, name: str, directory: Path, *arguments: str, prepare: Callable[[], None] | None = None) -> Program:
        """Give a call of a program to be compared with."""
        program = [sys.executable, str(PEERS / name)] if name.endswith(".py") else ["/bin/sh", str(PEERS / name)]
        return Program(line=[*program, str(directory), *arguments], environment=self.environment, prepare=prepare)

    def forget(self) -> None:
        """Empty the cache."""
        shutil.rmtree(self._cache, ignore_errors=True)

    def clear(self) -> None:
        """Take away what an earlier peer has written."""
        self._bury(self.empty)

    def take_away(self, site: Path) -> None:
        """Take away what an earlier apply has made, and what is remembered of it."""
        self.forget()
        self._bury(site / "pki")
        self._bury(site / ".pkiplan")

    def tidy(self) -> None:
        """Delete what was taken away."""
        shutil.rmtree(self._graves, ignore_errors=True)

    def _bury(self, path: Path) -> None:
        """Move a directory out of the way.

        Deleting it here would slow the next program down: for minutes ext4 gives no inode anew that was just deleted,
        and looks at each of them whenever a file is made (fs/ext4/ialloc.c, recently_deleted).
        """
        if path.exists():
            self._graves.mkdir(exist_ok=True)
            path.rename(self._graves / os.urandom(8).hex())

    def fresh(self, leaves: int, shape: Shape, key: str) -> Path:
        """Make a site to be applied."""
        site = self._directory / "fresh"
        self._bury(site)
        return fresh_site(site, manifest(leaves, shape, key=key))

    def applied(self, leaves: int, shape: Shape) -> Path:
        """Return a site that is applied already; one that was made for an earlier row, or an earlier run, is used."""
        text = manifest(leaves, shape)
        site = self._directory / f"{shape.value}-{leaves}"
        stamp = site / "applied"
        wanted = hashlib.sha256(text.encode()).hexdigest()
        is_there = stamp.is_file() and stamp.read_text() == wanted
        if not is_there or time.time() - stamp.stat().st_mtime > STALE_AFTER:
            fresh_site(site, text)
            measure(self.pkiplan("apply", "--yes", "--no-verify", site=site))
            stamp.write_text(wanted)

        return site
