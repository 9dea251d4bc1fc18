"""YAML as manifests have it: YAML 1.2's scalars, every encoding and line end, nothing that a bomb could use."""

# manifests and tables are easier to compare on one line

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pkiplan.manifest import load_site
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.files import Files
from pkiplan.manifest.nodes import Native, native
from pkiplan.manifest.problems import Problems
from pkiplan.manifest.sources import Source, Sources
from tests.manifest.loading import HEAD, certificate, load_text, mistakes, site_of


def read(text: str) -> tuple[list[Native], list[str]]:
    problems = Problems(Sources())
    number = problems.sources.add(Source("site.yaml", "/", text))
    documents = read_documents(text, number, problems)
    return [native(document) for document in documents], [found.summary for found in problems.found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0640", 640),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("1e3", 1000.0),
        ("3.10", 3.1),
        (".inf", float("inf")),
        ("2027-01-01", "2027-01-01"),
        ("10.0.0.2", "10.0.0.2"),
        ("'5'", "5"),
        ('"\\u00e5"', "å"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int 5", 5),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
        ("[1, [a, {b: c}]]", [1, ["a", {"b": "c"}]]),
    ],
)
def test_scalars_are_read_by_yaml_1_2(text: str, value: Native) -> None:
    documents, problems = read(f"a: {text}")

    assert (documents, problems) == ([{"a": value}], [])


def test_keys_are_their_raw_text() -> None:
    assert read("1: a\nnull: b\ntrue: c\n0x10: d\n")[0] == [{"1": "a", "null": "b", "true": "c", "0x10": "d"}]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_and_byte_order_marks(tmp_path: Path, newline: str, encoding: str) -> None:
    text = "version: 1\nsite: Ö1\nauthorities:\n  root: {days: soon}\n".replace("Ö", "O").replace("\n", newline)
    (tmp_path / "site.yaml").write_bytes(text.encode(encoding))

    (found,) = load_site(["site.yaml"], variables=[], working_directory=str(tmp_path)).diagnostics

    assert found.place is not None
    assert (found.place.line, found.place.column) == (4, 16)
    assert found.source_line == "  root: {days: soon}"


def test_what_is_no_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes(b"version: 1\nsite: \xe5\n")

    loaded = load_site(["site.yaml"], variables=[], working_directory=str(tmp_path))

    assert [found.summary for found in loaded.diagnostics] == ["`site.yaml:2:7` is not UTF-8: byte 0xe5"]
    assert [str(found.place) for found in loaded.diagnostics] == ["site.yaml:2:7"]


def test_anchors_aliases_and_merge_keys(tmp_path: Path) -> None:
    text = HEAD + (
        "certificates:\n  a: &base\n    issuer: issuing\n    dns: &names [a.example]\n    days: 5\n"
        "  b:\n    <<: *base\n    days: 6\n  c:\n    dns: *names\n    <<: [{days: 7}, *base]\n"
    )
    site = site_of(tmp_path, text)

    lifetimes = {name: site.resources[f"certificate.{name}"].validity.lifetime for name in "abc"}
    assert {name: life and life.days + 1 for name, life in lifetimes.items()} == {"a": 5, "b": 6, "c": 7}


def test_an_empty_value_counts_as_nothing_given(tmp_path: Path) -> None:
    text = "version: 1\nauthorities:\n  root:\ncertificates:\nvars:\nverify:\ndefaults:\n"

    assert list(site_of(tmp_path, text).resources) == ["authority.root"]


