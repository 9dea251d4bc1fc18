"""What may differ between a certificate and its declaration: a table of pure checks.

Each takes `(resource, found, context)` and answers with the differences it sees, mostly none. All checks run, so that
a plan shows every reason. To add a reason to sign again, write a function and list it in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    BasicConstraints,
    Extension,
    SubjectAltName,
)
from pkiplan.model.keys import RsaKeySpec, digest_under
from pkiplan.model.observed import ObservedCertificate
from pkiplan.model.resource import Resource
from pkiplan.model.validity import INCLUSIVE_SECOND, renewal_window
from pkiplan.plan.changes import Action, FieldChange, Finding, Reason
from pkiplan.plan.comparable import comparable, is_same_name
from pkiplan.plan.descriptions import (
    day,
    declared_lifetime,
    extension_text,
    extension_word,
    lifetime,
    moment,
    name_changes,
    several,
    span,
)
from pkiplan.plan.difference import SAME, Difference, Differences, differs
from pkiplan.plan.outlook import Context, Outlook
from pkiplan.plan.validity import planned_start

SUBJECT_ALT_NAME = EXTENSION_OIDS["subject_alt_name"]
BASIC_CONSTRAINTS = EXTENSION_OIDS["basic_constraints"]

# X.509 version 3 (RFC 5280, 4.1.2.1): anything with extensions.
VERSION = 3

# A certificate made elsewhere rarely lives to our second; the smaller of the two counts.
ADOPTED_SHARE = 100
ADOPTED_TOLERANCE = timedelta(hours=1)

Check = Callable[[Resource, ObservedCertificate, Context], Differences]


def version(_: Resource, found: ObservedCertificate, __: Context) -> Differences:
    """Find a certificate that is not X.509 version 3."""
    if found.version == VERSION:
        return SAME
    return differs(
        Action.MODIFY,
        Reason.VERSION_CHANGED,
        f"the certificate is X.509 version {found.version}, not {VERSION}",
        FieldChange("version", str(found.version), str(VERSION)),
    )


def subject(resource: Resource, found: ObservedCertificate, _: Context) -> Differences:
    """Find another subject; the order of its attributes counts."""
    if is_same_name(resource.subject, found.subject):
        return SAME
    before, after = str(found.subject), str(resource.subject)
    return differs(
        Action.MODIFY, Reason.SUBJECT_CHANGED, f"subject {before} → {after}", FieldChange("subject", before, after)
    )


def extensions(resource: Resource, found: ObservedCertificate, _: Context) -> Differences:
    """Find extensions that are absent, too many, of another value or criticality; sets are compared as sets."""
    if resource.extensions == found.extensions:
        return SAME
    declared = {extension.oid: extension for extension in resource.extensions}
    observed = {extension.oid: extension for extension in found.extensions}
    return tuple(
        difference
        for oid in sorted(declared.keys() | observed.keys(), key=_extension_order)
        for difference in _extension(oid, declared.get(oid), observed.get(oid))
    )


_EXTENSION_ORDER = {oid: position for position, oid in enumerate(EXTENSION_OIDS.values())}


def _extension_order(oid: str) -> tuple[int, str]:
    return (_EXTENSION_ORDER.get(oid, len(_EXTENSION_ORDER)), oid)


def _extension(oid: str, declared: Extension | None, observed: Extension | None) -> Differences:
    if comparable(declared) == comparable(observed):
        return SAME
    if oid == SUBJECT_ALT_NAME:
        return _names(declared, observed)
    return differs(Action.MODIFY, Reason.EXTENSION_CHANGED, *_extension_change(extension_word(oid), observed, declared))


def _extension_change(word: str, observed: Extension | None, declared: Extension | None) -> tuple[str, FieldChange]:
    if declared is not None and observed is not None and declared.critical == observed.critical:
        match declared.value, observed.value:
            case BasicConstraints(is_authority=shall, path_length=after), BasicConstraints(
                is_authority=is_now, path_length=before
            ) if shall == is_now:
                change = FieldChange("path_length", _number(before), _number(after))
                return f"path_length {change.before or 'unlimited'} → {change.after or 'unlimited'}", change
    change = FieldChange(word, extension_text(observed), extension_text(declared))
    if change.before is None:
        return f"{word} is declared but not there", change
    if change.after is None:
        return f"{word} is there but not declared", change
    return f"{word} {change.before} → {change.after}", change


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _names(declared: Extension | None, observed: Extension | None) -> Differences:
    after = declared.value.names if declared and isinstance(declared.value, SubjectAltName) else ()
    before = observed.value.names if observed and isinstance(observed.value, SubjectAltName) else ()
    added = [str(name) for name in after if name not in before]
    removed = [str(name) for name in before if name not in after]
    if not added and not removed:
        changed = FieldChange("subject_alt_name", extension_text(observed), extension_text(declared))
        return differs(Action.MODIFY, Reason.EXTENSION_CHANGED, "criticality of subject_alt_name", changed)
    parts = [f"{word} {several(names)}" for word, names in (("added", added), ("removed", removed)) if names]
    return differs(Action.MODIFY, Reason.NAMES_CHANGED, f"names: {'; '.join(parts)}", *name_changes(before, after))


def signature_algorithm(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find another hash, or another RSA padding than declared."""
    declared = (_wanted_digest(resource, found, context), _wants_pss(resource, context))
    observed = (found.signature_digest, found.signature_is_pss)
    if declared == observed:
        return SAME
    before, after = _signature_text(*observed), _signature_text(*declared)
    return differs(
        Action.MODIFY,
        Reason.SIGNATURE_ALGORITHM_CHANGED,
        f"signature {before} → {after}",
        FieldChange("signature", before, after),
    )


