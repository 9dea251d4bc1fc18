"""Issuing: a request is linted, then signed, then the certificate is looked at before anybody gets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.errors import PkiplanError, kind_and_place
from pkiplan.model.extensions import EXTENSION_OIDS, Extension
from pkiplan.model.keys import KeySpec, ManagedKey, ObservedKeySpec, OtherKey, RsaKeySpec
from pkiplan.model.names import DistinguishedName
from pkiplan.model.observed import FileFacts, ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.x509 import der, pkilint_rules
from pkiplan.x509.encoded import certificate_der
from pkiplan.x509.extensions import CertificateExtensions, decode, encode
from pkiplan.x509.kept import Kept
from pkiplan.x509.keys import (
    PrivateKey,
    PublicKey,
    generate_key,
    is_signed_with,
    key_identifier,
    key_spec,
    spki_der,
    spki_sha256,
)
from pkiplan.x509.lint import lint_certificate, lint_resource
from pkiplan.x509.lint.keys import SMALLEST_RSA
from pkiplan.x509.names import to_x509_name
from pkiplan.x509.parse import certificate_facts
from pkiplan.x509.pattern import NAMES_OID, OwnParts, Pattern, names_apart, pattern_of
from pkiplan.x509.unsound_keys import weakness

# RFC 5280, 4.1.2.2: positive and at most 20 octets, of which the first bit is the sign.
LARGEST_SERIAL = (1 << 159) - 1
# RFC 5280, 4.1.2.5.2: what four digits of a year can say.
LATEST_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
# RFC 5280, 4.1.2.5.1: the first year a UTCTime can say.
EARLIEST_START = datetime(1950, 1, 1, tzinfo=UTC)

_DIGESTS: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}

# All but the names are shared by the certificates of a profile.
_PATTERNS: Kept[Pattern] = Kept()
_ENCODED: Kept[x509.Extension[x509.ExtensionType]] = Kept()

_KEY_ID_OID = EXTENSION_OIDS["subject_key_identifier"]
_ISSUER_ID_OID = EXTENSION_OIDS["authority_key_identifier"]

_NO_FILE = FileFacts(sha256="", mode=0, uid=0, gid=0, owner="", group="")


@dataclass(frozen=True, slots=True)
class Issuer:
    """What a certificate says of the one who signs it: name as encoded, key identifier, and the key itself."""

    subject_der: bytes
    key_id: bytes
    public_key: PublicKey

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Issuer:
        """Take the issuer from its certificate.

        The key identifier is copied (RFC 5280, 4.2.1.1), and is only computed where the issuer carries none.
        """
        public_key = certificate.public_key()
        own_id = CertificateExtensions(certificate).get(x509.SubjectKeyIdentifier)
        return cls(
            der.certificate_parts(certificate_der(certificate)).subject,
            key_identifier(public_key) if own_id is None else own_id.digest,
            public_key,  # type: ignore[arg-type] # a key that cannot sign fails when the signature is checked
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """Everything that goes into one certificate; an `issuer` of None means that it signs itself."""

    resource: Resource
    public_key: PublicKey = field(repr=False)
    issuer: Issuer | None
    not_before: datetime
    not_after: datetime
    serial: int


@dataclass(frozen=True, slots=True)
class LintedRequest:
    """A request that was found sound: the only thing that can be signed. Made by `lint_request`."""

    request: CertificateRequest
    warnings: tuple[Diagnostic, ...]


def lint_request(request: CertificateRequest, chain: tuple[Resource, ...]) -> LintedRequest:
    """Check a request with the authorities above it, nearest first; raises with everything that is wrong."""
    found = (*lint_resource(request.resource, chain), *_request_problems(request))
    errors = tuple(diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR)
    if errors:
        raise PkiplanError(*errors)
    return LintedRequest(request, found)


def _request_problems(request: CertificateRequest) -> list[Diagnostic]:
    resource = request.resource
    problems = []
    if not 0 < request.serial <= LARGEST_SERIAL:
        problems.append(("serial-number", "the serial number is not between 1 and 2^159 - 1"))
    if not EARLIEST_START <= request.not_before < request.not_after <= LATEST_END:
        problems.append(
            (
                "validity",
                f"a validity from {request.not_before:%Y-%m-%d} to {request.not_after:%Y-%m-%d} is not possible",
            )
        )
    if isinstance(resource.key, ManagedKey) and key_spec(request.public_key) != resource.key.spec:
        problems.append(("key-type", f"the key is {key_spec(request.public_key)}, declared is {resource.key.spec}"))
    for whose, key in (("the key", request.public_key), *_issuer_key(request)):
        if why := weakness(key):
            problems.append(("unsound-key", f"{whose} is unsound: {why}"))
    if (request.issuer is None) != resource.is_self_issued:
        problems.append(("issuer", "the request is not for the declared issuer"))
    return [
        Diagnostic(summary=f"{resource.address}: {summary}", code=code, place=resource.place)
        for code, summary in problems
    ]


def _issuer_key(request: CertificateRequest) -> tuple[tuple[str, PublicKey], ...]:
    return () if request.issuer is None else (("the issuer's key", request.issuer.public_key),)


def sign(linted: LintedRequest, signing_key: PrivateKey) -> x509.Certificate:
    """Sign a linted request, and make sure of the certificate before it is handed out."""
    request = linted.request
    signer = request.public_key if request.issuer is None else request.issuer.public_key
    if not _is_same(signing_key.public_key(), signer):
        raise _failure(request.resource, "the signing key is not the issuer's")
    spec = key_spec(signer)
    # Of a kind of key that we cannot make there is no throw-away one. What our own rules say of a leaf, its request
    # tells already; what pkilint says, it does not.
    must_rehearse = request.resource.is_authority or pkilint_rules.is_installed()
    rehearsed = _rehearse(request, spec) if must_rehearse and not isinstance(spec, OtherKey) else None
    certificate = _sign(request, signing_key, spec)
    observed = _examined(certificate, request, signer)
    if rehearsed is None:
        _refuse_unsound(certificate, observed, request)
    elif rehearsed.tbs_certificate_bytes != certificate.tbs_certificate_bytes:
        raise _failure(request.resource, "what was signed is not what was linted")
    return certificate


def _is_same(one: PublicKey, other: PublicKey) -> bool:
    return one == other or spki_der(one) == spki_der(other)


def _examined(certificate: x509.Certificate, request: CertificateRequest, signer: PublicKey) -> ObservedCertificate:
    """Describe what was signed, and make sure that it is what was asked for.

    The first certificate of a profile is read and compared, value by value. Those after it, of the same issuer, are
    what was asked for where their bytes are what this pattern makes of the request; any other is read as well.
    """
    if request.issuer is None:
        return _read_and_compared(certificate, request, signer)
    resource, encoded = request.resource, certificate_der(certificate)
    names, shared = names_apart(resource.extensions)
    own = OwnParts(
        serial=request.serial,
        not_before=request.not_before,
        not_after=request.not_after,
        subject=resource.subject,
        public_key=request.public_key,
        spki=spki_der(request.public_key),
        names=names,
    )
    key = (resource.digest, resource.rsa_pss, names is None, id(request.issuer), *map(id, shared))
    pattern = _PATTERNS.find(key)
    signed_part = None if pattern is None else pattern.signed_part_of(encoded, own, certificate.signature)
    if pattern is not None and signed_part is not None and is_signed_with(certificate, signer, signed_part):
        # One issuer has one key, and it is the signature of all of them.
        return pattern.facts(encoded, own, pattern.examined.verified_by, file=_NO_FILE)
    observed = _read_and_compared(certificate, request, signer)
    if pattern is None and (new := pattern_of(encoded, observed, own)) is not None:
        _PATTERNS.keep(key, (request.issuer, shared), new)
    return observed


def _read_and_compared(
    certificate: x509.Certificate, request: CertificateRequest, signer: PublicKey
) -> ObservedCertificate:
    observed = certificate_facts(certificate, file=_NO_FILE, candidates=(signer,))
    _compare(observed, request, signer)
    return observed


def _rehearse(request: CertificateRequest, spec: KeySpec) -> x509.Certificate:
    """Sign with a throw-away key and lint that, so that an authority's key never signs what is unsound.

    Boulder's tool for key ceremonies does the same.
    """
    certificate = _sign(request, _throw_away_key(spec), spec)
    _refuse_unsound(certificate, certificate_facts(certificate, file=_NO_FILE), request)
    return certificate


@cache
def _throw_away_key(spec: KeySpec) -> PrivateKey:
    # Nothing of what is signed tells how long an RSA key is that signs it, and long ones take time to make.
    return generate_key(RsaKeySpec(SMALLEST_RSA) if isinstance(spec, RsaKeySpec) else spec)


def _failure(resource: Resource, summary: str) -> PkiplanError:
    return PkiplanError(Diagnostic(summary=f"{resource.address}: {summary}", code="issue", place=resource.place))


def _sign(request: CertificateRequest, signing_key: PrivateKey, signer: ObservedKeySpec) -> x509.Certificate:
    try:
        return _build(request, signing_key, signer)
    except ValueError as error:
        raise _failure(request.resource, f"cannot be encoded: {kind_and_place(error)}") from None


def _build(request: CertificateRequest, signing_key: PrivateKey, signer: ObservedKeySpec) -> x509.Certificate:
    resource = request.resource
    subject = to_x509_name(resource.subject)
    issuer = subject if request.issuer is None else _encoded_name(request.issuer.subject_der)
    builder = x509.CertificateBuilder(
        issuer,
        subject,
        request.public_key,
        request.serial,
        _without_zone(request.not_before),
        _without_zone(request.not_after),
        _extensions(request),
    )
    digest = None if resource.digest is None else _DIGESTS[resource.digest]()
    if _is_pss(resource, signer) and digest is not None:
        # RFC 4055, 3.1: MGF1 with the same hash, and a salt as long as the hash.
        pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.DIGEST_LENGTH)
        return builder.sign(signing_key, digest, rsa_padding=pss)
    return builder.sign(signing_key, digest)


def _is_pss(resource: Resource, signer: ObservedKeySpec) -> bool:
    """Tell whether the signature is RSASSA-PSS: only an RSA key can make one."""
    return resource.rsa_pss and isinstance(signer, RsaKeySpec)


# What is issued together begins and ends together.
@lru_cache(maxsize=64)
def _without_zone(moment: datetime) -> datetime:
    """Give a moment as a builder holds it: in UTC, which it does not say."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@lru_cache(maxsize=64)
