"""Issue the certificate of a resource: lint, sign, compare, and enter it in the issuer's database."""

from __future__ import annotations

from dataclasses import replace

from cryptography.x509 import Certificate

from pkiplan.apply.ca_database import random_serial
from pkiplan.apply.work import Work
from pkiplan.errors import PkiplanError
from pkiplan.model.keys import ManagedKey, OtherKey, digest_under
from pkiplan.model.resource import Resource
from pkiplan.plan.changes import Change
from pkiplan.x509.encoded import certificate_pem
from pkiplan.x509.issue import CertificateRequest, Issuer, lint_request, sign
from pkiplan.x509.kept import Kept

_ISSUERS: Kept[Issuer] = Kept(most=64)


def issue(work: Work, resource: Resource, change: Change) -> Certificate:
    """Sign a new certificate for a resource; it is in its issuer's `index.txt` when this returns."""
    if change.not_before is None or change.not_after is None:
        raise PkiplanError.of(f"{resource.address}: the plan does not say from when to when it shall be valid")
    authority = _signer(work, resource)
    database = work.database_of(authority) if authority is not None else None
    signing_key = work.signing_key(authority) if authority is not None else work.private_key(resource)
    chain = _as_they_are(work, work.site.chain_of(resource))
    request = CertificateRequest(
        resource=_signed_by(chain, work.site.issuer_of(resource), resource),
        public_key=signing_key.public_key() if resource.is_self_issued else work.public_key(resource),
        issuer=None if authority is None or authority is resource else _issuer(work.certificate_of(authority)),
        not_before=change.not_before,
        not_after=change.not_after,
        serial=random_serial(set()) if database is None else database.new_serial(),
    )
    certificate = sign(lint_request(request, chain), signing_key)
    if database is not None:
        database.record(
            serial=request.serial,
            not_after=request.not_after,
            subject=resource.subject,
            pem=certificate_pem(certificate),
        )
    work.remember_certificate(resource, certificate)
    return certificate


def _as_they_are(work: Work, chain: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Give the authorities above a resource, of which the nearest may not have the key yet that it shall have."""
    if not chain or not isinstance(chain[0].key, ManagedKey):
        return chain
    spec = work.signing_spec(chain[0])
    if spec == chain[0].key.spec or isinstance(spec, OtherKey):
        return chain
    return (replace(chain[0], key=replace(chain[0].key, spec=spec)), *chain[1:])


def _signed_by(chain: tuple[Resource, ...], declared: Resource | None, resource: Resource) -> Resource:
    """Give a resource with the hash that its issuer's key signs over."""
    if declared is None or chain[0] is declared:
        return resource
    assert chain[0].key.spec is not None
    return replace(resource, digest=digest_under(chain[0].key.spec, resource.digest, declared.key.spec))


def _issuer(certificate: Certificate) -> Issuer:
    return _ISSUERS.get(id(certificate), certificate, lambda: Issuer.of(certificate))


def _signer(work: Work, resource: Resource) -> Resource | None:
    """Return the authority that signs; a root signs itself, a self-signed certificate has no authority at all."""
    if resource.is_authority and resource.is_self_issued:
        return resource
    return work.site.issuer_of(resource)
