"""pkilint's rules for RFC 5280 as one more source of lint, where `pip install pkiplan[lint]` brought it."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.diagnostics import Diagnostic, Place, Severity
from pkiplan.x509.lint import PKILINT_PREFIX

# What pkilint asks of names is for public ones: no wildcards (RFC 9525, 6.3), no single labels such as `localhost`, and
# no `spiffe://` in URIs. Our own rules have looked at every one of these names (`alternative-names`, `locations`).
_ABOUT_PUBLIC_NAMES = frozenset({"pkix.invalid_domain_name_syntax", "pkix.invalid_uri_syntax"})


@cache
def is_installed() -> bool:
    """Tell whether pkilint is there; it is an extra and takes a second to import, so nothing else asks for it."""
    found = importlib.util.find_spec("pkilint")
    # A directory of that name somewhere on the path is found too; it has no code of its own.
    return found is not None and found.origin is not None


def installed_version() -> str | None:
    """Return pkilint's version, or None where it is not there."""
    from importlib.metadata import version

    return version("pkilint") if is_installed() else None


def lint_with_pkilint(
    certificate: x509.Certificate,
    *,
    what: str = "",
    place: Place | None = None,
    disabled: Collection[str] = frozenset(),
    silencer: str = "`lint: {{disable: ['{}']}}`",
) -> tuple[Diagnostic, ...]:
    """Hold a certificate against pkilint's rules; a rule's id here is `pkilint:` and its own code."""
    from pkilint import loader, validation

    document = loader.load_certificate(certificate.public_bytes(Encoding.DER), what or "certificate")
    severities = {
        validation.ValidationFindingSeverity.WARNING: Severity.WARNING,
        validation.ValidationFindingSeverity.ERROR: Severity.ERROR,
        validation.ValidationFindingSeverity.FATAL: Severity.ERROR,
    }
    return tuple(
        Diagnostic(
            severity=severities[described.finding.severity],
            summary=f"{what}: {_told(described)}" if what else _told(described),
            code=_id(described),
            place=place,
            hint=f"pkilint; {silencer.format(_id(described))} silences this",
        )
        for result in _rules().validate(document.root)
        for described in result.finding_descriptions
        if described.finding.severity in severities
        and _id(described) not in disabled
        and described.finding.code not in _ABOUT_PUBLIC_NAMES
    )


def _id(described: Any) -> str:
    return f"{PKILINT_PREFIX}{described.finding.code}"


def _told(described: Any) -> str:
    message = (described.message or "").strip().rstrip(".")
    return f"{message} ({_id(described)})" if message else _id(described)


@cache
def _rules() -> Any:
    from pkilint.pkix import certificate, extension, name

    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
