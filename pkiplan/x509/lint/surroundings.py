"""Rules for a certificate beside those it was found with; they hold for files, not for what is only declared."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.model.keys import OtherKey
from pkiplan.x509.lint.subject import Subject

# Of a signature with anything else we cannot tell whether it is the issuer's.
_CHECKABLE_DIGESTS = (None, "md5", "sha1", "sha224", "sha256", "sha384", "sha512")


def signature(subject: Subject) -> Iterator[str]:
    """RFC 5280, 6.1.3 (a) (1): a certificate is signed with the key of the issuer that it names."""
    certificate, around = subject.observed, subject.surroundings
    if certificate is None or around is None:
        return
    if certificate.signature_digest not in _CHECKABLE_DIGESTS:
        return
    if any(isinstance(issuer.key_spec, OtherKey) for issuer in around.namesakes):
        return
    if around.namesakes and not any(issuer.spki_sha256 in certificate.verified_by for issuer in around.namesakes):
        who = "its own key" if subject.is_self_issued and len(around.namesakes) == 1 else f"`{certificate.issuer}`"
        yield f"the signature is not that of {who}"


def signature_fits_bond(subject: Subject) -> Iterator[str]:
    """RFC 4055, 1.2 and 3.3: a key bound to RSASSA-PSS signs with that alone, and over the hash that it is bound to."""
    certificate, around = subject.observed, subject.surroundings
    if certificate is None or around is None:
        return
    signers = [issuer for issuer in around.namesakes if issuer.spki_sha256 in certificate.verified_by]
    bond = signers[0].key_pss_bond if signers else None
    if bond is None:
        return
    if not certificate.signature_is_pss:
        yield "its issuer's key is bound to RSASSA-PSS, and the signature is none"
    elif bond.digest not in (None, certificate.signature_digest):
        yield f"its issuer's key is bound to {bond.digest}, the signature is over {certificate.signature_digest}"


def issuer_is_an_authority(subject: Subject) -> Iterator[str]:
    """RFC 5280, 6.1.4 (k) and (n): the issuer's basic constraints and key usage let it issue."""
    if subject.surroundings is None or not subject.authorities:
        return
    issuer = subject.authorities[0]
    if not issuer.is_authority:
        yield f"its issuer `{issuer.name}` is no authority"
    elif issuer.key_usage is not None and "key_cert_sign" not in issuer.key_usage:
        yield f"the key usage of its issuer `{issuer.name}` lacks key_cert_sign"


def issuer_key_identifier(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.1: the authority key identifier is the issuer's subject key identifier."""
    certificate = subject.observed
    if certificate is None or subject.surroundings is None or not subject.authorities:
        return
    issuer = subject.authorities[0].observed
    ids = certificate.authority_key_id, None if issuer is None else issuer.subject_key_id
    if None not in ids and ids[0] != ids[1]:
        yield "the authority key identifier is not that of its issuer"


def named_curve(subject: Subject) -> Iterator[str]:
    """RFC 5480, 2.1.1: an EC key names its curve; verifiers refuse what spells out the parameters (CVE-2020-0601)."""
    if subject.surroundings is not None and not subject.surroundings.names_its_curve:
        yield "the key does not name its curve, it spells out parameters or nothing"


def within_validity(subject: Subject) -> Iterator[str]:
    """RFC 5280, 6.1.3 (a) (2): a certificate is valid now."""
    certificate, around = subject.observed, subject.surroundings
    if certificate is None or around is None:
        return
    if around.now > certificate.not_after:
        yield f"the certificate expired {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
    elif around.now < certificate.not_before:
        yield f"the certificate is not valid before {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"


def outlives_issuer(subject: Subject) -> Iterator[str]:
    """RFC 5280, 6.1: when its issuer has expired, a certificate is good for nothing."""
    certificate = subject.observed
    if certificate is None or subject.surroundings is None or not subject.authorities:
        return
    issuer = subject.authorities[0].observed
    if issuer is not None and certificate.not_after > issuer.not_after:
        yield f"the certificate outlives its issuer, which ends {issuer.not_after:%Y-%m-%d %H:%M:%S} UTC"


def chain_order(subject: Subject) -> Iterator[str]:
    """RFC 8446, 4.4.2: each certificate of a chain certifies the one before it."""
    certificate, around = subject.observed, subject.surroundings
    if certificate is None or around is None or around.predecessor is None:
        return
    if certificate.spki_sha256 not in around.predecessor.verified_by:
        yield "the certificate is out of order: it does not certify the one before it in this chain"
