"""What a plan warns about though nothing changes because of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found, ObservedResource, ObservedState
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.attributes import directory_attributes
from pkiplan.plan.descriptions import mode, several
from pkiplan.plan.key import is_unchecked, is_under_any_of_several, shown_path
from pkiplan.plan.renames import renames


def is_remarkable(certificate: Resource, found: ObservedResource) -> bool:
    """Tell whether people are told anything of a certificate, whatever is done to it."""
    return (
        _is_bound(found)
        or _is_open(certificate, found)
        or is_unchecked(certificate, found)
        or is_under_any_of_several(certificate, found)
        or any(_unchecked_outputs(certificate, found))
    )


def notices(site: Site, resources: Sequence[Resource], observed: ObservedState) -> tuple[Diagnostic, ...]:
    """Warn of keys stored in clear or bound to RSASSA-PSS, of open directories, of what takes a passphrase to check."""
    plain: list[Diagnostic] = []
    bound: list[Diagnostic] = []
    keys: list[str] = []
    several_passphrases: list[str] = []
    outputs: list[str] = []
    open_directories: list[tuple[Resource, int]] = []
    for resource in resources:
        found = observed.of(resource.address)
        if resource.is_authority and _is_plain(resource, found):
            plain.append(_plain_key(resource))
        if _is_bound(found):
            bound.append(_bound_key(resource))
        if _is_open(resource, found):
            open_directories.append((resource, found.directory_mode or 0))
        if is_unchecked(resource, found):
            keys.append(resource.address)
        if is_under_any_of_several(resource, found):
            several_passphrases.append(resource.address)
        if resource.outputs:
            outputs.extend(f"{resource.address} {path}" for path in _unchecked_outputs(resource, found))
    return (
        *renames(site, resources, observed),
        *plain,
        *bound,
        *_open_directories(site, open_directories),
        *_not_checked("key-not-checked", "key", keys),
        *_under_any_of_several(several_passphrases),
        *_not_checked("output-not-checked", "output", outputs),
    )


def _is_plain(resource: Resource, found: ObservedResource) -> bool:
    key = resource.key
    if not isinstance(key, ManagedKey) or key.passphrases or key.plain_is_intended:
        return False
    # An adopted key is as it was found; one that pkiplan writes will be as declared.
    return not key.is_adopted or (isinstance(found.key, Found) and found.key.value.encryption is None)


def _plain_key(resource: Resource) -> Diagnostic:
    return Diagnostic(
        severity=Severity.WARNING,
        code="plain-authority-key",
        summary=f"the key of {resource.address} is stored without a passphrase",
        place=resource.place,
        hint="give it one (`key: {passphrase: {env: NAME}}`), or say `passphrase: none` if that is meant",
    )


def _bound_key(resource: Resource) -> Diagnostic:
    return Diagnostic(
        severity=Severity.WARNING,
        code="pss-key",
        summary=f"the key of {resource.address} is bound to RSASSA-PSS, "
        "and a certificate that pkiplan issues for it is not",
        place=resource.place,
        hint="OpenSSL takes no such pair (RFC 4055, 1.2): give it a key of `openssl genrsa` before it is issued anew",
    )


def _is_bound(found: ObservedResource) -> bool:
    return isinstance(found.key, Found) and found.key.value.pss_bond is not None


def _is_open(resource: Resource, found: ObservedResource) -> bool:
    """Tell whether a resource's directory lets others in than the files there are declared for."""
    seen = found.directory_mode
    return seen is not None and seen & 0o077 & ~directory_attributes(resource).mode != 0


def _open_directories(site: Site, found: list[tuple[Resource, int]]) -> Iterator[Diagnostic]:
    """Tell of directories that let others in; they are not narrowed: a person may have opened them for a reason."""
    if found:
        paths = [shown_path(site, site.path(resource, "")[:-1]) for resource, _ in found]
        verb = "is" if len(found) == 1 else "are"
        first = found[0][0]
        yield Diagnostic(
            severity=Severity.WARNING,
            code="open-directory",
            summary=f"{several(f'{path} ({mode(seen)})' for path, (_, seen) in zip(paths, found, strict=True))} {verb} "
            "open to more users than the files there are declared for",
            place=first.place,
            hint=f"`chmod {mode(directory_attributes(first).mode)} {paths[0]}`, unless that is meant",
        )


def _unchecked_outputs(resource: Resource, found: ObservedResource) -> Iterator[str]:
    for output in resource.outputs:
        file = found.files.get(output.path)
        if isinstance(file, Found) and file.value.contents.not_checked is not None:
            yield output.path


def _under_any_of_several(addresses: list[str]) -> Iterator[Diagnostic]:
    if addresses:
        yield Diagnostic(
            severity=Severity.WARNING,
            code="passphrase-not-known",
            summary=f"which of its passphrases opens the key is not known of {several(addresses)}",
            hint="`apply` tries them in turn, and plans to write the key anew where it is not the first",
        )


def _not_checked(code: str, what: str, names: list[str]) -> Iterator[Diagnostic]:
    if names:
        them, verb = (f"one {what}", "is") if len(names) == 1 else (f"{len(names)} {what}s", "are")
        yield Diagnostic(
            severity=Severity.WARNING,
            code=code,
            summary=f"{them} {verb} not checked without a passphrase: {several(names)}",
            hint="`apply` opens and checks what is encrypted before it writes anything",
        )
