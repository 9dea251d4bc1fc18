"""The order of work: load, observe, plan, apply, verify, each short enough to read as a table of contents.

Everything heavy is imported where it is used: a command pays only for what it does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pkiplan.diagnostics import Diagnostic, Severity
from pkiplan.errors import ManifestError, PkiplanError, StalePlanError
from pkiplan.plan.changes import Plan, PlanOptions

if TYPE_CHECKING:
    from threading import Event

    from pkiplan.apply import ApplyEvent, ApplyReport
    from pkiplan.manifest import LoadedSite
    from pkiplan.model.resource import Resource
    from pkiplan.model.secret_references import SecretReference
    from pkiplan.model.site import Site
    from pkiplan.plan.document import SavedPlan
    from pkiplan.plan.inventory import Inventory
    from pkiplan.state import Observed
    from pkiplan.verify import VerifyReport, VerifyScope

DEFAULT_MANIFESTS = ("site.yaml", "site.yml")


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What is to be planned: the manifest as named (None: the default), variables, options and the time.

    `is_pretended` tells that the time is not now (`--at`): such a plan is neither saved nor applied.
    """

    site: str | None
    now: datetime
    is_pretended: bool = False
    variables: tuple[str, ...] = ()
    options: PlanOptions = PlanOptions()  # noqa: RUF009 - frozen, so one value serves all
    allow_outside: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedSite:
    """A plan with everything it was made from; `document` is its JSON form."""

    request: PlanRequest
    site: Site
    warnings: tuple[Diagnostic, ...]
    observed: Observed
    plan: Plan
    document: dict[str, Any]


def find_manifest(argument: str | None) -> str:
    """Return the manifest a command shall read: the file named, or the default one of a directory."""
    if argument is not None and not os.path.isdir(argument):
        return argument
    directory = argument or ""
    for name in DEFAULT_MANIFESTS:
        if os.path.isfile(os.path.join(directory, name)):
            return os.path.join(directory, name)
    raise PkiplanError.of(
        f"no manifest here: {' and '.join(os.path.join(directory, name) for name in DEFAULT_MANIFESTS)} do not exist",
        hint="name one (`pkiplan plan FILE`), change there (`-C DIR`), or start one with `pkiplan init`",
        code="no-manifest",
    )


def load(arguments: Sequence[str], *, variables: Sequence[str] = (), allow_outside: bool = False) -> LoadedSite:
    """Read and decode manifests; raise `ManifestError` with every problem found."""
    from pkiplan.manifest import load_site

    paths = [find_manifest(argument) for argument in arguments] or [find_manifest(None)]
    loaded = load_site(paths, variables=variables, working_directory=os.getcwd())
    if loaded.site is None:
        raise ManifestError(loaded.diagnostics)
    _demand_consent_for_outside(loaded.site, allow_outside)
    return loaded


def _demand_consent_for_outside(site: Site, allow_outside: bool) -> None:
    if site.outside and not allow_outside:
        raise PkiplanError(
            *(
                Diagnostic(
                    code="outside-the-site",
                    summary=f"{path} lies outside of the manifest's directory {site.base}",
                    place=site.place,
                    hint="say `--allow-outside` (or PKIPLAN_ALLOW_OUTSIDE=1) if the manifest may reach there",
                )
                for path in site.outside
            )
        )


def make_plan(request: PlanRequest, *, open_with: Opener | None = None) -> PlannedSite:
    """Compare what the manifests declare with what is there; change nothing and resolve no secret.

    `open_with` is given by `apply` alone: it opens what is encrypted.
    """
    from pkiplan.cache import open_cache
    from pkiplan.plan.planner import plan_site
    from pkiplan.state import observe_site

    loaded = load(
        [request.site] if request.site else [], variables=request.variables, allow_outside=request.allow_outside
    )
    site = loaded.site
    assert site is not None
    cache = open_cache()
    observed = observe_site(site, cache=cache, open_with=open_with)
    if cache is not None:
        cache.save()
    plan = plan_site(
        site,
        observed.state,
        request.now,
        options=request.options,
        cnf_digests=CnfDigests(site),
        lint=LintFindings(site),
    )
    return PlannedSite(
        request=request,
        site=site,
        warnings=loaded.diagnostics,
        observed=observed,
        plan=plan,
        document=_document(request, loaded, observed, plan),
    )
