"""Declared resources as values, and certificates issued from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509

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
from pkiplan.model.names import ATTRIBUTE_TYPES, DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.observed import FileFacts
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.validity import Validity
from pkiplan.x509.issue import CertificateRequest, Issuer, lint_request, sign
from pkiplan.x509.keys import PrivateKey, default_digest, generate_key

PLACE = Place("site.yaml", 7, 3)
NOT_BEFORE = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
NOT_AFTER = NOT_BEFORE + timedelta(days=90) - timedelta(seconds=1)
SERIAL = 0x5A17_0102_0304_0506_0708_090A_0B0C_0D0E_0F10_1112
EC = EcKeySpec(Curve.P256)
NO_FILE = FileFacts(sha256="", mode=0o644, uid=0, gid=0, owner="", group="")

_OIDS = {attribute.short_name: attribute.oid for attribute in ATTRIBUTE_TYPES}


def name(*attributes: str) -> DistinguishedName:
    """`name("C=SE", "O=Acme+OU=IT")`: one argument an RDN."""
    return DistinguishedName(
        tuple(
            tuple(
                NameAttribute(_OIDS.get(word, word), value)
                for word, _, value in (part.partition("=") for part in rdn.split("+"))
            )
            for rdn in attributes
        )
    )


def dns(*texts: str) -> tuple[GeneralName, ...]:
    return tuple(GeneralName(GeneralNameKind.DNS, text) for text in texts)


def general(kind: str, value: Any) -> GeneralName:
    return GeneralName(GeneralNameKind(kind), value)


def ext(word: str, value: ExtensionValue, *, critical: bool = False) -> Extension:
    return Extension(EXTENSION_OIDS[word], critical, value)


SERVER = (
    ext("basic_constraints", BasicConstraints(is_authority=False), critical=True),
    ext("key_usage", KeyUsage(("digital_signature",)), critical=True),
    ext("extended_key_usage", ExtendedKeyUsage((EXTENDED_KEY_USAGES["server_auth"],))),
    ext("subject_alt_name", SubjectAltName(dns("www.acme.example"))),
)
AUTHORITY = (
    ext("basic_constraints", BasicConstraints(is_authority=True), critical=True),
    ext("key_usage", KeyUsage(("key_cert_sign", "crl_sign")), critical=True),
)


def replaced(extensions: tuple[Extension, ...], *new: Extension) -> tuple[Extension, ...]:
    oids = {extension.oid for extension in new}
    return (*(extension for extension in extensions if extension.oid not in oids), *new)


def without(extensions: tuple[Extension, ...], *words: str) -> tuple[Extension, ...]:
    oids = {EXTENSION_OIDS[word] for word in words}
    return tuple(extension for extension in extensions if extension.oid not in oids)


def certificate(spec: KeySpec = EC, /, **changes: Any) -> Resource:
    fields: dict[str, Any] = {
        "address": "certificate.web",
        "kind": Kind.CERTIFICATE,
        "id": "web",
        "place": PLACE,
        "profile": "server",
        "issuer": "authority.root",
        "subject": name("O=Acme", "CN=www.acme.example"),
        "extensions": SERVER,
        "digest": default_digest(spec),
        "key": ManagedKey(spec=spec),
        "validity": Validity(lifetime=timedelta(days=90) - timedelta(seconds=1)),
        "directory": "certificates/web",
    }
    return Resource(**(fields | changes))


def authority(spec: KeySpec = EC, /, **changes: Any) -> Resource:
    fields = {
        "address": "authority.root",
        "kind": Kind.AUTHORITY,
        "id": "root",
        "profile": "root-ca",
        "issuer": None,
        "subject": name("C=SE", "O=Acme", "CN=Acme Root"),
        "extensions": AUTHORITY,
        "directory": "authorities/root",
    }
    return certificate(spec, **(fields | changes))


@cache
def key_for(spec: KeySpec, number: int = 0) -> PrivateKey:
    """Keys take time to make, so tests share them."""
    return generate_key(spec)


def self_signed(
    resource: Resource, *, not_before: datetime = NOT_BEFORE, not_after: datetime = NOT_AFTER
) -> x509.Certificate:
    assert isinstance(resource.key, ManagedKey)
    key = key_for(resource.key.spec)
    request = CertificateRequest(
        resource=resource,
        public_key=key.public_key(),
        issuer=None,
        not_before=not_before,
        not_after=not_after,
        serial=SERIAL,
    )
    return sign(lint_request(request, ()), key)


def issued(
    resource: Resource, above: Resource, *, not_before: datetime = NOT_BEFORE, not_after: datetime = NOT_AFTER
) -> x509.Certificate:
    """Issue a resource under a root made of another."""
    assert isinstance(resource.key, ManagedKey)
    assert isinstance(above.key, ManagedKey)
    root = self_signed(above)
    request = CertificateRequest(
        resource=resource,
        public_key=key_for(resource.key.spec, 1).public_key(),
        issuer=Issuer.of(root),
        not_before=not_before,
        not_after=not_after,
        serial=SERIAL + 1,
    )
    return sign(lint_request(request, (above,)), key_for(above.key.spec))
