"""Static Ansible inventories, INI and YAML.

A reader of our own, because Ansible's inventory manager runs scripts and plugins. It knows hosts with
ranges, groups with children and their variables; `group_vars/` and `host_vars/` are not read. What would have to
be run, or opened with a secret, is refused by name.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from pkiplan.diagnostics import Place
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.files import Files
from pkiplan.manifest.nodes import Mapping, Native, Node, Sequence, is_null, native
from pkiplan.manifest.problems import Problems, did_you_mean, shown
from pkiplan.manifest.sources import Source
from pkiplan.manifest.values import BadValueError, kind_of

MOST_HOSTS = 250_000
MOST_VARIABLES = 5_000_000
MOST_RANGES = 8
_VAULT = "$ANSIBLE_VAULT"
_INSTEAD_OF_VAULT = "refer to the secret where the manifest needs it: `{env: NAME}`"
_SECTION = re.compile(r"\[([^\]:\s]+)(?::([a-z]+))?\]\s*(?:[#;].*)?")
_RANGE = re.compile(r"\[([0-9]+|[a-z]|[A-Z]):([0-9]+|[a-z]|[A-Z])(?::([0-9]+))?\]")
_PORT = re.compile(r"([^:\[\]]+|\[[^\]]+\]):([0-9]{1,5})")
_LONGEST_LITERAL = 4_096


@dataclass(slots=True)
class Group:
    """A group: its hosts, the groups below it, and its variables."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Native] = field(default_factory=dict)


