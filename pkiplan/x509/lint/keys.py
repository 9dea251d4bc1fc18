"""Rules for keys, for what they may be used for, and for the signatures made with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pkiplan.model.keys import EcKeySpec, EdKeySpec, MlDsaKeySpec, OtherKey, RsaKeySpec
from pkiplan.x509.lint.subject import Form, Problem, Subject

# Smaller moduli are below every limit that is still in use (NIST SP 800-131A rev. 2, table 2); what `allow:
# [rsa-1024]` can ask for ends at 1024.
SMALLEST_RSA = 2048
SMALLEST_ALLOWED_RSA = 1024
ALLOW_RSA_1024 = "rsa-1024"

SOUND_DIGESTS = ("sha256", "sha384", "sha512")


def weak_key(form: Form) -> Iterator[Problem | str]:
    """NIST SP 800-131A rev. 2, table 2: RSA keys have 2048 bits or more."""
    key = form.key
    if not isinstance(key, RsaKeySpec) or key.size >= SMALLEST_RSA:
        return
    if key.size < SMALLEST_ALLOWED_RSA:
        yield f"an RSA key of {key.size} bits is too weak"
    elif ALLOW_RSA_1024 not in form.allow:
        yield Problem(
            f"an RSA key of {key.size} bits is too weak: {SMALLEST_RSA} bits or more are sound",
            f"if it must be, write `allow: [{ALLOW_RSA_1024}]` beside it",
        )


def unsound_key(subject: Subject) -> Iterator[str]:
    """CVE-2017-15361, CVE-2022-26320 and FIPS 186-5, A.1.1: nobody finds an RSA key's primes; its exponent is sound."""
    if subject.observed is not None and subject.observed.key_weakness is not None:
        yield f"the key is unsound: {subject.observed.key_weakness}"


def unusual_key(form: Form) -> Iterator[str]:
    """BR 6.1.5: keys are of a kind that verifiers know, and an RSA modulus is a multiple of eight bits."""
    key = form.key
    if isinstance(key, OtherKey):
        yield f"few programs know keys of type {key}"
    elif isinstance(key, RsaKeySpec) and key.size % 8:
        yield f"an RSA key of {key.size} bits is not a multiple of eight"


def weak_digest(subject: Subject) -> Iterator[str]:
    """RFC 9155 and BR 7.1.3.2: signatures over MD5 and SHA-1 can be forged."""
    if _has_weak_digest(subject) and not _is_anchor_of_a_file(subject):
        yield f"signatures with {subject.digest} are not sound; use one of {', '.join(SOUND_DIGESTS)}"


def weak_digest_of_anchor(subject: Subject) -> Iterator[str]:
    """RFC 5280, 6.1: nobody checks a trust anchor's own signature; a weak one forges nothing, and looks bad."""
    if _has_weak_digest(subject) and _is_anchor_of_a_file(subject):
        yield f"the certificate signs itself with {subject.digest}, which nobody checks where it is trusted"


def _has_weak_digest(form: Form) -> bool:
    return form.digest is not None and form.digest not in SOUND_DIGESTS


def _is_anchor_of_a_file(subject: Subject) -> bool:
    """Tell whether a certificate that others made can only be trusted by itself: it is signed with its own key."""
    found = subject.observed
    return (
        subject.surroundings is not None
        and found is not None
        and subject.is_self_issued
        and found.spki_sha256 in found.verified_by
    )


def digest_fits_key(form: Form) -> Iterator[str]:
    """RFC 8410, section 3, and RFC 9881, section 2: Ed25519, Ed448 and ML-DSA bring their own hash."""
    key = form.signing_key
    brings_its_own = isinstance(key, EdKeySpec | MlDsaKeySpec)
    if key is None or isinstance(key, OtherKey):
        return
    if brings_its_own and form.digest is not None:
        yield f"signatures of {key} keys bring their own hash, `{form.digest}` cannot be chosen"
    if not brings_its_own and form.digest is None:
        yield f"signatures of {key} keys need a digest"
    if form.is_pss and not isinstance(key, RsaKeySpec):
        yield f"RSASSA-PSS needs an RSA key, the issuer's is {key}"


def key_usage_fits_key(form: Form) -> Iterator[str]:
    """RFC 3279, 2.3.1 (RSA); RFC 8813, section 3 (EC); RFC 8410, section 5 (EdDSA); RFC 9881, section 5 (ML-DSA)."""
    key, usages = form.key, form.key_usage or ()
    for usage in usages:
        if usage in _IMPOSSIBLE_USAGES.get(type(key), ()):
            yield f"a key of type {key} cannot be used for {usage}"


_ENCIPHERMENT = ("key_encipherment", "data_encipherment")
_IMPOSSIBLE_USAGES: Mapping[type, tuple[str, ...]] = {
    RsaKeySpec: ("key_agreement", "encipher_only", "decipher_only"),
    EcKeySpec: _ENCIPHERMENT,
    EdKeySpec: (*_ENCIPHERMENT, "key_agreement", "encipher_only", "decipher_only"),
    MlDsaKeySpec: (*_ENCIPHERMENT, "key_agreement", "encipher_only", "decipher_only"),
}


def key_usage_bits(form: Form) -> Iterator[str]:
    """RFC 5280, 4.2.1.3: at least one bit is set; the two `only` bits mean nothing without key_agreement."""
    usages = form.key_usage
    if usages is None:
        return
    if not usages:
        yield "key usage allows nothing at all"
    only = [usage for usage in ("encipher_only", "decipher_only") if usage in usages]
    if only and "key_agreement" not in usages:
        yield f"key usage {only[0]} means nothing without key_agreement"


def tls_key_usage(form: Form) -> Iterator[str]:
    """RFC 8446, 4.4.2.2: the key usage of a TLS certificate allows digital_signature."""
    usages = form.key_usage
    if (form.is_server or form.is_client) and usages is not None and "digital_signature" not in usages:
        yield "the key usage of a TLS certificate lacks digital_signature"


def rsa_server_key_usage(form: Form) -> Iterator[str]:
    """NSS (Firefox) refuses RSA server certificates whose key usage lacks keyEncipherment: RFC 5246, 7.4.2."""
    usages = form.key_usage
    is_rsa_server = form.is_server and isinstance(form.key, RsaKeySpec)
    if is_rsa_server and usages is not None and "key_encipherment" not in usages:
        yield "NSS refuses an RSA server certificate without key usage key_encipherment"
