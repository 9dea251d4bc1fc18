"""Rules for what only a finished certificate shows."""

from __future__ import annotations

from collections.abc import Iterator

from pkiplan.x509.lint.subject import Subject


def serial_number(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.2: positive, and at most 20 octets."""
    if subject.observed is not None:
        serial = subject.observed.serial
        if serial <= 0:
            yield "the serial number is not positive"
        elif serial.bit_length() > 159:
            yield "the serial number is longer than 20 octets"


def serial_number_entropy(subject: Subject) -> Iterator[str]:
    """BR 7.1: a serial number has at least 64 bits out of a random generator."""
    if subject.observed is not None and 0 < subject.observed.serial.bit_length() < 56:
        # Of 2^64 random numbers only one in 256 is shorter than 56 bits.
        yield f"serial number {subject.observed.serial} is too short to be random"


def version(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.1.2.1: extensions need version 3."""
    if subject.observed is not None and subject.observed.version != 3:
        yield f"the certificate is of version {subject.observed.version}"


def subject_key_identifier(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.2: an authority carries its key identifier; strict verifiers insist."""
    if subject.observed is not None and subject.is_authority and subject.observed.subject_key_id is None:
        yield "an authority needs a subject key identifier"


def authority_key_identifier(subject: Subject) -> Iterator[str]:
    """RFC 5280, 4.2.1.1: all but self-signed certificates name the key that signed them; strict verifiers insist."""
    if subject.observed is not None and not subject.is_self_issued and subject.observed.authority_key_id is None:
        yield "the certificate needs an authority key identifier"


def authority_key_identifier_alone(subject: Subject) -> Iterator[str]:
    """BR 7.1.2.11.1: issuer and serial number in the key identifier break the chain when the issuer is renewed."""
    if subject.observed is not None and subject.observed.has_foreign_aki:
        yield "the authority key identifier also names issuer and serial number"
