"""A site on a real disk: written as a manifest, planned and applied with everything that really does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pkiplan.apply.executor import apply_plan
from pkiplan.apply.lock import site_lock
from pkiplan.apply.rehearsal import Rehearsal
from pkiplan.apply.results import ApplyEvent, ApplyReport
from pkiplan.cache import Cache
from pkiplan.errors import SecretError
from pkiplan.manifest import load_site
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Plan, PlanOptions
from pkiplan.plan.planner import plan_site
from pkiplan.render import render_cnf
from pkiplan.secrets import SecretResolver
from pkiplan.state.observe import Observed, observe_site
from pkiplan.workflow.asked import cnf_digests
from pkiplan.x509.keys import spki_sha256
from pkiplan.x509.parse import load_pem_certificates
from pkiplan.x509.private_keys import open_private_key

NOW = datetime(2027, 3, 1, 12, 0, 0, tzinfo=UTC)

AUTHORITIES = """\
version: 1
site: acme
directory: pki
authorities:
  root:
    subject: {common_name: Acme Root}
    key: ecdsa-p256
    days: 3652
  issuing:
    issuer: root
    subject: {common_name: Acme Issuing}
    key: ecdsa-p256
    path_length: 0
    days: 1095
"""

WEB = """\
certificates:
  web:
    issuer: issuing
    dns: [www.acme.example]
    days: 90
"""

SMALL_SITE = AUTHORITIES + WEB
DEFAULTS = PlanOptions()


@dataclass
class Workbench:
    path: Path
    environment: dict[str, str] = field(default_factory=dict)
    cache: Cache | None = None
    notes: tuple[str, ...] = ()
    events: list[ApplyEvent] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        return self.path / "pki"

    def write(self, manifest: str) -> Workbench:
        (self.path / "site.yaml").write_text(manifest)
        return self

    def site(self) -> Site:
        loaded = load_site([str(self.path / "site.yaml")], variables=(), working_directory=str(self.path))
        assert loaded.site is not None, loaded.diagnostics
        return loaded.site

    def observe(self, *, opens: bool = False) -> Observed:
        site = self.site()
        resolver = SecretResolver(self.environment)

        def open_with(references: object) -> list[bytes]:
            try:
                return list(resolver.resolve_all(references, base=site.base))  # type: ignore[arg-type]
            except SecretError:
                return []

        return observe_site(site, cache=self.cache, open_with=open_with if opens else None)

    def plan(
        self,
        options: PlanOptions = DEFAULTS,
        *,
        now: datetime = NOW,
        opens: bool = False,
    ) -> Plan:
        site = self.site()
        observed = self.observe(opens=opens)
        return plan_site(site, observed.state, now, options=options, cnf_digests=cnf_digests(site))

    def apply(
        self,
        options: PlanOptions = DEFAULTS,
        *,
        now: datetime = NOW,
        jobs: int = 1,
        stop: threading.Event | None = None,
        on_event: Callable[[ApplyEvent], None] | None = None,
        lock_timeout: float = 0.0,
        rehearsal: Rehearsal | None = None,
    ) -> ApplyReport:
        site = self.site()
        self.events = []

        def progress(event: ApplyEvent) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        with site_lock(site, lock_timeout) as self.notes:
            observed = self.observe(opens=True)
            plan = plan_site(site, observed.state, now, options=options, cnf_digests=cnf_digests(site))
            return apply_plan(
                site,
                plan,
                observed.state,
                now=now,
                resolver=SecretResolver(self.environment),
                cnf_texts=partial(render_cnf, site),
                jobs=jobs,
                progress=progress,
                stop=stop,
                cache=self.cache,
                rehearsal=rehearsal,
            )

    def applied(self, options: PlanOptions = DEFAULTS, **kwargs: object) -> ApplyReport:
        report = self.apply(options, **kwargs)  # type: ignore[arg-type]
        assert report.is_complete, report.results
        return report

    def actions(self, options: PlanOptions = DEFAULTS, *, now: datetime = NOW) -> dict[str, Action]:
        return {change.address: change.action for change in self.plan(options, now=now).changes}

    def names(self) -> set[str]:
        """Every path below the tree, links not followed."""
        return {
            os.path.relpath(os.path.join(directory, name), self.tree)
            for directory, directories, files in os.walk(self.tree)
            for name in (*directories, *files)
        }

    def key_matches(self, directory: str, passphrases: tuple[bytes, ...] = ()) -> bool:
        """Tell whether key and certificate in a directory are of one pair, read through one open directory."""
        descriptor = os.open(self.tree / directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.path.islink(self.tree / directory / "..data"):
                generation = os.open("..data", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = generation
            key = open_private_key(_read(descriptor, "key.pem"), passphrases)
            certificate = load_pem_certificates(_read(descriptor, "cert.pem"))[0]
            return spki_sha256(key.public_key()) == spki_sha256(certificate.public_key())
        finally:
            os.close(descriptor)


def everything(directory: Path) -> dict[str, tuple[object, ...]]:
    """Each path beneath a directory, the directory itself too, with whatever of it could change."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (directory, *directory.rglob("*")):
        facts = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        link = os.readlink(path) if path.is_symlink() else ""
        number = (facts.st_ino, facts.st_mode, facts.st_uid, facts.st_gid)
        found[str(path.relative_to(directory))] = (*number, facts.st_mtime_ns, facts.st_ctime_ns, content, link)
    return found


def _read(descriptor: int, name: str) -> bytes:
    file = os.open(name, os.O_RDONLY, dir_fd=descriptor)
    with open(file, "rb") as opened:
        return opened.read()
