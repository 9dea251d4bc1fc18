"""What is whole is tried before it takes any place; where it may not, everything stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from pkiplan.apply.rehearsal import Waiting
from pkiplan.apply.results import NotRun
from pkiplan.plan.changes import PlanOptions
from tests.apply.workbench import AUTHORITIES, SMALL_SITE, Workbench

REPLACED = PlanOptions(replace=("authority.issuing", "certificate.web"))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path).write(SMALL_SITE)
    made.applied()
    return made


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

    report = bench.apply(REPLACED, rehearsal=look)

    assert report.is_complete
    assert seen == [{"authority.issuing", "certificate.web"}]
    assert (bench.tree / "certificates/web/cert.pem").read_bytes() != old


def test_what_may_not_be_switched_leaves_everything_as_it_was(bench: Workbench) -> None:
    before, names = contents(bench), bench.names()

    report = bench.apply(REPLACED, rehearsal=lambda _: "not today")

    assert {result.outcome for result in report.results} == {NotRun("not today")}
    assert contents(bench) == before
    assert {name for name in bench.names() - names if "newcerts" not in name} == set()
    assert bench.applied(REPLACED).is_complete


def test_nothing_is_removed_either(bench: Workbench) -> None:
    bench.write(AUTHORITIES + "certificates:\n  new: {issuer: issuing, dns: [new.acme.example]}\n")
    before = contents(bench)

    report = bench.apply(PlanOptions(prune=True), rehearsal=lambda _: "not today")

    assert {result.address for result in report.not_run} == {"certificate.new", "certificate.web"}
    assert contents(bench) == before


def test_where_nothing_is_made_nothing_is_rehearsed(bench: Workbench) -> None:
    bench.write(AUTHORITIES)

    report = bench.apply(PlanOptions(prune=True), rehearsal=lambda _: pytest.fail("there is nothing new"))

    assert report.is_complete