def _wanted_digest(resource: Resource, found: ObservedCertificate, context: Context) -> str | None:
    """Return the declared hash; where the issuer does not get its declared key yet, that of the key it has."""
    above = context.issuer
    if above is None or above.key_spec is None or above.key_spec == above.resource.key.spec:
        return resource.digest
    if found.signature_digest == resource.digest:
        return resource.digest
    return digest_under(above.key_spec, resource.digest, above.resource.key.spec)


def _wants_pss(resource: Resource, context: Context) -> bool:
    """Tell whether the signature shall be RSASSA-PSS: only an RSA issuer can make one."""
    if not resource.rsa_pss:
        return False
    spec = getattr(resource.key, "spec", None) if context.issuer is None else context.issuer.key_spec
    return isinstance(spec, RsaKeySpec)


def _signature_text(digest: str | None, is_pss: bool) -> str:  # noqa: FBT001 - two columns of one value
    return (digest or "of the key's own algorithm") + (" with RSASSA-PSS" if is_pss else "")


def key_identifiers(resource: Resource, found: ObservedCertificate, _: Context) -> Differences:
    """Find a subject key identifier that is not the key's (RFC 5280, 4.2.1.2 (1)); an adopted one keeps its own."""
    if found.subject_key_id == found.key_id_of_key or is_adopted(resource):
        return SAME
    before = None if found.subject_key_id is None else found.subject_key_id.hex()
    return differs(
        Action.MODIFY,
        Reason.KEY_IDENTIFIER_CHANGED,
        "the subject key identifier is not that of its key",
        FieldChange("subject_key_identifier", before, found.key_id_when_signed.hex()),
    )


