"""Values as they are compared: what is a set in X.509 has no order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pkiplan.model.extensions import (
    AccessDescription,
    AuthorityInfoAccess,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    KeyUsage,
    NameConstraints,
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
)
from pkiplan.model.names import DistinguishedName


def comparable(value: object) -> object:
    """Give an extension by its criticality and its value, sets as sets; anything else as it is."""
    return (value.oid, value.critical, _as_set(value.value)) if isinstance(value, Extension) else value


def is_same_name(one: DistinguishedName, other: DistinguishedName) -> bool:
    """Tell whether two names are the same sequence of sets (X.501, 9.2)."""
    return one == other or [frozenset(rdn) for rdn in one.rdns] == [frozenset(rdn) for rdn in other.rdns]


def _as_set(value: ExtensionValue) -> object:
    match value:
        case KeyUsage(usages=members):
            return frozenset(members)
        case ExtendedKeyUsage(oids=oids):
            return frozenset(oids)
        case SubjectAltName(names=names):
            return frozenset(names)
        case TlsFeature(features=features):
            return frozenset(features)
        case NameConstraints(permitted=permitted, excluded=excluded):
            return frozenset(permitted), frozenset(excluded)
        case AuthorityInfoAccess(descriptions=descriptions) | SubjectInfoAccess(descriptions=descriptions):
            return frozenset(_by_method(descriptions).items())
        case _:
            return value


def _by_method(descriptions: Sequence[AccessDescription]) -> Mapping[str, tuple[str, ...]]:
    """Group locations by access method: which comes first matters among those of one method only."""
    found: dict[str, tuple[str, ...]] = {}
    for one in descriptions:
        found[one.method] = (*found.get(one.method, ()), one.uri)
    return found
