"""What is told of a certificate by what is declared of it is what reading it tells, whatever its bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import SubjectAltName
from pkiplan.model.keys import KeySpec
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.x509 import as_declared
from pkiplan.x509.as_declared import AsDeclared
from pkiplan.x509.issue import LintedRequest, sign
from pkiplan.x509.keys import spki_sha256
from pkiplan.x509.parse import EncodedCertificate, Signed, encoded_certificate_facts, read_pem_certificates
from tests.x509.test_pattern import NOT_WRITTEN, WRITTEN, asked, issuer_of, named
from tests.x509.values import EC, NO_FILE, certificate, dns, key_for, name

ISSUER = issuer_of(EC)


def made(resource: Resource, number: int, spec: KeySpec = EC) -> tuple[EncodedCertificate, Resource]:
    """Sign one of many certificates, and return it with what was declared."""
    request = asked(resource, issuer_of(spec), number)
    signed = sign(LintedRequest(request, ()), key_for(spec))
    return read_pem_certificates(signed.public_bytes(Encoding.PEM))[0], request.resource


def signers(spec: KeySpec = EC) -> Callable[[Signed], frozenset[str]]:
    key = key_for(spec).public_key()
    return lambda signed: frozenset({spki_sha256(key)}) if signed.is_with(key) else frozenset()


class Read:
    """Counts how many certificates are read value by value."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        def counted(*arguments: object, **named: object) -> ObservedCertificate:
            self.count += 1
            return encoded_certificate_facts(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(as_declared, "encoded_certificate_facts", counted)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    return Read(monkeypatch)


def same(reader: AsDeclared, one: EncodedCertificate, declared: Resource, spec: KeySpec = EC) -> None:
    """See that both ways tell the same, or refuse alike."""
    told = [
        outcome(lambda: reader.facts(one, declared, file=NO_FILE, verified_by=signers(spec))),
        outcome(lambda: encoded_certificate_facts(one, file=NO_FILE, verified_by=signers(spec))),
    ]
    assert told[0] == told[1]


def outcome(attempt: Callable[[], ObservedCertificate]) -> object:
    try:
        return attempt()
    except PkiplanError as error:
        return str(error)


@pytest.mark.parametrize(("spec", "resource"), [(row.values[0], row.values[1]) for row in WRITTEN])
def test_of_many_alike_one_is_read(read: Read, spec: KeySpec, resource: Resource) -> None:
    reader = AsDeclared()
    for number in range(3):
        same(reader, *made(resource, number, spec), spec)
    assert read.count == 1


@pytest.mark.parametrize("resource", [row.values[0] for row in NOT_WRITTEN])
def test_what_is_read_back_in_other_words_is_read(read: Read, resource: Resource) -> None:
    reader = AsDeclared()
    for number in range(2):
        same(reader, *made(resource, number))
    assert read.count == 2


def test_a_certificate_that_is_not_what_is_declared_is_read(read: Read) -> None:
    reader = AsDeclared()
    for number in range(2):
        same(reader, *made(certificate(), number))
    one, declared = made(certificate(), 2)
    for other in (
        replace(declared, subject=name("CN=other")),
        replace(declared, extensions=certificate().extensions[:-1]),
        replace(declared, issuer="authority.other"),
        replace(declared, digest="sha384"),
        replace(declared, extensions=(*declared.extensions[:-1], replace(declared.extensions[-1], critical=True))),
    ):
        before = read.count
        same(reader, one, other)
        assert read.count == before + 1


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
def test_any_bit_that_is_not_as_it_was_signed_is_noticed() -> None:
    reader = AsDeclared()
    same(reader, *made(certificate(), 0))
    one, declared = made(certificate(), 1)
    for position in range(len(one.encoded)):
        for bit in (0x01, 0x80):
            changed = bytearray(one.encoded)
            changed[position] ^= bit
            try:
                damaged = x509.load_der_x509_certificate(bytes(changed))
            except (ValueError, x509.InvalidVersion):
                continue
            fingerprint = hashlib.sha256(changed).hexdigest()
            same(reader, EncodedCertificate(damaged, bytes(changed), fingerprint), declared)


def test_a_certificate_with_a_foreign_key_is_told_with_that_key() -> None:
    reader = AsDeclared()
    same(reader, *made(certificate(), 0))
    request = asked(certificate(), ISSUER, 1, public_key=ec.generate_private_key(ec.SECP384R1()).public_key())
    signed = sign(LintedRequest(request, ()), key_for(EC))
    same(reader, read_pem_certificates(signed.public_bytes(Encoding.PEM))[0], request.resource)


def without_key_identifier(one: EncodedCertificate) -> EncodedCertificate:
    """Sign a certificate once more, as others do who give it no key identifier of its own."""
    given = one.certificate
    builder = x509.CertificateBuilder(
        given.issuer,
        given.subject,
        given.public_key(),
        given.serial_number,
        given.not_valid_before_utc,
        given.not_valid_after_utc,
        [extension for extension in given.extensions if not isinstance(extension.value, x509.SubjectKeyIdentifier)],
    )
    signed = builder.sign(key_for(EC), hashes.SHA256())
    return read_pem_certificates(signed.public_bytes(Encoding.PEM))[0]


def test_a_key_identifier_that_is_not_there_is_not_told(read: Read) -> None:
    reader = AsDeclared()
    for number in range(3):
        one, declared = made(certificate(), number)
        same(reader, without_key_identifier(one), declared)
    assert read.count == 1


def test_names_are_those_that_are_declared_for_each() -> None:
    reader = AsDeclared()
    for number, host in enumerate(("a.example", "b.example", "c.example")):
        one, declared = made(named(*dns(host)), number)
        same(reader, one, declared)
        facts = reader.facts(one, declared, file=NO_FILE, verified_by=signers())
        assert facts.extension("subject_alt_name") == SubjectAltName(dns(host))