def _encoded_name(encoded: bytes) -> x509.Name:
    return x509.Name.from_bytes(encoded)


def _extensions(request: CertificateRequest) -> list[x509.Extension[x509.ExtensionType]]:
    """List the extensions in the order of `EXTENSION_OIDS`, others by OID; key identifiers are never critical."""
    own_id = key_identifier(request.public_key)
    by_oid = {extension.oid: _encoded(extension) for extension in request.resource.extensions}
    by_oid[_KEY_ID_OID] = x509.Extension(x509.SubjectKeyIdentifier.oid, False, x509.SubjectKeyIdentifier(own_id))
    by_oid[_ISSUER_ID_OID] = _issuer_id(own_id if request.issuer is None else request.issuer.key_id)
    return [by_oid[oid] for oid in _in_order(frozenset(by_oid))]


@lru_cache(maxsize=64)
def _issuer_id(key_id: bytes) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(x509.AuthorityKeyIdentifier.oid, False, x509.AuthorityKeyIdentifier(key_id, None, None))


@lru_cache(maxsize=64)
def _in_order(oids: frozenset[str]) -> tuple[str, ...]:
    known = [oid for oid in EXTENSION_OIDS.values() if oid in oids]
    return (*known, *sorted(oids.difference(known)))


def _encoded(extension: Extension) -> x509.Extension[x509.ExtensionType]:
    # Names are a certificate's own: kept, they would only fill what is kept for many.
    if extension.oid == NAMES_OID:
        return _encode(extension)
    return _ENCODED.get(id(extension), extension, lambda: _encode(extension))


