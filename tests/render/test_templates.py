"""Templates of a site's own: one file in place of ours, in a sandbox, and still nothing unquoted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.model.site import Site
from pkiplan.render import render_cnf
from tests.render.sites import authority, dn, leaf, usual_site

WEB = leaf(subject=dn(("O", "a;b"), ("CN", "x")))


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    directory = tmp_path / "templates"
    directory.mkdir()
    return directory


def site_with(templates: Path) -> Site:
    return usual_site(WEB, base=str(templates.parent), templates=str(templates))


def rendered(templates: Path, text: str, name: str = "certificate") -> str:
    (templates / f"{name}.cnf.j2").write_text(text)
    return render_cnf(site_with(templates), WEB)


def problem(templates: Path, text: str) -> str:
    with pytest.raises(PkiplanError) as caught:
        rendered(templates, text)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.summary


def test_a_file_that_is_not_there_is_ours(templates: Path) -> None:
    assert render_cnf(site_with(templates), WEB) == render_cnf(usual_site(WEB), WEB)


def test_one_file_takes_the_place_of_ours_and_no_other(templates: Path) -> None:
    text = rendered(templates, "# {{ address }} belongs to the web team\n", name="header")

    assert text.startswith("# certificate.web belongs to the web team\n#\n# `serial`")
    root = authority("root")
    assert render_cnf(site_with(templates), root).startswith("# authority.root belongs to the web team\n")


def test_a_template_may_include_files_of_its_own(templates: Path) -> None:
    (templates / "mine.cnf.j2").write_text("[ mine ]\na = {{ subject[0].value }}\n")

    assert rendered(templates, '{% include "mine.cnf.j2" %}\n') == "[ mine ]\na = a\\;b\n"


def test_a_changed_template_is_read_anew(templates: Path) -> None:
    first = rendered(templates, "# one\n")
    os.utime(templates / "certificate.cnf.j2", ns=(1, 1))

    assert first == "# one\n"
    assert rendered(templates, "# two\n") == "# two\n"
    (templates / "certificate.cnf.j2").unlink()
    assert render_cnf(site_with(templates), WEB).startswith("# OpenSSL configuration of certificate.web")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        pytest.param("{{ subject[0].value }}", "a\\;b", id="a value"),
        pytest.param("{{ subject[0].value | upper }}", "A\\;B", id="a filtered value"),
        pytest.param("{{ 'x' ~ subject[0].value }}", "xa\\;b", id="a value in a longer text"),
        pytest.param("{{ subject[0].key ~ subject[0].value }}", "0.Oa\\;b", id="our own text and a value"),
        pytest.param("{{ '$ENV::HOME' }}", "\\$ENV::HOME", id="text in the template's own expressions"),
        pytest.param("{% set x = subject[0].value %}{{ x }}", "a\\;b", id="a value that was put away"),
        pytest.param(
            "{% macro m(v) %}{{ v }}{% endmacro %}{{ m('p;q') }}", "p\\\\\\;q", id="a macro quotes twice, not never"
        ),
        pytest.param("{% for l in subject %}{{ loop.index }}{{ l.value }} {% endfor %}.", "1a\\;b 2x .", id="a loop"),
        pytest.param("{{ 7 }}", "7", id="a number"),
    ],
)
def test_whatever_a_template_prints_is_quoted(expression: str, text: str, templates: Path) -> None:
    assert rendered(templates, f"v = {expression}\n") == f"v = {text}\n"


@pytest.mark.parametrize(
    "payload",
    [
        "{{ ''.__class__ }}",
        "{{ subject.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ namespace(x=1) }}",
        "{{ range(10) }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ ('%s' % 1) }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ subject | attr('__class__') }}",
        "{{ subject | map(attribute='__class__') | list }}",
        "{{ subject[0]._replace(key='x') }}",
        "{{ subject[0]['__class__'] }}",
        "{{ extensions.lines.append(1) }}",
        "{{ loop.__init__ }}",
        "{{ joiner(',') }}",
        "{{ (1).to_bytes(1) }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(payload: str, templates: Path) -> None:
    assert "cannot be written into openssl.cnf" in problem(templates, payload)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("{{ adr }}", "'adr' is undefined", id="an unknown word"),
        pytest.param("\n{{ address", "certificate.cnf.j2, line 2", id="a mistake has its file and line"),
        pytest.param('{% include "../../etc/passwd" %}', "../../etc/passwd", id="a path out of the directory"),
        pytest.param('{% include "/etc/passwd" %}', "/etc/passwd", id="an absolute path"),
        pytest.param('{% include "passwd" %}', "passwd", id="what is no template"),
        pytest.param('{% include "certificate.cnf.j2" %}', "recursion", id="itself"),
        pytest.param("[ a ]\nb = 1\nb = 2\n", "`b` is twice in [a]", id="a setting twice"),
        pytest.param("[ a ]\nb = 1\n[a]\nc = 2\n", "[a] is there twice", id="a section twice"),
        pytest.param("x = {{ subject[0].value / 0 }}", "unsupported operand", id="nonsense"),
        pytest.param("x = {{ 1 / 0 }}", "division by zero", id="more nonsense"),
        pytest.param("x = {{ 'a\\nb' }}", "control character", id="a line end"),
    ],
)
def test_a_mistake_in_a_template_is_told(text: str, told: str, templates: Path) -> None:
    assert told in problem(templates, text)


def test_a_link_out_of_the_site_is_not_followed(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("secret")
    (templates / "certificate.cnf.j2").symlink_to(secret)

    with pytest.raises(PkiplanError, match="certificate") as caught:
        render_cnf(site_with(templates), WEB)
    assert "secret" not in str(caught.value).replace("certificate.cnf.j2", "")


def test_a_linked_directory_is_not_followed_out_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site").mkdir()
    linked = tmp_path / "site" / "templates"
    linked.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PkiplanError, match="outside of the site"):
        render_cnf(usual_site(WEB, base=str(tmp_path / "site"), templates=str(linked)), WEB)


def test_a_directory_outside_is_read_with_consent(tmp_path: Path) -> None:
    outside = str(tmp_path / "elsewhere")
    Path(outside).mkdir()

    site = usual_site(WEB, base=str(tmp_path / "site"), templates=outside, outside=(outside,))

    assert render_cnf(site, WEB) == render_cnf(usual_site(WEB), WEB)


@pytest.mark.parametrize("kind", ["missing", "a file", "not text", "a fifo", "large"])
def test_templates_that_cannot_be_read_are_an_error(kind: str, templates: Path) -> None:
    template = templates / "certificate.cnf.j2"
    match kind:
        case "missing":
            templates.rmdir()
        case "a file":
            templates.rmdir()
            templates.write_text("")
        case "not text":
            template.write_bytes(b"\xff")
        case "a fifo":
            os.mkfifo(template)
        case "large":
            template.write_text("#" * 300_000)

    with pytest.raises(PkiplanError):
        render_cnf(site_with(templates), WEB)
