"""What the rules look at, and what they answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGES,
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    KeyUsage,
    NameConstraints,
    SubjectAltName,
)
from pkiplan.model.keys import ManagedKey, ObservedKeySpec
from pkiplan.model.names import COMMON_NAME_OID, DistinguishedName, GeneralName, NameAttribute
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.x509.kept import Kept

SERVER_AUTH = EXTENDED_KEY_USAGES["server_auth"]
CLIENT_AUTH = EXTENDED_KEY_USAGES["client_auth"]
OCSP_SIGNING = EXTENDED_KEY_USAGES["ocsp_signing"]
TIME_STAMPING = EXTENDED_KEY_USAGES["time_stamping"]
ANY_USAGE = EXTENDED_KEY_USAGES["any"]

_NAMES_OID = EXTENSION_OIDS["subject_alt_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a certificate that exists was found, and when it was looked at.

    `namesakes` are the certificates at hand whose subject is its issuer's name, whether they signed it or not.
    `predecessor` is the certificate before it, in a file that is a chain. `names_its_curve` is false where an EC key
    brings the parameters of its curve instead of the name.
    """

    now: datetime
    namesakes: tuple[ObservedCertificate, ...] = ()
    predecessor: ObservedCertificate | None = None
    names_its_curve: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """What the certificates of one profile have in common: everything but names, and what only a finished one shows.

    `extensions` are all but the subject alternative names. `is_authority` is what the certificate is meant to be.
    `profile` is empty for a certificate that was only found. `key` of None is a key that is not known yet.
    `authorities` are those above, nearest first.
    """

    extensions: tuple[Extension, ...]
    key: ObservedKeySpec | None
    digest: str | None
    is_pss: bool
    is_authority: bool
    is_self_issued: bool
    lifetime: timedelta | None
    profile: str = ""
    allow: Collection[str] = frozenset()
    authorities: tuple[Subject, ...] = ()

    def extension(self, word: str) -> Extension | None:
        """Return an extension by the manifest's word."""
        oid = EXTENSION_OIDS[word]
        for extension in self.extensions:
            if extension.oid == oid:
                return extension
        return None

    @property
    def basic_constraints(self) -> BasicConstraints | None:
        """Return basic constraints, or None where there are none."""
        for extension in self.extensions:
            if isinstance(extension.value, BasicConstraints):
                return extension.value
        return None

    @property
    def key_usage(self) -> tuple[str, ...] | None:
        """List the key usages; None where they are not restricted."""
        for extension in self.extensions:
            if isinstance(extension.value, KeyUsage):
                return extension.value.usages
        return None

    @property
    def extended_key_usage(self) -> tuple[str, ...]:
        """List the extended key usages; empty where they are not restricted."""
        for extension in self.extensions:
            if isinstance(extension.value, ExtendedKeyUsage):
                return extension.value.oids
        return ()

    @property
    def name_constraints(self) -> NameConstraints | None:
        """Return the name constraints, or None where there are none."""
        for extension in self.extensions:
            if isinstance(extension.value, NameConstraints):
                return extension.value
        return None

    @property
    def signing_key(self) -> ObservedKeySpec | None:
        """Return the key that signs this certificate, as far as it is known."""
        if self.is_self_issued:
            return self.key
        return self.authorities[0].key if self.authorities else None

    @property
    def is_server(self) -> bool:
        """Tell whether a TLS server is to show this certificate."""
        return not self.is_authority and SERVER_AUTH in self.extended_key_usage

    @property
    def is_client(self) -> bool:
        """Tell whether a TLS client is to show this certificate."""
        return not self.is_authority and CLIENT_AUTH in self.extended_key_usage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject(Form):
    """What the rules look at: one certificate as declared or as it is, and the authorities above.

    `form` is what it shares with others, here with all of the extensions. `attributes` and `common_name` are of its
    `name`, `names` its subject alternative names. `observed` is a certificate that exists; of one in a file its
    `surroundings` are known.
    """

    form: Form
    name: DistinguishedName
    attributes: tuple[NameAttribute, ...]
    common_name: str | None
    names: tuple[GeneralName, ...]
    observed: ObservedCertificate | None = None
    surroundings: Surroundings | None = None


