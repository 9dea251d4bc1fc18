"""Everything that can be known to fail is found before the first write, all of it at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, partial

from pkiplan.apply.ca_database import index_problems
from pkiplan.apply.key_making import is_stored_as_declared
from pkiplan.apply.ownership import ownership_problems
from pkiplan.apply.work import Work
from pkiplan.diagnostics import Diagnostic, in_order
from pkiplan.errors import PkiplanError, system_words
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found
from pkiplan.model.resource import Resource
from pkiplan.model.secret_references import SecretReference
from pkiplan.model.site import Site
from pkiplan.model.tree import ARCHIVE_DIRECTORY
from pkiplan.plan.changes import Action, Change, KeyStep


def check(work: Work) -> None:
    """Raise with every reason why these changes could not be carried out; write nothing.

    Afterwards all secrets are resolved, the keys of authorities that sign are open and are the right ones, and those
    that are to be written anew can be opened.
    """
    changes = list(work.changes.values())
    problems = [
        *_places(work.site, changes),
        *ownership_problems(work.site, changes),
        *_secrets(work, changes),
        *_indexes(work.site, changes),
    ]
    if not problems:
        problems.extend(_signing_keys(work, changes))
        problems.extend(_locked_keys(work, changes))
    if problems:
        raise PkiplanError(*in_order(problems))


def _nearest(path: str, known: dict[str, str]) -> str:
    """Return what is there of a directory that need not be there yet: itself, or the nearest above it.

    `known` are the answers up to now: most lie beside each other, and where the one above is not there, none is.
    """
    asked = []
    while path not in known and path != (above := os.path.dirname(path)):
        asked.append(path)
        path = above
    nearest = known.setdefault(path, path)
    for below in reversed(asked):
        # Nothing is in what is not there.
        if nearest == path and _is_there(below):
            nearest = below
        known[below] = nearest
        path = below
    return nearest


def _is_there(path: str) -> bool:
    """Tell whether something has this name; what cannot be looked at counts as something."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _unwritable(current: str, base: str) -> str | None:
    """Say why nothing could be written in a directory; None when it can."""
    try:
        facts = os.lstat(current)
    except OSError as error:
        return f"{current}: {system_words(error)}"
    if stat.S_ISLNK(facts.st_mode) and current != base and current.startswith(base.rstrip("/") + "/"):
        return f"{current} is a symbolic link, which apply does not follow"
    if not os.path.isdir(current):
        return f"{current} is not a directory"
    if not os.access(current, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return f"{current} is not writable for this user"
    try:
        is_read_only = bool(os.statvfs(current).f_flag & os.ST_RDONLY)
    except OSError as error:
        return f"{current}: {system_words(error)}"
    return f"{current} lies on a read-only file system" if is_read_only else None


def _places(site: Site, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    told: set[str] = set()
    nearest: dict[str, str] = {}
    # A new site is made in one directory.
    why_not = cache(partial(_unwritable, base=site.base))
    for change in changes:
        for directory in _directories(site, change):
            if directory in seen:
                continue
            seen.add(directory)
            why = why_not(_nearest(directory, nearest))
            if why is not None and why not in told:
                # One directory that is closed above thousands is one problem.
                told.add(why)
                yield Diagnostic(
                    code="not-writable",
                    summary=f"{change.address}: cannot write in {directory}: {why}",
                    place=change.place,
                    hint="let this user write there, or run pkiplan as one who may",
                )


def _directories(site: Site, change: Change) -> Iterator[str]:
    yield f"{site.directory}/{ARCHIVE_DIRECTORY}"
    resource = site.resources.get(change.address)
    if resource is None:
        return
    yield f"{site.directory}/{resource.directory}"
    if resource.cert_path is not None and (change.signs or change.rewrites_certificate):
        yield os.path.dirname(site.certificate_path(resource))
    issuer = site.issuer_of(resource)
    if change.signs and issuer is not None:
        yield f"{site.directory}/{issuer.directory}"


def _secrets(work: Work, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    for change in changes:
        resource = work.site.resources.get(change.address)
        if resource is None:
            continue
        for reference in dict.fromkeys(_references(work, resource, change)):
            try:
                work.secrets((reference,))
            except PkiplanError as error:
                yield from error.diagnostics


def _references(work: Work, resource: Resource, change: Change) -> Iterator[SecretReference]:
    """List the secrets that a change will need."""
    from pkiplan.formats import FORMATS

    key = resource.key
    if isinstance(key, ManagedKey):
        if change.key is KeyStep.GENERATE:
            yield from key.written_with
        elif _must_open(work, resource, key, change):
            yield from key.passphrases
    issuer = work.site.issuer_of(resource)
    if change.signs and issuer is not None and isinstance(issuer.key, ManagedKey) and work.is_encrypted(issuer):
        yield from issuer.key.passphrases
    for output in resource.outputs:
        if output.path in change.files:
            yield from output.passphrases[:1]
            if FORMATS[output.format].needs_key and isinstance(key, ManagedKey) and work.is_encrypted(resource):
                yield from key.passphrases


def _must_open(work: Work, resource: Resource, key: ManagedKey, change: Change) -> bool:
    if change.signs:
        return change.key is KeyStep.REENCODE or work.is_encrypted(resource)
    observed = work.observed.of(resource.address).key
    # Where only mode or owner differ, the bytes are copied.
    return (
        change.key is KeyStep.REENCODE
        and isinstance(observed, Found)
        and not is_stored_as_declared(key, observed.value)
    )


def _indexes(site: Site, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    """Look into the index of each authority that issues, or is written itself."""
    resources = [site.resources[change.address] for change in changes if change.action is not Action.REMOVE]
    own = (resource.address for resource in resources if resource.is_authority)
    for address in dict.fromkeys((*own, *_signers(site, changes))):
        if site.resources[address].is_authority:
            yield from index_problems(site, site.resources[address])


def _signing_keys(work: Work, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    """Open the keys that will sign, as they are now, and see that they belong to their certificates.

    Issuing from a certificate that does not match the key is how an authority goes wrong for good.
    """
    for address in dict.fromkeys(_signers(work.site, changes)):
        authority = work.site.resources[address]
        change = work.changes.get(address)
        if change is not None and change.key is not KeyStep.KEEP:
            continue
        try:
            yield from _mismatch(work, authority, certificate_is_new=change is not None and change.signs)
        except PkiplanError as error:
            yield from (replace(problem, place=problem.place or authority.place) for problem in error.diagnostics)


def _locked_keys(work: Work, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    """Open the encrypted keys that are to be written anew."""
    for change in changes:
        resource = work.site.resources.get(change.address)
        if resource is None or change.key is not KeyStep.REENCODE or not work.passphrases(resource):
            continue
        try:
            work.key_to_export(resource)
        except PkiplanError as error:
            yield from error.diagnostics


def _signers(site: Site, changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        resource = site.resources.get(change.address)
        if resource is not None and change.signs:
            yield resource.issuer or resource.address


def _mismatch(work: Work, authority: Resource, *, certificate_is_new: bool) -> Iterator[Diagnostic]:
    from pkiplan.x509.keys import spki_sha256

    if authority.is_authority:
        digest = spki_sha256(work.signing_key(authority).public_key())
    else:
        digest = spki_sha256(work.private_key(authority).public_key())
    observed = work.observed.of(authority.address).certificate
    if certificate_is_new or not isinstance(observed, Found) or observed.value.spki_sha256 == digest:
        return
    yield Diagnostic(
        code="key-mismatch",
        summary=f"{authority.address}: its key is not the one in its certificate, so it must not sign",
        place=authority.place,
    )
