"""What an authority will be once the plan is carried out, as what is beneath it needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from pkiplan.model.keys import ManagedKey, ObservedKeySpec, PssBond
from pkiplan.model.observed import Found, Missing, ObservedCertificate, ObservedResource
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.changes import Action, Change, KeyStep, Reason
from pkiplan.plan.difference import Blocker
from pkiplan.plan.key import offline_way_out, pss_bond, spec_of, spki_of
from pkiplan.plan.name_encoding import encode_name
from pkiplan.plan.validity import IssuerPeriod

# Stands in a chain for the fingerprint of a certificate that this plan signs.
NEW_CERTIFICATE = ""

# Who has a serial: the address, and the fingerprint of the certificate.
Holder: TypeAlias = tuple[str, str]

PAST = {
    Action.CREATE: "created",
    Action.RENEW: "renewed",
    Action.MODIFY: "modified",
    Action.REKEY: "re-keyed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """An authority after the plan.

    What cannot be known is None: the key of an encrypted file nobody opened, the name of one that does not exist.
    `pss_bond` is that of an RSA key for RSASSA-PSS alone. `ends` are those of its certificates up
    to now, which what it issued may have been clamped to. `chain` is what a server beneath it sends after its own
    certificate, nearest first, or None where one of them cannot be had; `chain_why` tells what happens to the nearest
    of them that changes, `chain_cause` is its address. `why` tells what happens to this one. `no_signature` says why
    it can sign nothing, `no_chain` why there is no chain; each is None when all is well.
    """

    resource: Resource
    is_created: bool = False
    is_rekeyed: bool = False
    pss_bond: PssBond | None = None
    spki_sha256: str | None = None
    key_spec: ObservedKeySpec | None = None
    subject_der: bytes | None = None
    key_id: bytes | None = None
    period: IssuerPeriod | None = None
    ends: frozenset[datetime] = frozenset()
    chain: tuple[str, ...] | None = ()
    chain_why: str = ""
    chain_cause: str | None = None
    why: str = ""
    no_signature: Blocker | None = None
    no_chain: Blocker | None = None

    @property
    def address(self) -> str:
        """Return the authority's address."""
        return self.resource.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the checks of everything of one kind beneath one issuer share; made once an issuer and kind.

    `issuer` is None for what is its own issuer. `derived_files` are those a resource here has. `holders` tell, by
    serial, which certificate came first with it.
    """

    site: Site
    now: datetime
    issuer: Outlook | None
    derived_files: tuple[str, ...] = ()
    holders: Mapping[int, Holder] = field(default_factory=dict)

    @property
    def period(self) -> IssuerPeriod | None:
        """Return when the issuer will be valid, where that is known."""
        return None if self.issuer is None else self.issuer.period

    @property
    def chain(self) -> tuple[str, ...] | None:
        """Return the fingerprints a server here sends after its own certificate."""
        return () if self.issuer is None else self.issuer.chain


def look_ahead(
    resource: Resource,
    found: ObservedResource,
    change: Change | None,
    context: Context,
    earlier_ends: frozenset[datetime] = frozenset(),
) -> Outlook:
    """Tell what an authority will be once its change, or None when it is kept, is carried out."""
    certificate = found.certificate.value if isinstance(found.certificate, Found) else None
    signs = change is not None and change.signs
    is_rekeyed = signs and change is not None and change.key is KeyStep.GENERATE
    why = ""
    if signs and change is not None:
        why = f"{resource.address} is {PAST[change.action]}"
    above = context.issuer
    return Outlook(
        resource=resource,
        is_created=signs and change is not None and change.action is Action.CREATE,
        is_rekeyed=is_rekeyed,
        pss_bond=None if is_rekeyed else pss_bond(found),
        spki_sha256=None if is_rekeyed else spki_of(found),
        key_spec=resource.key.spec if is_rekeyed else spec_of(found) or resource.key.spec,
        subject_der=encode_name(resource.subject) if signs else certificate.subject_der if certificate else None,
        key_id=None if is_rekeyed else _key_id(found, certificate, signs=signs),
        period=_period(resource, certificate, change if signs else None),
        ends=earlier_ends if certificate is None else earlier_ends | {certificate.not_after},
        chain=_served_chain(certificate, above, signs=signs),
        chain_why=why or (above.chain_why if above else ""),
        chain_cause=resource.address if signs else above.chain_cause if above else None,
        why=why,
        no_chain=_why_no_chain(resource, certificate, change, above),
        no_signature=_why_no_signature(resource, found, certificate, change, context),
    )


def _key_id(found: ObservedResource, certificate: ObservedCertificate | None, *, signs: bool) -> bytes | None:
    if certificate is None or certificate.spki_sha256 != spki_of(found):
        return None
    if signs or certificate.subject_key_id is None:
        return certificate.key_id_when_signed
    return certificate.subject_key_id


def _period(resource: Resource, certificate: ObservedCertificate | None, change: Change | None) -> IssuerPeriod | None:
    if change is not None:
        assert change.not_before is not None
        assert change.not_after is not None
        return IssuerPeriod(address=resource.address, not_before=change.not_before, not_after=change.not_after)
    if certificate is None:
        return None
    return IssuerPeriod(address=resource.address, not_before=certificate.not_before, not_after=certificate.not_after)


def _served_chain(
    certificate: ObservedCertificate | None, above: Outlook | None, *, signs: bool
) -> tuple[str, ...] | None:
    if above is None:  # a root is never served (RFC 8446, 4.4.2)
        return ()
    if above.chain is None or (certificate is None and not signs):
        return None
    own = NEW_CERTIFICATE if signs or certificate is None else certificate.fingerprint_sha256
    return (own, *above.chain)


def _why_no_chain(
    resource: Resource, certificate: ObservedCertificate | None, change: Change | None, above: Outlook | None
) -> Blocker | None:
    """Say which authority's certificate cannot be had, so that nothing beneath it can be served; None when all can."""
    if above is None or change is None or change.signs or certificate is not None:
        return None if above is None else above.no_chain
    return above.no_chain or _beneath(resource, "has no certificate", change.way_out, is_fault=change.is_fault)


