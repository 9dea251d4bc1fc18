"""Sites made of values, and trees of them as pkiplan lays them, for openssl to work in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from pkiplan.diagnostics import Place
from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    KeyUsage,
    SubjectAltName,
)
from pkiplan.model.keys import Curve, EcKeySpec, ExternalKey, KeySource, KeySpec, ManagedKey, RsaKeySpec
from pkiplan.model.names import ATTRIBUTE_TYPES, DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.resource import CERTIFICATE_FILE, CNF_FILE, Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.validity import Validity
from pkiplan.render import render_cnf
from pkiplan.render.ca_database import attributes_text, index_line, number_text
from pkiplan.x509 import issue
from pkiplan.x509.keys import PrivateKey, generate_key, key_spec

PLACE = Place("site.yaml", 12, 5)
NOT_BEFORE = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
SERIAL = 0x5A17_0102_0304_0506_0708_090A_0B0C_0D0E_0F10_1112

_OIDS = {word: attribute.oid for attribute in ATTRIBUTE_TYPES for word in (attribute.short_name, attribute.name)}


def dn(*attributes: tuple[str, str] | list[tuple[str, str]]) -> DistinguishedName:
    """Make a name; a list makes a multi-valued RDN."""
    rdns = [[attribute] if isinstance(attribute, tuple) else attribute for attribute in attributes]
    return DistinguishedName(tuple(tuple(NameAttribute(_OIDS.get(k, k), v) for k, v in rdn) for rdn in rdns))


def general(kind: str, value: Any) -> GeneralName:
    return GeneralName(GeneralNameKind(kind), value)


def extension(name: str, value: ExtensionValue, *, critical: bool = False) -> Extension:
    return Extension(EXTENSION_OIDS.get(name, name), critical, value)


def days(count: float) -> Validity:
    return Validity(lifetime=timedelta(days=count) - timedelta(seconds=1))


AUTHORITY_EXTENSIONS = (
    extension("basic_constraints", BasicConstraints(is_authority=True), critical=True),
    extension("key_usage", KeyUsage(("key_cert_sign", "crl_sign")), critical=True),
)
LEAF_EXTENSIONS = (
    extension("basic_constraints", BasicConstraints(is_authority=False), critical=True),
    extension("key_usage", KeyUsage(("digital_signature",)), critical=True),
    extension("extended_key_usage", ExtendedKeyUsage(("1.3.6.1.5.5.7.3.1",))),
)


def alternative(*names: GeneralName, critical: bool = False) -> Extension:
    ordered = tuple(sorted(names, key=lambda name: name.sort_key))
    return extension("subject_alt_name", SubjectAltName(ordered), critical=critical)


def authority(name: str, issuer: str | None = None, **changes: Any) -> Resource:
    spec: KeySpec = changes.pop("spec", RsaKeySpec(2048) if issuer is None else EcKeySpec(Curve.P384))
    made = Resource(
        address=f"authority.{name}",
        kind=Kind.AUTHORITY,
        id=name,
        place=PLACE,
        profile="root-ca" if issuer is None else "issuing-ca",
        issuer=None if issuer is None else f"authority.{issuer}",
        subject=dn(("C", "SE"), ("O", "Acme"), ("CN", f"Acme {name}")),
        extensions=AUTHORITY_EXTENSIONS,
        digest="sha256",
        key=ManagedKey(spec=spec),
        validity=days(3652 if issuer is None else 1095),
        directory=f"authorities/{name}",
    )
    return replace(made, **changes)


def leaf(name: str = "web", issuer: str | None = "issuing", **changes: Any) -> Resource:
    spec: KeySpec = changes.pop("spec", EcKeySpec(Curve.P256))
    made = Resource(
        address=f"certificate.{name}",
        kind=Kind.CERTIFICATE,
        id=name,
        place=PLACE,
        profile="server",
        issuer=None if issuer is None else f"authority.{issuer}",
        subject=dn(("O", "Acme"), ("CN", "www.acme.example")),
        extensions=(*LEAF_EXTENSIONS, alternative(general("dns", "www.acme.example"), general("ip", "10.0.0.2"))),
        digest="sha384" if issuer == "issuing" else "sha256",
        key=ManagedKey(spec=spec),
        validity=days(90),
        directory=f"certificates/{name}",
    )
    return replace(made, **changes)


def site_of(*resources: Resource, base: str = "/srv/acme", **changes: Any) -> Site:
    made = Site(
        name="acme",
        base=base,
        directory=f"{base}/pki",
        resources={resource.address: resource for resource in resources},
    )
    return replace(made, **changes)


def usual_site(*resources: Resource, base: str = "/srv/acme", **changes: Any) -> Site:
    """Make a site of a root, an issuing authority and the given resources."""
    return site_of(authority("root"), authority("issuing", "root"), *resources, base=base, **changes)


@cache
def key_for(address: str, spec: KeySpec) -> PrivateKey:
    """Make a key once and for all tests; RSA keys take long."""
    return generate_key(spec)


def key_of(resource: Resource) -> PrivateKey:
    source: KeySource = resource.key
    spec = EcKeySpec(Curve.P256) if isinstance(source, ExternalKey) else source.spec
    return key_for(resource.address if resource.is_authority else "certificate", spec)


def lifetime_of(resource: Resource) -> timedelta:
    return resource.validity.lifetime or timedelta(days=30)


@dataclass
class Issued:
    """What was signed for a site, by address."""

    site: Site
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)

    def certificate(self, resource: Resource, serial: int = SERIAL) -> x509.Certificate:
        """Sign as pkiplan does, but whatever the lint says."""
        if resource.address not in self.certificates:
            issuer = self.site.issuer_of(resource)
            request = issue.CertificateRequest(
                resource=resource,
                public_key=key_of(resource).public_key(),
                issuer=None if issuer is None else issue.Issuer.of(self.certificate(issuer)),
                not_before=resource.validity.not_before or NOT_BEFORE,
                not_after=resource.validity.not_after
                or (resource.validity.not_before or NOT_BEFORE) + lifetime_of(resource),
                serial=serial,
            )
            signer = key_of(issuer or resource)
            self.certificates[resource.address] = issue._sign(request, signer, key_spec(signer.public_key()))
        return self.certificates[resource.address]


@dataclass
class Tree:
    """A site's tree on disk."""

    site: Site
    issued: Issued

    def directory(self, resource: Resource) -> Path:
        return Path(self.site.directory, resource.directory)

    def certificate(self, resource: Resource) -> x509.Certificate:
        return self.issued.certificate(resource)


