"""Inventory files of Ansible, INI and YAML, read into an `Inventory`.

A reader of our own, because Ansible's inventory manager runs scripts and plugins; `group_vars/` and `host_vars/` are
not read. What would have to be run, or opened with a secret, is refused by name.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator

from pkiplan.diagnostics import Place
from pkiplan.hints import did_you_mean
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.files import Files
from pkiplan.manifest.inventory import Inventory, add_host
from pkiplan.manifest.nodes import Mapping, Native, Node, Sequence, is_null, native
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.sources import Source
from pkiplan.manifest.values import BadValueError, kind_of

_VAULT = "$ANSIBLE_VAULT"
_INSTEAD_OF_VAULT = "refer to the secret where the manifest needs it: `{env: NAME}`"
_SECTION = re.compile(r"\[([^\]:\s]+)(?::([a-z]+))?\]\s*(?:[#;].*)?")
_LONGEST_LITERAL = 4_096


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
        add_host(host, section, variables, place, inventory)
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
                        add_host(member, name, variables, problems.sources.place(member_mark), inventory)
                    except BadValueError as bad:
                        problems.error(member_mark, bad.summary, code="inventory", hint=bad.hint, at_key=True)
