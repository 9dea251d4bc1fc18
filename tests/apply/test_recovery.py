"""What an interrupted apply left is finished or undone by the next one, said in one line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pkiplan.apply.lock import site_lock
from pkiplan.errors import PkiplanError
from pkiplan.model.journal import JournalEntries, StagedFile, done_line, first_line, switch_line
from pkiplan.plan.changes import PlanOptions
from tests.apply.workbench import SMALL_SITE, Workbench, everything

RUN = "0123abcd"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path).write(SMALL_SITE)
    bench.applied()
    return bench


def journal(bench: Workbench, *lines: bytes) -> Path:
    first = JournalEntries(
        run=RUN,
        pid=4_000_000,
        process_started="5",
        host="elsewhere",
        started="2027-03-01T12:00:00Z",
        directories={"authority.root": "authorities/root", "certificate.web": "certificates/web"},
    )
    path = bench.tree / ".pkiplan/journal"
    path.write_bytes(first_line(first) + b"".join(lines))
    return path


def staged(bench: Workbench, name: str, content: bytes) -> StagedFile:
    (bench.tree / f"authorities/root/..new-{RUN}-{name}").write_bytes(content)
    return StagedFile("authorities/root", f"..new-{RUN}-{name}", name, hashlib.sha256(content).hexdigest())


def recovered(bench: Workbench) -> str:
    with site_lock(bench.site()) as lines:
        (line,) = lines
        return line


def test_a_switch_that_was_begun_is_finished(bench: Workbench) -> None:
    files = (staged(bench, "key.pem", b"new key"), staged(bench, "cert.pem", b"new certificate"))
    path = journal(bench, switch_line("authority.root", files))
    (bench.tree / f"authorities/root/..new-{RUN}-key.pem").rename(bench.tree / "authorities/root/key.pem")

    line = recovered(bench)

    assert line.endswith("finished switching authority.root")
    assert (bench.tree / "authorities/root/key.pem").read_bytes() == b"new key"
    assert (bench.tree / "authorities/root/cert.pem").read_bytes() == b"new certificate"
    assert not path.exists()


def test_what_was_prepared_and_not_switched_is_discarded(bench: Workbench) -> None:
    before = (bench.tree / "authorities/root/key.pem").read_bytes()
    staged(bench, "key.pem", b"new key")
    (bench.tree / f"certificates/web/..20270301T120000Z-{RUN}").mkdir()
    (bench.tree / f"certificates/web/..20270301T120000Z-{RUN}/key.pem").write_bytes(b"new key")
    journal(bench)

    line = recovered(bench)

    assert line.endswith("discarded what was prepared for authority.root, certificate.web")
    assert (bench.tree / "authorities/root/key.pem").read_bytes() == before
    assert not [name for name in bench.names() if RUN in name]
    assert bench.actions() == {}


def test_what_other_runs_left_is_not_touched(bench: Workbench) -> None:
    foreign = bench.tree / "authorities/root/..new-ffffffff-key.pem"
    foreign.write_bytes(b"another")
    journal(bench)

    recovered(bench)

    assert foreign.read_bytes() == b"another"


def test_a_staged_file_with_other_content_is_not_put_in_place(bench: Workbench) -> None:
    before = (bench.tree / "authorities/root/key.pem").read_bytes()
    file = staged(bench, "key.pem", b"new key")
    (bench.tree / f"authorities/root/..new-{RUN}-key.pem").write_bytes(b"tampered")
    journal(bench, switch_line("authority.root", (file,)))

    recovered(bench)

    assert (bench.tree / "authorities/root/key.pem").read_bytes() == before


def test_a_switch_that_is_done_is_not_done_again(bench: Workbench) -> None:
    before = (bench.tree / "authorities/root/key.pem").read_bytes()
    file = staged(bench, "key.pem", b"new key")
    journal(bench, switch_line("authority.root", (file,)), done_line("authority.root"))

    recovered(bench)

    assert (bench.tree / "authorities/root/key.pem").read_bytes() == before


def test_a_journal_cut_short_in_its_first_line_is_no_matter(bench: Workbench) -> None:
    path = journal(bench)
    path.write_bytes(path.read_bytes()[:20])

    with site_lock(bench.site()) as lines:
        assert lines == ()

    assert not path.exists()


def test_a_journal_of_another_format_stops_with_words(bench: Workbench) -> None:
    path = journal(bench)
    path.write_bytes(path.read_bytes().replace(b'"pkiplan_journal":1', b'"pkiplan_journal":99'))

    with pytest.raises(PkiplanError, match="not a journal that this version understands"), site_lock(bench.site()):
        pass


def test_a_planted_journal_renames_nothing_outside_of_the_site(bench: Workbench, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    waiting = away / f"..new-{RUN}-x"
    waiting.write_bytes(b"planted")
    file = StagedFile(str(away), waiting.name, "x", hashlib.sha256(b"planted").hexdigest())
    journal(bench, switch_line("authority.root", (file,)))

    recovered(bench)

    assert sorted(path.name for path in away.iterdir()) == [waiting.name]


@pytest.mark.parametrize(
    ("last", "stays"),
    [
        pytest.param("V\t2703", False, id="a line of ours, torn"),
        pytest.param("\0\0\0\0", False, id="a line of ours, of which only the room got to the disk"),
        pytest.param("V\t280101000000Z\t\tAB12\tunknown\t/CN=by hand", True, id="a whole line without its end"),
        pytest.param("seen by the auditor", True, id="what somebody else wrote"),
        pytest.param("# a note", True, id="a comment"),
    ],
)
def test_last_line_that_was_torn_is_cut_off_and_nothing_else(bench: Workbench, last: str, stays: bool) -> None:
    index = bench.tree / "authorities/issuing/index.txt"
    before = index.read_text()
    index.write_text(before + last)
    journal(bench)

    recovered(bench)

    assert index.read_text() == before + (last if stays else "")


@pytest.mark.parametrize("last", ["seen by the auditor", "V\t2703", "a line\tof others\n"])
def test_index_that_nothing_can_be_added_to_is_told_with_its_line_and_nothing_is_written(
    bench: Workbench, last: str
) -> None:
    index = bench.tree / "authorities/issuing/index.txt"
    index.write_text(index.read_text() + last)
    before = everything(bench.tree / "authorities") | everything(bench.tree / "certificates")

    with pytest.raises(PkiplanError) as caught:
        bench.apply(PlanOptions(replace=("certificate.web",)))

    (problem,) = caught.value.diagnostics
    assert str(problem.place) == "pki/authorities/issuing/index.txt:2:1"
    assert "none of OpenSSL's CA database" in problem.summary
    assert everything(bench.tree / "authorities") | everything(bench.tree / "certificates") == before
    index.write_text(index.read_text().removesuffix(last))
    bench.applied(PlanOptions(replace=("certificate.web",)))
