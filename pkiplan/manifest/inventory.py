"""What an inventory of Ansible's says: hosts with ranges, groups with children, and their variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from pkiplan.diagnostics import Place
from pkiplan.manifest.nodes import Native
from pkiplan.manifest.problems import shown
from pkiplan.manifest.values import BadValueError

MOST_HOSTS = 250_000
MOST_VARIABLES = 5_000_000
MOST_RANGES = 8
_RANGE = re.compile(r"\[([0-9]+|[a-z]|[A-Z]):([0-9]+|[a-z]|[A-Z])(?::([0-9]+))?\]")
_PORT = re.compile(r"([^:\[\]]+|\[[^\]]+\]):([0-9]{1,5})")


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


def add_host(pattern: str, group: str, variables: dict[str, Native], place: Place, inventory: Inventory) -> None:
    """Put a host, or a range of them, into a group, with what is said of it there."""
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
