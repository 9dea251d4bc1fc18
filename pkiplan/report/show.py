"""A certificate as a person wants to read it: names first, then how long it lasts, who stands behind it, what for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pkiplan.diagnostics import Place
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGE_NAMES,
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    KeyUsage,
    SubjectAltName,
)
from pkiplan.model.names import GeneralName, GeneralNameKind
from pkiplan.model.observed import ObservedCertificate
from pkiplan.plan.changes import Change
from pkiplan.plan.descriptions import extension_word, moment, value_text
from pkiplan.plan.shown import Origin, Shown, ShownCertificate
from pkiplan.report.actions import announced
from pkiplan.report.colour import Paint
from pkiplan.report.diagnostics import FORMAT_VERSION
from pkiplan.report.moments import days_away, moment_text
from pkiplan.report.plan import change_rows
from pkiplan.report.text import Row, cells, padded, printable, rows_text

# What certificates are for, in words that a person who never read RFC 5280 understands.
_PURPOSES: dict[str, str] = {
    "server_auth": "TLS server",
    "client_auth": "TLS client",
    "code_signing": "code signing",
    "email_protection": "email",
    "time_stamping": "timestamping",
    "ocsp_signing": "OCSP responses",
    "ipsec_ike": "IPsec",
    "smartcard_logon": "smart-card logon",
    "any": "any purpose",
}
# The bits of RFC 5280, 4.2.1.3, as what a key may do.
_USAGES: dict[str, str] = {
    "digital_signature": "sign",
    "content_commitment": "commit to content",
    "key_encipherment": "encrypt keys",
    "data_encipherment": "encrypt data",
    "key_agreement": "agree on keys",
    "key_cert_sign": "sign certificates",
    "crl_sign": "sign CRLs",
    "encipher_only": "only encrypt when agreeing",
    "decipher_only": "only decrypt when agreeing",
}
_SPEAKS_FOR_ITSELF = frozenset(
    {GeneralNameKind.DNS, GeneralNameKind.IP, GeneralNameKind.URI, GeneralNameKind.EMAIL, GeneralNameKind.UPN}
)
_WIDEST_VALUE = 60
_TOLD_ELSEWHERE = frozenset(
    EXTENSION_OIDS[name] for name in ("subject_alt_name", "basic_constraints", "key_usage", "extended_key_usage")
)


def show_text(shown: Shown, *, colour: bool = False) -> str:
    """Write certificates, one paragraph each."""
    paint = Paint(colour)
    return "\n\n".join(_certificate_text(found, shown.now, paint) for found in shown.certificates) + "\n"


def show_json(shown: Shown) -> dict[str, Any]:
    """Give certificates as data."""
    return {
        "format_version": FORMAT_VERSION,
        "command": "show",
        "timestamp": moment(shown.now),
        "certificates": [_certificate_json(found) for found in shown.certificates],
    }


def origins_text(shown: Shown, *, colour: bool = False) -> str:
    """Write every effective field of the resources with where it came from."""
    paint = Paint(colour)
    return "\n\n".join(_origins_text(found, paint) for found in shown.certificates) + "\n"


def origins_json(shown: Shown) -> dict[str, Any]:
    """Give every effective field with where it came from as data."""
    return {
        "format_version": FORMAT_VERSION,
        "command": "show",
        "origins": {found.title: [_origin_json(origin) for origin in found.origins] for found in shown.certificates},
    }


def _certificate_text(found: ShownCertificate, now: datetime, paint: Paint) -> str:
    place = paint.aside(f"  ({printable(found.place.file)}:{found.place.line})") if found.place else ""
    head = f"{paint.strong(printable(found.title))}{place}"
    if found.certificate is None:
        rows: list[Row] = [("certificate", "none yet")]
    else:
        rows = list(_rows(found.certificate, now, paint))
        rows += _chain_rows(found.certificate, found.chain)
    rows += [("file", printable(found.path))]
    rows += _manifest_rows(found, paint)
    return "\n".join([head, rows_text(rows, paint)])


def _rows(certificate: ObservedCertificate, now: datetime, paint: Paint) -> Iterator[Row]:
    yield "names", _names(certificate)
    yield "subject", printable(str(certificate.subject))
    yield "issuer", _issuer(certificate)
    yield "valid", f"{moment_text(certificate.not_before)} to {moment_text(certificate.not_after)}"
    yield "", _life(certificate, now, paint)
    yield "for", _purposes(certificate)
    yield "its key may", _usages(certificate)
    yield "key", f"{certificate.key_spec}, key id {_hex(certificate.subject_key_id)}"
    if certificate.key_weakness is not None:
        yield "", paint.bad(f"the key is unsound: {certificate.key_weakness}")
    bond = certificate.key_pss_bond
    if bond is not None:
        yield "", "for RSASSA-PSS alone" + (f", over {bond.digest}" if bond.digest else "")
    pss = " with RSASSA-PSS" if certificate.signature_is_pss else ""
    yield "signed with", (certificate.signature_digest or "the hash of the issuer's algorithm") + pss
    yield "serial", f"{certificate.serial:x}"
    for extension in certificate.extensions:
        if extension.oid not in _TOLD_ELSEWHERE:
            yield extension_word(extension.oid), _extension(extension)
    yield "SHA-256", _colons(certificate.fingerprint_sha256)


def _names(certificate: ObservedCertificate) -> str:
    names = certificate.extension("subject_alt_name")
    if isinstance(names, SubjectAltName):
        return printable(", ".join(_name(name) for name in names.names))
    common_name = certificate.subject.common_name
    return f"{printable(common_name)} (the common name; no alternative names)" if common_name else "none"


def _name(name: GeneralName) -> str:
    """Write a name; what no reader takes for a name by its looks says what it is."""
    return str(name.value) if name.kind in _SPEAKS_FOR_ITSELF else str(name)


def _issuer(certificate: ObservedCertificate) -> str:
    if certificate.subject_der == certificate.issuer_der:
        return "itself"
    return printable(str(certificate.issuer))


def _life(certificate: ObservedCertificate, now: datetime, paint: Paint) -> str:
    if now > certificate.not_after:
        return paint.bad(f"expired {days_away(certificate.not_after, now)}")
    if now < certificate.not_before:
        return paint.changed(f"not yet valid, begins {days_away(certificate.not_before, now)}")
    return f"ends {days_away(certificate.not_after, now)}"


def _purposes(certificate: ObservedCertificate) -> str:
    parts: list[str] = []
    constraints = certificate.extension("basic_constraints")
    if isinstance(constraints, BasicConstraints) and constraints.is_authority:
        parts.append(_authority(constraints.path_length))
    extended = certificate.extension("extended_key_usage")
    if isinstance(extended, ExtendedKeyUsage):
        words = [EXTENDED_KEY_USAGE_NAMES.get(oid, oid) for oid in extended.oids]
        parts.append(", ".join(_PURPOSES.get(word, word) for word in words))
    return "; ".join(parts) or "any purpose (none is stated)"


def _authority(path_length: int | None) -> str:
    match path_length:
        case None:
            return "authority"
        case 0:
            return "authority, with no other authority beneath it"
        case _:
            return f"authority, with at most {path_length} other{'' if path_length == 1 else 's'} in a row beneath it"


def _usages(certificate: ObservedCertificate) -> str:
    usage = certificate.extension("key_usage")
    if isinstance(usage, KeyUsage):
        return ", ".join(_USAGES.get(word, word.replace("_", " ")) for word in usage.usages)
    return "any (none is stated)"


def _extension(extension: Extension) -> str:
    return printable(f"{value_text(extension.value)}{' (critical)' if extension.critical else ''}")


def _chain_rows(certificate: ObservedCertificate, chain: Sequence[ObservedCertificate]) -> Iterator[Row]:
    label = "chain"
    for depth, link in enumerate((certificate, *chain)):
        name = printable(link.subject.common_name or str(link.subject))
        yield label, f"{'   ' * (depth - 1)}{'└─ ' if depth else ''}{name}  key id {_hex(link.subject_key_id)}"
        label = ""
    top = chain[-1] if chain else certificate
    if top.subject_der != top.issuer_der:
        yield "", f"{'   ' * len(chain)}└─ {printable(str(top.issuer))}  (not here)"


def _manifest_rows(found: ShownCertificate, paint: Paint) -> Iterator[Row]:
    if not found.is_declared:
        return
    if found.change is None:
        yield "manifest", paint.good("as declared")
        return
    yield "manifest", paint.changed(f"differs: it {announced(found.change)}")
    yield from change_rows(found.change)


def _origins_text(found: ShownCertificate, paint: Paint) -> str:
    rows = [(name, printable(value), printable(_origin(place))) for name, value, place in found.origins]
    names = max((cells(name) for name, _, _ in rows), default=0)
    values = min(max((cells(value) for _, value, _ in rows), default=0), _WIDEST_VALUE)
    lines = [f"    {padded(name, names)}  {padded(value, values)}  {paint.place(place)}" for name, value, place in rows]
    return "\n".join([paint.strong(printable(found.title)), *lines])


def _origin(place: Place) -> str:
    """Name a place; what pkiplan brings itself has no line."""
    return str(place) if place.line else place.file


def _origin_json(origin: Origin) -> dict[str, Any]:
    name, value, place = origin
    return {
        "field": name,
        "value": value,
        "source": {"file": place.file, "line": place.line, "column": place.column} if place.line else place.file,
    }


def _hex(identifier: bytes | None) -> str:
    return identifier.hex(":") if identifier else "none"


def _colons(digest: str) -> str:
    return bytes.fromhex(digest).hex(":").upper()


def _certificate_json(found: ShownCertificate) -> dict[str, Any]:
    return {
        "title": found.title,
        "path": found.path,
        "declared": found.is_declared,
        "certificate": _facts_json(found.certificate) if found.certificate else None,
        "chain": [_link_json(link) for link in found.chain],
        "change": _change_json(found.change) if found.change else None,
    }


def _link_json(link: ObservedCertificate) -> dict[str, Any]:
    return {
        "subject": str(link.subject),
        "subject_key_id": link.subject_key_id.hex() if link.subject_key_id else None,
        "fingerprint_sha256": link.fingerprint_sha256,
        "not_after": moment(link.not_after),
    }


def _facts_json(certificate: ObservedCertificate) -> dict[str, Any]:
    names = certificate.extension("subject_alt_name")
    return {
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "names": [str(name) for name in names.names] if isinstance(names, SubjectAltName) else [],
        "not_before": moment(certificate.not_before),
        "not_after": moment(certificate.not_after),
        "serial": f"{certificate.serial:x}",
        "key": str(certificate.key_spec),
        "spki_sha256": certificate.spki_sha256,
        "key_weakness": certificate.key_weakness,
        "key_is_bound_to_pss": certificate.key_pss_bond is not None,
        "signature_digest": certificate.signature_digest,
        "signature_is_pss": certificate.signature_is_pss,
        "subject_key_id": certificate.subject_key_id.hex() if certificate.subject_key_id else None,
        "authority_key_id": certificate.authority_key_id.hex() if certificate.authority_key_id else None,
        "fingerprint_sha256": certificate.fingerprint_sha256,
        "extensions": [
            {
                "name": extension_word(extension.oid),
                "oid": extension.oid,
                "critical": extension.critical,
                "value": value_text(extension.value),
            }
            for extension in certificate.extensions
        ],
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "action": change.action.value,
        "reasons": [{"reason": finding.reason.value, "message": finding.message} for finding in change.findings],
        "fields": [
            {"field": row.field, "before": row.before, "after": row.after, "after_unknown": row.after_unknown}
            for row in change.fields
        ],
    }
