"""Certificates in files that nobody declared: PEM or DER, one or a whole bundle, each with what stands above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.errors import PkiplanError, system_words
from pkiplan.model.observed import FileFacts, ObservedCertificate
from pkiplan.model.tree import LARGEST_PEM

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from cryptography.x509 import Certificate

    from pkiplan.x509.parse import PemBlock

# A system's bundle of roots holds about 150.
MOST_IN_A_BUNDLE = 1000
NO_FILE_FACTS = FileFacts(sha256="", mode=0, uid=0, gid=0, owner="", group="")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCertificate:
    """One certificate of a file: which one, the line its block begins at (1 for DER), and the certificate."""

    path: str
    number: int
    of: int
    line: int
    certificate: Certificate
    facts: ObservedCertificate

    @property
    def title(self) -> str:
        """Name the file, and the certificate where there are several."""
        return self.path if self.of == 1 else f"{self.path}, certificate {self.number} of {self.of}"

    @property
    def place(self) -> Place:
        """Say where the certificate begins."""
        return Place(self.path, self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """The certificates of some files in order, and what could not be read of them."""

    certificates: tuple[FileCertificate, ...]
    problems: tuple[Diagnostic, ...]


def read_certificate_files(paths: Sequence[str]) -> CertificateFiles:
    """Read files; what is damaged is told with its place, and the rest is read all the same."""
    parsed: list[_Parsed] = []
    problems: list[Diagnostic] = []
    for path in dict.fromkeys(paths):
        with _told(problems, path):
            blocks = _blocks(path)
            for number, block in enumerate(blocks, start=1):
                with _told(problems, path, block.line):
                    parsed.append(_Parsed(path, number, len(blocks), block.line, block.load()))
    return CertificateFiles(certificates=tuple(_with_facts(parsed, problems)), problems=tuple(problems))


def issuers_above(
    certificate: ObservedCertificate, others: Sequence[ObservedCertificate]
) -> Iterator[ObservedCertificate]:
    """Follow the issuers as far as they are at hand; each at most once, so that a loop ends."""
    left = list(others)
    while certificate.subject_der != certificate.issuer_der:
        issuer = next((other for other in left if _issued(other, certificate)), None)
        if issuer is None or issuer is certificate:
            return
        yield issuer
        left.remove(issuer)
        certificate = issuer


def _issued(issuer: ObservedCertificate, certificate: ObservedCertificate) -> bool:
    return issuer.subject_der == certificate.issuer_der and issuer.spki_sha256 in certificate.verified_by


@contextmanager
def _told(problems: list[Diagnostic], path: str, line: int | None = None) -> Iterator[None]:
    """Gather what cannot be read, and go on after it."""
    try:
        yield
    except PkiplanError as error:
        place = None if line is None else Place(path, line)
        problems += [
            Diagnostic(summary=f"{path}: {diagnostic.summary}", code=diagnostic.code, place=place)
            for diagnostic in error.diagnostics
        ]


@dataclass(frozen=True, slots=True)
class _Parsed:
    path: str
    number: int
    of: int
    line: int
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class _DerBlock:
    data: bytes
    line: int = 1

    def load(self) -> Certificate:
        from pkiplan.x509.parse import load_der_certificate

        return load_der_certificate(self.data)


def _blocks(path: str) -> Sequence[PemBlock | _DerBlock]:
    from pkiplan.x509.parse import pem_blocks
    from pkiplan.x509.trusted_pem import without_trust

    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_PEM + 1)
    except OSError as error:
        raise PkiplanError.of(f"cannot be read: {system_words(error)}", code="unreadable") from None
    # X.690, 8.1: a SEQUENCE whose length takes more than one octet. The second octet is none of ASCII.
    is_der = len(data) > 1 and data[0] == 0x30 and data[1] > 0x80
    return (_DerBlock(data),) if is_der else pem_blocks(without_trust(data), MOST_IN_A_BUNDLE)


def _with_facts(parsed: Sequence[_Parsed], problems: list[Diagnostic]) -> Iterator[FileCertificate]:
    """Describe each certificate; its signature is tried under the keys of those that bear its issuer's name."""
    from pkiplan.x509.parse import certificate_facts, public_key_of

    keys: dict[bytes, list[CertificatePublicKeyTypes]] = {}
    readable: list[tuple[_Parsed, bytes]] = []
    for one in parsed:
        with _told(problems, one.path, one.line):
            facts = certificate_facts(one.certificate, file=NO_FILE_FACTS)
            readable.append((one, facts.issuer_der))
            key = public_key_of(one.certificate)
            if key is not None:
                keys.setdefault(facts.subject_der, []).append(key)
    for one, issuer in readable:
        facts = certificate_facts(one.certificate, file=NO_FILE_FACTS, candidates=keys.get(issuer, ()))
        yield FileCertificate(
            path=one.path, number=one.number, of=one.of, line=one.line, certificate=one.certificate, facts=facts
        )
