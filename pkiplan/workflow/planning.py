"""Compare what is declared with what is there; save the answer, or draw up what exists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pkiplan.diagnostics import Diagnostic, Severity, in_order
from pkiplan.errors import PkiplanError, system_words
from pkiplan.plan.changes import Plan, PlanOptions
from pkiplan.workflow.asked import cnf_digests, lint_findings, older_cnf_digests, says
from pkiplan.workflow.loading import load
from pkiplan.workflow.opening import needed_secrets, opener

if TYPE_CHECKING:
    from pkiplan.manifest import LoadedSite
    from pkiplan.manifest.files import InputDigest
    from pkiplan.model.observed import ObservedState
    from pkiplan.model.resource import Resource
    from pkiplan.model.site import Site
    from pkiplan.plan.beforehand import Foresight
    from pkiplan.plan.inventory import Inventory
    from pkiplan.secrets import SecretResolver
    from pkiplan.state.observe import Observed


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What is to be planned: the manifest as named (None: the default one), variables as given, options, the time."""

    site: str | None
    now: datetime
    is_pretended: bool = False
    variables: tuple[str, ...] = ()
    options: PlanOptions = field(default_factory=PlanOptions)
    allow_outside: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedSite:
    """A plan with everything it was made from; `resolver` opens what is encrypted, for apply alone.

    `begun` is when the first file was read, in nanoseconds of the file system's clock.
    """

    request: PlanRequest
    loaded: LoadedSite
    site: Site
    observed: Observed
    plan: Plan
    begun: int
    resolver: SecretResolver | None = None

    @property
    def inputs(self) -> dict[str, str]:
        """Give the digest of each manifest, and whatever else was read for it, by absolute path."""
        return {os.path.abspath(read.path): read.sha256 for read in self.loaded.inputs}

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """List what the manifests gave cause to warn of."""
        return self.loaded.diagnostics

    @property
    def document(self) -> dict[str, Any]:
        """Return the plan in its JSON form."""
        from pkiplan.plan.document import plan_document

        return plan_document(
            self.plan,
            inputs=(*self.loaded.inputs, *_templates(self.site)),
            variables=self.request.variables,
            files=_from_here(self.observed.digests),
            manifest=self.request.site,
        )


def _templates(site: Site) -> Iterator[InputDigest]:
    """Give the templates of the site's own as what the plan was made from, beside its manifests."""
    if site.templates is None:
        return
    from pkiplan.manifest.files import InputDigest
    from pkiplan.render.environment import template_digests

    for path, digest in _from_here(template_digests(site)).items():
        yield InputDigest(path, digest)


def _from_here(digests: Mapping[str, str]) -> dict[str, str]:
    """Name files from the working directory, so that a plan holds in another checkout of the same site."""
    here = os.getcwd().rstrip("/") + "/"
    return {path.removeprefix(here): digest for path, digest in digests.items()}


@dataclass(frozen=True, kw_only=True)
class SavedAt:
    """Where a plan was saved, or why it was not."""

    path: str | None
    warnings: tuple[Diagnostic, ...] = ()


def make_plan(
    request: PlanRequest, *, resolver: SecretResolver | None = None, shows_everything: bool = False
) -> PlannedSite:
    """Compare what the manifests declare with what is there; change nothing.

    Without a `resolver` no secret is touched. With one, the encrypted files that the plan needs are looked into. Where
    everything is shown afterwards, nothing is spared of what is unchanged.
    """
    from pkiplan.cache import open_cache
    from pkiplan.cache.tree_digest import file_system_clock
    from pkiplan.plan.older_defaults import OLDER_DEFAULTS
    from pkiplan.plan.planner import plan_site
    from pkiplan.state.observe import observe_site

    begun = file_system_clock()
    loaded, site = load(request.site, variables=request.variables, allow_outside=request.allow_outside)
    cache = open_cache()
    decide = partial(
        plan_site,
        site,
        now=request.now,
        options=request.options,
        cnf_digests=cnf_digests(site),
        lint=lint_findings(site),
        older_defaults=OLDER_DEFAULTS,
        older_cnf_digests=older_cnf_digests,
        says=partial(says, loaded),
    )
    foresight = None if shows_everything else _foresight(site, request)
    observed = observe_site(site, cache=cache, with_foresight=foresight)
    plan = decide(observed=observed.state, beforehand=observed.beforehand)
    if resolver is not None and (needed := frozenset(needed_secrets(site, observed, plan))):
        observed = observe_site(site, cache=cache, open_with=opener(site, needed, resolver))
        plan = decide(observed=observed.state)
    if site.templates is not None:
        _demand_sound_templates(site, plan)
    if resolver is None:
        plan = replace(plan, warnings=(*plan.warnings, *_owners_that_apply_refuses(site, plan)))
    if cache is not None:
        cache.save()
    return PlannedSite(
        request=request, loaded=loaded, site=site, observed=observed, plan=plan, begun=begun, resolver=resolver
    )


