"""What befell others and is tested nowhere else: SECURITY.md's table of incidents names these among the rest."""

from __future__ import annotations

import ast
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pkiplan.model.tree import DATA_LINK
from tests.judges import require
from tests.manifest.loading import load_text
from tests.security.site import MANIFEST, ROOT, Place

PAGE = 4096  # of memory, which is what a tmpfs gives away


@contextmanager
def _small_disk(directory: Path) -> Iterator[None]:
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may mount nothing")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _fill(file: Path, *, but: int) -> None:
    """Fill a disk but for so many pages."""
    with file.open("wb", buffering=0) as opened:
        try:
            while True:
                opened.write(b"x" * PAGE)
        except OSError:
            pass
        opened.truncate(max(0, opened.tell() - but * PAGE))


def test_a_disk_that_is_really_full_is_told_and_everything_stays_as_it_was(tmp_path: Path) -> None:
    """Faults that are made up are `make crash`'s; this one is the kernel's."""
    place = Place(tmp_path / "site", {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    with _small_disk(place.path):
        place.write().applied()
        before = _published(place)
        for pages in (0, 1, 3, 6):
            _fill(place.path / "filler", but=pages)

            ran = place.run("apply", "site.yaml", "--yes", "--no-verify", "--replace", "certificate.web")

            assert ran.status == 1, f"{pages} pages: {ran.out}"
            assert "no space left on device" in (ran.out + ran.err).lower()
            assert "Traceback" not in ran.err
            assert _published(place) == before, f"{pages} pages"
            (place.path / "filler").unlink()
        place.run("apply", "site.yaml", "--yes", "--no-verify", "--replace", "certificate.web")
        after = place.run("plan", "--detailed-exitcode")
        assert after.status == 0, after.out
        assert _published(place) != before


def _published(place: Place) -> dict[str, bytes]:
    """Everything that has its place: the files of authorities, and what certificates' links lead to."""
    return {
        str(path.relative_to(place.tree)): path.read_bytes()
        for path in sorted(place.tree.glob("*/*/*"))
        if path.is_file() and path.name != DATA_LINK and path.name != "index.txt"
    }


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("2028-02-29T00:30:00Z", id="a leap day"),
        pytest.param("2027-03-14T07:30:00Z", id="clocks go forward"),
        pytest.param("2027-11-07T06:30:00Z", id="clocks go back"),
        pytest.param("2038-01-19T03:14:08Z", id="31 bits have run out"),
        pytest.param("2049-12-31T23:59:50Z", id="before the other form of dates"),
    ],
)
def test_the_dates_of_a_plan_are_the_same_in_every_time_zone(empty: Place, moment: str) -> None:
    dates = []
    for zone in ("UTC", "XXX-14", "EST5EDT,M3.2.0,M11.1.0"):
        ran = empty.run("plan", "--json", "--at", moment, environment={"TZ": zone})
        assert ran.status == 0, ran.err
        dates.append(
            [
                (change["address"], change.get("not_before"), change.get("not_after"))
                for change in json.loads(ran.out)["resource_changes"]
            ]
        )

    assert dates[0] == dates[1] == dates[2]
    assert all(end and end.endswith("Z") for _, _, end in dates[0])


@pytest.mark.judge("openssl")
def test_a_fresh_chain_is_valid_for_a_judge_whose_clock_is_behind(made: Place) -> None:
    web = made.tree / "certificates/web"
    issued = web.joinpath("cert.pem").stat().st_mtime

    for behind in (0, 120, 240):
        judged = subprocess.run(
            [
                require("openssl"), "verify", "-attime", str(int(issued) - behind), "-x509_strict",
                "-CAfile", str(made.tree / "authorities/root/cert.pem"), "-untrusted", str(web / "chain.pem"),
                str(web / "cert.pem"),
            ],
            capture_output=True,
        )  # fmt: skip
        assert judged.returncode == 0, judged.stdout + judged.stderr
    assert issued <= time.time()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(r'"bank.example\0.evil.example"', id="a NUL"),
        pytest.param(r'"www.acme.example\nDNS:evil.example"', id="a line end"),
        pytest.param('"www.acme.example, DNS:evil.example"', id="a comma"),
        pytest.param('"www.acme.example evil.example"', id="a blank"),
        pytest.param('"www.acme.example;evil.example"', id="a semicolon"),
        pytest.param('"DNS:www.acme.example"', id="a kind in front"),
        pytest.param('"*.*"', id="two wildcards"),
        pytest.param('"w*w.acme.example"', id="half a wildcard"),
        pytest.param('"www..example"', id="an empty label"),
        pytest.param('"-www.example"', id="a hyphen in front"),
        pytest.param('""', id="nothing"),
        pytest.param(r'"www.acme.example\u200b"', id="a character that does not show"),
        pytest.param('"' + "a" * 64 + '.example"', id="a label of 64"),
    ],
)
def test_a_name_that_somebody_could_read_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    loaded = load_text(
        tmp_path,
        "version: 1\nauthorities: {root: {}}\n"
        f"certificates: {{web: {{issuer: root, subject: {{common_name: x}}, dns: [{name}]}}}}\n",
    )

    assert loaded.site is None
    assert loaded.diagnostics


def test_a_name_that_looks_like_another_shows_as_what_it_is(empty: Place) -> None:
    """With a letter of another alphabet it is another name: the plan shows the one that is signed."""
    empty.write(MANIFEST.replace("www.acme.example", "www.\N{CYRILLIC SMALL LETTER A}cme.example"))

    ran = empty.run("plan")

    assert ran.status == 0, ran.err
    assert "www.xn--cme-5cd.example" in ran.out


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "pkiplan").rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def test_chance_comes_from_the_system_alone() -> None:
    """No number of `random`'s is a secret, and none is in a certificate."""
    importing = [
        file
        for file, tree in _modules()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(found.name.partition(".")[0] == "random" for found in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    ]

    assert importing == []


def test_yaml_and_programs_are_only_used_in_their_safe_ways() -> None:
    """No loader of PyYAML's that makes objects, no shell, no code from text."""
    calls = [
        (file, ast.unparse(node)) for file, tree in _modules() for node in ast.walk(tree) if isinstance(node, ast.Call)
    ]

    assert len(calls) > 5000
    unsafe = ("yaml.load", "yaml.full_load", "yaml.unsafe_load", "os.system", "os.popen", "eval(", "exec(")
    assert [call for call in calls if call[1].startswith(unsafe)] == []
    assert [call for call in calls if "shell=True" in call[1]] == []