def test_json_is_yaml(tmp_path: Path) -> None:
    (tmp_path / "site.json").write_text('{"version": 1, "authorities": {"root": {"days": 5}}}', "utf-8")

    assert load_site(["site.json"], variables=[], working_directory=str(tmp_path)).site is not None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 100_000,
        "- " * 50_000,
        "? " * 50_000,
        "a: " + "&a [" * 50_000,
        "version: 1\nvars: {" + "a: 1, " * 15_000 + "}",
        '"' + "\\" * 99_999,
        "&a " * 30_000,
        "a: " + '"' + "x\\n" * 30_000 + '"',
        "a:\n" + " b\n" * 25_000,
        "%YAML 1.2\n" * 10_000,
        "--- a\n" * 16_000,
        "!!str " * 16_000,
        "*a " * 30_000,
        "'" * 99_999,
        "x: |\n" + "  y\n" * 20_000,
    ],
    ids=range(16),
)
def test_hostile_text_fails_fast_and_without_a_traceback(tmp_path: Path, text: str) -> None:
    before = time.process_time()
    loaded = load_text(tmp_path, text)

    assert loaded.site is None
    assert loaded.diagnostics
    assert time.process_time() - before < 5  # a second per 100 kB, and a busy machine


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("".join(f"k{n}: x\n" for n in range(12_000)), id="unknown keys"),
        pytest.param(
            "authorities:\n" + "".join(f"  a{n}: {{issuer: b{n}}}\n" for n in range(5_000)), id="unknown issuers"
        ),
        pytest.param(
            "authorities:\n" + "".join(f"  a{n}: {{issuer: a{n + 1}}}\n" for n in range(5_000)), id="a long chain"
        ),
        pytest.param(
            "authorities:\n" + "".join(f"  a{n}: {{issuer: a{(n + 1) % 5000}}}\n" for n in range(5_000)),
            id="a long circle",
        ),
        pytest.param(
            "certificates:\n" + "".join(f"  n{n}: {{for_each: {{range: [1, 250000]}}}}\n" for n in range(2_000)),
            id="many large ranges",
        ),
        pytest.param(
            "vars: {n: &n ["
            + "a, " * 20_000
            + "]}\ncertificates:\n  n: {for_each: {range: [1, 200000]}, issuer: root, dns: '{{ n if each.key else 1 }}'}\n",  # noqa: E501 - one manifest, as it is read
            id="a list in each of many",
        ),
        pytest.param(
            "vars: {a: &a '"
            + "x" * 50_000
            + "'}\ncertificates:\n  n: {issuer: root, dns: ["
            + "*a , " * 9_000
            + "]}\n",
            id="a long text many times",
        ),
        pytest.param(
            "vars: {a: '" + "x" * 60_000 + "'}\nsite: '" + "{{ a }}" * 5_000 + "'\n", id="a long text joined many times"
        ),
        pytest.param(
            "defaults: {subject: {" + ", ".join(f"1.2.{n}: x" for n in range(6_000)) + "}}\n",
            id="a subject of many attributes",
        ),
        pytest.param(
            "profiles:\n" + "".join(f"  p{n}: {{extends: p{n + 1}}}\n" for n in range(4_000)),
            id="a long chain of profiles",
        ),
        pytest.param(
            "vars: {" + ", ".join(f"v{n}: '{{{{ v{n + 1} }}}}'" for n in range(4_000)) + "}\n",
            id="a long chain of variables",
        ),
        pytest.param(
            "vars:\n  v0: [x]\n" + "".join(f"  v{n}: '{{{{ [{f'v{n - 1}, ' * 10}] }}}}'\n" for n in range(1, 30)),
            id="lists of lists of lists",
        ),
        pytest.param(
            "vars:\n  v0: [x]\n" + "".join(f"  v{n}: '{{{{ [v{n - 1}] }}}}'\n" for n in range(1, 3_000)),
            id="lists nested deep by templates",
        ),
        pytest.param(
            "vars:\n  v0: [x]\n" + "".join(f"  v{n}: [" + f"'{{{{ v{n - 1} }}}}', " * 20 + "]\n" for n in range(1, 30)),
            id="lists of templates that are lists",
        ),
        pytest.param(
            f"vars: {{a: '{'a' * 60_000}', b: '{'a' * 30_000}b'}}\ncertificates:\n"
            "  n: {for_each: {range: [1, 200000]}, issuer: root, dns: '{{ each.key if b in a else 1 }}'}\n",
            id="a long text looked for in each of many",
        ),
        pytest.param(
            "vars: {a: [" + "a," * 30_000 + "]}\ncertificates:\n"
            "  n: {for_each: {range: [1, 200000]}, issuer: root, dns: '{{ a[each.key] | default(each.key in a) }}'}\n",
            id="a long list looked through in each of many",
        ),
        pytest.param(
            "certificates:\n  n: {for_each: {range: [1, 200000]}, issuer: root, dns: ["
            + ", ".join(f"a{n}.example" for n in range(3_000))
            + "]}\n",
            id="many names in each of many",
        ),
        pytest.param(
            "vars_files: ["
            + ", ".join(["'{{ b }}.yaml'"] * 3_000)
            + "]\nvars: {b: x, "
            + ", ".join(f"a{n}: '{{{{ b }}}}'" for n in range(1_000))
            + "}\n",
            id="many files of variables named by templates",
        ),
        pytest.param("include: ['" + "**/" * 80 + "*']\n", id="a pattern of many stars"),
        pytest.param("include: ['" + "[!a" * 20_000 + "']\n", id="a long pattern"),
    ],
)
def test_hostile_manifests_fail_fast_and_without_a_traceback(tmp_path: Path, text: str) -> None:
    before = time.process_time()
    loaded = load_text(
        tmp_path, "version: 1\n" + ("" if text.startswith("authorities") else "authorities: {root: {}}\n") + text
    )

    assert loaded.site is None
    assert 0 < len(loaded.diagnostics) <= 1_001
    # A second for each 100 kB, ten times over: on a slow machine whose coverage is measured, 8 s become 43.
    assert time.process_time() - before < 120