def _foresight(site: Site, request: PlanRequest) -> Callable[[ObservedState], Foresight] | None:
    """Give what says of certificates that they are unchanged, once the authorities are observed.

    Where targets are named, nothing is found out of what they leave out: not even whether its texts can be written.
    """
    if request.options.targets:
        return None
    from pkiplan.plan.beforehand import Foresight

    return partial(
        Foresight,
        site,
        now=request.now,
        cnf_digests=cnf_digests(site),
        lint=lint_findings(site),
        older_cnf_digests=older_cnf_digests,
    )


def make_plan_again(planned: PlannedSite) -> PlannedSite:
    """Plan once more what was planned just now; the very plan is returned where all that it was made from is the same.

    A plan is a function of the site, of what is observed, and of the time that was asked for.
    """
    from pkiplan.cache import open_cache
    from pkiplan.cache.remembered_plan import is_unchanged
    from pkiplan.state.observe import gives_the_same_plan, observe_site

    loaded, site = planned.loaded, planned.site
    was_opened = planned.resolver is not None and any(needed_secrets(site, planned.observed, planned.plan))
    if not was_opened and site.templates is None and is_unchanged(planned.inputs, loaded.looks):
        observed = observe_site(site, cache=open_cache(), with_foresight=_foresight(site, planned.request))
        if gives_the_same_plan(observed, planned.observed):
            return planned
    return make_plan(planned.request, resolver=planned.resolver)


def _demand_sound_templates(site: Site, plan: Plan) -> None:
    """Refuse templates of the site's own that fail: of a new file no digest is asked, so apply would be the first."""
    from pkiplan.model.resource import CNF_FILE
    from pkiplan.render import render_cnf

    problems: list[Diagnostic] = []
    for change in plan.pending:
        resource = site.resources.get(change.address)
        if resource is None or CNF_FILE not in change.files:
            continue
        try:
            render_cnf(site, resource)
        except PkiplanError as error:
            problems.extend(error.diagnostics)
    if problems:
        raise PkiplanError(*in_order(problems))


def _owners_that_apply_refuses(site: Site, plan: Plan) -> Iterator[Diagnostic]:
    """Warn of owners for which apply would stop here: no error, since root, or another machine, may carry the plan out.

    An apply tells them as its own errors.
    """
    if not any(names_an_owner(site.resources[c.address]) for c in plan.pending if c.address in site.resources):
        return
    from pkiplan.apply.ownership import ownership_problems

    for problem in in_order(ownership_problems(site, plan.pending)):
        yield replace(problem, severity=Severity.WARNING)


def names_an_owner(resource: Resource) -> bool:
    """Tell whether a resource's files are declared for a user or group."""
    attributes = [resource.attributes, *(output.attributes for output in resource.outputs)]
    attributes.append(getattr(resource.key, "attributes", resource.attributes))
    return any(one.owner is not None or one.group is not None for one in attributes)


def save_plan(planned: PlannedSite, out: str | None) -> SavedAt:
    """Save a plan in the file named, else as the working directory's last plan."""
    from pkiplan.state.saved_plans import LAST_PLAN, what_a_plan_would_overwrite, write_plan_file

    path = out or LAST_PLAN
    if out is not None and (there := what_a_plan_would_overwrite(out)):
        raise PkiplanError.of(
            f"the plan was not saved: {out}: {there}",
            hint="give `--out` the name of a new file, or of an earlier plan",
            code="plan-not-saved",
        )
    try:
        write_plan_file(path, planned.document)
    except OSError as error:
        why = f"{path}: {system_words(error)}"
        if out is not None:
            raise PkiplanError.of(f"the plan was not saved: {why}", code="plan-not-saved") from None
        warning = Diagnostic(
            severity=Severity.WARNING,
            code="plan-not-saved",
            summary=f"the plan was not saved: {why}",
            hint="`--out FILE` saves it where you can write",
        )
        return SavedAt(path=None, warnings=(warning,))
    return SavedAt(path=path)


def cnf_diff(planned: PlannedSite) -> str:
    """Return what changes in the `openssl.cnf` files, as one unified diff."""
    from difflib import unified_diff

    from pkiplan.model.observed import Found
    from pkiplan.model.resource import CNF_FILE
    from pkiplan.render import render_cnf
    from pkiplan.state.read import Reader

    lines: list[str] = []
    reader = Reader(planned.site, {})
    for change in planned.plan.pending:
        resource = planned.site.resources.get(change.address)
        if resource is None or CNF_FILE not in change.files:
            continue
        with reader.resource(resource.directory) as directory:
            found = directory.read(CNF_FILE)
        before = found.value.content.decode("utf-8", "replace") if isinstance(found, Found) else ""
        name = f"{resource.directory}/{CNF_FILE}"
        lines += unified_diff(
            before.splitlines(keepends=True),
            render_cnf(planned.site, resource).splitlines(keepends=True),
            fromfile=f"a/{name}" if before else "/dev/null",
            tofile=f"b/{name}",
        )
    return "".join(lines)


def status(request: PlanRequest) -> Inventory:
    """Tell what exists, in order of urgency."""
    from pkiplan.plan.inventory import take_inventory

    planned = make_plan(request, shows_everything=True)
    return take_inventory(planned.site, planned.observed.state, planned.plan, request.now)