def issuer(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find a certificate that the declared issuer, as it will be, did not sign with its key and name."""
    if context.issuer is None:
        return _self_issued(resource, found)
    above = context.issuer
    if above.is_rekeyed and not above.is_created:
        finding = Finding(Reason.ISSUER_REKEYED, f"issuer {above.why}", above.address)
        return (Difference(Action.MODIFY, finding),)
    if above.is_rekeyed or (above.subject_der is not None and found.issuer_der != above.subject_der):
        return _other_issuer(found, above)
    if above.spki_sha256 is not None and above.spki_sha256 not in found.verified_by:
        message = f"the signature does not verify under the key of {above.address}"
        return (Difference(Action.MODIFY, Finding(Reason.SIGNATURE_INVALID, message, above.address)),)
    return _authority_key_id(resource, found, above.key_id, above.address)


def _self_issued(resource: Resource, found: ObservedCertificate) -> Differences:
    if found.issuer_der != found.subject_der:
        return differs(
            Action.MODIFY,
            Reason.ISSUER_CHANGED,
            f"issued by {found.issuer}, not by itself",
            FieldChange("issuer", str(found.issuer), str(resource.subject)),
        )
    if found.spki_sha256 not in found.verified_by:
        return differs(
            Action.MODIFY, Reason.SIGNATURE_INVALID, "the signature does not verify under the certificate's own key"
        )
    # RFC 5280, 4.2.1.1: it may be left out where a certificate is its own issuer.
    if found.authority_key_id is None:
        return SAME
    return _authority_key_id(resource, found, found.subject_key_id, resource.address)


def _other_issuer(found: ObservedCertificate, above: Outlook) -> Differences:
    before, after = str(found.issuer), str(above.resource.subject)
    if found.issuer_der == found.subject_der and found.spki_sha256 in found.verified_by:
        message = f"self-signed, not issued by {above.address}"
    elif above.why:
        message = f"issuer {above.why}"
    elif before == after:
        message = f"issuer {after} is encoded otherwise than the subject of {above.address}"
    else:
        message = f"issuer {before} → {after} ({above.address})"
    finding = Finding(Reason.ISSUER_CHANGED, message, above.address)
    return (Difference(Action.MODIFY, finding, (FieldChange("issuer", before, after),)),)


def _authority_key_id(
    resource: Resource, found: ObservedCertificate, expected: bytes | None, address: str
) -> Differences:
    if is_adopted(resource) and (found.authority_key_id is None or found.has_foreign_aki):
        return SAME
    if found.has_foreign_aki:
        # It would not fit any more once the issuer is renewed with its key (facts: rotation, reissue primitive).
        message = f"the authority key identifier names the certificate of {address}, not only its key"
    elif expected is not None and found.authority_key_id != expected:
        message = f"the authority key identifier is not that of {address}"
    else:
        return SAME
    before = None if found.authority_key_id is None else found.authority_key_id.hex()
    change = FieldChange("authority_key_identifier", before, None if expected is None else expected.hex())
    because = None if address == resource.address else address
    return (Difference(Action.MODIFY, Finding(Reason.KEY_IDENTIFIER_CHANGED, message, because), (change,)),)


def serial(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find a serial that another certificate of the same issuer has too (RFC 5280, 4.1.2.2); the first keeps it."""
    holder, fingerprint = context.holders.get(found.serial, (resource.address, ""))
    # One certificate put in two places is not two with one serial: where it does not belong, other checks find it.
    if holder == resource.address or fingerprint == found.fingerprint_sha256:
        return SAME
    finding = Finding(Reason.SERIAL_REUSED, f"serial {found.serial:x} is that of {holder} too", holder)
    return (Difference(Action.MODIFY, finding),)


def declared_dates(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find a life that is not as long as declared, or dates other than the declared ones."""
    validity = resource.validity
    life = found.not_after - found.not_before
    if validity.not_before is not None and found.not_before != validity.not_before:
        return _dates_differ(resource, found)
    if validity.lifetime is not None:
        tolerance = min(validity.lifetime / ADOPTED_SHARE, ADOPTED_TOLERANCE) if is_adopted(resource) else timedelta()
        is_as_declared = abs(life - validity.lifetime) <= tolerance
        is_shorter = life < validity.lifetime
    elif validity.not_after is not None:
        is_as_declared = found.not_after == validity.not_after
        is_shorter = found.not_after < validity.not_after
    else:
        is_as_declared, is_shorter = False, True
    if is_as_declared or (is_shorter and _ended_with_issuer(found, context)):
        return SAME
    return _dates_differ(resource, found)


def _ended_with_issuer(found: ObservedCertificate, context: Context) -> bool:
    """Tell whether it ends with a certificate its issuer has or had; such a one is kept until its own window."""
    above = context.issuer
    if above is None:
        return False
    return found.not_after in above.ends or (above.period is not None and found.not_after == above.period.not_after)


def _dates_differ(resource: Resource, found: ObservedCertificate) -> Differences:
    validity = resource.validity
    if validity.not_before is not None and found.not_before != validity.not_before:
        before, after = moment(found.not_before), moment(validity.not_before)
        return differs(Action.MODIFY, Reason.LIFETIME_CHANGED, f"not_before {before} → {after}")
    if validity.lifetime is None and validity.not_after is not None:
        before, after = moment(found.not_after), moment(validity.not_after)
        return differs(Action.MODIFY, Reason.LIFETIME_CHANGED, f"not_after {before} → {after}")
    before, after = lifetime(found.not_after - found.not_before), declared_lifetime(validity)
    return differs(
        Action.MODIFY,
        Reason.LIFETIME_CHANGED,
        f"lifetime {before} → {after}",
        FieldChange("lifetime", before, after),
    )


def outlives_issuer(_: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find a certificate that ends after its issuer; starts are not compared."""
    above = context.issuer
    if above is None or above.period is None or found.not_after <= above.period.not_after:
        return SAME
    end = moment(above.period.not_after)
    message = f"ends on {moment(found.not_after)}, after its issuer {above.address} on {end}"
    return (Difference(Action.MODIFY, Finding(Reason.OUTLIVES_ISSUER, message, above.address)),)


def not_yet_valid(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find a certificate that begins later than one signed now would."""
    if found.not_before <= context.now or found.not_before <= planned_start(resource, context.period, context.now):
        return SAME
    return differs(
        Action.MODIFY,
        Reason.NOT_YET_VALID,
        f"begins on {moment(found.not_before)}, in {span(found.not_before - context.now)}",
    )


def renewal(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Find a certificate that has expired or is inside its renewal window, the first moment of it included."""
    left = found.not_after - context.now
    window = renewal_window(resource.renew_before, found.not_after - found.not_before)
    if left > window:
        return SAME
    # RFC 5280, 4.1.2.5: the last second still counts.
    if left < timedelta():
        message = f"expired on {day(found.not_after)}, {span(left)} ago"
        return differs(Action.RENEW, Reason.EXPIRED, message)
    return differs(Action.RENEW, Reason.RENEWAL_DUE, f"{span(left)} left, renews at {span(window + INCLUSIVE_SECOND)}")


def is_adopted(resource: Resource) -> bool:
    """Tell whether the certificate was made elsewhere and is adopted where it lies."""
    return resource.cert_path is not None


CHECKS: dict[str, Check] = {
    "issuer": issuer,
    "subject": subject,
    "extensions": extensions,
    "version": version,
    "signature_algorithm": signature_algorithm,
    "key_identifiers": key_identifiers,
    "serial": serial,
    "declared_dates": declared_dates,
    "outlives_issuer": outlives_issuer,
    "not_yet_valid": not_yet_valid,
    "renewal": renewal,
}


def compare(resource: Resource, found: ObservedCertificate, context: Context) -> Differences:
    """Run every check; the order of the differences is that of the table."""
    return tuple([difference for check in CHECKS.values() for difference in check(resource, found, context)])
