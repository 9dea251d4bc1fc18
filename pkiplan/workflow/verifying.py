"""Shake hands with what a site declares, as it lies on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pkiplan.errors import PkiplanError
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found, Missing, Unreadable
from pkiplan.model.resource import CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, Resource
from pkiplan.workflow.loading import load
from pkiplan.workflow.planning import PlannedSite, PlanRequest

if TYPE_CHECKING:
    from datetime import datetime

    from pkiplan.apply.rehearsal import Waiting
    from pkiplan.apply.results import ApplyReport
    from pkiplan.model.site import Site
    from pkiplan.secrets import SecretResolver
    from pkiplan.verify import VerifyEvent
    from pkiplan.verify.credentials import Credential
    from pkiplan.verify.results import VerifyReport
    from pkiplan.verify.scope import VerifyScope
    from pkiplan.verify.stacks.base import TlsStack
    from pkiplan.verify.trace import KeyExchange, Trace

# A client that has none, as rules under `verify:` call it.
NO_CERTIFICATE = "none"

# What a file holds, or why nobody can tell.
FileContent = bytes | Missing | Unreadable

Prompt = Callable[[str], str]
Progress = Callable[["VerifyEvent"], None]


def verify(
    request: PlanRequest,
    scope: VerifyScope,
    *,
    jobs: int | None,
    progress: Progress | None,
    prompt: Prompt | None,
    outside: Sequence[str] = (),
) -> VerifyReport:
    """Verify a site at the request's time; a passphrase that nobody gives makes a check *not run*.

    `outside` are stacks of other programs that take part, by name.
    """
    site, resolver = _opened(request, prompt)
    if not outside:
        return _verify(site, resolver, request.now, scope, progress, jobs)
    from pkiplan.verify.outside import outside_stacks

    with outside_stacks(outside) as others:
        return _verify(site, resolver, request.now, scope, progress, jobs, others=others)


def verify_applied(planned: PlannedSite, report: ApplyReport, *, progress: Progress | None) -> VerifyReport:
    """Verify what an apply changed and everything beneath it, but for what is blocked and has no certificate yet."""
    from pkiplan.verify.scope import VerifyScope

    assert planned.resolver is not None, "only plan_to_apply makes plans that are applied"
    absent = frozenset(
        change.address
        for change in planned.plan.blocked
        if isinstance(planned.observed.state.of(change.address).certificate, Missing)
    )
    scope = VerifyScope(addresses=frozenset(result.address for result in report.done), without=absent, live=False)
    return _verify(planned.site, planned.resolver, planned.request.now, scope, progress, jobs=None)


def verify_waiting(planned: PlannedSite, waiting: Waiting) -> VerifyReport:
    """Verify what waits for its switch, and everything beneath it as it would be then.

    What is not new itself and does not verify as it lies on disk either is none of the switch's doing: it must not
    keep what is sound from taking its place.
    """
    from pkiplan.verify.results import report_of
    from pkiplan.verify.scope import VerifyScope

    assert planned.resolver is not None, "only plan_to_apply makes plans that are applied"
    verify = partial(_verify, planned.site, planned.resolver, planned.request.now, progress=None, jobs=None)
    report = verify(VerifyScope(addresses=waiting.addresses, live=False), waiting=waiting)
    bystanders = frozenset(result.subject for result in report.unexpected) - waiting.addresses
    if not bystanders:
        return report
    today = verify(VerifyScope(addresses=bystanders, live=False))
    broken = {result.subject for result in today.unexpected} & bystanders
    return report_of(
        (result for result in report.results if result.as_expected or result.subject not in broken),
        stacks=report.stacks,
        seconds=report.seconds,
    )


def _opened(request: PlanRequest, prompt: Prompt | None) -> tuple[Site, SecretResolver]:
    from pkiplan.secrets import SecretResolver

    _, site = load(request.site, variables=request.variables, allow_outside=request.allow_outside)
    return site, SecretResolver(os.environ, prompt)


def _verify(
    site: Site,
    resolver: SecretResolver,
    now: datetime,
    scope: VerifyScope,
    progress: Progress | None,
    jobs: int | None,
    waiting: Waiting | None = None,
    others: tuple[TlsStack, ...] = (),
) -> VerifyReport:
    from pkiplan.verify import verify_site

    _wait_first(site, resolver, scope)
    load = CredentialLoader(site, resolver, waiting)
    return verify_site(site, now=now, scope=scope, load=load, others=others, jobs=jobs, progress=progress)


def _wait_first(site: Site, resolver: SecretResolver, scope: VerifyScope) -> None:
    """Get the passphrases that are waited for while there are no threads: Ctrl-C would not end one that waits."""
    from pkiplan.errors import SecretError
    from pkiplan.model.secret_references import CommandSecret, FdSecret, FileSecret, PromptSecret
    from pkiplan.verify.scope import rules_about, select

    selection = select(site, scope)
    taking_part = [resource.address for resource, _ in selection.depths if not resource.is_authority]
    taking_part += [side for rule in rules_about(site, selection, scope) for side in (rule.server, rule.client) if side]
    for address in dict.fromkeys(taking_part):
        key = site.resources[address].key
        for reference in key.passphrases if isinstance(key, ManagedKey) else ():
            if isinstance(reference, PromptSecret | CommandSecret | FileSecret | FdSecret):
                # What cannot be had is told by the check that is not run for it.
                with suppress(SecretError):
                    resolver.resolve(reference, base=site.base)


class CredentialLoader:
    """Loads a resource's certificate, chain and trust anchor from disk; its key only when it is asked for.

    Where new files are `waiting` for their switch, those are loaded in the place of what is there now.
    """

    def __init__(self, site: Site, resolver: SecretResolver, waiting: Waiting | None = None) -> None:
        from pkiplan.state.read import Reader

        self._site = site
        self._resolver = resolver
        self._waiting = waiting
        self._reader = Reader(site, {})
        self._anchors: dict[str, bytes] = {}

    def __call__(self, resource: Resource) -> Credential:
        """Return the credential of a resource; raise `PkiplanError` when its files cannot be read."""
        from pkiplan.verify.credentials import Credential

        chains = [name for name in self._site.derived_files(resource) if name != CNF_FILE]
        found = self._found(resource, [resource.certificate_file, *chains])
        certificate = self._there(resource, resource.certificate_file, found)
        served = certificate if resource.is_authority else self._there(resource, FULLCHAIN_FILE, found)
        return Credential(
            resource=resource,
            certificate_pem=certificate,
            served_pem=served,
            anchor_pem=self._anchor(resource, certificate),
            chain_file=found.get(CHAIN_FILE),
            load_key=lambda: self._key(resource),
        )

    def cnf_text(self, resource: Resource) -> str:
        """Return what a person would run openssl with, whoever wrote it last; raise `PkiplanError` as for the rest."""
        try:
            return self._there(resource, CNF_FILE, self._found(resource, [CNF_FILE])).decode()
        except UnicodeDecodeError:
            raise PkiplanError.of(f"{self._site.path(resource, CNF_FILE)}: is no text in UTF-8") from None

    def _anchor(self, resource: Resource, own: bytes) -> bytes:
        chain = self._site.chain_of(resource)
        if not chain:
            return own
        root = chain[-1]
        if root.address not in self._anchors:
            name = root.certificate_file
            self._anchors[root.address] = self._there(root, name, self._found(root, [name]))
        return self._anchors[root.address]

    def _there(self, resource: Resource, name: str, files: Mapping[str, FileContent]) -> bytes:
        found = files[name]
        if isinstance(found, bytes):
            return found
        why = "there is no such file" if isinstance(found, Missing) else found.why
        raise PkiplanError.of(f"{self._site.path(resource, name)}: {why}", code="unreadable")

    def _found(self, resource: Resource, names: Sequence[str]) -> dict[str, FileContent]:
        """Read files of a resource, all of one generation."""
        files: dict[str, FileContent] = {}
        with self._reader.resource(resource.directory) as directory:
            for name in names:
                new = None if self._waiting is None else self._waiting.read(resource, name)
                found = directory.read(name) if new is None else new
                files[name] = found.value.content if isinstance(found, Found) else found
        return files

    def _key(self, resource: Resource) -> bytes:
        from pkiplan.key_backends import KEY_BACKENDS
        from pkiplan.key_backends.base import ExportsKey

        key = resource.key
        if not isinstance(key, ManagedKey):
            raise PkiplanError.of(f"only the public half of the key of {resource.address} is here", code="no-key")
        backend = KEY_BACKENDS[key.backend]
        if not isinstance(backend, ExportsKey):
            raise PkiplanError.of(f"the key of {resource.address} cannot leave its backend", code="no-key")
        passphrases = self._resolver.resolve_all(key.passphrases, base=self._site.base)
        new = None if self._waiting is None else self._waiting.path(resource, key.path)
        return backend.private_key_pem(new or self._site.path(resource, key.path), passphrases)


def prove_cnf(request: PlanRequest, *, prompt: Prompt | None) -> VerifyReport:
    """Prove that the real openssl makes the same certificates of each `openssl.cnf` as it lies on disk."""
    from pkiplan.verify.cnf_proof import prove_site

    site, resolver = _opened(request, prompt)
    load = CredentialLoader(site, resolver)
    return prove_site(site, load=load, cnf_texts=load.cnf_text)


def trace(
    request: PlanRequest,
    server: str,
    client: str | None,
    *,
    version: str,
    key_exchange: KeyExchange,
    host: str | None,
    prompt: Prompt | None,
) -> Trace:
    """Record one handshake of a server of the site, message by message; `host` of None is its first name.

    `client` is an address, `none` for one that has no certificate where the server demands one, or None for one that
    is not asked.
    """
    from pkiplan.plan.targets import Addresses
    from pkiplan.verify.trace import trace_handshake

    site, resolver = _opened(request, prompt)
    addresses = Addresses(site.resources)

    def find(option: str, pattern: str) -> Resource:
        return site.resources[addresses.find(option, pattern, globs=False)[0]]

    return trace_handshake(
        site,
        server=find("--trace", server),
        client=None if client in (None, NO_CERTIFICATE) else find("--client", client),
        demands_client=client == NO_CERTIFICATE,
        now=request.now,
        load=CredentialLoader(site, resolver),
        version=version,
        key_exchange=key_exchange,
        host=host,
    )
