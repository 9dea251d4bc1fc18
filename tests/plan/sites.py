"""Sites made of values, for the planner's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pkiplan.diagnostics import Place
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGES,
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    KeyUsage,
    SubjectAltName,
)
from pkiplan.model.keys import Curve, EcKeySpec, KeySpec, ManagedKey
from pkiplan.model.names import COMMON_NAME_OID, DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.resource import Kind, Output, Resource
from pkiplan.model.site import Site
from pkiplan.model.validity import INCLUSIVE_SECOND, Validity

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
P256 = EcKeySpec(Curve.P256)
P384 = EcKeySpec(Curve.P384)

Edit = Callable[[Resource], Resource]


def days(number: int) -> Validity:
    return Validity(lifetime=timedelta(days=number) - INCLUSIVE_SECOND)


def name(*attributes: tuple[str, str]) -> DistinguishedName:
    return DistinguishedName(tuple((NameAttribute(oid, value),) for oid, value in attributes))


def common_name(text: str) -> DistinguishedName:
    return name((COMMON_NAME_OID, text))


def dns(*names: str) -> tuple[GeneralName, ...]:
    return tuple(sorted((GeneralName(GeneralNameKind.DNS, text) for text in names), key=lambda n: n.sort_key))


def extension(word: str, value: ExtensionValue, *, critical: bool = False) -> Extension:
    return Extension(EXTENSION_OIDS[word], critical, value)


def authority_extensions(path_length: int | None = None) -> tuple[Extension, ...]:
    return (
        extension("basic_constraints", BasicConstraints(True, path_length), critical=True),
        extension("key_usage", KeyUsage(("key_cert_sign", "crl_sign")), critical=True),
    )


def server_extensions(*names: str) -> tuple[Extension, ...]:
    return (
        extension("basic_constraints", BasicConstraints(False), critical=True),
        extension("key_usage", KeyUsage(("digital_signature",)), critical=True),
        extension("extended_key_usage", ExtendedKeyUsage((EXTENDED_KEY_USAGES["server_auth"],))),
        extension("subject_alt_name", SubjectAltName(dns(*names))),
    )


def authority(
    identity: str,
    issuer: str | None = None,
    *,
    lifetime: int = 3652,
    path_length: int | None = None,
    spec: KeySpec = P384,
) -> Resource:
    return Resource(
        address=f"authority.{identity}",
        kind=Kind.AUTHORITY,
        id=identity,
        place=Place("site.yaml", 4),
        profile="root-ca" if issuer is None else "issuing-ca",
        issuer=None if issuer is None else f"authority.{issuer}",
        subject=common_name(f"Acme {identity}"),
        extensions=authority_extensions(path_length),
        digest="sha384",
        key=ManagedKey(spec=spec, plain_is_intended=True),
        validity=days(lifetime),
        directory=f"authorities/{identity}",
    )


def certificate(
    identity: str,
    issuer: str | None = "issuing",
    *,
    element: str | None = None,
    lifetime: int = 90,
    outputs: tuple[Output, ...] = (),
) -> Resource:
    label = identity if element is None else f"{element}.{identity}"
    return Resource(
        address=f"certificate.{identity}" if element is None else f'certificate.{identity}["{element}"]',
        kind=Kind.CERTIFICATE,
        id=identity,
        element=element,
        place=Place("site.yaml", 20),
        profile="server",
        issuer=None if issuer is None else f"authority.{issuer}",
        subject=common_name(f"{label}.example"),
        extensions=server_extensions(f"{label}.example"),
        digest="sha384" if issuer else "sha256",
        key=ManagedKey(spec=P256),
        validity=days(lifetime),
        outputs=outputs,
        directory=f"certificates/{identity}" if element is None else f"certificates/{identity}/{element}",
    )


def site_of(*resources: Resource) -> Site:
    return Site(
        name="acme",
        base="/site",
        directory="/site/pki",
        resources={resource.address: resource for resource in resources},
        place=Place("site.yaml", 1),
    )


def small_site() -> Site:
    """Give a root, an issuing authority, two servers and a self-signed certificate."""
    return site_of(
        authority("root"),
        authority("issuing", "root", lifetime=1095, path_length=0),
        certificate("api"),
        certificate("web"),
        certificate("legacy", None, lifetime=365),
    )


def wide_site(leaves: int) -> Site:
    """Give one issuing authority with many servers beneath it."""
    return site_of(
        authority("root"),
        authority("issuing", "root", lifetime=1095, path_length=0),
        *(certificate("node", element=f"n{number:05}") for number in range(leaves)),
    )


def deep_site(levels: int) -> Site:
    """Give a chain of authorities, one beneath the other, with a server at its end."""
    chain = [authority("a00")]
    chain += [authority(f"a{level:02}", f"a{level - 1:02}", lifetime=3600 - 10 * level) for level in range(1, levels)]
    return site_of(*chain, certificate("web", f"a{levels - 1:02}"))


def edited(site: Site, address: str, edit: Edit) -> Site:
    """Give the site with one resource changed."""
    return replace(site, resources={**site.resources, address: edit(site.resources[address])})


def with_resources(site: Site, resources: Iterable[Resource]) -> Site:
    """Give the site with other resources."""
    return replace(site, resources={resource.address: resource for resource in resources})


def with_extension(resource: Resource, new: Extension) -> Resource:
    """Give the resource with an extension put in its place, or added in the canonical order."""
    order = {oid: number for number, oid in enumerate(EXTENSION_OIDS.values())}
    others = [old for old in resource.extensions if old.oid != new.oid]
    return replace(
        resource, extensions=tuple(sorted([*others, new], key=lambda e: (order.get(e.oid, len(order)), e.oid)))
    )


def without_extension(resource: Resource, word: str) -> Resource:
    oid = EXTENSION_OIDS[word]
    return replace(resource, extensions=tuple(old for old in resource.extensions if old.oid != oid))


def with_key(resource: Resource, **changes: object) -> Resource:
    """Give the resource with another private key declaration."""
    assert isinstance(resource.key, ManagedKey)
    return replace(resource, key=replace(resource.key, **changes))  # type: ignore[arg-type]
