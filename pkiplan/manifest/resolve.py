"""Documents → `Site`: profiles, defaults, templates and `for_each` worked in, references followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pkiplan.manifest.checks import check_site
from pkiplan.manifest.definitions import OWN, SITE
from pkiplan.manifest.documents import Manifest
from pkiplan.manifest.files import Files
from pkiplan.manifest.for_each import Element, ForEach
from pkiplan.manifest.layers import KEY_HINTS, KIND_SETTINGS, SECTIONS, Base, Layers, merged_value, wrong_profile
from pkiplan.manifest.nodes import Mapping, Node, Plain, Templated, is_null, is_templated
from pkiplan.manifest.problems import Problems, did_you_mean, shown
from pkiplan.manifest.profiles import Profile, Profiles
from pkiplan.manifest.resources import ResourceMaker, Settings
from pkiplan.manifest.templates import Templates, mentions_each
from pkiplan.manifest.values import INVALID, Boolean, kind_of, unknown_key
from pkiplan.manifest.variables import read_variables, scope
from pkiplan.manifest.verify_rules import read_rules
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import address_of

MOST_RESOURCES = 250_000
DEFAULT_NAME = "pki"
DEFAULT_DIRECTORY = "pki"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# `root`, `region["eu"]`, `region[eu]`, each also with the kind before it.
_REFERENCE = re.compile(r"(?:authority\.|certificate\.)?([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\[(?:\"((?:[^\"\\]|\\.)*)\"|([^\"\]]*))\])?")
_OWN_KEYS = {
    Kind.AUTHORITY: {"issuer", "profile", "for_each", "defaults", *OWN},
    Kind.CERTIFICATE: {"issuer", "profile", "for_each", "self_signed", *OWN},
}


@dataclass(slots=True)
class Block:
    """One declaration; with `for_each` it stands for several resources."""

    kind: Kind
    id: str
    own: Mapping
    mark: int
    elements: list[Element] | None = None  # None: no `for_each`
    is_self_signed: bool = False
    plans: dict[tuple[str | None, str | None], Plan | None] = field(default_factory=dict)
    is_sound: bool = True

    def each(self) -> Iterator[Element | None]:
        """Walk over the elements; a block without `for_each` is one resource."""
        return iter(self.elements) if self.elements is not None else iter((None,))


@dataclass(slots=True)
class Plan:
    """How the resources of a block with one issuer and profile are made: what is the same, and what each has of its own."""

    base: Base
    fields: dict[str, Any]
    dynamic: tuple[str, ...]
    rendered: dict[str, Node]


@dataclass(slots=True)
class Resolved:
    """What came of a manifest. `blocks` and `resolver` answer where a value came from."""

    site: Site | None
    blocks: dict[str, Block]
    resolver: Resolver


class Resolver:
    """Works one manifest out."""

    def __init__(self, manifest: Manifest, files: Files, problems: Problems) -> None:
        self._manifest = manifest
        self._files = files
        self._problems = problems
        self.templates = Templates(problems)
        self._scope: dict[str, Any] = {}
        self._resources: dict[str, Resource] = {}
        self._marks: dict[str, Settings] = {}
        self._blocks: dict[Kind, dict[str, Block]] = {Kind.AUTHORITY: {}, Kind.CERTIFICATE: {}}
        self._issuer_defaults: dict[str, Mapping] = {}
        self._count = 0

    def resolve(self, given: list[str]) -> Resolved:
        """Make the site; it is None when anything is wrong."""
        variables = read_variables(self._manifest, given, self._files, self.templates, self._problems)
        self._scope = scope(variables)
        self._scope["site"] = name = self._scalar("site", DEFAULT_NAME)
        self._render_sections()
        self._for_each = ForEach(variables, self._files, self._problems)
        self.profiles = Profiles(self._manifest.profiles, self._problems)
        self.profiles.check()
        self.layers = Layers(self._manifest.defaults, self.profiles, self._problems)
        self.layers.check_defaults(self._manifest.defaults, self._manifest.defaults.mark)
        self.layers.check_profiles(self._manifest.profiles)
        self._maker = ResourceMaker(self._problems)
        for kind in (Kind.AUTHORITY, Kind.CERTIFICATE):
            self._read_blocks(kind)
        is_whole = all(block.is_sound for blocks in self._blocks.values() for block in blocks.values())
        self._make_authorities()
        for block in self._blocks[Kind.CERTIFICATE].values():
            for element in block.each():
                self._make(block, element)
        rules = read_rules(self._manifest.verify, self._references(), is_whole=is_whole, problems=self._problems)
        directory, outside, templates, place = self._paths()
        ordered = check_site(self._resources, self._marks, self._problems)
        blocks = {**{f"a{key}": block for key, block in self._blocks[Kind.AUTHORITY].items()}, **{f"c{key}": block for key, block in self._blocks[Kind.CERTIFICATE].items()}}
        if self._problems.errors:
            return Resolved(None, blocks, self)
        base = self._problems.sources.all[0].directory
        adopted = {path for resource in ordered.values() for path in _absolute_paths(resource)}
        site = Site(
            name=str(name),
            base=base,
            directory=directory,
            resources=ordered,
            verify=rules,
            verify_before_switch=bool(self._scalar("verify_before_switch", default=False)),
            outside=tuple(sorted({path for path in (outside | adopted) if not _is_beneath(path, base)})),
            templates=templates,
            place=place,
        )
        return Resolved(site, blocks, self)

    def _scalar(self, key: str, default: Any) -> Any:
        """Read a scalar at the top of the manifest."""
        if key not in self._manifest.scalars:
            return default
        node, mark = self._manifest.scalars[key]
        node = self.templates.render(node, mark, self._scope)
        before = self._problems.errors
        value = SITE[key].type.read(node, mark, self._problems)
        if value is INVALID and self._problems.errors == before:
            return default
        return default if value is INVALID else value

    def _render_sections(self) -> None:
        """Render every template that does not speak of `each`."""
        manifest = self._manifest
        self._scalar("version", 1)
        for name in ("defaults", "profiles"):
            section: Mapping = getattr(manifest, name)
            if section.templated:
                setattr(manifest, name, self._render_static(section))
        if manifest.verify.templated:
            rendered = self.templates.render(manifest.verify, manifest.verify.mark, self._scope)
            assert isinstance(rendered, type(manifest.verify))
            manifest.verify = rendered

    def _render_static(self, node: Mapping) -> Mapping:
        """Render what is the same for all elements; an entry that speaks of `each` waits for its element."""
        rendered = Mapping(node.mark)
        for key, value, key_mark, value_mark in node.entries():
            name: str | None = key
            if type(key) is Templated:
                name = None if mentions_each(key) else self.templates.render_key(key, key_mark, self._scope)
                if name is None:
                    if mentions_each(key):
                        self._problems.error(key_mark, "`each` cannot be part of this key", code="template", at_key=True)
                    continue
            assert name is not None
            if is_templated(value):
                if not mentions_each(value):
                    value = self.templates.render(value, value_mark, self._scope)
                elif isinstance(value, Mapping):
                    value = self._render_static(value)
            if name in rendered:
                self._problems.error(key_mark, f"duplicate key {shown(name)} out of a template", code="duplicate-key", at_key=True)
                continue
            rendered.put(name, value, key_mark, value_mark)
        return rendered

    # Declarations

    def _read_blocks(self, kind: Kind) -> None:
        section: Mapping = getattr(self._manifest, SECTIONS[kind])
        blocks = self._blocks[kind]
        folded: dict[str, str] = {}
        known = {**KIND_SETTINGS[kind]}
        also = _OWN_KEYS[kind]
        for key, value, key_mark, value_mark in section.entries():
            name: str | None = key
            if type(key) is Templated:
                name = self.templates.render_key(key, key_mark, self._scope)
            if name is None:
                continue
            if not _ID.fullmatch(name):
                self._problems.error(
                    key_mark, f"{shown(name)} is no id", code="id", at_key=True, hint="at most 64 letters, digits, dots, underscores and hyphens, a letter or digit first"
                )
                continue
            other = folded.setdefault(name.casefold(), name)
            if other != name or name in blocks:
                what = "is defined twice" if other == name else f"and `{other}` differ in case only"
                first = blocks.get(other)
                notes = [self._problems.note(first.mark, "first defined here")] if first else []
                code = "duplicate-key" if other == name else "same-but-case"
                self._problems.error(key_mark, f"`{name}` {what}", code=code, at_key=True, notes=notes)
                continue
            if not isinstance(value, Mapping):
                if not is_null(value):
                    self._problems.error(value_mark, f"expected a map of settings, not {kind_of(value)}", code="wrong-type")
                    blocks[name] = Block(kind, name, Mapping(value_mark), key_mark, is_sound=False)
                    continue
                value = Mapping(value_mark)
            block = blocks[name] = Block(kind, name, value, key_mark)
            for inner in value:
                if inner not in known and inner not in also and type(inner) is not Templated:
                    self._unknown_key(kind, inner, value.key_mark(inner), [*known, *also])
            if value.templated or "for_each" in value or "self_signed" in value or "defaults" in value:
                self._read_special(block)

    def _unknown_key(self, kind: Kind, key: str, mark: int, known: list[str]) -> None:
        hint = KEY_HINTS.get(key, "")
        other = Kind.CERTIFICATE if kind is Kind.AUTHORITY else Kind.AUTHORITY
        if key in KIND_SETTINGS[other] or key in _OWN_KEYS[other]:
            hint = f"`{key}` is for {SECTIONS[other]} only"
        if key == "extends":
            hint = "a resource names its profile: `profile: …`"
        unknown_key(key, mark, known, self._problems, hint=hint)

    def _read_special(self, block: Block) -> None:
        block.own = own = self._render_static(block.own) if block.own.templated else block.own
        if "for_each" in own and not is_null(own["for_each"]):
            block.elements = self._for_each.elements(own["for_each"], own.value_mark("for_each"))
            if block.elements is None:
                block.elements = []
                block.is_sound = False
        elif mentions_each(own):
            for name, value, _, value_mark in own.entries():
                if mentions_each(value):
                    self.templates.render(value, value_mark, self._scope)
            block.is_sound = False
        if "self_signed" in own and not is_null(own["self_signed"]):
            read = Boolean().read(own["self_signed"], own.value_mark("self_signed"), self._problems)
            block.is_self_signed = read is True
            if read is True and "issuer" in own and not is_null(own["issuer"]):
                self._problems.error(own.value_mark("issuer"), "`self_signed: true` excludes an issuer", code="conflict")
        if "defaults" in own and not is_null(own["defaults"]) and block.kind is Kind.AUTHORITY:
            defaults = own["defaults"]
            self.layers.check_defaults(defaults, own.value_mark("defaults"))
            if isinstance(defaults, Mapping):
                self._issuer_defaults[block.id] = defaults

    # Issuers

    def _make_authorities(self) -> None:
        """Make authorities from the roots down; who waits for ever is in a circle."""
        waiting = [(block, element) for block in self._blocks[Kind.AUTHORITY].values() for element in block.each()]
        made: set[str] = set()
        issuers = {id(pair): self._issuer_address(*pair) for pair in waiting}
        addresses = {id(pair): address_of(Kind.AUTHORITY, pair[0].id, pair[1].key if pair[1] else None) for pair in waiting}
        known = set(addresses.values())
        while waiting:
            ready = [pair for pair in waiting if (issuer := issuers[id(pair)]) is None or issuer in made or issuer not in known]
            if not ready:
                self._report_circles({addresses[id(pair)]: (pair[0], str(issuers[id(pair)])) for pair in waiting})
                return
            for pair in ready:
                self._make(*pair)
                made.add(addresses[id(pair)])
            waiting = [pair for pair in waiting if addresses[id(pair)] not in made]

    def _report_circles(self, waiting: dict[str, tuple[Block, str]]) -> None:
        told: set[str] = set()
        for start in sorted(waiting):
            path: list[str] = []
            current = start
            while current in waiting and current not in path and current not in told:
                path.append(current)
                current = waiting[current][1]
            if current in path:
                circle = path[path.index(current) :]
                block = waiting[circle[0]][0]
                mark = block.own.value_mark("issuer") if "issuer" in block.own else block.mark
                names = " → ".join(f"`{_short(address)}`" for address in [*circle, circle[0]])
                self._problems.error(mark, f"issuers go round in a circle: {names}", code="issuer-cycle", hint="one of them must be a root: leave its `issuer` out")
            told.update(path)

    def _issuer_node(self, block: Block) -> tuple[Node, int] | None:
        """Return what a resource, its profile or the defaults say of its issuer."""
        own = block.own
        if "issuer" in own:
            return own["issuer"], own.value_mark("issuer")
        if block.is_self_signed:
            return None
        profile = own.get("profile")
        if isinstance(profile, str):
            found = self.profiles.find(str(profile))
            for layer in reversed(found.layers if found else ()):
                if "issuer" in layer:
                    return layer["issuer"], layer.value_mark("issuer")
        return self.layers.default_of("issuer", block.kind)

    def _issuer_address(self, block: Block, element: Element | None) -> str | None:
        """Return the address of the declared issuer, whether there is one by that name or not."""
        given = self._issuer_node(block)
        if given is None or is_null(given[0]):
            return None
        text = self._reference_text(given[0], given[1], element)
        return None if text is None else self._address(Kind.AUTHORITY, text)

    def _reference_text(self, node: Node, mark: int, element: Element | None) -> str | None:
        if is_templated(node):
            node = self.templates.render(node, mark, self._scope_of(element))
        if isinstance(node, str) and not is_templated(node):
            return None if is_null(node) else str(node)
        return None

    def _scope_of(self, element: Element | None) -> dict[str, Any]:
        return self._scope if element is None else {**self._scope, "each": element.each}

    def _address(self, kind: Kind, text: str) -> str | None:
        match = _REFERENCE.fullmatch(text)
        if match is None:
            return None
        quoted = match[2]
        key = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[3]
        return address_of(kind, match[1], key)

    def _references(self) -> dict[str, str]:
        """Every way to name a resource in `verify`, with its address."""
        return {address: address for address in self._resources}

    def _issuer(self, block: Block, element: Element | None) -> tuple[Resource | None, bool]:
        """Return the issuer, and whether all is well with it."""
        given = self._issuer_node(block)
        if given is None or is_null(given[0]):
            if block.kind is Kind.CERTIFICATE and not block.is_self_signed:
                self._problems.error(
                    block.mark, "no issuer", code="missing-key", at_key=True, hint="write `issuer: NAME` of an authority, or `self_signed: true`"
                )
                return None, False
            return None, True
        node, mark = given
        text = self._reference_text(node, mark, element)
        if text is None:
            if not is_templated(node):
                self._problems.error(mark, f"expected the id of an authority, not {kind_of(node)}", code="wrong-type")
            return None, False
        address = self._address(Kind.AUTHORITY, text)
        issuer = self._resources.get(address or "")
        if issuer is not None:
            return issuer, True
        name = text.split("[")[0].removeprefix("authority.")
        declared = self._blocks[Kind.AUTHORITY].get(name)
        if declared is not None and (declared.elements is None or not declared.is_sound) and "[" not in text:
            return None, False  # what is wrong with it is told where it is declared
        self._unknown_issuer(text, mark, declared)
        return None, False

    def _unknown_issuer(self, text: str, mark: int, declared: Block | None) -> None:
        authorities = self._blocks[Kind.AUTHORITY]
        notes = []
        hint = did_you_mean(text, authorities, otherwise="" if authorities else "declare it under `authorities:`")
        close = re.fullmatch(r"did you mean `(.*)`\?", hint)
        if declared is not None:
            keys = [element.key for element in declared.elements or ()]
            hint = f"`{declared.id}` has `for_each`; write `{declared.id}[KEY]`" + (f", such as `{declared.id}[{keys[0]}]`" if keys else "")
            notes = [self._problems.note(declared.mark, f"`{declared.id}` is declared here")]
        elif close and close[1] in authorities:
            notes = [self._problems.note(authorities[close[1]].mark, f"`{close[1]}` is declared here")]
        elif text in self._blocks[Kind.CERTIFICATE]:
            hint = f"`{text}` is a certificate; only authorities issue"
        self._problems.error(mark, f"unknown issuer {shown(text)}", code="unknown-issuer", hint=hint, notes=notes)

    # Resources

    def _make(self, block: Block, element: Element | None) -> None:
        if not block.is_sound and block.elements is None and not block.own:
            return
        self._count += 1
        if self._count > MOST_RESOURCES:
            if self._count == MOST_RESOURCES + 1:
                self._problems.error(block.mark, f"more than {MOST_RESOURCES:,} resources", code="too-large", at_key=True)
            return
        issuer, is_sound = self._issuer(block, element)
        settings = self.settings(block, element, issuer)
        if settings is None:
            return
        if not is_sound:
            return
        if issuer is not None and not self._can_issue(issuer, settings):
            return
        before = len(self._problems.found)
        resource = self._maker.make(
            block.kind, block.id, element.key if element else None, settings, issuer, is_self_signed=block.is_self_signed
        )
        if element is not None and len(self._problems.found) > before:
            self._name_element(before, element)
        if resource is not None:
            self._resources[resource.address] = resource
            self._marks[resource.address] = settings

    def _name_element(self, start: int, element: Element) -> None:
        """Say in new diagnostics which element they are about."""
        from dataclasses import replace

        from pkiplan.diagnostics import Note

        note = Note(message=f"for the element {shown(element.key)}", place=element.place)
        for index in range(start, len(self._problems.found)):
            self._problems.found[index] = replace(self._problems.found[index], notes=(*self._problems.found[index].notes, note))

    def _can_issue(self, issuer: Resource, settings: Settings) -> bool:
        from pkiplan.model.keys import ExternalKey

        if isinstance(issuer.key, ExternalKey):
            self._problems.error(
                settings.mark_of("issuer"), f"`{_short(issuer.address)}` cannot issue: its private key lives elsewhere", code="external-issuer"
            )
            return False
        return True

    def settings(self, block: Block, element: Element | None, issuer: Resource | None) -> Settings | None:
        """Work out the settings of one resource; None when something in them is wrong (which is reported)."""
        defaults = self._issuer_defaults.get(issuer.id) if issuer is not None else None
        given = self._profile_node(block, defaults)
        name: str | None = None
        if given is not None:
            name = self._reference_text(given[0], given[1], element)
            if name is None and not is_templated(given[0]):
                self._problems.error(given[1], f"expected the name of a profile, not {kind_of(given[0])}", code="wrong-type")
        key = (name, issuer.id if defaults is not None and issuer is not None else None)
        if key not in block.plans:
            block.plans[key] = self._plan(block, name, given[1] if given else block.mark, defaults, is_root=issuer is None)
        plan = block.plans[key]
        if plan is None:
            return None
        if element is None:
            return Settings(block.own, plan.base, plan.fields, block.mark, plan.rendered) if not plan.dynamic else None
        return self._of_element(block, plan, element)

    def _profile_node(self, block: Block, issuer_defaults: Mapping | None) -> tuple[Node, int] | None:
        if "profile" in block.own and not is_null(block.own["profile"]):
            return block.own["profile"], block.own.value_mark("profile")
        found = self.layers.default_of("profile", block.kind, issuer_defaults)
        return None if found is None or is_null(found[0]) else found

    def profile(self, name: str | None, mark: int, kind: Kind) -> tuple[Profile | None, bool]:
        """Return a profile by name, and whether all is well with it."""
        if name is None:
            return None, True
        profile = self.profiles.find(name)
        if profile is None:
            if name not in self._manifest.profiles:
                names = self.profiles.names
                hint = did_you_mean(name, names)
                close = re.fullmatch(r"did you mean `(.*)`\?", hint)
                own = self._manifest.profiles
                notes = [self._problems.note(own.key_mark(close[1]), f"`{close[1]}` is declared here")] if close and close[1] in own else []
                self._problems.error(mark, f"unknown profile {shown(name)}", code="unknown-profile", hint=hint, notes=notes)
            return None, False
        why = wrong_profile(profile, kind)
        if why:
            hint = "`root-ca` and `issuing-ca` are for authorities" if kind is Kind.AUTHORITY else ""
            self._problems.error(mark, why, code="profile-kind", hint=hint)
        return profile, not why

    def _plan(self, block: Block, profile_name: str | None, mark: int, defaults: Mapping | None, *, is_root: bool) -> Plan | None:
        profile, is_sound = self.profile(profile_name, mark, block.kind)
        base = self.layers.base(block.kind, profile if is_sound else None, defaults, is_root=is_root)
        fields = base.fields.copy()
        own = block.own
        rendered: dict[str, Node] = {}
        dynamic = set(base.dynamic)
        settings = KIND_SETTINGS[block.kind]
        raw = base.node
        is_sound = is_sound and (base.is_sound or all(value is not INVALID or name in own for name, value in fields.items()))
        marks = iter(own.marks)
        for name, value in own.items():
            next(marks)
            value_mark = next(marks)
            definition = settings.get(name) or OWN.get(name)
            if definition is None:
                continue
            if name in ("days", "lifetime", "not_after") and not is_null(value):
                for other in ("days", "lifetime", "not_after"):
                    if other != name and other not in own:
                        fields.pop(other, None)
                        dynamic.discard(other)
            kind = value.__class__
            if kind is Templated or (kind is not str and kind is not Plain and mentions_each(value)):
                dynamic.add(name)
                continue
            if kind is Mapping or name == "key":
                value = rendered[name] = merged_value(name, raw.get(name), value, value_mark)
                if mentions_each(value):
                    dynamic.add(name)
                    continue
            elif kind is Plain and is_null(value):
                fields[name] = None
                dynamic.discard(name)
                continue
            elif name == "subject":
                rendered[name] = value
            dynamic.discard(name)
            read = fields[name] = definition.type.read(value, value_mark, self._problems)
            if read is INVALID:
                is_sound = False
        if block.elements is None and dynamic:
            for name in sorted(dynamic - own.keys()):
                self.templates.render(raw[name], raw.value_mark(name), self._scope)
        return Plan(base, fields, tuple(sorted(dynamic)), rendered) if is_sound else None

    def _of_element(self, block: Block, plan: Plan, element: Element) -> Settings | None:
        if not plan.dynamic:
            return Settings(block.own, plan.base, plan.fields, block.mark, plan.rendered)
        fields = plan.fields.copy()
        rendered = plan.rendered.copy()
        variables = self._scope_of(element)
        settings = KIND_SETTINGS[block.kind]
        start, before = len(self._problems.found), self._problems.errors
        is_sound = True
        for name in plan.dynamic:
            definition = settings.get(name) or OWN[name]
            lower = plan.base.node.get(name)
            if name in block.own:
                mark = block.own.value_mark(name)
                value = self.templates.render(block.own[name], mark, variables)
                if lower is not None and is_templated(lower):
                    lower = self.templates.render(lower, mark, variables)
                value = merged_value(name, lower, value, mark)
            else:
                assert lower is not None
                mark = plan.base.node.value_mark(name)
                value = self.templates.render(lower, mark, variables)
            rendered[name] = value
            if is_null(value):
                fields[name] = None
                continue
            fields[name] = definition.type.read(value, mark, self._problems)
            is_sound = is_sound and fields[name] is not INVALID
        if self._problems.errors > before:
            self._name_element(start, element)
        return Settings(block.own, plan.base, fields, block.mark, rendered) if is_sound else None

    # Paths

    def _paths(self) -> tuple[str, set[str], str | None, Any]:
        """Return the directory of the tree, what lies outside, the templates' directory, and where the tree is named."""
        problems = self._problems
        base = problems.sources.all[0].directory
        outside: set[str] = set()
        place = None
        directory = os.path.join(base, DEFAULT_DIRECTORY)
        text = self._scalar("directory", None)
        if text is not None:
            mark = self._manifest.scalars["directory"][1]
            place = problems.sources.place(mark)
            directory = os.path.normpath(os.path.join(problems.sources.of(mark).directory, text))
            if directory in ("/", base) or _is_beneath(base, directory):
                problems.error(
                    mark, f"the tree cannot lie at {shown(text)}, around its own manifest", code="unsafe-path", hint="give it a directory of its own, such as `pki`"
                )
        else:
            place = None
        if not _is_beneath(directory, base):
            outside.add(directory)
        templates = None
        text = self._scalar("templates", None)
        if text is not None:
            mark = self._manifest.scalars["templates"][1]
            templates = os.path.normpath(os.path.join(problems.sources.of(mark).directory, text))
            if not _is_beneath(templates, base):
                outside.add(templates)
        return directory, outside, templates, place


def _is_beneath(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _absolute_paths(resource: Resource) -> Iterator[str]:
    path = resource.key.path
    if path.startswith("/"):
        yield path
    if resource.cert_path is not None:
        yield resource.cert_path


def _short(address: str) -> str:
    return address.partition(".")[2]
