"""`for_each` from every source; ids are keys, never positions."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pkiplan.manifest.inventory import expand_ranges
from pkiplan.manifest.values import BadValueError
from pkiplan.model.site import Site
from tests.manifest.loading import HEAD, load_text, mistakes, site_of


def text_for(source: str, name: str = "{{ each.key }}.example", more: str = "") -> str:
    return HEAD + f'{more}certificates:\n  node:\n    for_each: {source}\n    issuer: issuing\n    dns: ["{name}"]\n'


def names(site: Site) -> dict[str, str]:
    return {r.element: str(r.names[0].value) for r in site if r.element is not None}


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("[a1, a2, 7]", "{{ each.key }}.x", {"7": "7.x", "a1": "a1.x", "a2": "a2.x"}),
        ("{a: 1, b: {c: 2}}", "{{ each.key }}.x", {"a": "a.x", "b": "b.x"}),
        ("{var: hosts}", "{{ each.key }}-{{ each.value.n }}.x", {"h1": "h1-1.x", "h2": "h2-2.x"}),
        ("{var: deep.list}", "{{ each.value }}.x", {"p": "p.x", "q": "q.x"}),
        ("'{{ deep.list }}'", "{{ each.key }}.x", {"p": "p.x", "q": "q.x"}),
        (
            "{range: [8, 10]}",
            "n{{ each.key | zfill(3) }}-{{ each.value + 1 }}.x",
            {"10": "n010-11.x", "8": "n008-9.x", "9": "n009-10.x"},
        ),
        ("{range: ['{{ first }}', 2]}", "n{{ each.key }}.x", {"1": "n1.x", "2": "n2.x"}),
        ("{csv: hosts.csv}", "{{ each.value.site }}-{{ each.key }}.x", {"c1": "lund-c1.x", "c2": "oslo-c2.x"}),
        ("{glob: '*.host.yaml'}", "{{ each.key | replace('.host', '') }}-{{ each.value.n }}.x", {"g1.host": "g1-5.x"}),
    ],
)
def test_sources(tmp_path: Path, source: str, name: str, expected: dict[str, str]) -> None:
    more = "vars: {hosts: {h1: {n: 1}, h2: {n: 2}}, deep: {list: [p, q]}, first: 1}\n"
    (tmp_path / "g1.host.yaml").write_text("n: 5\n")

    site = site_of(tmp_path, text_for(source, name, more), hosts_csv="name,site\r\nc1, lund\n\nc2,oslo\n")

    assert names(site) == expected


def test_adding_or_removing_an_element_touches_only_its_own_resources(tmp_path: Path) -> None:
    before = site_of(tmp_path, text_for("[a, b, c]"))
    after = site_of(tmp_path, text_for("[z, c, a]"))

    for key in "ac":
        address = f'certificate.node["{key}"]'
        assert before.resources[address] == after.resources[address]


def test_every_setting_may_speak_of_the_element(tmp_path: Path) -> None:
    text = (
        "version: 1\nprofiles:\n  long: {extends: peer, subject: {organizational_unit: '{{ each.value.unit }}'}}\n  short: {extends: peer, days: 2}\n"
        "authorities:\n  root: {}\n  region: {for_each: [eu, us], issuer: root, subject: {common_name: 'CA {{ each.key }}'}}\n"
        "certificates:\n  node:\n    for_each: {a: {region: eu, p: long, unit: X, key: rsa-3072}, b: {region: us, p: short, unit: Y, key: ed25519}}\n"
        "    issuer: region[{{ each.value.region }}]\n    profile: '{{ each.value.p }}'\n    dir: 'nodes/{{ each.key }}'\n"
        "    key: '{{ each.value.key }}'\n    dns: '{{ each.key }}.example'\n    subject: {organization: Acme}\n"
    )
    site = site_of(tmp_path, text)
    a, b = site.resources['certificate.node["a"]'], site.resources['certificate.node["b"]']

    assert (a.issuer, b.issuer) == ('authority.region["eu"]', 'authority.region["us"]')
    assert (a.profile, b.profile) == ("long", "short")
    assert (str(a.subject), str(b.subject)) == ("O=Acme, OU=X", "O=Acme")
    assert (str(a.key.spec), str(b.key.spec)) == ("rsa 3072", "ed25519")
    assert (a.directory, b.directory) == ("nodes/a", "nodes/b")
    assert site.resources['authority.region["eu"]'].directory == "authorities/region/eu"


@pytest.mark.parametrize(
    ("csv", "mistake"),
    [
        ("", "hosts.csv:1:1: `hosts.csv` has no header: its first line names the fields"),
        ("a,,b\n1,2,3\n", "hosts.csv:1:1: a field without a name in the header of `hosts.csv`"),
        ("a,a\n1,2\n", "hosts.csv:1:1: the header of `hosts.csv` names the field `a` twice"),
        ("a,b\n1\n", "hosts.csv:2:1: 1 field, the header has 2"),
        ('a,b\n"1,2\n', "hosts.csv:2:1: not CSV: unexpected end of data"),
        ('a,b\n1,2\n"1"x,2\n', "hosts.csv:3:1: not CSV: ',' expected after '\"'"),
        ("a,b\n1,2\n1,3\n", "site.yaml:7:15: `for_each` has the key `1` twice (hosts.csv:2:1, hosts.csv:3:1)"),
        (
            "a,b\nX,2\nx,3\n",
            "site.yaml:7:15: the keys `X` and `x` of `for_each` differ in case only (hosts.csv:2:1, hosts.csv:3:1)",
        ),
        ("a,b\n,3\n", "site.yaml:7:15: a key of `for_each` is empty: `` (hosts.csv:2:1)"),
        (
            f"a\n{'x' * 256}\n",
            f"site.yaml:7:15: a key of `for_each` has more than 255 characters: `{'x' * 60}…` (hosts.csv:2:1)",
        ),
    ],
)
def test_mistakes_in_csv_are_told_with_their_line(tmp_path: Path, csv: str, mistake: str) -> None:
    loaded = load_text(tmp_path, text_for("{csv: hosts.csv}"), hosts_csv=csv)

    told = [
        f"{found.place}: {found.summary}"
        + (f" ({', '.join(str(note.place) for note in found.notes)})" if str(found.place).startswith("site") else "")
        for found in loaded.diagnostics
    ]
    assert mistake in told


INI = """\
# a comment
mail port=25

