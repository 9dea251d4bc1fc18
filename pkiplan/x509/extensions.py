"""Certificate extensions, between the model and `cryptography`.

Decoding never fails: an extension that is unknown, says more than the model can hold, or is not encoded as it
should be, becomes an `OtherExtension` with the bytes as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    KEY_USAGES,
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
    UserNotice,
)
from pkiplan.model.names import GeneralName
from pkiplan.x509 import der
from pkiplan.x509.names import from_general_name, to_general_name

_KEY_IDENTIFIERS = frozenset({EXTENSION_OIDS["subject_key_identifier"], EXTENSION_OIDS["authority_key_identifier"]})

# What cryptography raises for an extension it cannot decode: malformed bytes, a TLS feature it does not know, a
# general name of a kind it does not support, an extension that occurs twice.
UNDECODABLE = (ValueError, TypeError, KeyError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


def encode(value: ExtensionValue) -> x509.ExtensionType:
    """Encode the value of an extension; raises ValueError for one that cannot be written."""
    match value:
        case BasicConstraints(is_authority, path_length):
            return x509.BasicConstraints(ca=is_authority, path_length=path_length)
        case KeyUsage(usages):
            return _encode_key_usage(usages)
        case ExtendedKeyUsage(oids):
            return x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in oids])
        case SubjectAltName(names):
            return x509.SubjectAlternativeName([to_general_name(name) for name in names])
        case NameConstraints(permitted, excluded):
            return x509.NameConstraints(
                [to_general_name(name) for name in permitted] or None,
                [to_general_name(name) for name in excluded] or None,
            )
        case CertificatePolicies(policies):
            return x509.CertificatePolicies([_encode_policy(policy) for policy in policies])
        case PolicyConstraints(require_explicit_policy, inhibit_policy_mapping):
            return x509.PolicyConstraints(require_explicit_policy, inhibit_policy_mapping)
        case InhibitAnyPolicy(skip_certs):
            return x509.InhibitAnyPolicy(skip_certs)
        case CrlDistributionPoints(uris):
            return x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(uri)], None, None, None) for uri in uris]
            )
        case AuthorityInfoAccess(descriptions):
            return x509.AuthorityInformationAccess([_encode_access(description) for description in descriptions])
        case SubjectInfoAccess(descriptions):
            return x509.SubjectInformationAccess([_encode_access(description) for description in descriptions])
        case TlsFeature(features):
            # cryptography knows two features by name; the registry has more (RFC 7633, section 4).
            numbers = der.encode(der.SEQUENCE, *(der.encode_integer(number) for number in features))
            return _unrecognized(EXTENSION_OIDS["tls_feature"], numbers)
        case OcspNoCheck():
            return x509.OCSPNoCheck()
        case OtherExtension(oid, value_der):
            return _unrecognized(oid, value_der)


def _unrecognized(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def _encode_key_usage(usages: Iterable[str]) -> x509.KeyUsage:
    wanted = set(usages)
    return x509.KeyUsage(**{usage: usage in wanted for usage in KEY_USAGES})


def _encode_policy(policy: Policy) -> x509.PolicyInformation:
    qualifiers: list[str | x509.UserNotice] = [*policy.cps, *(_encode_notice(notice) for notice in policy.notices)]
    return x509.PolicyInformation(x509.ObjectIdentifier(policy.oid), qualifiers or None)


def _encode_notice(notice: UserNotice) -> x509.UserNotice:
    reference = None
    if notice.organization is not None or notice.numbers:
        reference = x509.NoticeReference(notice.organization, notice.numbers)
    return x509.UserNotice(reference, notice.text)


def _encode_access(description: AccessDescription) -> x509.AccessDescription:
    return x509.AccessDescription(
        x509.ObjectIdentifier(description.method), x509.UniformResourceIdentifier(description.uri)
    )


class _NotRepresentableError(ValueError):
    """The extension says more than the value of the model can hold."""


def decode(extension: x509.Extension[Any], encoded: bytes | None = None) -> Extension:
    """Decode one extension; `encoded` is its extnValue where it is at hand, for what has no value of its own."""
    oid = extension.oid.dotted_string
    value = _decode_value(extension.value)
    if value is None:
        value = _decode_raw(oid, extension.value.public_bytes() if encoded is None else encoded)
    return Extension(oid, extension.critical, value)


def _decode_value(value: x509.ExtensionType) -> ExtensionValue | None:
    """Decode what the model has a value for; None is everything else."""
    decoder = _DECODERS.get(type(value))
    try:
        return None if decoder is None else decoder(value)
    except ValueError:
        return None


def _decode_raw(oid: str, encoded: bytes) -> ExtensionValue:
    if oid == EXTENSION_OIDS["tls_feature"]:
        try:
            return _decode_features(encoded)
        except ValueError:
            pass
    return OtherExtension(oid, encoded)


def _decode_features(encoded: bytes) -> TlsFeature:
    numbers = [
        int.from_bytes(number.expect(der.INTEGER).content, "big", signed=True)
        for number in der.single(encoded).expect(der.SEQUENCE).children()
    ]
    return TlsFeature(tuple(sorted(numbers)))


def _decode_key_usage(value: x509.KeyUsage) -> KeyUsage:
    # encipher_only and decipher_only mean nothing without key_agreement, and cryptography refuses to say them then.
    readable = KEY_USAGES if value.key_agreement else KEY_USAGES[:-2]
    return KeyUsage(tuple(usage for usage in readable if getattr(value, usage)))


def _decode_names(names: Iterable[x509.GeneralName] | None) -> tuple[GeneralName, ...]:
    return tuple(sorted(map(from_general_name, names or ()), key=lambda name: name.sort_key))


def _decode_policy(policy: x509.PolicyInformation) -> Policy:
    qualifiers = policy.policy_qualifiers or []
    return Policy(
        policy.policy_identifier.dotted_string,
        tuple(qualifier for qualifier in qualifiers if isinstance(qualifier, str)),
        tuple(_decode_notice(qualifier) for qualifier in qualifiers if isinstance(qualifier, x509.UserNotice)),
    )


def _decode_notice(notice: x509.UserNotice) -> UserNotice:
    reference = notice.notice_reference
    if reference is None:
        return UserNotice(notice.explicit_text)
    return UserNotice(notice.explicit_text, reference.organization, tuple(reference.notice_numbers))


def _decode_distribution_points(points: x509.CRLDistributionPoints) -> CrlDistributionPoints:
    uris = []
    for point in points:
        names = point.full_name or []
        if point.relative_name or point.reasons or point.crl_issuer or len(names) != 1:
            raise _NotRepresentableError
        uris.append(_uri(names[0]))
    return CrlDistributionPoints(tuple(uris))


def _decode_access(descriptions: Iterable[x509.AccessDescription]) -> tuple[AccessDescription, ...]:
    return tuple(
        AccessDescription(description.access_method.dotted_string, _uri(description.access_location))
        for description in descriptions
    )


def _uri(name: x509.GeneralName) -> str:
    if not isinstance(name, x509.UniformResourceIdentifier):
        raise _NotRepresentableError
    return name.value


_DECODERS: dict[type[x509.ExtensionType], Callable[[Any], ExtensionValue]] = {
    x509.BasicConstraints: lambda value: BasicConstraints(value.ca, value.path_length),
    x509.KeyUsage: _decode_key_usage,
    x509.ExtendedKeyUsage: lambda value: ExtendedKeyUsage(tuple(sorted(oid.dotted_string for oid in value))),
    x509.SubjectAlternativeName: lambda value: SubjectAltName(_decode_names(value)),
    x509.NameConstraints: lambda value: NameConstraints(
        _decode_names(value.permitted_subtrees), _decode_names(value.excluded_subtrees)
    ),
    x509.CertificatePolicies: lambda value: CertificatePolicies(tuple(map(_decode_policy, value))),
    x509.PolicyConstraints: lambda value: PolicyConstraints(
        value.require_explicit_policy, value.inhibit_policy_mapping
    ),
    x509.InhibitAnyPolicy: lambda value: InhibitAnyPolicy(value.skip_certs),
    x509.CRLDistributionPoints: _decode_distribution_points,
    x509.AuthorityInformationAccess: lambda value: AuthorityInfoAccess(_decode_access(value)),
    x509.SubjectInformationAccess: lambda value: SubjectInfoAccess(_decode_access(value)),
    x509.TLSFeature: lambda value: TlsFeature(tuple(sorted(feature.value for feature in value))),
    x509.OCSPNoCheck: lambda _: OcspNoCheck(),
}


ExtensionClass = TypeVar("ExtensionClass", bound=x509.ExtensionType)


class CertificateExtensions:
    """All extensions of a certificate, each decoded by itself where cryptography would refuse the lot."""

    def __init__(self, certificate: x509.Certificate, parts: der.CertificateParts | None = None) -> None:
        self._parts = parts or der.certificate_parts(certificate.public_bytes(Encoding.DER))
        try:
            self._decoded = list(certificate.extensions)
        except UNDECODABLE:
            self._decoded = [_decode_alone(certificate, extension) for extension in self._parts.extensions()]

    def get(self, kind: type[ExtensionClass]) -> ExtensionClass | None:
        """Return the value of the first extension of a kind, as cryptography has it."""
        for extension in self._decoded:
            if isinstance(extension.value, kind):
                return extension.value
        return None

    def all(self) -> tuple[Extension, ...]:
        """List all extensions as values of the model, in the order of the certificate."""
        return self._list(lambda _: True)

    def declarable(self) -> tuple[Extension, ...]:
        """List all but the key identifiers, which no manifest declares."""
        return self._list(lambda oid: oid not in _KEY_IDENTIFIERS)

    def _list(self, is_wanted: Callable[[str], bool]) -> tuple[Extension, ...]:
        found: list[Extension] = []
        raw: tuple[der.RawExtension, ...] | None = None
        for number, extension in enumerate(self._decoded):
            oid = extension.oid.dotted_string
            if not is_wanted(oid):
                continue
            value = _decode_value(extension.value)
            if value is None:
                # Only for these few, because cutting a certificate apart takes longer than all the rest.
                raw = raw or self._parts.extensions()
                value = _decode_raw(oid, raw[number].value)
            found.append(Extension(oid, extension.critical, value))
        return tuple(found)


def _decode_alone(certificate: x509.Certificate, extension: der.RawExtension) -> x509.Extension[Any]:
    """Decode an extension in a copy of its certificate that has no other; nobody looks at the signature."""
    outer = der.single(certificate.public_bytes(Encoding.DER)).children()
    fields = [field for field in outer[0].children() if field.tag != der.CONTEXT_3]
    listed = der.encode(
        der.SEQUENCE,
        der.encode_oid(extension.oid),
        der.encode(der.BOOLEAN, b"\xff") if extension.critical else b"",
        der.encode(der.OCTET_STRING, extension.value),
    )
    body = der.encode(
        der.SEQUENCE,
        *(field.encoded for field in fields),
        der.encode(der.CONTEXT_3, der.encode(der.SEQUENCE, listed)),
    )
    copy = der.encode(der.SEQUENCE, body, *(part.encoded for part in outer[1:]))
    try:
        return next(iter(x509.load_der_x509_certificate(copy).extensions))
    except UNDECODABLE:
        oid = x509.ObjectIdentifier(extension.oid)
        return x509.Extension(oid, extension.critical, x509.UnrecognizedExtension(oid, extension.value))
