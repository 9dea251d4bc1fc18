"""Templates: what they can say, what they cannot do, and that the short way gives what Jinja2 gives."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pkiplan.manifest.expressions import Expressions
from pkiplan.manifest.functions import ExpressionError
from pkiplan.manifest.problems import Problems
from pkiplan.manifest.sources import Sources
from pkiplan.manifest.templates import TemplateProblemError, Templates
from pkiplan.manifest.work import Work
from tests.manifest.loading import HEAD, certificate, load_text, mistakes, site_of

VARIABLES: dict[str, Any] = {
    "n": 90,
    "on": True,
    "name": "web",
    "nothing": None,
    "names": ["b", "a", "b"],
    "host": {"name": "web", "items": "mine", "ports": [80, 443], "deep": {"er": 1}},
}
VARIABLES["vars"] = dict(VARIABLES)


def rendered(text: str, **more: Any) -> Any:
    return Templates(Problems(Sources())).value(text, {**VARIABLES, **more})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ n }}", 90),
        ("{{n}}", 90),
        ("{{ on }}", True),
        ("{{ nothing }}", None),
        ("{{ names }}", ["b", "a", "b"]),
        ("{{ host.deep.er }}", 1),
        ("{{ vars.n }}", 90),
        ("{{ host.items }}", "mine"),
        ("{{ host['name'] }}", "web"),
        ("{{ host.ports[1] }}", 443),
        ("{{ names[-1] }}", "b"),
        ("{{ names[:2] }}", ["b", "a"]),
        ("{{ names[::-1] }}", ["b", "a", "b"]),
        ("{{ name[-2:] }}", "eb"),
        ("{{ names[9:] }}", []),
        ("x-{{ n }}-{{ on }}", "x-90-true"),
        ("{{ n }}d", "90d"),
        ("{{ '10' }}", "10"),
        ("{{ n * 2 + 1 }}", 181),
        ("{{ n // 7 }}", 12),
        ("{{ -n }}", -90),
        ("{{ n % 7 }}", 6),
        ("{{ name ~ '-' ~ n }}", "web-90"),
        ("{{ name + '.example' }}", "web.example"),
        ("{{ 'a' if on else 'b' }}", "a"),
        ("{{ missing | default('x') }}", "x"),
        ("{{ host.missing | default('x') }}", "x"),
        ("{{ missing is defined }}", False),
        ("{{ name | upper }}", "WEB"),
        ("{{ name.upper() }}", "WEB"),
        ("{{ 'a-b'.replace('-', '.') }}", "a.b"),
        ("{{ names | unique | sort | join(',') }}", "a,b"),
        ("{{ 7 | zfill(3) }}", "007"),
        ("{{ '42' | int + 1 }}", 43),
        ("{{ n | string }}", "90"),
        ("{{ names | length }}", 3),
        ("{{ 'a,b' | split(',') }}", ["a", "b"]),
        ("{{ host.get('nope', 'x') }}", "x"),
        ("{{ host.deep.keys() }}", ["er"]),
        ("{{ 'web' in name and not false }}", True),
        ("{{ {'a': 1}.a }}", 1),
        ("{{ '{{' }}", "{{"),
        ("{{ '}}' ~ \"'\" }}", "}}'"),
        ("a {# b #} {{ n }}", "a {# b #} 90"),
        ("{{ 'é' }}", "é"),
        ("{{ on ~ '-' ~ 1.5 }}", "true-1.5"),
        ("{{ 1 < n <= 90 }}", True),
        ("{{ 'x' not in names and 'a' in names }}", True),
        ("{{ 'name' in host }}", True),
        ("{{ n is even and 7 is odd and n is ge 90 }}", True),
        ("{{ 'a' is in names and n is eq(90) }}", True),
        ("{{ 'xax' | trim('x') }}", "a"),
        ("{{ host.missing is defined or host.deep is mapping }}", True),
    ],
)
def test_expressions(text: str, value: Any) -> None:
    found = rendered(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "source", ["n", "on", "name", "names", "host", "host.name", "host.deep.er", "vars.host.ports", "nothing"]
)
def test_a_dotted_name_gives_what_jinja2_gives(source: str) -> None:
    assert rendered("{{ " + source + " }}") == Expressions(Work()).compile(source)(VARIABLES)


@pytest.mark.parametrize(
    "text",
    [
        "{{ missing }}", "{{ host.missing }}", "{{ name.missing }}", "{{ names.x }}", "{{ names[9] }}", "{{ n.real }}", "{{ }}",
        "{{ n n }}", "{{ n", "{{ 'n }}", "{{ n | nofilter }}", "{{ n is notest }}", "{{ range(5) }}", "{{ namespace() }}", "{{ cycler }}",
        "{{ self }}", "{{ name.format(1) }}", "{{ name.center(10) }}", "{{ ''.__class__ }}", "{{ ''['__class__'] }}",
        "{{ host.__class__ }}", "{{ name.upper.__self__ }}", "{{ name.upper }}", "{{ name | attr('__class__') }}", "{{ [] | map('x') }}",
        "{{ 'a' * 9 }}", "{{ [1] * 9 }}", "{{ 9 ** 9 }}", "{{ '%s' % n }}", "{{ 'a' | center(99) }}", "{{ 'a' | indent(99) }}",
        "{{ 10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 * 2 }}",
        "{{ 1 / 0 }}", "{{ names | join(host) }}", "{{ 'a' < 1 }}", "{{ names | int }}", "{{ 'x' | int }}", "{{ [] | first }}",
        "{% set a = 1 %}{{ a }}", "{{ n }}{% if n %}", "x{{ names }}", "x{{ nothing }}", "{{ name(*names) }}", "{{ lambda: 1 }}",
        "{{ n if }}", "{{ 'a'.replace('', 'x') }}", "{{ (n for n in names) }}", "{{ n | zfill(99999) }}",
        "{{ " + "(" * 3000 + "n" + ")" * 3000 + " }}", "{{ " + "not " * 3000 + "n }}", "{{ " + "n+" * 2000 + "n }}", "{{ " + "-" * 3000 + "n }}",
        "{{ " + "9" * 5000 + " }}", "{{ 1e999999 | int }}", "{{ n[0] }}", "{{ n.append(1) }}", "{{ names.append(1) }}", "{{ names.pop() }}",
        "{{ '%999999999d' is even }}", "{{ 'a' is odd }}", "{{ name.upper ~ 'x' }}", "{{ names ~ 'x' }}",
        "{{ 1e308 * 10 }}", "{{ 'a' is lt }}", "{{ name.upper.owner }}", "{{ names[names] }}", "{{ host[names] }}", "{{ name[::0] }}", "{{ name[1.5:] }}", "{{ host[1:] }}", "{{ n[1:] }}", "{{ name[:'a'] }}",
        "{{ 'a'.split('a', 99999999999999999999) }}", "{{ missing in names }}", "{{ names in missing }}", "{{ missing is lower }}",
        "{{ host.update({}) }}", "{{ host.clear() }}", "{{ host.pop('name') }}", "{{ n | abs(1, 2) }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller }}",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    before = time.process_time()

    with pytest.raises((TemplateProblemError, ExpressionError)):
        rendered(text)

    assert time.process_time() - before < 5


def test_results_are_bounded(tmp_path: Path) -> None:
    text = HEAD + f"vars: {{a: '{'x' * 60_000}'}}\nsite: '{{{{ a ~ a }}}}'\n"

    assert mistakes(load_text(tmp_path, text)) == ["a template made more than 64 KiB of text"]


def test_work_is_bounded_over_all_templates(tmp_path: Path) -> None:
    text = HEAD + (
        f"vars: {{a: '{'x' * 60_000}'}}\ncertificates:\n  node:\n    for_each: {{range: [1, 100000]}}\n    issuer: issuing\n"
        "    dns: ['{{ (a | upper | lower | upper | lower) | length }}-{{ each.key }}.example']\n"
    )
    before = time.process_time()

    loaded = load_text(tmp_path, text)

    assert mistakes(loaded) == ["the templates of this manifest make too much work"]
    assert time.process_time() - before < 60


@pytest.mark.parametrize(
    "text",
    [
        "-nope", "+nope", "nope + 1", "1 + nope", "nope ~ 'x'", "names[nope]", "host[nope]", "name[nope:]", "name[:nope]", "nope | length",
        "nope | sort", "nope | abs", "nope | upper", "name | replace(nope, 'a')", "host.get(nope)", "host.get('x', nope)", "nope in names",
        "nope == 1", "1 < nope", "not nope", "nope and 1", "1 if nope else 2", "n is eq(nope)", "nope is lower", "nope.a", "nope[0]", "nope()",
        "n | default(1) + nope", "missing | default(nope)",
    ],
)  # fmt: skip
def test_what_is_undefined_is_an_error_wherever_it_stands(text: str) -> None:
    with pytest.raises((TemplateProblemError, ExpressionError)) as error:
        rendered("{{ " + text + " }}")

    assert "undefined variable `nope`" in str(error.value) or "`nope` is no function" in str(error.value)


@pytest.mark.parametrize("value", ["[a.upper]", "[b]", "{'x': [b]}", "[a.upper, b]"])
def test_a_list_that_holds_no_values_is_refused(tmp_path: Path, value: str) -> None:
    loaded = load_text(tmp_path, HEAD + f'vars: {{a: x}}\nsite: "{{{{ {value} }}}}"\n')

    assert mistakes(loaded) == ["the template gives a list or map that holds something undefined, or a method"]


def test_types_survive_into_settings(tmp_path: Path) -> None:
    head = HEAD + "vars: {n: 90, names: [b.example, c.example], key: {type: rsa, size: 3072}, protect: true}\n"
    found = certificate(
        tmp_path, "days: '{{ n }}'\nuri: ['urn:x:{{ n }}']\nkey: '{{ key }}'\nprotect: '{{ protect }}'", head=head
    )

    assert (found.validity.lifetime, str(found.key.spec), found.protect) == (found.validity.lifetime, "rsa 3072", True)
    assert "uri:urn:x:90" in map(str, found.names)


def test_a_result_is_never_rendered_again(tmp_path: Path) -> None:
    head = HEAD + "vars: {inner: \"{{ '{{ outer }}' }}\", outer: x}\n"
    found = certificate(tmp_path, "subject: {organization: '{{ inner }}'}", head=head)
    given = certificate(tmp_path, "subject: {organization: '{{ given }}'}", variables=["given={{ 7 * 7 }}"])

    assert str(found.subject) == "O={{ outer }}"
    assert str(given.subject) == "O={{ 7 * 7 }}"


def test_ids_keys_profiles_and_issuers_may_be_templates(tmp_path: Path) -> None:
    text = (
        "version: 1\nvars: {env: prod, ca: issuing}\nsite: 'acme-{{ env }}'\ndirectory: 'pki-{{ env }}'\n"
        "profiles: {web-prod: {extends: server, days: 9}}\n"
        "authorities:\n  root: {}\n  '{{ ca }}-{{ env }}': {issuer: root, subject: {common_name: '{{ site }}'}}\n"
        "certificates:\n  web: {issuer: '{{ ca }}-{{ env }}', profile: 'web-{{ env }}', dns: ['{{ env }}.example']}\n"
    )
    site = site_of(tmp_path, text)

    assert list(site.resources) == ["authority.root", "authority.issuing-prod", "certificate.web"]
    assert str(site.resources["authority.issuing-prod"].subject) == "CN=acme-prod"
    assert site.directory == f"{tmp_path}/pki-prod"


def test_variables_win_in_ansibles_order(tmp_path: Path) -> None:
    text = HEAD + (
        "vars: {a: 1, b: 1, c: 1, d: 1, e: '{{ d }}-{{ a }}', which: more}\nvars_files: [one.yaml, '{{ which }}.yaml']\n"
        "certificates: {web: {issuer: issuing, dns: [a.example], subject: {organization: '{{ a }}{{ b }}{{ c }}{{ d }} {{ e }}'}}}\n"
    )
    files = {"one_yaml": "b: 2\nc: 2\nd: 2\n", "more_yaml": "c: 3\nd: 3\n", "given_yaml": "d: 5\n"}

    plain = site_of(tmp_path, text, **files)
    given = site_of(tmp_path, text, variables=["d=4", "@given.yaml"], **files)
    also = site_of(tmp_path, text, variables=["@given.yaml", '{"d": 6}', "d=4"], **files)

    subjects = [str(site.resources["certificate.web"].subject) for site in (plain, given, also)]
    assert subjects == ["O=1233 3-1", "O=1235 5-1", "O=1234 4-1"]


def test_values_of_the_command_line_are_numbers_where_nothing_is_lost(tmp_path: Path) -> None:
    found = certificate(
        tmp_path, "days: '{{ n }}'\nsubject: {organization: 'v{{ v }}-{{ z }}'}", variables=["n=30", "v=1.10", "z=007"]
    )

    assert found.validity.lifetime is not None
    assert (found.validity.lifetime.days + 1, str(found.subject)) == (30, "O=v1.10-007")


@pytest.mark.parametrize("given", ["novalue", "my-var=1", "each=1", "=1", "@missing.yaml"])
def test_a_wrong_variable_on_the_command_line_is_an_error(tmp_path: Path, given: str) -> None:
    loaded = load_text(tmp_path, HEAD, variables=[given])

    assert loaded.site is None
    assert len(loaded.diagnostics) == 1
    assert given.split("=")[0] in loaded.diagnostics[0].summary


def test_simple_names_do_not_start_jinja2(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "site.yaml").write_text(
        HEAD
        + "vars: {d: example}\ncertificates:\n  n: {for_each: [a, b], issuer: issuing, dns: ['{{ each.key }}.{{ d }}']}\n"
    )
    code = (
        "import sys; from pkiplan.manifest import load_site\n"
        f"assert load_site(['site.yaml'], variables=[], working_directory={str(tmp_path)!r}).site is not None\n"
        "print(sorted({'jinja2', 'cryptography', 'idna', 'difflib', 'OpenSSL', 'typer', 'csv'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_variable_depends_on_what_its_templates_speak_of_and_on_no_other_word(tmp_path: Path) -> None:
    head = HEAD + (
        "vars:\n  a: \"b isn't {{ c }}, isn't it\"\n  b: \"a is {{ {'x': {'y': 'a'}}.x.y ~ c }}\"\n  c: \"{{ '}}' ~ d }}\"\n  d: D\n"
    )
    found = certificate(tmp_path, "subject: {organization: '{{ a }}', locality: '{{ b }}'}", head=head)

    assert {attribute.value for rdn in found.subject.rdns for attribute in rdn} == {
        "b isn't }}D, isn't it",
        "a is a}}D",
    }


def test_a_file_of_variables_whose_path_waits_for_a_later_one_is_a_mistake(tmp_path: Path) -> None:
    text = HEAD + "vars: {a: '{{ b }}'}\nvars_files: ['{{ a }}.yaml', more.yaml]\n"

    later = load_text(tmp_path, text, more_yaml="b: more\n")
    never = load_text(tmp_path, text, more_yaml="c: more\n")

    assert mistakes(later) == ["`a` cannot be computed yet where this file is named"]
    assert mistakes(never) == ["undefined variable `b`"]