def test_a_reference_to_a_secret_is_never_shown_in_a_source_line(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "version: 1\nauthorities:\n  root: {key: {passphrase: {value: hunter2}}}\n")

    assert "hunter2" not in repr(loaded.diagnostics)


def test_the_country_norway_simply_works(tmp_path: Path) -> None:
    assert str(certificate(tmp_path, "subject: {country: NO}").subject) == "C=NO"


def test_files_are_read_once_and_digested(tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "b.yaml").write_text(
        "certificates: {b: {issuer: root, dns: [b.example]}}\ninclude: ['*.yaml']\n"
    )
    (tmp_path / "teams" / "a.yaml").write_text("certificates: {a: {issuer: root, dns: [a.example]}}\n")

    loaded = load_text(tmp_path, "version: 1\ninclude: [teams/*.yaml, site.yaml]\nauthorities: {root: {}}\n")

    assert loaded.site is not None
    assert len(loaded.site.resources) == 3
    assert [known.path for known in loaded.inputs] == ["site.yaml", "teams/a.yaml", "teams/b.yaml"]


def test_a_directory_means_its_site_yaml_or_all_of_its_manifests(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "site.yaml").write_text("version: 1\nauthorities: {root: {}}\n")
    (tmp_path / "one" / "other.yaml").write_text("not read")
    (tmp_path / "two" / "b.yml").write_text("authorities: {sub: {issuer: root}}\n")
    (tmp_path / "two" / "a.yaml").write_text("certificates: {web: {issuer: sub, dns: [a.example]}}\n")

    loaded = load_site(["one", "two"], variables=[], working_directory=str(tmp_path))

    assert loaded.site is not None
    assert list(loaded.site.resources) == ["authority.root", "authority.sub", "certificate.web"]
    assert loaded.site.base == str(tmp_path / "one")


def test_a_missing_or_unreadable_manifest_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    loaded = load_site(["nothing.yaml", "empty"], variables=[], working_directory=str(tmp_path))

    assert loaded.site is None
    assert mistakes(loaded) == ["no manifest in `empty`", "no such file: `nothing.yaml`"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.yaml", ["a.yaml", "site.yaml"]),
        ("teams/*.yaml", ["teams/b.yaml", "teams/link.yaml"]),
        ("*/*.yaml", ["teams/b.yaml", "teams/link.yaml"]),
        ("./**/*.yaml", ["a.yaml", "site.yaml", "teams/b.yaml", "teams/deep/c.yaml", "teams/link.yaml"]),
        ("teams/**", ["teams/b.yaml", "teams/deep/c.yaml", "teams/link.yaml", "teams/notes.txt"]),
        ("teams/[ab].y*ml", ["teams/b.yaml"]),
        (".hidden/*", [".hidden/d.yaml"]),
        ("nothing/*", []),
    ],
)
def test_patterns_of_files(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    for name in ("a.yaml", "site.yaml", "teams/b.yaml", "teams/deep/c.yaml", "teams/notes.txt", ".hidden/d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "teams" / "link.yaml").symlink_to("b.yaml")
    for link in ("round", "about"):
        (tmp_path / "teams" / link).symlink_to(".")
    files = Files(str(tmp_path))
    files.roots.append(str(tmp_path))

    assert [files.shown(path) for path in files.matching(str(tmp_path), pattern)] == expected


def test_directories_one_in_the_other_come_to_an_end(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)

    loaded = load_text(tmp_path, HEAD + "include: ['**/*.yml']\n")

    assert mistakes(loaded) == ["a pattern goes through more than 100 directories, one in the other"]


def test_an_include_through_a_link_out_of_the_site_is_refused(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "secret.yaml").write_text("vars: {a: b}\n")
    (site / "link.yaml").symlink_to(tmp_path / "secret.yaml")

    loaded = load_text(site, HEAD + "include: ['*.yaml']\n")

    assert mistakes(loaded) == ["`link.yaml` leads out of the site"]


def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "site.yaml")

    loaded = load_site(["site.yaml"], variables=[], working_directory=str(tmp_path))

    assert mistakes(loaded) == ["`site.yaml` is no regular file"]


def test_included_text_that_is_not_utf_8_is_told_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\ninclude: [team.yaml]\n")
    (tmp_path / "team.yaml").write_bytes(b"\xef\xbb\xbfsite: \xff")

    loaded = load_site(["site.yaml"], variables=[], working_directory=str(tmp_path))

    (found,) = loaded.diagnostics
    assert str(found.place) == "site.yaml:2:11"
    assert "`team.yaml:1:7` is not UTF-8: byte 0xff" in found.summary


def test_a_saved_plan_in_place_of_a_manifest_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"format_version": "1.0", "command": "plan", "resource_changes": []}')

    loaded = load_site(["plan.json"], variables=[], working_directory=str(tmp_path))

    assert [found.summary for found in loaded.diagnostics] == ["this is a saved plan, not a manifest"]
