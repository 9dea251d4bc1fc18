"""Whether names fall within the name constraints of an authority above (RFC 5280, 4.2.1.10)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from pkiplan.model.extensions import NameConstraints
from pkiplan.model.names import DistinguishedName, GeneralName, GeneralNameKind, NameAttribute

EMAIL_ADDRESS_OID = "1.2.840.113549.1.9.1"

# Names times constraints; OpenSSL's NAME_CHECK_MAX. Go stops at a quarter of it.
MOST_COMPARISONS = 1 << 20

MOST_SHOWN = 10


def constrained_names(subject: DistinguishedName, names: Iterable[GeneralName]) -> tuple[GeneralName, ...]:
    """List every name of a certificate that name constraints speak of.

    The subject counts as a directory name unless empty, and the email addresses in it count where no subject
    alternative name is one.
    """
    listed = tuple(names)
    from_subject: list[GeneralName] = []
    if not subject.is_empty:
        from_subject.append(GeneralName(GeneralNameKind.DIR_NAME, subject))
    if not any(name.kind is GeneralNameKind.EMAIL for name in listed):
        from_subject += [
            GeneralName(GeneralNameKind.EMAIL, a.value) for a in subject.attributes if a.oid == EMAIL_ADDRESS_OID
        ]
    return (*listed, *from_subject)


def violations(names: Collection[GeneralName], constraints: NameConstraints) -> Iterator[str]:
    """Tell, for each name that is not allowed, why."""
    trees = len(constraints.permitted) + len(constraints.excluded)
    if len(names) * trees > MOST_COMPARISONS:
        yield f"{len(names)} names against {trees} constraints are more than verifiers compare"
        return
    for name in names:
        excluded = next((tree for tree in constraints.excluded if _is_touched(name, tree)), None)
        if excluded is not None:
            yield f"{_shown(name)} is excluded by {_shown(excluded)}"
            continue
        permitted = [tree for tree in constraints.permitted if tree.kind is name.kind]
        if permitted and not any(is_within(name, tree) for tree in permitted):
            allowed = ", ".join(_shown(tree) for tree in permitted[:MOST_SHOWN])
            more = f" and {len(permitted) - MOST_SHOWN} more" if len(permitted) > MOST_SHOWN else ""
            yield f"{_shown(name)} is not within {allowed}{more}"


def _shown(name: GeneralName) -> str:
    return f"`{name.value}`" if name.value else f"every {name.kind.value} name"


def _is_touched(name: GeneralName, tree: GeneralName) -> bool:
    """Tell whether a name falls in an excluded subtree; a wildcard does when any host that it covers does."""
    if is_within(name, tree):
        return True
    if name.kind is tree.kind is GeneralNameKind.DNS and str(name.value).startswith("*."):
        return str(tree.value).lower().removeprefix(".").partition(".")[2] == str(name.value)[2:].lower()
    return False


def is_within(name: GeneralName, tree: GeneralName) -> bool:
    """Tell whether a name falls in a subtree of the same kind."""
    if name.kind is not tree.kind:
        return False
    match name.value, tree.value:
        case DistinguishedName() as subject, DistinguishedName() as base:
            return _dir_name_is_within(subject, base)
        case str(text), str(base_text):
            return _text_is_within(name.kind, text, base_text)
        case value, base_value:
            return value == base_value


def _text_is_within(kind: GeneralNameKind, text: str, base: str) -> bool:
    match kind:
        case GeneralNameKind.DNS:
            return _host_is_within(text, base)
        case GeneralNameKind.IP:
            return _address_is_within(text, base)
        case GeneralNameKind.EMAIL:
            return _mailbox_is_within(text, base)
        case GeneralNameKind.URI:
            return _uri_is_within(text, base)
        case GeneralNameKind.UPN:
            return _mailbox_is_within(text, base)
        case _:
            return text == base


def _host_is_within(host: str, base: str) -> bool:
    # "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side." A leading dot
    # is no part of that grammar; OpenSSL and GnuTLS read it as "one or more labels".
    host, base = host.lower().removesuffix("."), base.lower()
    if base.startswith("."):
        return host.endswith(base)
    return not base or host == base or host.endswith(f".{base}")


def _address_is_within(address: str, base: str) -> bool:
    match _network(address), _network(base):
        case (IPv4Network() as inner, IPv4Network() as outer):
            return inner.subnet_of(outer)
        case (IPv6Network() as inner, IPv6Network() as outer):
            return inner.subnet_of(outer)
    return False


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _mailbox_is_within(mailbox: str, base: str) -> bool:
    # The base is one mailbox, all those of a host, or with a leading dot those of any host in a domain.
    local, _, host = mailbox.rpartition("@")
    if "@" in base:
        base_local, _, base_host = base.rpartition("@")
        return local == base_local and host.lower() == base_host.lower()
    if base.startswith("."):
        return host.lower().endswith(base.lower())
    return not base or host.lower() == base.lower()


def _uri_is_within(uri: str, base: str) -> bool:
    # The base is a host, or with a leading dot any host in a domain; a URI without a host name is in none.
    try:
        host = urlsplit(uri).hostname
    except ValueError:
        return False
    if not host:
        return False
    if base.startswith("."):
        return host.lower().endswith(base.lower())
    return not base or host.lower() == base.lower()


def _dir_name_is_within(name: DistinguishedName, base: DistinguishedName) -> bool:
    if len(name.rdns) < len(base.rdns):
        return False
    return all(_prepared(rdn) == _prepared(wanted) for rdn, wanted in zip(name.rdns, base.rdns, strict=False))


def _prepared(rdn: tuple[NameAttribute, ...]) -> frozenset[tuple[str, str]]:
    """Prepare an RDN for comparison: without regard to case and to the number of blanks (RFC 5280, 7.1)."""
    return frozenset(
        (attribute.oid, " ".join(unicodedata.normalize("NFKC", attribute.value).casefold().split()))
        for attribute in rdn
    )
