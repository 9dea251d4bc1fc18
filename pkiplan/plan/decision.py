"""What is done to one resource: the least that mends every difference, or what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.model.keys import ExternalKey
from pkiplan.model.observed import Found, Missing, Observation, ObservedCertificate, ObservedResource, Unreadable
from pkiplan.model.resource import CNF_FILE, Resource
from pkiplan.plan.certificate import compare, is_adopted
from pkiplan.plan.changes import Action, Change, FieldChange, Finding, KeyStep, Reason
from pkiplan.plan.descriptions import declared_fields, declared_lifetime, moment, newly
from pkiplan.plan.difference import SIGNING, Blocker, Difference, Differences, differs, strongest
from pkiplan.plan.files import CnfTexts, compare_certificate_file, compare_files, files_of
from pkiplan.plan.key import KeyVerdict, is_generated, judge_key, pss_bond, shown_path
from pkiplan.plan.outlook import Context
from pkiplan.plan.validity import ImpossibleValidity, PlannedValidity, planned_validity, useless_renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a resource beside its declaration, and what the planner's neighbours know of it.

    `as_issued` is the declaration by the defaults under which what is there was made, where those were others than
    today's. `issued` are the certificates an authority, wholly gone, had issued.
    """

    is_replaced: bool = False
    rekey: bool = False
    as_issued: Resource | None = None
    issued: tuple[str, ...] = ()
    cnf: CnfTexts = field(default_factory=CnfTexts)
    lint: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """A change, and what people should be warned about because of it."""

    change: Change
    warnings: tuple[Diagnostic, ...] = ()


def decide(resource: Resource, found: ObservedResource, context: Context, request: Request) -> Decision | None:
    """Decide about one resource; None keeps it as it is."""
    in_the_way = _what_is_in_the_way(resource, found, context)
    if in_the_way is not None:
        return _blocked(resource, in_the_way)
    as_issued = request.as_issued or resource
    is_nothing_there = isinstance(found.key, Missing) and isinstance(found.certificate, Missing)
    rekey = request.rekey and not is_nothing_there
    key = judge_key(as_issued, found, context.site, issued=request.issued, rekey=rekey)
    if key.blocker is not None:
        return _blocked(resource, key.blocker)
    content = _compare_certificate(as_issued, found, context)
    if isinstance(content, Blocker):
        return _blocked(resource, content)
    if request.is_replaced and not request.rekey and not isinstance(found.certificate, Missing):
        content = (*differs(Action.RENEW, Reason.REQUESTED, "asked for (--replace)"), *content)
    differences = (*key.differences, *content) if key.differences else content
    if differences and strongest(differences) in SIGNING:
        return _sign(resource, found, context, request, key, differences)
    return _mend_files(as_issued, found, context, request, key, differences)


def _what_is_in_the_way(resource: Resource, found: ObservedResource, context: Context) -> Blocker | None:
    seen = {resource.key.path: found.key, resource.certificate_file: found.certificate, **found.files}
    for name, observation in seen.items():
        if isinstance(observation, Unreadable) and observation.is_directory:
            path = shown_path(context.site, context.site.path(resource, name))
            message = f"there is a directory where {name} belongs"
            return Blocker(reason=Reason.UNREADABLE, message=message, way_out=f"take {path} away")
        if isinstance(observation, Unreadable) and observation.is_behind_link:
            return Blocker(
                reason=Reason.UNREADABLE,
                message=f"{name} cannot be read: {observation.why}",
                way_out="put a directory there: nothing is read or written through a link",
            )
    return None


def _compare_certificate(resource: Resource, found: ObservedResource, context: Context) -> Differences | Blocker:
    certificate: Observation[ObservedCertificate] = found.certificate
    if isinstance(certificate, Found):
        return compare(resource, certificate.value, context)
    if isinstance(certificate, Unreadable) and not certificate.is_damaged:
        path = shown_path(context.site, context.site.certificate_path(resource))
        message = f"the certificate cannot be read: {certificate.why}"
        return Blocker(reason=Reason.UNREADABLE, message=message, way_out=f"make {path} readable, or take it away")
    if is_adopted(resource):
        path = shown_path(context.site, context.site.certificate_path(resource))
        is_missing = isinstance(certificate, Missing)
        return Blocker(
            reason=Reason.MISSING if is_missing else Reason.DAMAGED,
            message=f"the adopted certificate is {'not there' if is_missing else 'damaged'}",
            way_out=f"put it at {path}, or drop `cert_path` to have one made",
        )
    if isinstance(certificate, Unreadable):
        return differs(Action.MODIFY, Reason.DAMAGED, f"the certificate is damaged: {certificate.why}")
    if resource.is_authority and is_generated(resource) and isinstance(found.key, Found):
        return differs(Action.MODIFY, Reason.MISSING, "the certificate is missing beside its key")
    return differs(Action.CREATE, Reason.MISSING, "the certificate is missing")


