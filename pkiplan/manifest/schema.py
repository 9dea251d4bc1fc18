"""The JSON Schema of manifests, made from the definitions that decode them.

Draft-07 and no keyword beyond it, because that is what editors and SchemaStore take.
"""

from __future__ import annotations

import json
from typing import Any

from pkiplan.manifest.definitions import OWN, SETTINGS, SITE, of_kind
from pkiplan.manifest.for_each import ForEachType
from pkiplan.manifest.profiles import BUILT_IN
from pkiplan.manifest.tables import Key, key_schema, nullable
from pkiplan.manifest.values import Boolean, Schema, Text
from pkiplan.manifest.verify_rules import TABLE as VERIFY

_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$|\{\{"

ISSUER = Key(
    Text("the id of an authority", raw=True),
    "The authority that issues: its id, or `id[KEY]` where it has `for_each`.",
    examples=("issuing",),
)
PROFILE = Key(
    Text("the name of a profile", raw=True),
    f"A profile: one of this manifest's, or built in: {', '.join(BUILT_IN)}.",
    "`root-ca`, `issuing-ca` or `server`",
)
EXTENDS = Key(
    Text("the name of a profile"),
    f"The profile that this one refines: one of this manifest's, or built in: {', '.join(BUILT_IN)}.",
)
SELF_SIGNED = Key(Boolean(), "Whether the certificate is signed with its own key; it is no authority.", "false")
FOR_EACH = Key(
    ForEachType(),
    "Many resources from one declaration: a list, a map, or a source such as `{csv: hosts.csv}`. Templates see "
    "`each.key` and `each.value`.",
    examples=(["a1", "a2"], {"range": [1, 200]}, {"csv": "hosts.csv"}),
)


def site_schema() -> dict[str, Any]:
    """Return the schema of a manifest."""
    authority, certificate = of_kind("a"), of_kind("c")
    own = {"issuer": ISSUER, "profile": PROFILE, "for_each": FOR_EACH, **OWN}
    properties = {name: key_schema(key) for name, key in SITE.items()}
    for name, reference in (("authorities", "authority"), ("certificates", "certificate"), ("profiles", "profile")):
        properties[name] = {
            "type": ["object", "null"],
            "description": SITE[name].description,
            "propertyNames": {"pattern": _ID_PATTERN} if name != "profiles" else True,
            "additionalProperties": nullable(_reference(reference)),
        }
    properties["defaults"] = {**nullable(_reference("defaults")), "description": SITE["defaults"].description}
    properties["vars"] = {**properties["vars"], "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}}
    properties["verify"] = {
        "anyOf": [{"type": "array", "items": VERIFY.schema()}, {"type": "null"}],
        "description": SITE["verify"].description,
    }
    schema: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "pkiplan manifest",
        "description": "Which authorities and certificates of a private PKI shall exist.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "definitions": {
            "authority": _object({**own, **authority}, {"defaults": _reference("defaults")}),
            "certificate": _object({**own, "self_signed": SELF_SIGNED, **certificate}, {}),
            "profile": _object({"extends": EXTENDS, "issuer": ISSUER, **SETTINGS}, {}),
            "defaults": _object(
                {"issuer": ISSUER, "profile": PROFILE, **SETTINGS},
                {"authorities": _reference("authorityDefaults"), "certificates": _reference("certificateDefaults")},
            ),
            "authorityDefaults": _object({"issuer": ISSUER, "profile": PROFILE, **authority}, {}),
            "certificateDefaults": _object({"issuer": ISSUER, "profile": PROFILE, **certificate}, {}),
        },
    }
    for definition in schema["definitions"].values():
        _allow_templated_keys(definition)
    return _shared(schema)


def schema_text() -> str:
    """Write the schema as the file `schemas/site.schema.json`."""
    return json.dumps(site_schema(), indent=2, ensure_ascii=False) + "\n"


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _object(keys: dict[str, Key], more: dict[str, Schema]) -> Schema:
    properties = {name: key_schema(key) for name, key in keys.items()}
    properties |= {name: {**nullable(reference), "description": _MORE[name]} for name, reference in more.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _allow_templated_keys(node: Any) -> None:
    """Let every map beneath a resource have keys that are templates; what they give is known only later."""
    if isinstance(node, dict):
        for value in node.values():
            _allow_templated_keys(value)
        if node.get("additionalProperties") is False:
            node["patternProperties"] = {**node.get("patternProperties", {}), r"\{\{": {}}
    elif isinstance(node, list):
        for value in node:
            _allow_templated_keys(value)


_MORE = {
    "defaults": "Settings for everything that this authority issues.",
    "authorities": "Settings for authorities only.",
    "certificates": "Settings for certificates only.",
}
_WORTH_SHARING = 250


def _shared(schema: Schema) -> Schema:
    """Write what stands in several places once, under `definitions`, named after the key where it stood first."""
    seen: dict[str, str] = {}
    repeated: dict[str, str] = {}

    def look(node: Any, key: str, *, is_schema: bool) -> None:
        if isinstance(node, dict):
            if is_schema and ("type" in node or "anyOf" in node):
                text = json.dumps(node, sort_keys=True)
                if len(text) >= _WORTH_SHARING:
                    if text in seen:
                        repeated.setdefault(text, seen[text])
                        return  # what is inside stands in both places alike
                    seen[text] = key
            for name, value in node.items():
                is_map = name in ("properties", "patternProperties", "definitions")
                if is_map and is_schema:
                    for inner, element in value.items():
                        look(element, inner if name == "properties" else key, is_schema=True)
                else:
                    look(value, key, is_schema=name not in ("examples", "enum"))
        elif isinstance(node, list):
            for value in node:
                look(value, key, is_schema=is_schema)

    look(schema, "site", is_schema=True)
    names: dict[str, str] = {}
    for text, key in repeated.items():
        number = sum(1 for known in names.values() if known.rstrip("0123456789") == f"setting.{key}")
        names[text] = f"setting.{key}" + (str(number + 1) if number else "")

    def replaced(node: Any) -> Any:
        if isinstance(node, dict):
            name = names.get(json.dumps(node, sort_keys=True))
            return _reference(name) if name is not None else {key: replaced(value) for key, value in node.items()}
        return [replaced(value) for value in node] if isinstance(node, list) else node

    result: Schema = replaced(schema)
    for text, name in names.items():
        result["definitions"][name] = {key: replaced(value) for key, value in json.loads(text).items()}
    return result
