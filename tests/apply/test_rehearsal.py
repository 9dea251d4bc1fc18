"""What is whole is tried before it takes any place; where it may not, everything stays as it was."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from pkiplan.apply.executor import apply_plan
from pkiplan.apply.lock import site_lock
from pkiplan.apply.rehearsal import Rehearsal, Waiting
from pkiplan.apply.results import ApplyReport, NotRun
from pkiplan.plan.changes import PlanOptions
from pkiplan.plan.planner import plan_site
from pkiplan.render import render_cnf
from pkiplan.secrets import SecretResolver
from tests.apply.workbench import AUTHORITIES, NOW, SMALL_SITE, CnfDigests, Workbench

REPLACED = PlanOptions(replace=("authority.issuing", "certificate.web"))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path).write(SMALL_SITE)
    made.applied()
    return made


def apply_with(bench: Workbench, rehearsal: Rehearsal, options: PlanOptions = REPLACED) -> ApplyReport:
    site = bench.site()
    with site_lock(site, 0.0):
        observed = bench.observe(opens=True)
        plan = plan_site(site, observed.state, NOW, options=options, cnf_digests=CnfDigests(site))
        return apply_plan(
            site,
            plan,
            observed.state,
            now=NOW,
            resolver=SecretResolver({}),
            cnf_texts=partial(render_cnf, site),
            rehearsal=rehearsal,
        )


def contents(bench: Workbench) -> dict[str, bytes]:
    """Everything but the CA databases, which know of every certificate that was ever signed."""
    return {
        str(path.relative_to(bench.tree)): path.read_bytes()
        for path in bench.tree.rglob("*")
        if path.is_file() and not path.name.startswith(("index.txt", "serial")) and path.parent.name != "newcerts"
    }


def test_the_rehearsal_sees_the_new_files_and_the_disk_still_the_old(bench: Workbench) -> None:
    site = bench.site()
    web, issuing = site.resources["certificate.web"], site.resources["authority.issuing"]
    old = (bench.tree / "certificates/web/cert.pem").read_bytes()
    seen = []

    def look(waiting: Waiting) -> str:
        seen.append(waiting.addresses)
        new = waiting.read(web, "cert.pem")
        assert new is not None
        assert new != old == (bench.tree / "certificates/web/cert.pem").read_bytes()
        authority = waiting.read(issuing, issuing.certificate_file)
        assert authority is not None
        x509.load_pem_x509_certificate(new).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        assert Path(waiting.path(web, "key.pem") or "").read_bytes().startswith(b"-----BEGIN PRIVATE KEY")
        assert waiting.read(site.resources["authority.root"], "cert.pem") is None
        assert waiting.path(web, "no-such-file") is None
        return ""

    report = apply_with(bench, look)

    assert report.is_complete
    assert seen == [{"authority.issuing", "certificate.web"}]
    assert (bench.tree / "certificates/web/cert.pem").read_bytes() != old


def test_what_may_not_be_switched_leaves_everything_as_it_was(bench: Workbench) -> None:
    before, names = contents(bench), bench.names()

    report = apply_with(bench, lambda _: "not today")

    assert {result.outcome for result in report.results} == {NotRun("not today")}
    assert contents(bench) == before
    assert {name for name in bench.names() - names if "newcerts" not in name} == set()
    assert bench.applied(REPLACED).is_complete


def test_nothing_is_removed_either(bench: Workbench) -> None:
    bench.write(AUTHORITIES + "certificates:\n  new: {issuer: issuing, dns: [new.acme.example]}\n")
    before = contents(bench)

    report = apply_with(bench, lambda _: "not today", PlanOptions(prune=True))

    assert {result.address for result in report.not_run} == {"certificate.new", "certificate.web"}
    assert contents(bench) == before


def test_where_nothing_is_made_nothing_is_rehearsed(bench: Workbench) -> None:
    bench.write(AUTHORITIES)

    report = apply_with(bench, lambda _: pytest.fail("there is nothing new"), PlanOptions(prune=True))

    assert report.is_complete
