"""The published schema is the one the code makes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema

from pkiplan.plan.document_schema import plan_schema

PUBLISHED = Path(__file__).parents[2] / "schemas" / "plan.schema.json"


def test_the_published_schema_is_up_to_date() -> None:
    made = json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        PUBLISHED.write_text(made, encoding="utf-8")

    assert PUBLISHED.read_text(encoding="utf-8") == made


def test_the_schema_is_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(plan_schema())
