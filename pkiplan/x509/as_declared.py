"""Certificates of which it is known what they should hold: read sooner where they do.

Reading makes values of every byte. Where a certificate's bytes are those of one that was read before, but for what is
its own and is declared, they hold what was read and what is declared, and nothing need be made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509

from pkiplan.model.extensions import Extension
from pkiplan.model.names import DistinguishedName
from pkiplan.model.observed import FileFacts, ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.x509.kept import Kept
from pkiplan.x509.keys import PUBLIC_KEYS, spki_der
from pkiplan.x509.parse import EncodedCertificate, Signed, encoded_certificate_facts, public_key_of
from pkiplan.x509.pattern import OwnParts, Pattern, encoded_name, names_apart, pattern_of

VerifiedBy = Callable[[Signed], frozenset[str]]


@dataclass(frozen=True, slots=True)
class AsDeclared:
    """Reads the certificates of a site; the first of each issuer and profile is the pattern of those that follow."""

    _patterns: Kept[Pattern] = field(default_factory=Kept)

    def facts(
        self, one: EncodedCertificate, declared: Resource, *, file: FileFacts, verified_by: VerifiedBy
    ) -> ObservedCertificate:
        """Describe a certificate as `encoded_certificate_facts` does; `declared` is what it shall be."""
        names, shared = names_apart(declared.extensions)
        own = _own_parts(one.certificate, declared.subject, names)
        if own is None:
            return encoded_certificate_facts(one, file=file, verified_by=verified_by)
        key = (declared.issuer, declared.digest, declared.rsa_pss, names is None, *map(id, shared))
        pattern = self._patterns.find(key)
        known = None if pattern is None else _known(one, own, pattern, file, verified_by)
        if known is not None:
            return known
        observed = encoded_certificate_facts(one, file=file, verified_by=verified_by)
        if pattern is None and (new := pattern_of(one.encoded, observed, own)) is not None:
            self._patterns.keep(key, shared, new)
        return observed


def _own_parts(certificate: x509.Certificate, subject: DistinguishedName, names: Extension | None) -> OwnParts | None:
    """Take what is a certificate's own: subject and names as declared, the rest from the certificate."""
    public_key = public_key_of(certificate)
    if not isinstance(public_key, PUBLIC_KEYS):
        return None
    return OwnParts(
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        subject=subject,
        public_key=public_key,
        spki=spki_der(public_key),
        names=names,
    )


def _known(
    one: EncodedCertificate, own: OwnParts, pattern: Pattern, file: FileFacts, verified_by: VerifiedBy
) -> ObservedCertificate | None:
    """Describe a certificate if it is its pattern's bytes with its own parts in their places."""
    part = pattern.signed_part_of(one.encoded, own, one.certificate.signature)
    if part is None:
        return None
    algorithms = {pattern.inner_signature_algorithm, pattern.outer_signature_algorithm}
    signed = Signed(
        certificate=one.certificate,
        part=part if len(algorithms) == 1 else None,
        own_key=own.public_key,
        spki_sha256=hashlib.sha256(own.spki).hexdigest(),
        is_self_issued=pattern.examined.issuer_der == encoded_name(own.subject),
    )
    return pattern.facts(one.encoded, own, verified_by(signed), file=file)
