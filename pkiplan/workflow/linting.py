"""The lint of certificates that exist, whoever made them, each beside those it is given with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import PkiplanError
from pkiplan.hints import did_you_mean
from pkiplan.model.observed import ObservedCertificate
from pkiplan.workflow.certificate_files import FileCertificate, issuers_above, read_certificate_files

if TYPE_CHECKING:
    from pkiplan.x509.lint import Lint
    from pkiplan.x509.lint.results import Linted


def lint(paths: Sequence[str], *, now: datetime, disabled: Sequence[str] = ()) -> Linted:
    """Hold every certificate of some files against our rules, and against pkilint's where it is installed."""
    from pkiplan.x509 import pkilint_rules
    from pkiplan.x509.lint.results import Linted

    _refuse_unknown(disabled)
    read = read_certificate_files(paths)
    found = [*read.problems]
    for one in read.certificates:
        found += _findings(one, read.certificates, now, disabled)
    return Linted(
        certificates=len(read.certificates), diagnostics=tuple(found), pkilint=pkilint_rules.installed_version()
    )


def lint_rules() -> Mapping[str, Lint]:
    """Give our own rules by their ids, in the order in which they are asked."""
    from pkiplan.x509.lint import LINTS

    return LINTS


def _refuse_unknown(disabled: Sequence[str]) -> None:
    from pkiplan.x509.lint import LINTS, PKILINT_PREFIX

    for name in disabled:
        if name not in LINTS and not name.startswith(PKILINT_PREFIX):
            hint = did_you_mean(name, LINTS, otherwise="`pkiplan lint --rules` lists them")
            raise PkiplanError.of(f"`--disable`: no rule `{name}`", hint=hint, code="usage")


def _findings(
    one: FileCertificate, everyone: Sequence[FileCertificate], now: datetime, disabled: Sequence[str]
) -> Iterator[Diagnostic]:
    from cryptography.hazmat.primitives.serialization import Encoding

    from pkiplan.x509 import pkilint_rules
    from pkiplan.x509.der import certificate_parts
    from pkiplan.x509.keys import names_its_curve
    from pkiplan.x509.lint import ON_THE_COMMAND_LINE, lint_file_certificate
    from pkiplan.x509.lint.subject import Surroundings

    facts = [other.facts for other in everyone]
    surroundings = Surroundings(
        now=now,
        namesakes=tuple(other for other in facts if other.subject_der == one.facts.issuer_der),
        predecessor=_predecessor(one, everyone),
        names_its_curve=names_its_curve(
            certificate_parts(one.certificate.public_bytes(Encoding.DER)).subject_public_key_info
        ),
    )
    above = tuple(issuers_above(one.facts, facts))
    yield from lint_file_certificate(one.facts, above, surroundings, what=one.title, place=one.place, disabled=disabled)
    if pkilint_rules.is_installed():
        yield from pkilint_rules.lint_with_pkilint(
            one.certificate, what=one.title, place=one.place, disabled=disabled, silencer=ON_THE_COMMAND_LINE
        )


def _predecessor(one: FileCertificate, everyone: Sequence[FileCertificate]) -> ObservedCertificate | None:
    """Find the certificate before this one in a file that is a chain, which is one that begins with a leaf."""
    file = [other for other in everyone if other.path == one.path]
    place = file.index(one)
    return file[place - 1].facts if place and not file[0].facts.is_authority else None
