"""The JSON Schema, the key reference and the starters, all made from the definitions."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pkiplan.manifest import load_site
from pkiplan.manifest.events import read_documents
from pkiplan.manifest.nodes import Native, native
from pkiplan.manifest.problems import Problems
from pkiplan.manifest.reference import key_reference, with_reference
from pkiplan.manifest.schema import schema_text, site_schema
from pkiplan.manifest.sources import Source, Sources
from pkiplan.manifest.starters import SHAPES, starter

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*/site.yaml"))
GOLDEN = ROOT / "tests" / "golden" / "manifest"
# Keywords of draft-07 that we use; nothing beyond it may come in (unevaluatedProperties, prefixItems, $defs, …).
DRAFT_07 = {
    "$schema", "$ref", "title", "description", "type", "properties", "additionalProperties", "patternProperties", "propertyNames",
    "required", "definitions", "anyOf", "not", "enum", "const", "pattern", "minimum", "maximum", "items", "minItems", "maxItems",
    "minProperties", "maxProperties", "examples", "default",
}  # fmt: skip

# Mistakes that a schema can see: spelling, types, ranges. The others need names, numbers or files put together.
SEEN_BY_SCHEMA = [
    "allow-unknown", "authority-key-on-certificate", "bad-id", "boolean-yaml-1.1", "certificate-key-on-authority", "days-float",
    "days-list", "days-quoted", "days-underscore", "days-unit", "days-zero", "defaults-mistake", "digest-sha1", "dns-bad",
    "eku-spelling", "key-curve-unsupported", "key-passphrase-two-kinds", "key-passphrase-unknown-kind", "key-literal-passphrase",
    "key-rsa-512", "key-type-ec", "key-unknown-type", "key-usage-spelling", "lifetime-iso", "lifetime-number", "lifetime-words",
    "many-at-once", "moment-bad", "mode-bad", "name-constraints-bad", "not-a-map", "other-name-bad", "output-missing-keys", "output-not-a-list",
    "output-path-unsafe", "output-unknown-format", "profile-unused-mistake", "section-is-list", "subject-limits", "subject-country-lower",
    "subject-number", "subject-unknown-attribute", "tls-feature-bad", "top-unknown-key", "unknown-key", "unknown-key-familiar",
    "variable-name", "verify-mistakes", "version-unknown", "wrapped-unknown-key", "for-each-map-element",
]  # fmt: skip


@cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(site_schema())


def documents(text: str) -> list[Native]:
    """Read a manifest as we do, because editors read YAML 1.2, too."""
    problems = Problems(Sources())
    number = problems.sources.add(Source("site.yaml", "/", text))
    return [native(document) for document in read_documents(text, number, problems)]


def test_the_schema_is_valid_draft_07_and_nothing_beyond() -> None:
    schema = site_schema()
    used: set[str] = set()

    def look(node: Any, *, names: bool = False) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if not names:
                    used.add(key)
                if key not in ("examples", "enum", "const"):
                    look(value, names=not names and key in ("properties", "patternProperties", "definitions"))
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    assert used <= DRAFT_07


def test_the_schema_file_is_the_generated_one() -> None:
    path = ROOT / "schemas" / "site.schema.json"

    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        path.write_text(schema_text(), "utf-8")
    assert path.read_text("utf-8") == schema_text()


def test_every_key_is_explained() -> None:
    definitions = site_schema()["definitions"]
    for kind in ("authority", "certificate", "profile"):
        definition = definitions[kind]
        for name, value in definition["properties"].items():
            reference = value.get("$ref", "").removeprefix("#/definitions/")
            described = definitions[reference] if reference else value
            assert described.get("description", "").endswith("."), name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_examples_load_validate_and_name_the_schema(path: Path) -> None:
    text = path.read_text("utf-8")
    loaded = load_site(["site.yaml"], variables=[], working_directory=str(path.parent))

    assert loaded.site is not None, loaded.diagnostics
    assert text.startswith("# yaml-language-server: $schema=../../schemas/site.schema.json\n")
    for document in documents(text):
        validator().validate(document)


@pytest.mark.parametrize("shape", SHAPES)
def test_starters_load_and_validate(tmp_path: Path, shape: str) -> None:
    (tmp_path / "site.yaml").write_text(starter(shape), "utf-8")

    loaded = load_site(["site.yaml"], variables=[], working_directory=str(tmp_path))

    assert loaded.site is not None, loaded.diagnostics
    assert loaded.diagnostics == ()
    assert starter(shape).startswith("# yaml-language-server: $schema=")
    validator().validate(documents(starter(shape))[0])
    validator().validate(yaml.safe_load(starter(shape)))


def test_there_is_no_starter_for_an_unknown_shape() -> None:
    with pytest.raises(KeyError):
        starter("../dev")


@pytest.mark.parametrize("case", SEEN_BY_SCHEMA)
def test_mistakes_that_a_schema_can_see_do_not_validate(case: str) -> None:
    found = documents((GOLDEN / f"{case}.yaml").read_text("utf-8"))

    assert not all(validator().is_valid(document) for document in found)


def test_what_validates_is_wrong_for_another_reason_only() -> None:
    """A mistake that validates must be one that no schema can see; the list grows only on purpose."""
    validating = {
        path.stem
        for path in GOLDEN.glob("*.yaml")
        if (found := documents(path.read_text("utf-8"))) and all(validator().is_valid(document) for document in found)
    }

    assert not validating & set(SEEN_BY_SCHEMA)


def test_the_key_reference_in_the_docs_is_the_generated_one() -> None:
    path = ROOT / "docs" / "manifest.md"
    text = path.read_text("utf-8")

    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        path.write_text(text := with_reference(text), "utf-8")
    assert with_reference(text) == text
    assert key_reference() in text


def test_every_yaml_block_of_the_docs_that_is_a_manifest_loads_and_validates(tmp_path: Path) -> None:
    import re

    text = (ROOT / "docs" / "manifest.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    manifests = [block for block in blocks if re.search(r"^version: 1", block, re.MULTILINE)]
    assert len(manifests) >= 15
    for number, block in enumerate(manifests):
        directory = tmp_path / str(number)
        (directory / "teams").mkdir(parents=True)
        (directory / "teams" / "orders.yaml").write_text(
            "certificates: {orders: {issuer: issuing, dns: [orders.acme.example]}}\n"
        )
        (directory / "hosts").mkdir()
        (directory / "hosts" / "c1.yaml").write_text("name: gateway\n")
        (directory / "hosts.csv").write_text("name,site\na1,lund\n")
        (directory / "hosts.yaml").write_text("fleet: [b1]\n")
        (directory / "hosts.ini").write_text("[web]\nweb[01:02]\n")
        (directory / "site.yaml").write_text(block, "utf-8")
        loaded = load_site(["site.yaml"], variables=[], working_directory=str(directory))
        assert loaded.site is not None, (block, loaded.diagnostics)
        for document in documents(block):
            validator().validate(document)


def test_the_docs_list_what_expressions_can_call() -> None:
    import re

    from pkiplan.manifest.functions import FILTERS, MAP_METHODS, TESTS, TEXT_METHODS

    text = (ROOT / "docs" / "manifest.md").read_text("utf-8")
    section = text[text.index("* Filters:") : text.index("A text has at most 64 KiB")]
    filters, methods, tests = (set(re.findall(r"`([a-z]+)`", part)) for part in section.split("\n* "))
    aliases = {"count", "d"}
    tests.discard("is")

    assert filters == set(FILTERS) - aliases
    assert methods == {*TEXT_METHODS, *MAP_METHODS}
    assert tests == {name for name in TESTS if name.isalpha()}


def test_the_schema_can_be_read_as_json() -> None:
    assert json.loads(schema_text())["$schema"] == "http://json-schema.org/draft-07/schema#"
