"""A site in memory: declared resources, and certificates that fit them, made by cryptography alone.

Nothing of pkiplan's own issuing is used, so that verification is tested by certificates it did not make.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pkiplan.diagnostics import Place
from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGES,
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    KeyUsage,
    SubjectAltName,
)
from pkiplan.model.keys import Curve, EcKeySpec, ManagedKey
from pkiplan.model.names import COMMON_NAME_OID, DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site, VerifyRule
from pkiplan.model.validity import Validity
from pkiplan.verify.credentials import Credential

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)

Key = Any


def p256() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


KEYS: dict[str, Callable[[], Key]] = {
    "ecdsa-p256": p256,
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-1024": lambda: rsa.generate_private_key(65537, 1024),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
}


@dataclass
class Toy:
    """A site, its certificates and its keys, each by address."""

    resources: dict[str, Resource] = field(default_factory=dict)
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    rules: list[VerifyRule] = field(default_factory=list)
    changed: dict[str, Callable[[Credential], Credential]] = field(default_factory=dict)

    @property
    def site(self) -> Site:
        return Site(
            name="toy", base="/toy", directory="/toy/pki", resources=dict(self.resources), verify=tuple(self.rules)
        )

    def chain(self, address: str) -> tuple[x509.Certificate, ...]:
        site = self.site
        resource = site.resources[address]
        return tuple(self.certificates[r.address] for r in (resource, *site.chain_of(resource)))

    def load(self, resource: Resource) -> Credential:
        keys = {address: key_pem(key) for address, key in self.keys.items()}
        credential = credential_in_memory(resource, self.chain(resource.address), keys)
        change = self.changed.get(resource.address)
        return change(credential) if change else credential

    def authority(self, id_: str, issuer: str | None = None, *, path_length: int | None = None, **how: Any) -> str:
        return self._add(
            Kind.AUTHORITY, id_, issuer, profile="issuing-ca" if issuer else "root-ca", path_length=path_length, **how
        )

    def leaf(
        self,
        id_: str,
        issuer: str | None,
        *,
        usages: Iterable[str] = ("server_auth",),
        names: Iterable[str] = (),
        **how: Any,
    ) -> str:
        profile = how.pop("profile", "-".join(usages) or "any")
        return self._add(Kind.CERTIFICATE, id_, issuer, profile=profile, usages=tuple(usages), names=names, **how)

    def _add(
        self,
        kind: Kind,
        id_: str,
        issuer: str | None,
        *,
        profile: str,
        usages: tuple[str, ...] = (),
        names: Iterable[str] = (),
        path_length: int | None = None,
        key: str = "ecdsa-p256",
        days: tuple[int, int] = (-1, 30),
        allow: Iterable[str] = (),
        actual: Mapping[str, Any] | None = None,
    ) -> str:
        """Declare and issue; `actual` changes what the certificate really gets, behind the declaration's back."""
        address = f"{kind.value}.{id_}"
        private_key = KEYS[key]()
        resource = Resource(
            address=address,
            kind=kind,
            id=id_,
            place=Place("site.yaml", 1),
            profile=profile,
            issuer=issuer,
            subject=DistinguishedName(((NameAttribute(COMMON_NAME_OID, id_),),)),
            extensions=declared_extensions(kind, usages, names, path_length),
            digest="sha256",
            key=ManagedKey(spec=EcKeySpec(Curve.P256)),
            validity=Validity(lifetime=30 * DAY),
            directory=f"{kind.value}s/{id_}",
            allow=frozenset(allow),
        )
        facts: dict[str, Any] = {
            "is_authority": kind is Kind.AUTHORITY,
            "usages": usages,
            "names": tuple(names),
            "path_length": path_length,
            "days": days,
            "signed_by": issuer,
            **(actual or {}),
        }
        self.resources[address] = resource
        self.keys[address] = private_key
        self.certificates[address] = self._certificate(id_, private_key, **facts)
        return address

    def _certificate(
        self,
        common_name: str,
        key: Key,
        *,
        is_authority: bool,
        usages: tuple[str, ...],
        names: tuple[str, ...],
        path_length: int | None,
        days: tuple[int, int],
        signed_by: str | None,
        without: tuple[type[x509.ExtensionType], ...] = (),
        constraints_critical: bool = True,
        eku_critical: bool = False,
    ) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        issuer_key = self.keys[signed_by] if signed_by else key
        basic = x509.BasicConstraints(ca=is_authority, path_length=path_length if is_authority else None)
        signs, enciphers = bool(usages) or not is_authority, "server_auth" in usages
        usage = key_usage(is_authority=is_authority, signs=signs, enciphers=enciphers)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (basic, constraints_critical),
            (usage, True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
        ]
        if names:
            extensions.append((x509.SubjectAlternativeName([general_name(text) for text in names]), False))
        if usages:
            oids = [x509.ObjectIdentifier(EXTENDED_KEY_USAGES[usage]) for usage in usages]
            extensions.append((x509.ExtendedKeyUsage(oids), eku_critical))
        builder = x509.CertificateBuilder(
            issuer_name=self.certificates[signed_by].subject if signed_by else name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=NOW + days[0] * DAY,
            not_valid_after=NOW + days[1] * DAY,
        )
        for value, critical in extensions:
            if not isinstance(value, without):
                builder = builder.add_extension(value, critical=critical)
        has_own_digest = not isinstance(issuer_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return builder.sign(issuer_key, None if has_own_digest else hashes.SHA256())


def credential_in_memory(
    resource: Resource, chain: tuple[x509.Certificate, ...], keys: Mapping[str, bytes]
) -> Credential:
    """Make a credential of certificates, own first and root last, and PEM keys by address."""
    served = chain[:-1] or chain

    def load_key() -> bytes:
        if resource.address not in keys:
            raise PkiplanError.of("its key is not here")
        return keys[resource.address]

    return Credential(
        resource=resource,
        certificate_pem=pem(chain[0]),
        served_pem=pem(*served),
        anchor_pem=pem(chain[-1]),
        load_key=load_key,
    )


def key_pem(key: Key) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def is_ip(text: str) -> bool:
    return text[0].isdigit() or ":" in text


def general_name(text: str) -> x509.GeneralName:
    if "@" in text:
        return x509.RFC822Name(text)
    return x509.IPAddress(ipaddress.ip_address(text)) if is_ip(text) else x509.DNSName(text)


def key_usage(*, is_authority: bool, signs: bool, enciphers: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def declared_extensions(
    kind: Kind, usages: tuple[str, ...], names: Iterable[str], path_length: int | None
) -> tuple[Extension, ...]:
    is_authority = kind is Kind.AUTHORITY
    declared = [
        Extension(EXTENSION_OIDS["basic_constraints"], True, BasicConstraints(is_authority, path_length)),
        Extension(
            EXTENSION_OIDS["key_usage"],
            True,
            KeyUsage(("key_cert_sign", "crl_sign") if is_authority else ("digital_signature", "key_encipherment")),
        ),
    ]
    if usages:
        oids = tuple(sorted(EXTENDED_KEY_USAGES[usage] for usage in usages))
        declared.append(Extension(EXTENSION_OIDS["extended_key_usage"], False, ExtendedKeyUsage(oids)))
    if names:
        kinds = {True: GeneralNameKind.IP, False: GeneralNameKind.DNS}
        model = [GeneralName(GeneralNameKind.EMAIL if "@" in text else kinds[is_ip(text)], text) for text in names]
        value = SubjectAltName(tuple(sorted(model, key=lambda name: name.sort_key)))
        declared.append(Extension(EXTENSION_OIDS["subject_alt_name"], False, value))
    return tuple(declared)


def usual_site() -> Toy:
    """A root, an issuing authority, a server with names of each kind, a client, and a peer."""
    toy = Toy()
    toy.authority("root")
    toy.authority("issuing", "authority.root", path_length=0)
    toy.leaf("web", "authority.issuing", names=["www.toy.example", "*.apps.toy.example", "10.0.0.2", "2001:db8::2"])
    toy.leaf("ops", "authority.issuing", usages=["client_auth"])
    toy.leaf("node", "authority.issuing", usages=["client_auth", "server_auth"], names=["node.toy.example"])
    return toy


def changed(toy: Toy, address: str, **what: Any) -> None:
    """Let the files of one certificate be other than they should."""
    toy.changed[address] = lambda credential: replace(credential, **what)
