"""The key reference of `docs/manifest.md`, made from the definitions."""

from __future__ import annotations

import json
from collections.abc import Mapping as MappingABC

from pkiplan.manifest.definitions import CRL, LINT, OWN, SETTINGS, SITE
from pkiplan.manifest.general_names import NAME_CONSTRAINTS_TABLE
from pkiplan.manifest.keys import KEYS
from pkiplan.manifest.outputs import TABLE as OUTPUT
from pkiplan.manifest.profiles import BUILT_IN
from pkiplan.manifest.schema import EXTENDS, FOR_EACH, ISSUER, PROFILE, SELF_SIGNED
from pkiplan.manifest.secret_references import KEYS as SECRETS
from pkiplan.manifest.tables import Key
from pkiplan.manifest.verify_rules import KEYS as VERIFY
from pkiplan.model.names import ATTRIBUTE_TYPES

BEGIN = "<!-- generated: `python -m pkiplan.manifest.reference` writes this part -->\n"
END = "<!-- end of the generated part -->\n"
_KINDS = {"a": "authorities", "c": "certificates"}


def key_reference() -> str:
    """Write every key with what it means."""
    parts = [
        _section("At the top", SITE),
        _section(
            "In an authority or certificate",
            {"issuer": ISSUER, "profile": PROFILE, "for_each": FOR_EACH, "self_signed": SELF_SIGNED, **OWN},
        ),
        _section("In a profile", {"extends": EXTENDS}),
        _section("In authorities, certificates, profiles and `defaults`", SETTINGS),
        _section("In `key`", KEYS),
        _section("A reference to a secret", SECRETS),
        _section("In `name_constraints`", NAME_CONSTRAINTS_TABLE.keys),
        _section("In `crl`", CRL.keys),
        _section("In `lint`", LINT.keys),
        _section("In an element of `outputs`", OUTPUT.keys),
        _section("In an element of `verify`", VERIFY),
        _attributes(),
        _profiles(),
    ]
    return "\n".join(parts)


def with_reference(text: str) -> str:
    """Return a page with its generated part made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{key_reference()}\n{END}{after}"


def _section(title: str, keys: MappingABC[str, Key]) -> str:
    rows = [f"### {title}", "", "| key | what it holds | meaning | without it |", "| --- | --- | --- | --- |"]
    rows += [_row(name, key) for name, key in keys.items()]
    return "\n".join(rows) + "\n"


def _row(name: str, key: Key) -> str:
    meaning = key.description
    if key.kinds in _KINDS:
        meaning += f" For {_KINDS[key.kinds]} only."
    if key.examples:
        meaning += f" Example: `{_example(key.examples[0])}`."
    return f"| `{name}` | {_cell(key.type.wanted)} | {_cell(meaning)} | {_cell(key.default)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _example(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {_example(element)}" for key, element in value.items()) + "}"
        case list():
            return "[" + ", ".join(_example(element) for element in value) + "]"
        case str() if any(char in value for char in ":,[]{}#*") or value[:1].isdigit():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def _attributes() -> str:
    rows = ["### In `subject`", "", "| key | also | OID | at most |", "| --- | --- | --- | --- |"]
    for attribute in ATTRIBUTE_TYPES:
        limit = "" if attribute.max_length is None else f"{attribute.max_length} characters"
        rows.append(f"| `{attribute.name}` | `{attribute.short_name}` | {attribute.oid} | {limit} |")
    rows += ["", "Any other attribute is written by its OID."]
    return "\n".join(rows) + "\n"


def _profiles() -> str:
    rows = ["### Built-in profiles", "", "| profile | for | settings |", "| --- | --- | --- |"]
    for name, (_, purpose, settings) in BUILT_IN.items():
        rows.append(f"| `{name}` | {purpose} | `{_example(settings)}` |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write the generated part of the page that is named on the command line."""
    import sys
    from pathlib import Path

    page = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/manifest.md")
    page.write_text(with_reference(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
