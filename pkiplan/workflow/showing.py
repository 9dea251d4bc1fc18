"""What one argument of `show` means: a resource, a saved plan, or certificates in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pkiplan.errors import PkiplanError
from pkiplan.model.observed import Found, ObservedCertificate
from pkiplan.workflow.planning import PlannedSite, PlanRequest, make_plan

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from pkiplan.model.resource import Resource
    from pkiplan.plan.changes import Change
    from pkiplan.plan.shown import Shown, ShownCertificate, ShownPlan


NOT_AN_ADDRESS = {"unknown-address", "no-manifest"}


def show(request: PlanRequest, subject: str) -> Shown | ShownPlan:
    """Find what an address, a PEM file or a plan file names, and describe it."""
    from pkiplan.plan.shown import Shown
    from pkiplan.state.saved_plans import is_plan_file

    if is_plan_file(subject):
        return _saved_plan(subject)
    if os.path.isfile(subject):
        return Shown(now=request.now, certificates=tuple(_certificates_in(subject)))
    try:
        return Shown(now=request.now, certificates=tuple(_resources(make_plan(request), subject)))
    except PkiplanError as error:
        if _reads_like_a_file(subject) and {problem.code for problem in error.diagnostics} <= NOT_AN_ADDRESS:
            hint = "name a file of certificates, a saved plan, or an address such as certificate.web"
            raise PkiplanError.of(f"no such file: `{subject}`", hint=hint, code="missing-file") from None
        raise


def _reads_like_a_file(subject: str) -> bool:
    return "/" in subject or subject.endswith((".pem", ".crt", ".cer", ".der", ".json"))


def _saved_plan(path: str) -> ShownPlan:
    from pkiplan.plan.saved_plan import parse_plan_document
    from pkiplan.plan.shown import ShownPlan
    from pkiplan.state.saved_plans import read_plan_file

    document = read_plan_file(path)
    return ShownPlan(plan=parse_plan_document(document).plan, document=document)


def _certificates_in(path: str) -> Iterator[ShownCertificate]:
    from pkiplan.plan.shown import ShownCertificate
    from pkiplan.workflow.certificate_files import issuers_above, read_certificate_files

    read = read_certificate_files([path])
    if read.problems:
        raise PkiplanError(*read.problems)
    facts = [one.facts for one in read.certificates]
    for one in read.certificates:
        yield ShownCertificate(
            title=one.title,
            path=path,
            certificate=one.facts,
            chain=tuple(issuers_above(one.facts, facts)),
            pem=_pem(one.certificate),
        )


def _resources(planned: PlannedSite, subject: str) -> Iterator[ShownCertificate]:
    from pkiplan.plan.shown import ShownCertificate
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