def _sign(
    resource: Resource,
    found: ObservedResource,
    context: Context,
    request: Request,
    key: KeyVerdict,
    differences: Differences,
) -> Decision:
    """Sign anew, if the key, the issuer, the dates and the lint allow it."""
    action = strongest(differences)
    key_step = _key_step(resource, action, key)
    blocker = _why_not_signed(resource, context, key) or _why_not_so(resource, found, context, key_step)
    if blocker is not None:
        return _blocked(resource, blocker, differences)
    validity = planned_validity(resource, context.period, context.now)
    if action is Action.RENEW and not request.is_replaced and isinstance(validity, PlannedValidity):
        assert isinstance(found.certificate, Found)
        validity = useless_renewal(validity, found.certificate.value.not_after, context.period) or validity
    if isinstance(validity, ImpossibleValidity):
        impossible = Blocker(reason=Reason.VALIDITY_IMPOSSIBLE, message=validity.why, way_out=validity.way_out)
        return _blocked(resource, impossible, differences)
    lint = request.lint.get(resource.address, ())
    refused = next((diagnostic for diagnostic in lint if diagnostic.severity is Severity.ERROR), None)
    if refused is not None:
        unlinted = Blocker(reason=Reason.LINT_REFUSED, message=refused.summary, way_out=refused.hint)
        return _blocked(resource, unlinted, differences)
    change = Change(
        address=resource.address,
        kind=resource.kind,
        action=action,
        place=resource.place,
        findings=_findings(differences),
        fields=_fields(resource, found, (*differences, *_follows_today(resource, found, context, request)), validity),
        key=key_step,
        signs=True,
        not_before=validity.not_before,
        not_after=validity.not_after,
        dates_are_declared=resource.validity.not_after is not None or resource.validity.not_before is not None,
        is_clamped=validity.is_clamped,
        files=files_of(resource, context),
        permission=f"--allow {resource.address}" if action is Action.REKEY and resource.is_authority else None,
    )
    return Decision(change, (*lint, *_clamped(resource, validity, context)))


def _why_not_signed(resource: Resource, context: Context, key: KeyVerdict) -> Blocker | None:
    if key.offline is not None:
        return key.offline
    if context.issuer is not None:
        # A certificate is written with its chain; an authority has none of its own.
        return context.issuer.no_signature or (None if resource.is_authority else context.issuer.no_chain)
    if isinstance(resource.key, ExternalKey):
        return Blocker(
            reason=Reason.KEY_MISSING,
            message="it is its own issuer, but only its public key is here",
            way_out="declare an `issuer:`, or a private key",
        )
    return None


def _why_not_so(resource: Resource, found: ObservedResource, context: Context, key_step: KeyStep) -> Blocker | None:
    """Refuse a signature that a key for RSASSA-PSS alone may not make (RFC 4055, 1.2 and 3.3)."""
    above = context.issuer
    if above is not None:
        bond, whose = above.pss_bond, f"the key of {above.address}"
    else:
        bond, whose = None if key_step is KeyStep.GENERATE else pss_bond(found), "its own key"
    if bond is None or (resource.rsa_pss and bond.is_usual and bond.digest in (None, resource.digest)):
        return None
    over = f" over {bond.digest}" if bond.digest else ""
    wanted = f"`rsa_pss: true` and `digest: {bond.digest}`" if bond.digest else "`rsa_pss: true`"
    return Blocker(
        reason=Reason.KEY_BOUND_TO_PSS,
        message=f"{whose} is bound to RSASSA-PSS{over}, and may make no other signature (RFC 4055, 1.2)",
        way_out=f"write {wanted} beside it, or under `defaults:`"
        if bond.is_usual
        else "give it another key: it asks for another hash in MGF1 or a longer salt than pkiplan signs with",
        because=None if above is None else above.address,
    )


