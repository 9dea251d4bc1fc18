"""Until when a plan with nothing to do stays one, if nothing but time passes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pkiplan.model.observed import Found, ObservedCertificate, ObservedState
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.model.validity import INCLUSIVE_SECOND, renewal_window


def first_renewal(site: Site, observed: ObservedState, known: Mapping[str, datetime]) -> datetime | None:
    """Return the first moment at which a certificate of the site will be due, if there is any certificate.

    Before that moment no check changes its mind: one that is valid stays valid, and every other comparison with the
    clock (`plan.certificate`, `plan.outlook`, `plan.guards`) is about an end that comes later, or about a certificate
    that begins in the future and does so more and more rarely. `known` are the moments that were found out before, by
    address.
    """
    ends: list[datetime] = []
    for resource in site:
        due = known.get(resource.address)
        certificate = observed.of(resource.address).certificate if due is None else None
        if isinstance(certificate, Found):
            due = renewal_due(resource, certificate.value)
        if due is not None:
            ends.append(due)
    return min(ends, default=None)


def renewal_due(resource: Resource, found: ObservedCertificate) -> datetime:
    """Return the moment at which a certificate will be due."""
    window = renewal_window(resource.renew_before, found.not_after - found.not_before)
    return found.not_after - max(window, timedelta()) - INCLUSIVE_SECOND