[web]
web[01:03].example site=lund
[db:children]
sql
[sql]
db-[a:b] site="Malmö" ports=[1,2] big=True
[web:vars]
site=oslo
kind=front
[all:vars]
kind=any
"""
YAML = """\
all:
  vars: {kind: any}
  hosts: {mail: {port: 25}}
  children:
    web:
      vars: {site: oslo, kind: front}
      hosts: {'web[01:03].example': {site: lund}}
    db:
      children:
        sql:
          hosts: {'db-[a:b]': {site: Malmö, ports: [1, 2], big: true}}
"""


@pytest.mark.parametrize(("name", "content"), [("hosts_ini", INI), ("hosts_yaml", YAML)])
def test_inventories_in_ini_and_yaml(tmp_path: Path, name: str, content: str) -> None:
    file = name.replace("_", ".")

    every = site_of(
        tmp_path, text_for(f"{{inventory: {file}}}", "{{ each.value.kind }}-{{ each.key }}"), **{name: content}
    )
    some = site_of(
        tmp_path,
        text_for(f"{{inventory: {file}, group: db}}", "{{ each.value.ports[1] }}.{{ each.key }}"),
        **{name: content},
    )
    web = site_of(
        tmp_path,
        text_for(f"{{inventory: {file}, group: web}}", "{{ each.value.site }}.{{ each.key }}"),
        **{name: content},
    )

    assert names(every) == {
        "db-a": "any-db-a", "db-b": "any-db-b", "mail": "any-mail", "web01.example": "front-web01.example",
        "web02.example": "front-web02.example", "web03.example": "front-web03.example",
    }  # fmt: skip
    assert names(some) == {"db-a": "2.db-a", "db-b": "2.db-b"}
    assert set(names(web).values()) == {"lund.web01.example", "lund.web02.example", "lund.web03.example"}


@pytest.mark.parametrize(
    ("name", "content", "mistake"),
    [
        ("hosts_ini", "#!/bin/sh\necho\n", "is a script, and scripts are not run"),
        ("hosts_yaml", "plugin: aws_ec2\n", "configures the plugin `aws_ec2`, and plugins are not run"),
        ("hosts_ini", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "is encrypted by Ansible Vault"),
        ("hosts_ini", "a secret=$ANSIBLE_VAULT;1.1\n", "a value encrypted by Ansible Vault is not opened"),
        ("hosts_yaml", "all: {hosts: {a: {s: !vault abc}}}\n", "tag `!vault` is refused"),
        ("hosts_ini", "[a:child]\n", "unknown section `[a:child]`"),
        ("hosts_ini", "a b\n", "expected `name=value` after the host, not `b`"),
        ("hosts_ini", "[a:vars]\nb\n", "expected `name=value`, not `b`"),
        ("hosts_ini", "[a:children]\nb\n[b:children]\na\n", "contain each other"),
        ("hosts_ini", "[a:children]\nwep\n[web]\nb\n", "no group `wep`"),
        ("hosts_ini", "[a:vars]\nb=1\n", "no group `a`"),
        ("hosts_ini", "w[01:3]\n", "the ends of the range `[01:3]` differ in length"),
        ("hosts_ini", "w" + "[1:2]" * 5_000 + "\n", "more than 8 ranges"),
        (
            "hosts_yaml",
            "all: {hosts: {a: {s: '$ANSIBLE_VAULT;1.1'}}}\n",
            "a value encrypted by Ansible Vault is not opened",
        ),
        ("hosts_yaml", "_meta: {hostvars: {}}\n", "is what a script prints"),
        ("hosts_ini", "w[9:1]\n", "ends before it begins"),
        ("hosts_ini", "w[1:99999999]\n", "stands for more than 250,000 hosts"),
        ("hosts_ini", "a x='\n", "No closing quotation"),
        ("hosts_yaml", "all: {host: {}}\n", "unknown key `host` of a group"),
        ("hosts_yaml", "- a\n", "is no inventory"),
    ],
)
def test_inventories_that_are_refused(tmp_path: Path, name: str, content: str, mistake: str) -> None:
    loaded = load_text(tmp_path, text_for(f"{{inventory: {name.replace('_', '.')}}}"), **{name: content})

    assert loaded.site is None
    assert any(mistake in found for found in mistakes(loaded)), mistakes(loaded)


def test_a_mistake_of_many_elements_is_told_once(tmp_path: Path) -> None:
    found = load_text(tmp_path, text_for("[a, b_, c]", "{{ each.key }}.{{ domain }}")).diagnostics

    assert [(one.summary, [note.message for note in one.notes]) for one in found] == [
        ("undefined variable `domain`", ["for the element `a` and others"])
    ]


def test_an_executable_inventory_is_a_script(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a\n")
    (tmp_path / "hosts").chmod(0o755)

    (found,) = load_text(tmp_path, text_for("{inventory: hosts}")).diagnostics

    assert "would run it as a script" in found.summary
    assert found.hint == "if it is none, say so: `chmod -x hosts`"


def test_a_mistake_in_an_inventory_is_told_at_its_line(tmp_path: Path) -> None:
    (found,) = load_text(tmp_path, text_for("{inventory: hosts.ini}"), hosts_ini="[a]\nb\n  c d\n").diagnostics

    assert str(found.place) == "hosts.ini:3:3"
    assert found.source_line == "  c d"
    assert [str(note.place)[:9] for note in found.notes] == ["site.yaml"]


def test_groups_may_be_nested_deep(tmp_path: Path) -> None:
    ini = "".join(f"[g{n}:children]\ng{n + 1}\n[g{n}:vars]\nx={n}\n" for n in range(3_000)) + "[g3000]\na\n"

    site = site_of(tmp_path, text_for("{inventory: hosts.ini}", "x{{ each.value.x }}-{{ each.key }}"), hosts_ini=ini)

    assert names(site) == {"a": "x2999-a"}


def test_an_unknown_group_is_told_with_the_nearest(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, text_for("{inventory: hosts.ini, group: wep}"), hosts_ini=INI)

    assert [found.hint for found in loaded.diagnostics] == ["did you mean `web`?"]


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("web", ["web"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[08:10]", ["web08", "web09", "web10"]),
        ("web[1:9:4]x", ["web1x", "web5x", "web9x"]),
        ("[a:b][1:2]", ["a1", "a2", "b1", "b2"]),
    ],
)
def test_ranges(pattern: str, hosts: list[str]) -> None:
    assert expand_ranges(pattern) == hosts


def test_the_ends_of_a_padded_range_are_equally_long() -> None:
    with pytest.raises(BadValueError):
        expand_ranges("w[01:100]")


def test_origins_tell_where_each_value_came_from(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {subject: {country: SE}}\nprofiles:\n  p:\n    extends: client\n    days: 9\n"
        "authorities: {root: {}}\ncertificates:\n  node:\n    for_each: [a]\n    issuer: root\n    profile: p\n    dns: ['{{ each.key }}.x']\n"
    )
    loaded = load_text(tmp_path, text)

    found = {path: (value, str(place)) for path, value, place in loaded.origins('certificate.node["a"]')}

    assert found == {
        "days": ("9", "site.yaml:6:11"),
        "dns": ("[a.x]", "site.yaml:13:10"),
        "extended_key_usage": ("[client_auth]", "built-in profile client:0:1"),
        "issuer": ("root", "site.yaml:11:13"),
        "key_usage": ("[digital_signature]", "built-in profile client:0:1"),
        "subject.common_name": ("a", "site.yaml:9:3"),
        "key.curve": ("P-256", "built-in profile client:0:1"),
        "key.type": ("ecdsa", "built-in profile client:0:1"),
        "profile": ("p", "site.yaml:12:14"),
        "subject.country": ("SE", "site.yaml:2:31"),
    }


def test_an_element_takes_little_memory(tmp_path: Path) -> None:
    head = "version: 1\nauthorities: {root: {}}\ncertificates:\n"
    node = "  node: {issuer: root, for_each: {range: [1, NUMBER]}, dns: ['{{ each.key }}.example']}\n"
    for number in (10, 40_000):
        (tmp_path / f"{number}.yaml").write_text(head + node.replace("NUMBER", str(number)))
    code = (
        "import resource\nfrom pkiplan.manifest import load_site\nused = []\nfor number in (10, 40_000):\n"
        f"    loaded = load_site([f'{{number}}.yaml'], variables=[], working_directory={str(tmp_path)!r})\n"
        "    used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n"
        "print((used[1] - used[0]) // 40_000, len(loaded.site.resources))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    each, resources = map(int, done.stdout.split())
    assert resources == 40_001
    assert each < 1_700