class _Traits(NamedTuple):
    """What a form is told apart by, beside its extensions and the authorities above."""

    key: ObservedKeySpec | None
    digest: str | None
    is_pss: bool
    is_authority: bool
    is_self_issued: bool
    lifetime: timedelta | None
    profile: str
    allow: Collection[str]


# Most certificates of a site are of a few forms, and beneath a few authorities.
_FORMS: Kept[Form] = Kept()
_AUTHORITIES: Kept[tuple[Subject, ...]] = Kept()


def declared_subject(resource: Resource, authorities: tuple[Resource, ...] = ()) -> Subject:
    """See a declared resource as the rules see it."""
    validity = resource.validity
    lifetime = validity.lifetime
    if lifetime is None and validity.not_before is not None and validity.not_after is not None:
        lifetime = validity.not_after - validity.not_before
    traits = _Traits(
        key=resource.key.spec if isinstance(resource.key, ManagedKey) else None,
        digest=resource.digest,
        is_pss=resource.rsa_pss,
        is_authority=resource.is_authority,
        is_self_issued=resource.is_self_issued,
        lifetime=lifetime,
        profile=resource.profile,
        allow=resource.allow,
    )
    form = _form(traits, resource.extensions, _declared_authorities(authorities))
    return _subject(form, resource.subject, resource.extensions)


def observed_subject(
    certificate: ObservedCertificate,
    authorities: tuple[ObservedCertificate, ...] = (),
    *,
    allow: Collection[str] = frozenset(),
    surroundings: Surroundings | None = None,
) -> Subject:
    """See a certificate that exists as the rules see it."""
    traits = _Traits(
        key=certificate.key_spec,
        digest=certificate.signature_digest,
        is_pss=certificate.signature_is_pss,
        is_authority=certificate.is_authority,
        is_self_issued=certificate.issuer_der == certificate.subject_der,
        lifetime=certificate.not_after - certificate.not_before,
        profile="",
        allow=frozenset(allow),
    )
    above = tuple([observed_subject(authority) for authority in authorities])
    return _subject(
        _form(traits, certificate.extensions, above),
        certificate.subject,
        certificate.extensions,
        certificate,
        surroundings,
    )


def _declared_authorities(authorities: tuple[Resource, ...]) -> tuple[Subject, ...]:
    return _AUTHORITIES.get(
        tuple(map(id, authorities)),
        authorities,
        lambda: tuple(declared_subject(authority) for authority in authorities),
    )


def _form(traits: _Traits, extensions: tuple[Extension, ...], authorities: tuple[Subject, ...]) -> Form:
    """Return the form that has these values, one object for all certificates of it."""
    shared = tuple([extension for extension in extensions if extension.oid != _NAMES_OID])
    return _FORMS.get(
        (traits, *map(id, shared), *map(id, authorities)),
        (shared, authorities),
        lambda: Form(extensions=shared, authorities=authorities, **traits._asdict()),
    )


def _subject(
    form: Form,
    name: DistinguishedName,
    extensions: tuple[Extension, ...],
    observed: ObservedCertificate | None = None,
    surroundings: Surroundings | None = None,
) -> Subject:
    attributes = name.attributes
    return Subject(
        extensions=extensions,
        key=form.key,
        digest=form.digest,
        is_pss=form.is_pss,
        is_authority=form.is_authority,
        is_self_issued=form.is_self_issued,
        lifetime=form.lifetime,
        profile=form.profile,
        allow=form.allow,
        authorities=form.authorities,
        form=form,
        name=name,
        attributes=attributes,
        common_name=_last_common_name(attributes),
        names=_names(extensions),
        observed=observed,
        surroundings=surroundings,
    )


def _last_common_name(attributes: tuple[NameAttribute, ...]) -> str | None:
    for attribute in reversed(attributes):
        if attribute.oid == COMMON_NAME_OID:
            return attribute.value
    return None


def _names(extensions: tuple[Extension, ...]) -> tuple[GeneralName, ...]:
    for extension in extensions:
        if isinstance(extension.value, SubjectAltName):
            return extension.value.names
    return ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule found, with what to write in a manifest where that is the way out; a file has no manifest."""

    summary: str
    hint: str = ""
