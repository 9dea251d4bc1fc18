"""Certificates that sign documents (code, email): a CMS signature made and checked, and their path for that purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from pkiplan.verify import cms, reasons
from pkiplan.verify.credentials import NotRunError, Subject, UnusableError
from pkiplan.verify.path_check import Purpose, path_refusal
from pkiplan.verify.probes.findings import CRYPTOGRAPHY, OPENSSL, must_be_refused, must_hold, not_run
from pkiplan.verify.probes.mirror import Mirror
from pkiplan.verify.purposes import is_for
from pkiplan.verify.results import CheckResult, Reason
from pkiplan.verify.scope import Depth
from pkiplan.verify.session import Session
from pkiplan.x509.keys import PublicKey, spki_der

_USAGES = {"code_signing": Purpose.CODE_SIGNING, "email_protection": Purpose.EMAIL}
_CONTENT = b"pkiplan signs this to see whether it can\n"


def signing(session: Session, subject: Subject, depth: Depth) -> Iterator[CheckResult]:
    """Check a signature and the path for each signing purpose; at full depth also what must be refused."""
    for usage, purpose in _USAGES.items():
        if is_for(subject.resource, usage):
            yield from path_for_purpose(session, subject, purpose, usage, depth)
            yield from signature_checks(_CMS, subject, usage)


def private_key(subject: Subject) -> PrivateKeyTypes:
    """Load a subject's key for cryptography; raises NotRunError or UnusableError."""
    data = subject.identity.key_pem
    try:
        # Whether the primes are prime is not the question here, and costs more than the signature.
        key = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm as error:
        raise NotRunError(Reason(reasons.NOT_SUPPORTED, "cryptography does not know this kind of key")) from error
    except (ValueError, TypeError) as error:
        raise UnusableError(Reason(reasons.UNUSABLE_KEY, "the key cannot be loaded")) from error
    if spki_der(cast("PublicKey", key.public_key())) != spki_der(cast("PublicKey", subject.certificate.public_key())):
        raise UnusableError(Reason(reasons.KEY_MISMATCH, "the key is not the certificate's"))
    return key


def path_for_purpose(
    session: Session, subject: Subject, purpose: Purpose, usage: str, depth: Depth
) -> Iterator[CheckResult]:
    """Check the path for a purpose, and that the same certificate without that purpose is refused."""
    refusal = path_refusal(
        subject.certificate, subject.served[1:], subject.anchor, time=session.now, purpose=purpose, strict=True
    )
    yield must_hold("purpose", subject, refusal, stack=OPENSSL, target=usage, strict=True)
    if depth is Depth.FULL and not subject.resource.is_self_issued:
        other = Mirror(session.impostors, subject).for_purpose(ExtendedKeyUsageOID.SERVER_AUTH)
        refusal = path_refusal(
            other.certificate, other.served[1:], other.root, time=session.now, purpose=purpose, strict=False
        )
        check = "control-purpose-wrong-purpose"
        yield must_be_refused(check, subject, refusal, reasons.WRONG_PURPOSE, stack=OPENSSL, target=usage)


@dataclass(frozen=True, slots=True)
class Signature:
    """A way to sign content: how it is made and checked, and what the check and its control are called."""

    check: str
    control: str
    make: Callable[[bytes, x509.Certificate, PrivateKeyTypes], bytes]
    verify: Callable[[bytes, bytes, x509.Certificate], None]


_CMS = Signature("cms-signature", "control-cms-other-content", cms.sign, cms.check)


def signature_checks(signature: Signature, subject: Subject, usage: str) -> Iterator[CheckResult]:
    """Check that what is signed holds, and that it holds for nothing else."""
    try:
        signed = signature.make(_CONTENT, subject.certificate, private_key(subject))
    except NotRunError as error:
        yield not_run(signature.check, subject, error.reason, stack=CRYPTOGRAPHY, target=usage)
        return
    except cms.UnsupportedKeyError as error:
        reason = Reason(reasons.NOT_SUPPORTED, str(error))
        yield not_run(signature.check, subject, reason, stack=CRYPTOGRAPHY, target=usage)
        return

    def refusal(content: bytes) -> Reason | None:
        try:
            signature.verify(signed, content, subject.certificate)
        except cms.CmsError as error:
            return Reason(reasons.BAD_SIGNATURE, str(error))
        return None

    yield must_hold(signature.check, subject, refusal(_CONTENT), stack=CRYPTOGRAPHY, target=usage)
    other = refusal(_CONTENT + b"and this\n")
    yield must_be_refused(signature.control, subject, other, reasons.BAD_SIGNATURE, stack=CRYPTOGRAPHY, target=usage)