def _encode(extension: Extension) -> x509.Extension[x509.ExtensionType]:
    value = encode(extension.value)
    return x509.Extension(value.oid, extension.critical, value)


def _compare(observed: ObservedCertificate, request: CertificateRequest, signer: PublicKey) -> None:
    """Make sure that what is signed is what was asked for (what is written is what is signed)."""
    resource = request.resource
    differences = _differences(observed, request, signer)
    if differences:
        raise _failure(resource, f"the certificate is not what was asked for: {', '.join(differences)}")


def _refuse_unsound(certificate: x509.Certificate, observed: ObservedCertificate, request: CertificateRequest) -> None:
    """Hold a finished certificate against our rules, and against pkilint's where it is installed."""
    resource = request.resource
    silenced = resource.lint_disabled
    found = lint_certificate(
        observed, what=resource.address, place=resource.place, allow=resource.allow, disabled=silenced
    )
    if pkilint_rules.is_installed():
        found += pkilint_rules.lint_with_pkilint(
            certificate, what=resource.address, place=resource.place, disabled=silenced
        )
    errors = tuple(diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR)
    if errors:
        raise PkiplanError(*errors)


def _differences(observed: ObservedCertificate, request: CertificateRequest, signer: PublicKey) -> list[str]:
    resource, issuer = request.resource, request.issuer
    checks = {
        "signature": spki_sha256(signer) in observed.verified_by,
        "public key": observed.spki_sha256 == spki_sha256(request.public_key),
        "subject": _as_sets(observed.subject) == _as_sets(resource.subject),
        "issuer": observed.issuer_der == (observed.subject_der if issuer is None else issuer.subject_der),
        "serial number": observed.serial == request.serial,
        "validity": (observed.not_before, observed.not_after) == (request.not_before, request.not_after),
        "signature algorithm": (observed.signature_digest, observed.signature_is_pss)
        == (resource.digest, _is_pss(resource, key_spec(signer))),
        "extensions": {e.oid: e for e in observed.extensions} == {e.oid: _as_decoded(e) for e in resource.extensions},
        "subject key identifier": observed.subject_key_id == observed.key_id_of_key,
        "authority key identifier": observed.authority_key_id
        == (observed.key_id_of_key if issuer is None else issuer.key_id),
    }
    return [name for name, holds in checks.items() if not holds]


def _as_decoded(extension: Extension) -> Extension:
    """Give an extension the form in which it is read back: sets sorted, names in their usual spelling."""
    return decode(_encoded(extension))


def _as_sets(name: DistinguishedName) -> list[frozenset[object]]:
    return [frozenset(rdn) for rdn in name.rdns]
