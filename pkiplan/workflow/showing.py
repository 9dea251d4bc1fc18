"""What one argument of `show` means: a resource, a saved plan, or certificates in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pkiplan.errors import PkiplanError
from pkiplan.model.observed import FileFacts, Found, ObservedCertificate
from pkiplan.plan.shown import Shown, ShownCertificate, ShownPlan
from pkiplan.workflow.planning import PlannedSite, PlanRequest, make_plan

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from pkiplan.model.resource import Resource
    from pkiplan.plan.changes import Change

LARGEST_FILE = 64 * 1024 * 1024
NO_FILE_FACTS = FileFacts(sha256="", mode=0, uid=0, gid=0, owner="", group="")


def show(request: PlanRequest, subject: str) -> Shown | ShownPlan:
    """Find what an address, a PEM file or a plan file names, and describe it."""
    from pkiplan.state.saved_plans import is_plan_file

    if is_plan_file(subject):
        return _saved_plan(subject)
    if os.path.isfile(subject):
        return Shown(now=request.now, certificates=tuple(_certificates_in(subject)))
    return Shown(now=request.now, certificates=tuple(_resources(make_plan(request), subject)))


def _saved_plan(path: str) -> ShownPlan:
    from pkiplan.plan.saved_plan import parse_plan_document
    from pkiplan.state.saved_plans import read_plan_file

    document = read_plan_file(path)
    return ShownPlan(plan=parse_plan_document(document).plan, document=document)


def _certificates_in(path: str) -> Iterator[ShownCertificate]:
    from pkiplan.x509.parse import certificate_facts, load_pem_certificates

    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE)
    except OSError as error:
        raise PkiplanError.of(f"cannot read {path}: {error.strerror}", code="unreadable") from None
    parsed = load_pem_certificates(data)
    keys = [certificate.public_key() for certificate in parsed]
    facts = [certificate_facts(certificate, file=NO_FILE_FACTS, candidates=keys) for certificate in parsed]
    for number, (certificate, observed) in enumerate(zip(parsed, facts, strict=True), start=1):
        yield ShownCertificate(
            title=path if len(parsed) == 1 else f"{path}, certificate {number} of {len(parsed)}",
            path=path,
            certificate=observed,
            chain=tuple(_above(observed, facts)),
            pem=_pem(certificate),
        )


def _above(certificate: ObservedCertificate, others: Sequence[ObservedCertificate]) -> Iterator[ObservedCertificate]:
    """Follow the issuers as far as they are at hand; each at most once, so that a loop ends."""
    left = list(others)
    while certificate.subject_der != certificate.issuer_der:
        issuer = next((other for other in left if other.spki_sha256 in certificate.verified_by), None)
        if issuer is None or issuer is certificate:
            return
        yield issuer
        left.remove(issuer)
        certificate = issuer


def _resources(planned: PlannedSite, subject: str) -> Iterator[ShownCertificate]:
    from pkiplan.plan.targets import Addresses

    changes: Mapping[str, Change] = {change.address: change for change in planned.plan.changes}
    for address in Addresses(planned.site.resources).find("show", subject):
        resource = planned.site.resources[address]
        observed = _observed(planned, resource)
        chain = (_observed(planned, authority) for authority in planned.site.chain_of(resource))
        path = planned.site.certificate_path(resource)
        yield ShownCertificate(
            title=address,
            path=path,
            certificate=observed,
            chain=tuple(authority for authority in chain if authority is not None),
            is_declared=True,
            place=resource.place,
            change=changes.get(address),
            origins=tuple(planned.loaded.origins(address)),
            pem=_pem_on_disk(planned, resource) if observed is not None else "",
        )


def _observed(planned: PlannedSite, resource: Resource) -> ObservedCertificate | None:
    found = planned.observed.state.of(resource.address).certificate
    return found.value if isinstance(found, Found) else None


def _pem(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _pem_on_disk(planned: PlannedSite, resource: Resource) -> str:
    from pkiplan.state.read import Reader
    from pkiplan.x509.parse import load_pem_certificates

    with Reader(planned.site, {}).resource(resource.directory) as directory:
        found = directory.read(resource.certificate_file)
    return _pem(load_pem_certificates(found.value.content)[0]) if isinstance(found, Found) else ""
