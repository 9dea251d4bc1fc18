"""Fields and values in the words of the manifest, for `before → after`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache

from pkiplan.model.extensions import (
    ACCESS_METHODS,
    EXTENDED_KEY_USAGE_NAMES,
    EXTENSION_NAMES,
    AccessDescription,
    AuthorityInfoAccess,
    BasicConstraints,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
)
from pkiplan.model.keys import ManagedKey
from pkiplan.model.names import GENERAL_NAME_ORDER, GeneralName
from pkiplan.model.resource import Resource
from pkiplan.model.validity import INCLUSIVE_SECOND, Validity
from pkiplan.plan.changes import FieldChange

ACCESS_METHOD_NAMES = {oid: name for name, oid in ACCESS_METHODS.items()}
TLS_FEATURE_NAMES = {5: "status_request", 17: "status_request_v2"}
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


# What is made together begins and ends together.
@lru_cache(maxsize=64)
def moment(time: datetime) -> str:
    """Write a time as RFC 3339 has it, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(time: datetime) -> str:
    """Write the day of a time, for sentences."""
    return time.strftime("%Y-%m-%d")


def span(length: timedelta) -> str:
    """Write how long something is in its largest whole unit: `12 days`, `1 hour`."""
    seconds = int(abs(length).total_seconds())
    for size, name in UNITS:
        if seconds >= size:
            number = seconds // size
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "0 seconds"


def lifetime(length: timedelta) -> str:
    """Write a lifetime as the manifest has it, the inclusive second given back: `90d`, `12h`, `1d 00:00:01`."""
    whole = length + INCLUSIVE_SECOND
    seconds = int(whole.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock


def declared_lifetime(validity: Validity) -> str:
    """Write the declared validity in the words of the manifest."""
    if validity.lifetime is not None:
        return lifetime(validity.lifetime)
    return f"until {moment(validity.not_after)}" if validity.not_after else "until-issuer"


def mode(bits: int) -> str:
    """Write permission bits in octal: `0640`."""
    return f"{bits:04o}"


def extension_word(oid: str) -> str:
    """Return the manifest's word for an extension, or its OID."""
    return EXTENSION_NAMES.get(oid, oid)


def extension_text(extension: Extension | None) -> str | None:
    """Write an extension with its criticality in front, or nothing for one that is absent."""
    if extension is None:
        return None
    text = value_text(extension.value)
    return f"critical, {text}" if extension.critical else text


def value_text(value: ExtensionValue) -> str:
    """Write the value of an extension in the words of the manifest."""
    match value:
        case BasicConstraints(is_authority=authority, path_length=length):
            limit = "" if length is None else f", path_length {length}"
            return f"{'authority' if authority else 'no authority'}{limit}"
        case KeyUsage(usages=usages):
            return ", ".join(usages)
        case ExtendedKeyUsage(oids=oids):
            return ", ".join(EXTENDED_KEY_USAGE_NAMES.get(oid, oid) for oid in oids)
        case SubjectAltName(names=names):
            return ", ".join(map(str, names))
        case NameConstraints(permitted=permitted, excluded=excluded):
            parts = (("permitted", permitted), ("excluded", excluded))
            return "; ".join(f"{word} {', '.join(map(str, names))}" for word, names in parts if names)
        case CertificatePolicies(policies=policies):
            return ", ".join(map(_policy_text, policies))
        case PolicyConstraints(require_explicit_policy=explicit, inhibit_policy_mapping=mapping):
            limits = (("require_explicit_policy", explicit), ("inhibit_policy_mapping", mapping))
            return ", ".join(f"{word} {number}" for word, number in limits if number is not None)
        case InhibitAnyPolicy(skip_certs=number):
            return str(number)
        case CrlDistributionPoints(uris=uris):
            return ", ".join(uris)
        case AuthorityInfoAccess(descriptions=descriptions) | SubjectInfoAccess(descriptions=descriptions):
            return ", ".join(map(_access_text, descriptions))
        case TlsFeature(features=features):
            return ", ".join(TLS_FEATURE_NAMES.get(number, str(number)) for number in features)
        case OcspNoCheck():
            return "true"
        case OtherExtension(der=der, asn1=asn1):
            return f"asn1:{asn1}" if asn1 is not None else f"der:{der.hex()}"


def _policy_text(policy: Policy) -> str:
    notices = (notice.text or f"{notice.organization} {notice.numbers}" for notice in policy.notices)
    qualifiers = [*policy.cps, *notices]
    return f"{policy.oid} ({'; '.join(qualifiers)})" if qualifiers else policy.oid


def _access_text(description: AccessDescription) -> str:
    return f"{ACCESS_METHOD_NAMES.get(description.method, description.method)} {description.uri}"


def name_changes(before: Iterable[GeneralName], after: Iterable[GeneralName]) -> tuple[FieldChange, ...]:
    """List, kind by kind (`dns`, `ip`, …), the names that a certificate has and shall have, where they differ."""
    had, shall = list(before), list(after)
    changes = []
    for kind in sorted({name.kind for name in (*had, *shall)}, key=GENERAL_NAME_ORDER.index):
        old = _names_text(name for name in had if name.kind is kind)
        new = _names_text(name for name in shall if name.kind is kind)
        if old != new:
            changes.append(FieldChange(kind.value, old, new))
    return tuple(changes)


def _names_text(names: Iterable[GeneralName]) -> str | None:
    return ", ".join(str(name.value) for name in sorted(names, key=lambda name: name.sort_key)) or None


def declared_fields(resource: Resource) -> tuple[FieldChange, ...]:
    """List what a person wants to know of a resource that is new."""
    fields = [FieldChange("subject", None, str(resource.subject)), *name_changes((), resource.names)]
    if resource.issuer is not None:
        fields.append(newly("issuer", resource.issuer))
    if isinstance(resource.key, ManagedKey):
        fields.append(newly("key", str(resource.key.spec)))
    if resource.path_length is not None:
        fields.append(newly("path_length", str(resource.path_length)))
    fields.append(newly("lifetime", declared_lifetime(resource.validity)))
    return tuple(fields)


# What new resources have in common is one object: a large site has as many of these as it has certificates.
@lru_cache(maxsize=64)
def newly(field: str, value: str) -> FieldChange:
    """Tell of a field that many new resources may have in common."""
    return FieldChange(field, None, value)


def several(words: Iterable[str], *, at_most: int = 3) -> str:
    """Name a few and count the rest: `a, b, c and 7 more`."""
    every = list(words)
    shown = ", ".join(every[:at_most])
    return shown if len(every) <= at_most else f"{shown} and {len(every) - at_most} more"