def _why_no_signature(
    resource: Resource,
    found: ObservedResource,
    certificate: ObservedCertificate | None,
    change: Change | None,
    context: Context,
) -> Blocker | None:
    """Say why an authority cannot sign what is beneath it, or None when it can.

    One whose own change is blocked goes on signing with what it has, as long as that is valid: an offline root must not
    stop the leaves of an issuing authority that is due.
    """
    if not isinstance(resource.key, ManagedKey):
        return _beneath(resource, "has only its public key here", "sign where its private key is", is_fault=False)
    if change is not None and change.signs:
        return None
    if isinstance(found.key, Found) and found.key.value.encryption is not None and not resource.key.passphrases:
        name = f"name it in the `key:` of {resource.address}: `passphrase: {{env: NAME}}`"
        return _beneath(resource, "has an encrypted key and no passphrase that opens it", name, is_fault=True)
    if change is not None and change.action is Action.BLOCKED:
        is_usable = (
            isinstance(found.key, Found)
            and certificate is not None
            and certificate.is_authority
            and certificate.spki_sha256 == spki_of(found)
            and context.now <= certificate.not_after
        )
        if is_usable:
            return None
        why = "is offline" if change.findings[0].reason is Reason.KEY_OFFLINE else "is blocked"
        return _beneath(resource, why, change.way_out, is_fault=change.is_fault)
    if isinstance(found.key, Missing):  # its files are re-encoded, without its key
        return _beneath(resource, "is offline", offline_way_out(resource, context.site), is_fault=False)
    return None


def _beneath(resource: Resource, why: str, way_out: str, *, is_fault: bool) -> Blocker:
    return Blocker(
        reason=Reason.ISSUER_BLOCKED,
        message=f"issuer {resource.address} {why}",
        way_out=way_out,
        is_fault=is_fault,
        because=resource.address,
    )