def _key_step(resource: Resource, action: Action, key: KeyVerdict) -> KeyStep:
    """Tell what happens to the key: leaves get a new one when they are renewed, unless they reuse it."""
    if action is Action.REKEY:
        return KeyStep.GENERATE
    is_leaf = not resource.is_authority
    if action is Action.RENEW and is_leaf and is_generated(resource) and not resource.reuse_key:
        return KeyStep.GENERATE
    return key.step


def _follows_today(
    resource: Resource, found: ObservedResource, context: Context, request: Request
) -> Iterator[Difference]:
    """List what was no reason to sign, because it was the default once, but changes with the signature."""
    if request.as_issued is not None and isinstance(found.certificate, Found):
        was_right = compare(request.as_issued, found.certificate.value, context)
        yield from (other for other in compare(resource, found.certificate.value, context) if other not in was_right)


def _fields(
    resource: Resource, found: ObservedResource, differences: Differences, validity: PlannedValidity
) -> tuple[FieldChange, ...]:
    changed = [change for difference in differences for change in difference.fields]
    if not isinstance(found.certificate, Found):
        told = {change.field for change in changed}
        changed += [change for change in declared_fields(resource) if change.field not in told]
        changed.append(newly("not_after", moment(validity.not_after)))
        return tuple(changed)
    certificate = found.certificate.value
    if certificate.not_before != validity.not_before:
        changed.append(FieldChange("not_before", moment(certificate.not_before), moment(validity.not_before)))
    if certificate.not_after != validity.not_after:
        changed.append(FieldChange("not_after", moment(certificate.not_after), moment(validity.not_after)))
    changed.append(FieldChange("serial", f"{certificate.serial:x}", None, after_unknown=True))
    return tuple(changed)


def _clamped(resource: Resource, validity: PlannedValidity, context: Context) -> tuple[Diagnostic, ...]:
    if not validity.is_clamped or context.issuer is None:
        return ()
    wanted = declared_lifetime(resource.validity)
    return (
        Diagnostic(
            severity=Severity.WARNING,
            code="clamped-to-issuer",
            summary=f"{resource.address} ends with its issuer {context.issuer.address} on "
            f"{moment(validity.not_after)}, sooner than declared ({wanted})",
            place=resource.place,
            hint=f"give {context.issuer.address} a longer life, or {resource.address} a shorter one",
        ),
    )


def _mend_files(
    resource: Resource,
    found: ObservedResource,
    context: Context,
    request: Request,
    key: KeyVerdict,
    differences: Differences,
) -> Decision | None:
    """Write what lags, without signing anything; None when nothing does."""
    assert isinstance(found.certificate, Found)
    certificate = found.certificate.value
    own = compare_certificate_file(resource, certificate)
    files = compare_files(resource, found, certificate, context, request.cnf)
    if not (differences or own or files):
        return None if key.offline is None else _blocked(resource, key.offline)
    differences = (*differences, *own, *(difference for _, answer in files for difference in answer))
    names = tuple(sorted(name for name, _ in files))
    no_chain = None if context.issuer is None else context.issuer.no_chain
    if no_chain is not None and any(name != CNF_FILE for name in names):
        return _blocked(resource, no_chain, differences)
    findings = _findings(differences)
    return Decision(
        Change(
            address=resource.address,
            kind=resource.kind,
            action=Action.REENCODE,
            place=resource.place,
            findings=findings if key.offline is None else (*findings, key.offline.finding),
            fields=tuple(change for difference in differences for change in difference.fields),
            key=key.step,
            files=names,
            rewrites_certificate=bool(own),
        )
    )


def _findings(differences: Differences) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(difference.finding for difference in differences))


def _blocked(resource: Resource, blocker: Blocker, differences: Differences = ()) -> Decision:
    findings = (blocker.finding, *_findings(differences))
    return Decision(
        Change(
            address=resource.address,
            kind=resource.kind,
            action=Action.BLOCKED,
            place=resource.place,
            findings=tuple(dict.fromkeys(findings)),
            fields=tuple(change for difference in differences for change in difference.fields),
            is_fault=blocker.is_fault,
            way_out=blocker.way_out,
        )
    )
