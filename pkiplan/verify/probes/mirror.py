"""A certificate rebuilt with throw-away keys: same names and extensions, same authorities above, nobody trusts it."""

from __future__ import annotations

from functools import cached_property

from cryptography import x509

from pkiplan.verify.credentials import Subject
from pkiplan.verify.impostors import Impostors, ThrowAway
from pkiplan.verify.reasons import BAD_SIGNATURE, UNKNOWN_AUTHORITY
from pkiplan.verify.stacks.base import Identity


class Mirror:
    """The throw-away counterpart of one certificate of the site and of everything above it."""

    def __init__(self, impostors: Impostors, subject: Subject) -> None:
        self._impostors = impostors
        self._certificate = subject.certificate
        self.is_lone = subject.resource.is_self_issued
        self._authorities = () if self.is_lone else (*subject.served[1:], subject.anchor)

    @cached_property
    def leaf(self) -> ThrowAway:
        """Give the certificate itself, mirrored: under a root that has the name of the site's, and another key."""
        return self._impostors.replica(self._certificate, self._above)

    def unrelated(self, name: str) -> Identity:
        """Give the certificate's likeness issued by an authority nobody knows."""
        root = self._impostors.unrelated_root()
        return self._impostors.replica(self._certificate, (root,)).identity(name)

    def for_purpose(self, purpose: x509.ObjectIdentifier) -> ThrowAway:
        """Give the certificate's likeness, issued for this purpose alone."""
        return self._impostors.replica(self._certificate, self._above, purposes=[purpose])

    @cached_property
    def _above(self) -> tuple[ThrowAway, ...]:
        return self._impostors.mirrored_chain(self._authorities)


def sibling_reason(subject: Subject) -> str:
    """Say how a verifier finds that a root of the same name is another one.

    By the key identifiers (RFC 5280, 4.2.1.1), or where the site's root has none, by the signature. A
    certificate that is its own root is simply not the one that is trusted.
    """
    if subject.resource.is_self_issued:
        return UNKNOWN_AUTHORITY
    try:
        subject.anchor.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        return BAD_SIGNATURE
    return UNKNOWN_AUTHORITY