def lay_out(site: Site, passphrases: Mapping[str, bytes] | None = None) -> Tree:
    """Write keys, certificates, cnf and CA databases where pkiplan puts them."""
    tree = Tree(site, Issued(site))
    for number, resource in enumerate(site, 1):
        directory = tree.directory(resource)
        directory.mkdir(parents=True)
        passphrase = (passphrases or {}).get(resource.address)
        files = {CERTIFICATE_FILE: pem(tree.issued.certificate(resource, SERIAL + number))}
        files[CNF_FILE] = render_cnf(site, resource).encode()
        if isinstance(resource.key, ManagedKey):
            files[resource.key.path] = key_pem(key_of(resource), passphrase)
        if resource.is_authority:
            lay_out_database(directory)
        generation = directory / "..20270102T030405Z-1" if not resource.is_authority else directory
        generation.mkdir(exist_ok=True)
        for name, content in files.items():
            (generation / name).write_bytes(content)
            if generation != directory and not os.path.isabs(name):
                (directory / name).symlink_to(f"..data/{name}")
        if generation != directory:
            (directory / "..data").symlink_to(generation.name)
        if resource.issuer is not None:
            index = Path(site.directory, site.resources[resource.issuer].directory, "index.txt")
            certificate = tree.certificate(resource)
            line = index_line(
                serial=certificate.serial_number, not_after=certificate.not_valid_after_utc, subject=resource.subject
            )
            index.write_text(index.read_text() + line)
    return tree


def lay_out_database(directory: Path, serial: int = 0x7FEE_DDCC_BBAA_9988_7766_5544_3322_1100_FFEE_DDCC) -> None:
    (directory / "newcerts").mkdir()
    (directory / "index.txt").write_text("")
    (directory / "index.txt.attr").write_text(attributes_text())
    (directory / "serial").write_text(number_text(serial))
    (directory / "crlnumber").write_text(number_text(1))


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def key_pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def run(program: str, *arguments: str, cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run openssl without the machine's own configuration, and show what it said when it fails."""
    environment = {"PATH": os.defpath, "LC_ALL": "C", "OPENSSL_CONF": os.devnull}
    done = subprocess.run([program, *arguments], cwd=cwd, input=stdin, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0, f"{arguments}: {done.stderr.decode(errors='replace')}"
    return done
