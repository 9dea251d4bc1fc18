"""Laws that hold for any manifest, and for anything that is none."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pkiplan.diagnostics import has_errors
from pkiplan.manifest import LoadedSite, load_site
from pkiplan.manifest.definitions import SETTINGS, SITE
from pkiplan.manifest.keys import KEYS
from pkiplan.manifest.profiles import BUILT_IN
from pkiplan.manifest.schema import site_schema
from pkiplan.model.keys import ManagedKey
from pkiplan.model.resource import Kind, Resource
from pkiplan.report.diagnostics import diagnostic_text

# Long enough to find what there is to find, short enough for every run; `HYPOTHESIS_EXAMPLES=5000` looks harder.
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@contextmanager
def scratch() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pkiplan-") as directory:
        yield directory


def load(data: bytes, *, name: str = "site.yaml") -> LoadedSite:
    with scratch() as directory:
        with open(f"{directory}/{name}", "wb") as file:
            file.write(data)
        return load_site([name], variables=[], working_directory=directory)


def check(loaded: LoadedSite) -> None:
    assert (loaded.site is None) == has_errors(loaded.diagnostics)
    diagnostic_text(loaded.diagnostics)


@often
@given(st.binary(max_size=2_000))
def test_arbitrary_bytes_give_diagnostics_never_a_traceback(data: bytes) -> None:
    check(load(data))


@often
@given(
    st.text(
        alphabet=st.sampled_from(list("abc:-?,[]{}#&*!|>'\"%@`~ \n\t\r<\\/0123456789.{}éß\u2028\x85\x07")), max_size=300
    )
)
def test_arbitrary_yaml_gives_diagnostics_never_a_traceback(text: str) -> None:
    check(load(("version: 1\n" + text).encode()))


@cache
def schema() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(site_schema())


def check_tree(tree: dict[str, Any]) -> None:
    """Check a manifest; what decodes validates against the schema, too."""
    loaded = load(json.dumps(tree, ensure_ascii=True).encode())
    check(loaded)
    if loaded.site is not None:
        schema().validate(tree)


WORDS = sorted({*SITE, *SETTINGS, *KEYS, *BUILT_IN, "issuer", "profile", "for_each", "self_signed", "extends", "root", "web", "issuing",
                "permitted", "excluded", "der", "asn1", "oid", "env", "file", "command", "format", "path", "range", "csv", "var", "glob",
                "1.2.3", "2.5.29.15", "common_name", "CN", "values", "critical", "url", "{{ x }}", "{{ each.key }}", "{% x %}", "{{", "}}"})  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(["1", 1, 0, -1, 90, 2048, 10**20, 1.5, True, False, None, "", "90d", "1/3", "2027-01-01", "a.example", "*.a.example",
                     "10.0.0.1", "::1", "10.0.0.0/8", "http://a/", "a@b.example", "CN=x,O=y", "rsa-2048", "ecdsa-p256", "..", "/etc/x",
                     "\x00", "a\nb", "å", "\U0001f600", "x" * 300, "0640", "none", "server", "UTF8:x", "0500", "region[a]"]),
    st.text(max_size=8),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(st.sampled_from(WORDS), below, max_size=6)),
    max_leaves=25,
)
ENTRIES = st.dictionaries(st.sampled_from(["root", "issuing", "web", "a", "{{ x }}", "b c"]), TREES, max_size=3)


@often
@given(
    st.fixed_dictionaries(
        {"version": st.just(1)},
        optional={
            "vars": TREES,
            "defaults": TREES,
            "profiles": ENTRIES,
            "authorities": ENTRIES,
            "certificates": ENTRIES,
            "verify": TREES,
            "directory": SCALARS,
            "site": SCALARS,
            "include": TREES,
            "vars_files": TREES,
            "templates": SCALARS,
        },
    )
)
def test_any_tree_of_known_words_gives_diagnostics_never_a_traceback(tree: dict[str, Any]) -> None:
    check_tree(tree)


@often
@given(st.sampled_from(sorted(SETTINGS)), TREES)
def test_any_value_of_a_setting_gives_diagnostics_never_a_traceback(name: str, value: Any) -> None:
    tree = {
        "version": 1,
        "profiles": {"p": {name: value}},
        "authorities": {"root": {}, "sub": {"issuer": "root", name: value}},
        "certificates": {
            "web": {"issuer": "root", "dns": ["a.example"], name: value},
            "me": {"self_signed": True, "profile": "p"},
        },
    }
    check_tree(tree)


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(lambda text: text[2:4] != "--")
HOST = st.builds(lambda a, b: f"{a}.{b}.example", LABEL, LABEL)
TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=("C", "Z"), exclude_characters="{%"), min_size=1, max_size=30
)
ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


@st.composite
def sites(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a manifest without mistakes."""
    authorities: dict[str, Any] = {"root": {"path_length": None}}
    for name in draw(st.lists(ID, max_size=4, unique_by=str.casefold)):
        if name.casefold() == "root":
            continue
        issuer = draw(st.sampled_from(sorted(authorities)))
        authorities[name] = {"issuer": issuer, "path_length": None, "days": draw(st.integers(1, 9_999))}
    certificates: dict[str, Any] = {}
    for name in draw(st.lists(ID, max_size=6, unique_by=str.casefold)):
        certificate: dict[str, Any] = {
            "issuer": draw(st.sampled_from(sorted(authorities))),
            "dns": draw(st.lists(HOST, min_size=1, max_size=4)),
            "subject": draw(
                st.fixed_dictionaries(
                    {}, optional={"organization": TEXT, "country": st.sampled_from(["NO", "SE"]), "locality": TEXT}
                )
            ),
        }
        certificate |= draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "days": st.integers(1, 9_999),
                    "key": st.sampled_from(["rsa-2048", "ecdsa-p256", "ed25519", {"type": "rsa", "size": 3072}]),
                    "ip": st.lists(st.ip_addresses().map(str).filter(lambda text: "%" not in text), max_size=3),
                    "profile": st.sampled_from(["server", "peer"]),
                    "protect": st.booleans(),
                    "renew_before": st.sampled_from(["1/3", "10d", "1/2"]),
                },
            )
        )
        certificates[name] = certificate
    return {"version": 1, "authorities": authorities, "certificates": certificates}


