"""An untouched tree that an older version made needs nothing; no default may change without saying so."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pkiplan import workflow
from pkiplan.manifest import profiles
from pkiplan.model.extensions import KeyUsage
from pkiplan.plan import older_defaults
from pkiplan.plan.changes import Plan, PlanOptions
from pkiplan.plan.older_defaults import OlderDefault
from pkiplan.render import environment, older_templates
from pkiplan.workflow import PlanRequest
from tests.plan.sites import days, extension
from tests.upgrade.build import HERE, MANIFEST, PASSPHRASE

VERSIONS = sorted(path.parent.name for path in HERE.glob("*/tree.tar"))

# What a further default that changes is tested with, once it has changed; every line of OLDER_DEFAULTS needs one.
FIELDS_OF_THE_TREES = frozenset[str]()


@pytest.fixture(params=VERSIONS)
def tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Unpack what a version made, as it lay there, and go there; answers when it was made."""
    made = HERE / request.param
    with tarfile.open(made / "tree.tar") as archive:
        archive.extractall(tmp_path, filter="tar" if os.geteuid() else "fully_trusted")
    (tmp_path / MANIFEST.name).write_bytes((made / MANIFEST.name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return datetime.fromisoformat((made / "made_at").read_text().strip())


def plan_at(moment: datetime, **options: object) -> Plan:
    options_ = PlanOptions(**options)  # type: ignore[arg-type]
    return workflow.make_plan(PlanRequest(site=MANIFEST.name, now=moment, options=options_)).plan


def test_there_is_a_tree_of_a_release() -> None:
    assert VERSIONS


def test_an_untouched_tree_of_an_older_version_needs_nothing(tree: datetime) -> None:
    plan = plan_at(tree)

    assert [(change.address, change.action.value, change.findings) for change in plan.changes] == []
    assert plan.kept > 15
    assert plan.unmanaged == ()


def test_it_is_due_when_it_always_was(tree: datetime) -> None:
    assert {change.address for change in plan_at(tree + timedelta(days=14)).changes} == set()
    assert {change.address for change in plan_at(tree + timedelta(days=20)).changes} == {"certificate.status"}


def test_it_is_opened_with_its_passphrases_and_renewed(tree: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    from pkiplan.secrets import SecretResolver

    for name, value in PASSPHRASE.items():
        monkeypatch.setenv(name, value)
    request = PlanRequest(
        site=MANIFEST.name, now=tree, options=PlanOptions(replace=("authority.root", "certificate.locked", "web"))
    )

    plan = workflow.make_plan(request, resolver=SecretResolver(os.environ, None)).plan

    assert {change.address: change.action.value for change in plan.changes if change.signs} == {
        "authority.root": "renew",
        "certificate.locked": "renew",
        "certificate.web": "renew",
    }
    assert not [warning for warning in plan.warnings if "not checked" in warning.summary]


def a_shorter_lifetime(monkeypatch: pytest.MonkeyPatch) -> OlderDefault:
    kind, what, settings = profiles.BUILT_IN["server"]
    monkeypatch.setitem(profiles.BUILT_IN, "server", (kind, what, {**settings, "days": 47}))
    return OlderDefault(
        until="0.1", field="lifetime", old=days(90).lifetime, new=days(47).lifetime, keys=("days", "lifetime")
    )


def another_key_usage(monkeypatch: pytest.MonkeyPatch) -> OlderDefault:
    kind, what, settings = profiles.BUILT_IN["client"]
    usages = ["digital_signature", "key_agreement"]
    monkeypatch.setitem(profiles.BUILT_IN, "client", (kind, what, {**settings, "key_usage": usages}))
    return OlderDefault(
        until="0.1",
        field="key_usage",
        old=extension("key_usage", KeyUsage(("digital_signature",)), critical=True),
        new=extension("key_usage", KeyUsage(("digital_signature", "key_agreement")), critical=True),
        keys=("key_usage",),
    )


def another_curve(monkeypatch: pytest.MonkeyPatch) -> OlderDefault:
    from pkiplan.model.keys import Curve, EcKeySpec

    kind, what, settings = profiles.BUILT_IN["peer"]
    settings = {**settings, "key": {"type": "ecdsa", "curve": "P-521"}}
    monkeypatch.setitem(profiles.BUILT_IN, "peer", (kind, what, settings))
    return OlderDefault(until="0.1", field="key", old=EcKeySpec(Curve.P256), new=EcKeySpec(Curve.P521), keys=("key",))


@pytest.mark.parametrize("change", [a_shorter_lifetime, another_key_usage, another_curve])
def test_a_default_that_changes_changes_nothing_that_is_there(
    tree: datetime, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], OlderDefault]
) -> None:
    """Make up a later version with another default: certificate and `openssl.cnf` are as that default said then."""
    older = change(monkeypatch)
    assert plan_at(tree).pending, "without its line the new default would change something"

    monkeypatch.setattr(older_defaults, "OLDER_DEFAULTS", (older,))

    assert plan_at(tree).changes == ()


def test_what_the_manifest_says_follows_the_manifest_whatever_was_a_default(
    tree: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(older_defaults, "OLDER_DEFAULTS", (a_shorter_lifetime(monkeypatch),))
    manifest = Path(MANIFEST.name)
    manifest.write_text(manifest.read_text().replace("key: ed25519, dns", "key: ed25519, days: 47, dns"))

    assert [(change.address, change.action.value) for change in plan_at(tree).changes] == [
        ("certificate.edwards", "modify")
    ]


def test_a_cnf_by_an_older_template_is_right(tree: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make up a later version that writes another comment: what today's wrote is right, until it says other things."""
    older = tmp_path / "older"
    older.mkdir()
    ours = Path(environment.__file__).parent / "templates" / "policy.cnf.j2"
    (older / ours.name).write_bytes(ours.read_bytes())
    monkeypatch.setattr(environment, "_BUILT_IN", str(later(tmp_path, ours)))
    environment._environment.cache_clear()

    assert {change.action.value for change in plan_at(tree).changes} == {"re-encode"}

    monkeypatch.setattr(older_templates, "OLDER_TEMPLATES", (str(older),))
    assert plan_at(tree).changes == ()

    cnf = Path("pki/certificates/web/openssl.cnf")
    cnf.write_text(cnf.read_text() + "# by hand\n")
    assert [change.address for change in plan_at(tree).changes] == ["certificate.web"]
    environment._environment.cache_clear()


def later(tmp_path: Path, changed: Path) -> Path:
    """Give the templates of a version to come."""
    place = tmp_path / "later"
    place.mkdir()
    for template in changed.parent.glob("*.j2"):
        (place / template.name).write_bytes(template.read_bytes())
    (place / changed.name).write_text("# as later versions write it\n" + changed.read_text())
    return place


def test_every_default_that_was_changed_is_among_those_tested() -> None:
    assert {default.field for default in older_defaults.OLDER_DEFAULTS} <= FIELDS_OF_THE_TREES
