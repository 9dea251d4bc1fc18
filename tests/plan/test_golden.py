"""Golden plans: manifest, disk and expected plan side by side in `tests/golden/plan/`."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pkiplan.manifest import load_site
from pkiplan.model.observed import Missing, Unreadable
from pkiplan.model.site import Site
from pkiplan.plan.changes import PlanOptions
from pkiplan.plan.document import plan_document
from pkiplan.plan.document_schema import plan_schema
from tests.plan.both_ways import planned_both_ways
from tests.plan.simulate import World, cnf_digests
from tests.plan.sites import NOW

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def site_at(directory: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(directory)
    loaded = load_site([name], variables=(), working_directory=str(directory))
    assert loaded.site is not None, loaded.diagnostics
    return loaded.site


def disk_of(directory: Path, disk: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> World:
    if "applied" not in disk:
        return World(site_at(directory, "site.yaml", monkeypatch))
    world = World.applied(site_at(directory, disk["applied"], monkeypatch))
    for state, observation in (("missing", Missing()), ("damaged", Unreadable("is not PEM", is_damaged=True))):
        for entry in disk.get(state, ()):
            address, path = entry.split(" ")
            match path:
                case "key.pem":
                    world.set_key(address, observation)
                case "cert.pem":
                    world.set_certificate(address, observation)
                case _:
                    world.set_file(address, path, observation)
    return world


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_the_golden_one(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = GOLDEN / case
    disk = json.loads((directory / "disk.json").read_text(encoding="utf-8"))
    world = disk_of(directory, disk, monkeypatch)
    site = site_at(directory, "site.yaml", monkeypatch)
    options = {
        name: tuple(value) if isinstance(value, list) else value for name, value in disk.get("options", {}).items()
    }

    plan = planned_both_ways(
        site,
        world.disk.observe(site),
        NOW + timedelta(days=disk.get("days_later", 0)),
        options=PlanOptions(**options),  # type: ignore[arg-type]
        cnf_digests=cnf_digests(site),
    )

    document = plan_document(plan, inputs=(), variables=(), files={})
    jsonschema.validate(document, plan_schema())
    golden = directory / "plan.json"
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text