def written(resource: Resource) -> dict[str, Any]:
    """Write a resource of the model as a manifest would."""
    assert isinstance(resource.key, ManagedKey)
    assert resource.validity.lifetime is not None
    spec = str(resource.key.spec).split()
    key: dict[str, Any] = {"type": spec[0]}
    if spec[0] == "rsa":
        key["size"] = int(spec[1])
    elif spec[0] == "ecdsa":
        key["curve"] = spec[1]
    names: dict[str, list[str]] = {}
    for name in resource.names:
        names.setdefault(name.kind.value, []).append(str(name.value))
    entry: dict[str, Any] = {
        "profile": resource.profile,
        "key": key,
        "subject": {a.oid: a.value for a in resource.subject.attributes}
        | ({} if resource.subject.common_name else {"common_name": None}),
        "days": resource.validity.lifetime.days + 1,
        "protect": resource.protect,
        **names,
    }
    if resource.issuer:
        entry["issuer"] = resource.issuer.removeprefix("authority.")
    if resource.is_authority:
        entry["path_length"] = resource.path_length
    if isinstance(resource.renew_before, timedelta):
        entry["renew_before"] = f"{resource.renew_before.days}d"
    elif resource.renew_before is not None:
        entry["renew_before"] = str(resource.renew_before)
    return entry


@often
@given(sites())
def test_a_site_written_as_a_manifest_decodes_to_the_same_site(tree: dict[str, Any]) -> None:
    first = load(json.dumps(tree, ensure_ascii=False).encode())
    assert first.site is not None, first.diagnostics
    schema().validate(tree)
    again: dict[str, Any] = {"version": 1, "authorities": {}, "certificates": {}}
    for resource in first.site:
        again["authorities" if resource.kind is Kind.AUTHORITY else "certificates"][resource.id] = written(resource)

    second = load(json.dumps(again, ensure_ascii=False).encode())

    assert second.site is not None, second.diagnostics
    assert dict(first.site.resources) == dict(second.site.resources)
    assert list(first.site.resources) == list(second.site.resources)


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return value


def as_documents(parts: list[dict[str, Any]]) -> str:
    return "\n---\n".join(json.dumps(part, ensure_ascii=False) for part in parts)


@often
@given(sites(), st.randoms(use_true_random=False))
def test_the_order_of_keys_documents_and_files_does_not_matter(tree: dict[str, Any], order: random.Random) -> None:
    parts: list[dict[str, Any]] = [{"version": 1}]
    parts += [
        {section: {name: entry}} for section in ("authorities", "certificates") for name, entry in tree[section].items()
    ]
    order.shuffle(parts)
    cut = order.randint(0, len(parts))
    with scratch() as directory:
        with open(f"{directory}/site.yaml", "w", encoding="utf-8") as file:
            file.write(as_documents([{"version": 1, "include": ["more.yaml"]}, *parts[:cut]]))
        with open(f"{directory}/more.yaml", "w", encoding="utf-8") as file:
            file.write(as_documents([shuffled(part, order) for part in parts[cut:]] or [{"version": 1}]))
        split = load_site(["site.yaml"], variables=[], working_directory=directory)

    whole = load(json.dumps(tree, ensure_ascii=False).encode())

    assert split.site is not None, split.diagnostics
    assert whole.site is not None
    assert list(split.site.resources.items()) == list(whole.site.resources.items())


@often
@given(st.text(max_size=60))
def test_any_expression_gives_a_value_or_a_diagnostic(text: str) -> None:
    tree = {
        "version": 1,
        "vars": {"x": 1, "y": {"z": ["a"]}},
        "authorities": {"root": {"subject": {"common_name": "{{ " + text + " }}"}}},
    }
    check(load(json.dumps(tree, ensure_ascii=False).encode()))


PIECES = st.lists(
    st.sampled_from(["x", "y", "y.z", "'a'", "1", "9", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "~", "+", "*", "**", "%", "//", "-", "<",
                     "upper", "join", "replace", "default", "is", "in", "not", "and", "if", "else", "defined", "format", "items", "()", "each", "vars", "self", "__class__"]),
    max_size=14,
)  # fmt: skip


@often
@given(PIECES)
def test_any_expression_of_known_words_gives_a_value_or_a_diagnostic(pieces: list[str]) -> None:
    test_any_expression_gives_a_value_or_a_diagnostic.hypothesis.inner_test(" ".join(pieces))  # type: ignore[attr-defined]  # hypothesis puts it there


@often
@given(st.binary(max_size=400), st.sampled_from(["hosts.csv", "hosts.ini", "hosts.yaml"]))
def test_any_file_of_elements_gives_diagnostics_never_a_traceback(data: bytes, name: str) -> None:
    source = {"csv": name} if name.endswith("csv") else {"inventory": name}
    tree = {
        "version": 1,
        "authorities": {"root": {}},
        "certificates": {"n": {"for_each": source, "issuer": "root", "profile": "client"}},
    }
    with scratch() as directory:
        with open(f"{directory}/{name}", "wb") as file:
            file.write(data)
        with open(f"{directory}/site.yaml", "w", encoding="utf-8") as manifest:
            json.dump(tree, manifest)
        check(load_site(["site.yaml"], variables=[], working_directory=directory))
