"""Until when a plan with nothing to do stays one, if nothing but time passes."""

from __future__ import annotations

from datetime import datetime, timedelta

from pkiplan.model.observed import Found, ObservedState
from pkiplan.model.site import Site
from pkiplan.model.validity import INCLUSIVE_SECOND, renewal_window


def first_renewal(site: Site, observed: ObservedState) -> datetime | None:
    """Return the first moment at which a certificate of the site will be due, if there is any certificate.

    Before that moment no check changes its mind: one that is valid stays valid, and every other comparison with the
    clock (`plan.certificate`, `plan.outlook`, `plan.guards`) is about an end that comes later, or about a certificate
    that begins in the future and does so more and more rarely.
    """
    ends: list[datetime] = []
    for resource in site:
        certificate = observed.of(resource.address).certificate
        if isinstance(certificate, Found):
            found = certificate.value
            window = renewal_window(resource.renew_before, found.not_after - found.not_before)
            ends.append(found.not_after - max(window, timedelta()) - INCLUSIVE_SECOND)
    return min(ends, default=None)
