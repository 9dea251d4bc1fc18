"""One declared authority or certificate, with profile, defaults and templates already worked in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pkiplan.diagnostics import Place
from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    SubjectAltName,
)
from pkiplan.model.keys import PUBLIC_FILE, FileAttributes, KeySource
from pkiplan.model.names import DistinguishedName, GeneralName
from pkiplan.model.secret_references import SecretReference
from pkiplan.model.validity import RenewBefore, Validity

KEY_FILE = "key.pem"
CERTIFICATE_FILE = "cert.pem"
CHAIN_FILE = "chain.pem"
FULLCHAIN_FILE = "fullchain.pem"
CNF_FILE = "openssl.cnf"


class Kind(StrEnum):
    """What a resource is; the value is the first word of its address."""

    AUTHORITY = "authority"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A further file made from a certificate and its key, such as PKCS#12.

    `path` is relative to the certificate's own directory. `options` belong to the format and are sorted by name.
    """

    format: str
    path: str
    attributes: FileAttributes
    passphrases: tuple[SecretReference, ...] = ()
    options: tuple[tuple[str, str | int | bool], ...] = ()
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlSettings:
    """Where an authority's CRL will lie (written into what it issues), and how long one is valid."""

    url: str | None = None
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Everything that shall be true of one authority or certificate.

    `issuer` is the address of the issuing authority, or None for a self-issued certificate (a root, or
    `self_signed: true`). `extensions` are in the order of `EXTENSION_OIDS`, others after them sorted by OID;
    the two key identifiers always go with them and are not listed. `digest` is the name of the hash
    (`sha256`) with which the certificate is signed, so it follows the issuer's key; None where that algorithm
    brings its own (Ed25519, Ed448, ML-DSA). `directory` is relative to the site's directory. `cert_path` is
    set where an existing certificate is adopted. `rsa_pss` asks an RSA issuer for RSASSA-PSS. `allow` are the
    exceptions the manifest grants, `lint_disabled` the rules it silences.
    """

    address: str
    kind: Kind
    id: str
    element: str | None = None
    place: Place = field(compare=False)
    profile: str
    issuer: str | None
    subject: DistinguishedName
    extensions: tuple[Extension, ...]
    digest: str | None
    rsa_pss: bool = False
    key: KeySource
    validity: Validity
    renew_before: RenewBefore | None = None
    reuse_key: bool = False
    protect: bool = False
    crl: CrlSettings | None = None
    outputs: tuple[Output, ...] = ()
    directory: str
    cert_path: str | None = None
    attributes: FileAttributes = PUBLIC_FILE
    allow: frozenset[str] = frozenset()
    lint_disabled: frozenset[str] = frozenset()

    @property
    def is_authority(self) -> bool:
        """Tell whether this resource issues certificates."""
        return self.kind is Kind.AUTHORITY

    @property
    def certificate_file(self) -> str:
        """Return the certificate's file name, or the absolute path of an adopted one."""
        return self.cert_path or CERTIFICATE_FILE

    @property
    def is_self_issued(self) -> bool:
        """Tell whether the certificate is signed with its own key."""
        return self.issuer is None

    def extension(self, name: str) -> ExtensionValue | None:
        """Return the declared value of an extension by the manifest's word, or None."""
        oid = EXTENSION_OIDS[name]
        for extension in self.extensions:
            if extension.oid == oid:
                return extension.value
        return None

    @property
    def names(self) -> tuple[GeneralName, ...]:
        """List the subject alternative names."""
        value = self.extension("subject_alt_name")
        return value.names if isinstance(value, SubjectAltName) else ()

    @property
    def extended_key_usages(self) -> tuple[str, ...]:
        """List the extended key usages as OIDs; empty means any."""
        value = self.extension("extended_key_usage")
        return value.oids if isinstance(value, ExtendedKeyUsage) else ()

    @property
    def path_length(self) -> int | None:
        """Return the path length constraint, or None where there is none."""
        value = self.extension("basic_constraints")
        return value.path_length if isinstance(value, BasicConstraints) else None