@dataclass(slots=True)
class Inventory:
    """Groups by name, and hosts with what is said of each."""

    groups: dict[str, Group] = field(default_factory=lambda: {"all": Group(), "ungrouped": Group()})
    variables: dict[str, dict[str, Native]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    expanded: int = 0
    declared: set[str] = field(default_factory=lambda: {"all", "ungrouped"})
    spoken_of: dict[str, tuple[int, str]] = field(default_factory=dict)  # with the line that does
    members: dict[str, set[str]] | None = None  # by host; worked out once all is read

    def group(self, name: str) -> Group:
        """Return a group, made where it is not there yet."""
        return self.groups.setdefault(name, Group())

    def hosts_of(self, name: str) -> Iterator[tuple[str, dict[str, Native]]]:
        """Walk over the hosts of a group and those below it, by name, with all their variables."""
        depths = self._depths()
        members = self._memberships()
        names = members if name == "all" else {host: groups for host, groups in members.items() if name in groups}
        held = 0
        for host in sorted(names):
            merged: dict[str, Native] = {}
            # Ansible: a child's variables win over its parent's, among equals the later name wins, the host's always.
            for group in sorted(members[host], key=lambda group: (depths[group], group)):
                merged.update(self.groups[group].variables)
            merged.update(self.variables[host])
            held += len(merged)
            if held > MOST_VARIABLES:
                raise BadValueError(
                    f"the hosts have more than {MOST_VARIABLES:,} variables together",
                    code="inventory",
                    hint="leave out what certificates do not need",
                )
            yield host, merged

    def groups_of(self, host: str) -> list[str]:
        """List the groups of a host, by name; `all` is not worth saying."""
        return sorted(self._memberships().get(host, set()) - {"all", "ungrouped"})

    def _depths(self) -> dict[str, int]:
        """Say how deep each group lies at most below `all`."""
        above = self._above()
        depths: dict[str, int] = {}
        for name in TopologicalSorter({name: above.get(name, set()) for name in self.groups}).static_order():
            depths[name] = max((depths[parent] + 1 for parent in above.get(name, ())), default=name != "all")
        return depths

    def _above(self) -> dict[str, set[str]]:
        above: dict[str, set[str]] = {}
        for name, group in self.groups.items():
            for child in group.children:
                above.setdefault(child, set()).add(name)
        return above

    def _memberships(self) -> dict[str, set[str]]:
        if self.members is None:
            above = self._above()
            members: dict[str, set[str]] = {host: {"all"} for host in self.variables}
            held = 0
            for name, group in self.groups.items():
                ancestors = _closure(name, above) if group.hosts else set()
                held += len(ancestors) * len(group.hosts)
                if held > MOST_VARIABLES:
                    summary = f"the hosts are in more than {MOST_VARIABLES:,} groups together"
                    raise BadValueError(summary, code="inventory")
                for host in group.hosts:
                    members[host] |= ancestors
            self.members = members
        return self.members


def _closure(name: str, above: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(above.get(current, ()))
    return found


def read_inventory(path: str, files: Files, problems: Problems) -> Inventory:
    """Read an inventory file, YAML by its ending, else INI."""
    text = files.read_text(path)
    name = files.shown(path)
    if files.is_executable(path) and not text.startswith("#!"):
        raise BadValueError(
            f"the inventory {shown(name)} is executable, so Ansible would run it as a script, and scripts are not run",
            code="inventory",
            hint=f"if it is none, say so: `chmod -x {name}`",
        )
    if text.startswith("#!"):
        raise BadValueError(
            f"the inventory {shown(name)} is a script, and scripts are not run",
            code="inventory",
            hint="write a static one from it: `ansible-inventory -i SCRIPT --list --yaml --output hosts.yaml`",
        )
    if text.startswith(_VAULT):
        raise BadValueError(
            f"the inventory {shown(name)} is encrypted by Ansible Vault, and is not opened",
            code="inventory",
            hint="keep hosts in a plain file; no secret belongs into a manifest",
        )
    inventory = Inventory()
    if path.endswith((".yaml", ".yml", ".json")):
        _read_yaml(text, path, inventory, files, problems)
    else:
        _read_ini(text, name, inventory)
    _check_circles(inventory, name)
    return inventory


def _check_circles(inventory: Inventory, name: str) -> None:
    done: set[str] = set()
    for start in inventory.groups:
        path: list[tuple[str, Iterator[str]]] = [(start, iter(inventory.groups[start].children))]
        on_path = {start}
        while path:
            group, children = path[-1]
            child = next(children, None)
            if child is None:
                done.add(group)
                on_path.discard(group)
                path.pop()
            elif child in on_path:
                raise BadValueError(
                    f"the groups `{group}` and `{child}` of {shown(name)} contain each other",
                    code="inventory",
                    hint=f"take `{child}` out of the children of `{group}`",
                )
            elif child not in done:
                path.append((child, iter(inventory.groups[child].children)))
                on_path.add(child)


def expand_ranges(pattern: str) -> list[str]:
    """Expand ranges in the name of a host: `web[01:20]`, `db-[a:c]`, with a step `[1:9:2]`."""
    match = _RANGE.search(pattern)
    if match is None:
        return [pattern]
    if len(_RANGE.findall(pattern)) > MOST_RANGES:
        raise BadValueError(f"more than {MOST_RANGES} ranges in {shown(pattern)}", code="inventory")
    first, last, step = match[1], match[2], int(match[3] or 1)
    if first.isdigit() != last.isdigit() or step < 1 or (first.isdigit() and len(first) > 12):
        hint = "write for instance `web[01:20]` or `web[a:f]`"
        raise BadValueError(f"{shown(match[0])} is no range", code="inventory", hint=hint)
    if first.isdigit():
        width = len(first) if first.startswith("0") else 0
        if width and len(last) != width:
            hint = f"write `[{first}:{last.zfill(width)}]`"
            raise BadValueError(
                f"the ends of the range {shown(match[0])} differ in length", code="inventory", hint=hint
            )
        begin, end = int(first), int(last)
    else:
        width, begin, end = 0, ord(first), ord(last)
    if end < begin:
        hint = f"write `[{last}:{first}]`" if first.isdigit() or first.islower() == last.islower() else ""
        raise BadValueError(f"the range {shown(match[0])} ends before it begins", code="inventory", hint=hint)
    count = (end - begin) // step + 1
    rest = expand_ranges(pattern[match.end() :])
    if count * len(rest) > MOST_HOSTS:
        raise BadValueError(f"the range {shown(match[0])} stands for more than {MOST_HOSTS:,} hosts", code="inventory")
    start = pattern[: match.start()]
    heads = (str(number).zfill(width) if first.isdigit() else chr(number) for number in range(begin, end + 1, step))
    return [f"{start}{head}{tail}" for head in heads for tail in rest]


def _add_host(pattern: str, group: str, variables: dict[str, Native], place: Place, inventory: Inventory) -> None:
    port = (
        _PORT.fullmatch(pattern)
        if not _RANGE.search(pattern) or pattern.count(":") > len(_RANGE.findall(pattern)) * 2
        else None
    )
    if port:
        pattern = port[1].strip("[]")
        variables = {**variables, "ansible_port": int(port[2])}
    hosts = expand_ranges(pattern)
    inventory.expanded += len(hosts)
    if inventory.expanded > MOST_HOSTS:
        raise BadValueError(f"more than {MOST_HOSTS:,} hosts", code="inventory")
    for host in hosts:
        inventory.variables.setdefault(host, {}).update(variables)
        inventory.places.setdefault(host, place)
        inventory.group(group).hosts[host] = None


def _read_ini(text: str, name: str, inventory: Inventory) -> None:
    section, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        try:
            match = _SECTION.fullmatch(line)
            if match:
                section, kind = _ini_section(match[1], match[2] or "hosts", inventory)
                if kind == "vars":
                    inventory.spoken_of.setdefault(section, (number, raw))
                else:
                    inventory.declared.add(section)
            else:
                _ini_line(line, section, kind, Place(name, number), inventory)
                if kind == "children":
                    inventory.spoken_of.setdefault(line.split(maxsplit=1)[0], (number, raw))
        except BadValueError as bad:
            raise bad.in_line(name, number, raw, "inventory") from bad
    _check_declared(name, inventory)


def _check_declared(name: str, inventory: Inventory) -> None:
    """Refuse groups that are spoken of and declared nowhere, as Ansible does; most of them are misspelt."""
    for group, (number, line) in inventory.spoken_of.items():
        if group not in inventory.declared:
            hint = did_you_mean(group, inventory.declared - {"all", "ungrouped"}, otherwise=f"declare it: `[{group}]`")
            raise BadValueError(f"no group {shown(group)}", hint=hint).in_line(name, number, line, "inventory")


def _ini_section(section: str, kind: str, inventory: Inventory) -> tuple[str, str]:
    if kind not in ("hosts", "children", "vars"):
        hint = "known: `[group]`, `[group:children]`, `[group:vars]`"
        raise BadValueError(f"unknown section `[{section}:{kind}]`", hint=hint)
    inventory.group(section)
    return section, kind


def _ini_line(line: str, section: str, kind: str, place: Place, inventory: Inventory) -> None:
    if kind == "hosts":
        host, variables = _ini_host(line)
        _add_host(host, section, variables, place, inventory)
    elif kind == "children":
        inventory.group(section).children[line.split(maxsplit=1)[0]] = None
        inventory.group(line.split(maxsplit=1)[0])
    else:
        key, equals, value = line.partition("=")
        if not equals:
            raise BadValueError(f"expected `name=value`, not {shown(line)}")
        inventory.group(section).variables[key.strip()] = _ini_value(value.strip())


def _ini_host(line: str) -> tuple[str, dict[str, Native]]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise BadValueError(f"{error}: {shown(line)}") from error
    if line.startswith("["):
        raise BadValueError(f"{shown(line)} is no section")
    variables: dict[str, Native] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            raise BadValueError(f"expected `name=value` after the host, not {shown(word)}")
        variables[key] = _ini_value(value)
    return words[0], variables


def _ini_value(text: str) -> Native:
    """Read a value as Ansible does: a Python literal where it is one, else text."""
    if _VAULT in text:
        raise BadValueError("a value encrypted by Ansible Vault is not opened", hint=_INSTEAD_OF_VAULT)
    if len(text) > _LONGEST_LITERAL:
        return text
    try:
        return _checked(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _checked(value: object) -> Native:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_checked(item) for item in value]
        case dict():
            return {str(key): _checked(item) for key, item in value.items()}
    raise TypeError


def _read_yaml(text: str, path: str, inventory: Inventory, files: Files, problems: Problems) -> None:
    source = Source(files.shown(path), os.path.dirname(path), text)
    number = problems.sources.add(source)
    source.documents = read_documents(text, number, problems)
    for document in source.documents:
        if not isinstance(document, Mapping):
            raise BadValueError(
                f"{source.shown} is no inventory: expected a map of groups, not {kind_of(document)}", code="inventory"
            )
        if "plugin" in document:
            plugin = shown(str(document["plugin"]))
            raise BadValueError(
                f"the inventory {shown(source.shown)} configures the plugin {plugin}, and plugins are not run",
                code="inventory",
                hint="write a static one from it: `ansible-inventory -i FILE --list --yaml --output hosts.yaml`",
            )
        if "_meta" in document:
            raise BadValueError(
                f"{shown(source.shown)} is what a script prints, not an inventory file",
                code="inventory",
                hint="`ansible-inventory -i SCRIPT --list --yaml --output hosts.yaml` writes one",
            )
        _refuse_vaulted(document, problems)
        for name, group, _, mark in document.entries():
            _yaml_group(name, group, mark, inventory, problems)


def _refuse_vaulted(node: Node, problems: Problems) -> None:
    for element, mark in (
        zip(node.values(), node.marks[1::2], strict=True)
        if isinstance(node, Mapping)
        else zip(node, node.marks, strict=True)
        if isinstance(node, Sequence)
        else ()
    ):
        if isinstance(element, str) and element.startswith(_VAULT):
            summary = "a value encrypted by Ansible Vault is not opened"
            problems.error(mark, summary, code="inventory", hint=_INSTEAD_OF_VAULT)
        elif not isinstance(element, str):
            _refuse_vaulted(element, problems)


def _yaml_group(name: str, node: Node, mark: int, inventory: Inventory, problems: Problems) -> None:
    group = inventory.group(name)
    if is_null(node):
        return
    if not isinstance(node, Mapping):
        problems.error(mark, f"a group is a map, not {kind_of(node)}", code="inventory")
        return
    for key, value, key_mark, value_mark in node.entries():
        if key not in ("hosts", "children", "vars"):
            problems.error(
                key_mark,
                f"unknown key {shown(key)} of a group",
                code="inventory",
                hint="known: `hosts`, `children`, `vars`",
                at_key=True,
            )
        elif is_null(value):
            continue
        elif not isinstance(value, Mapping):
            problems.error(value_mark, f"`{key}` of a group is a map, not {kind_of(value)}", code="inventory")
        elif key == "vars":
            group.variables.update({name: native(element) for name, element in value.items()})
        else:
            for member, element, member_mark, element_mark in value.entries():
                if key == "children":
                    group.children[member] = None
                    _yaml_group(member, element, element_mark, inventory, problems)
                else:
                    variables = (
                        {name: native(one) for name, one in element.items()} if isinstance(element, Mapping) else {}
                    )
                    try:
                        _add_host(member, name, variables, problems.sources.place(member_mark), inventory)
                    except BadValueError as bad:
                        problems.error(member_mark, bad.summary, code="inventory", hint=bad.hint, at_key=True)
