"""Documents → `Site`: profiles, defaults, templates and `for_each` worked in, references followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pkiplan.diagnostics import Place
from pkiplan.manifest.checks import check_site
from pkiplan.manifest.context import Context
from pkiplan.manifest.declarations import Declaration, DeclarationReader
from pkiplan.manifest.definitions import SITE
from pkiplan.manifest.documents import Manifest
from pkiplan.manifest.files import Files
from pkiplan.manifest.for_each import Element, ForEach
from pkiplan.manifest.issuers import Issuers
from pkiplan.manifest.layers import Layers
from pkiplan.manifest.nodes import Mapping, Sequence, node_count
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.profiles import Profiles
from pkiplan.manifest.references import short_name
from pkiplan.manifest.resources import ResourceMaker
from pkiplan.manifest.settings import Settings
from pkiplan.manifest.settling import Settler
from pkiplan.manifest.values import INVALID
from pkiplan.manifest.variables import read_variables, scope
from pkiplan.manifest.verify_rules import read_rules
from pkiplan.manifest.work import TooMuchWorkError
from pkiplan.model.keys import ExternalKey
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site

MOST_RESOURCES = 250_000
# A mistake in what elements of `for_each` share is made by each of them; so many are enough to see it.
MOST_WRONG_ELEMENTS = 20
DEFAULT_NAME = "pki"
DEFAULT_DIRECTORY = "pki"


@dataclass(slots=True, eq=False, repr=False)
class Resolved:
    """A site, None when anything is wrong; declarations and settler answer where a value came from."""

    site: Site | None
    declarations: dict[Kind, dict[str, Declaration]]
    settler: Settler


def resolve(manifest: Manifest, given: list[str], files: Files, problems: Problems) -> Resolved:
    """Work a manifest out, with the variables given on the command line."""
    return _Resolver(manifest, files, problems).resolve(given)


class _Resolver:
    def __init__(self, manifest: Manifest, files: Files, problems: Problems) -> None:
        self._manifest = manifest
        self._problems = problems
        self._context = Context(files, problems)
        self._resources: dict[str, Resource] = {}
        self._settings: dict[str, Settings] = {}
        self._maker = ResourceMaker(problems)
        self._count = 0
        self._shared: dict[tuple[Kind, str], int] = {}

    def resolve(self, given: list[str]) -> Resolved:
        manifest, problems, context = self._manifest, self._problems, self._context
        variables = read_variables(manifest, given, context.files, context.templates, problems)
        context.names = scope(variables)
        context.names["site"] = name = self._scalar("site", DEFAULT_NAME)
        self._scalar("version", 1)
        self._render_sections()
        profiles = Profiles(manifest.profiles, problems)
        profiles.check()
        layers = Layers(manifest.defaults, profiles, problems)
        layers.check_defaults(manifest.defaults, manifest.defaults.mark)
        layers.check_profiles(manifest.profiles)
        for_each = ForEach(variables, context.templates.failed, context.files, problems)
        reader = DeclarationReader(context, for_each, layers)
        sections = {Kind.AUTHORITY: manifest.authorities, Kind.CERTIFICATE: manifest.certificates}
        declarations = {kind: reader.read(kind, section) for kind, section in sections.items()}
        self._settler = Settler(context, declarations[Kind.AUTHORITY], profiles, layers)
        self._issuers = Issuers(context, declarations, profiles, layers, self._resources)
        self._issuers.make_authorities(self._make)
        for declaration in declarations[Kind.CERTIFICATE].values():
            self._make_all(declaration)
        site = self._site(str(name))
        return Resolved(None if problems.errors else site, declarations, self._settler)

    def _site(self, name: str) -> Site:
        base = self._problems.sources.all[0].directory
        rules = read_rules(self._manifest.verify, self._resources, self._problems)
        directory, place = self._path("directory", DEFAULT_DIRECTORY)
        if (place is not None and directory in ("/", base)) or _is_beneath(base, directory):
            self._problems.error(
                self._manifest.scalars["directory"][1],
                f"the tree cannot lie at {shown(str(self._scalar('directory', '')))}, around its own manifest",
                code="unsafe-path",
                hint="give it a directory of its own, such as `pki`",
            )
        templates, _ = self._path("templates", "")
        ordered = check_site(self._resources, self._settings, self._problems)
        named = {directory, templates or base, *(path for one in ordered.values() for path in _absolute_paths(one))}
        return Site(
            name=name,
            base=base,
            directory=directory,
            resources=ordered,
            verify=rules,
            verify_before_switch=bool(self._scalar("verify_before_switch", default=False)),
            outside=tuple(sorted(path for path in named if not _is_beneath(path, base))),
            templates=templates or None,
            place=place,
        )

    def _scalar(self, key: str, default: Any) -> Any:
        """Read a scalar at the top of the manifest."""
        if key not in self._manifest.scalars:
            return default
        node, mark = self._manifest.scalars[key]
        value = SITE[key].type.read(
            self._context.templates.render(node, mark, self._context.names), mark, self._problems
        )
        return default if value is INVALID else value

    def _path(self, key: str, default: str) -> tuple[str, Place | None]:
        """Return the absolute path of a directory that the manifest names, and where it does."""
        text = self._scalar(key, None)
        sources = self._problems.sources
        if text is None:
            return (os.path.join(sources.all[0].directory, default) if default else ""), None
        mark = self._manifest.scalars[key][1]
        return os.path.normpath(os.path.join(sources.of(mark).directory, text)), sources.place(mark)

    def _render_sections(self) -> None:
        """Render every template that does not speak of `each`; ids and declarations come when they are read."""
        manifest, context = self._manifest, self._context
        for name in ("defaults", "profiles"):
            section: Mapping = getattr(manifest, name)
            if section.templated:
                setattr(manifest, name, context.render_static(section))
        if manifest.verify.templated:
            rendered = context.templates.render(manifest.verify, manifest.verify.mark, context.names)
            assert isinstance(rendered, Sequence)
            manifest.verify = rendered

    def _make_all(self, declaration: Declaration) -> None:
        wrong = 0
        for element in declaration.each():
            before = self._problems.errors
            self._make(declaration, element)
            wrong += self._problems.errors > before
            if wrong == MOST_WRONG_ELEMENTS:
                summary = f"{wrong} elements of `{declaration.id}` have mistakes; the others were not looked at"
                self._problems.error(declaration.mark, summary, code="too-many-mistakes", at_key=True)
                return

    def _make(self, declaration: Declaration, element: Element | None) -> None:
        if not declaration.is_sound and not declaration.own:
            return
        self._count += 1
        if self._count > MOST_RESOURCES:
            if self._count == MOST_RESOURCES + 1:
                summary = f"more than {MOST_RESOURCES:,} resources"
                self._problems.error(declaration.mark, summary, code="too-large", at_key=True)
            return
        issuer, is_sound = self._issuers.issuer(declaration, element)
        settings = self._settler.settings(declaration, element, issuer)
        self._hold(declaration, settings, element)
        if issuer is not None and isinstance(issuer.key, ExternalKey):
            summary = f"`{short_name(issuer.address)}` cannot issue: its private key lives elsewhere"
            hint = "name another issuer, or give that authority a `key:` of its own"
            self._problems.error(settings.mark_of("issuer"), summary, code="external-issuer", hint=hint)
            is_sound = False
        if not is_sound:
            self._maker.check(declaration.kind, settings)
            return
        before = len(self._problems.found)
        resource = self._maker.make(
            declaration.kind,
            declaration.id,
            element.key if element else None,
            settings,
            issuer,
            is_self_signed=declaration.is_self_signed,
        )
        if element is not None and len(self._problems.found) > before:
            self._context.name_element(before, element)
        if resource is not None:
            self._resources[resource.address] = resource
            self._settings[resource.address] = settings.without_values()

    def _hold(self, declaration: Declaration, settings: Settings, element: Element | None) -> None:
        """Count what a resource holds beyond its own text: much that many share is too much for all later steps."""
        values = settings.base.values
        if element is not None:
            key = (declaration.kind, declaration.id)
            if key not in self._shared:
                self._shared[key] = declaration.values
            values += self._shared[key] + sum(map(node_count, settings.rendered.values()))
        try:
            self._context.templates.work.hold(values)
        except TooMuchWorkError as error:
            raise self._context.templates.stopped(declaration.mark, error) from error


def _is_beneath(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _absolute_paths(resource: Resource) -> Iterator[str]:
    if resource.key.path.startswith("/"):
        yield resource.key.path
    if resource.cert_path is not None:
        yield resource.cert_path
