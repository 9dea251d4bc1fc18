"""The same again changes nothing, wherever and as whoever it is run; what is made is as it was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.apply.workbench import SMALL_SITE, Workbench
from tests.judges import require
from tests.security.site import CHANGES, MANIFEST, Place


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="as before"),
        pytest.param({"TZ": "Pacific/Kiritimati"}, id="in another time zone"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="in a locale that knows ASCII"),
        pytest.param({"PKIPLAN_CACHE": "off"}, id="without a memory"),
        pytest.param({"PYTHONHASHSEED": "7"}, id="with another order of sets"),
    ],
)
def test_an_apply_after_an_apply_changes_nothing(place: Place, environment: dict[str, str]) -> None:
    before = place.facts()
    umask = os.umask(0o077)
    try:
        ran = place.traced("apply", "site.yaml", "--yes", calls=CHANGES, environment=environment)
    finally:
        os.umask(umask)

    assert ran.status == 0
    assert "No changes." in ran.out
    assert [call for call in ran.changes() if f"{place.tree}" in call or '"pki' in call] == []
    assert place.facts() == before


def test_it_can_be_run_from_anywhere(place: Place, tmp_path: Path) -> None:
    ran = place.run("-C", str(place.path), "apply", "site.yaml", "--yes", cwd=str(tmp_path))

    assert ran.status == 0
    assert "No changes." in ran.out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_works_for_nobody_with_a_home_that_cannot_be_written_and_without_a_network(empty: Place) -> None:
    require("setpriv")
    require("unshare")
    shared = Path("/var/tmp") / f"pkiplan-nobody-{os.getpid()}"
    shutil.copytree(empty.path, shared / "site")
    try:
        (shared / "home").mkdir(mode=0o555)
        for path in (shared, shared / "site"):
            path.chmod(0o755)
        os.chown(shared / "site", 65534, 65534)
        nobody = Place(shared / "site")
        python_is_reachable = subprocess.run(
            ["setpriv", "--reuid", "65534", "--clear-groups", *_python(), "-c", "import pkiplan"],
            cwd="/",
            env=nobody.environment,
            capture_output=True,
        )
        if python_is_reachable.returncode != 0:
            pytest.skip("the interpreter lies where only root may look")
        ran = nobody.run(
            "apply", "site.yaml", "--yes",
            before=[*_without_network(),
                    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"],
            environment={"HOME": str(shared / "home"), "XDG_CACHE_HOME": "", "LANG": "C", "PYTHONUTF8": "0"},
        )  # fmt: skip
        assert "Traceback" not in ran.err
        assert "4 created" in ran.out, ran.out + ran.err
        assert (shared / "site/pki/authorities/root/key.pem").stat().st_uid == 65534
    finally:
        shutil.rmtree(shared)


def _without_network() -> list[str]:
    """Start in a network of its own that has nothing but a loopback; a container may not let even root do so."""
    alone = ["unshare", "-n", "--", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]
    return alone if subprocess.run([*alone, "true"], capture_output=True).returncode == 0 else []


def _python() -> list[str]:
    import sys

    return [sys.executable]


def test_serial_numbers_are_random_positive_and_never_used_twice(tmp_path: Path) -> None:
    """Also where an old copy of the whole directory was put back, and the same certificates are issued again."""
    bench = Workbench(tmp_path).write(
        SMALL_SITE + "".join(f"  n{n}: {{issuer: issuing, dns: [n{n}.example], days: 90}}\n" for n in range(40))
    )
    bench.applied()
    saved = tmp_path / "saved"
    shutil.copytree(bench.tree, saved, symlinks=True)
    first = _serials(bench.tree)
    for directory in bench.tree.glob("certificates/*"):
        shutil.rmtree(directory)
    bench.applied()
    second = _serials(bench.tree)
    shutil.rmtree(bench.tree)
    saved.rename(bench.tree)
    for directory in bench.tree.glob("certificates/*"):
        shutil.rmtree(directory)
    bench.applied()
    third = _serials(bench.tree)

    leaves = [*first.values(), *(second[name] for name in first if "n" in name), *(third[n] for n in first if "n" in n)]
    issued = {n for serials in (first, second, third) for name, n in serials.items() if name.startswith("n")}
    assert len(issued) == 3 * 40
    for serial in leaves:
        assert serial > 0
        assert serial.bit_length() > 64
        assert len(serial.to_bytes(21, "big").lstrip(b"\0")) <= 20
        assert serial.bit_length() <= 159
    ordered = [third[f"n{n}"] for n in range(40)]
    assert ordered != sorted(ordered)


def _serials(tree: Path) -> dict[str, int]:
    return {
        path.parent.name: x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        for path in tree.glob("certificates/*/cert.pem")
    }


def test_a_chain_is_in_order_without_the_root_and_nothing_in_it_ends_before_its_leaf(made: Place) -> None:
    for name in ("web", "job"):
        directory = made.tree / "certificates" / name
        leaf, *above = x509.load_pem_x509_certificates((directory / "fullchain.pem").read_bytes())
        root = x509.load_pem_x509_certificate((made.tree / "authorities/root/cert.pem").read_bytes())
        assert leaf == x509.load_pem_x509_certificate((directory / "cert.pem").read_bytes())
        assert root not in above
        for issued, issuer in zip((leaf, *above), (*above, root), strict=True):
            issued.verify_directly_issued_by(issuer)
            assert issued.not_valid_after_utc <= issuer.not_valid_after_utc


def test_a_leaf_that_would_outlive_its_authority_is_shortened_and_told(empty: Place) -> None:
    empty.write(MANIFEST.replace("days: 1095", "days: 85"))

    ran = empty.run("apply", "site.yaml", "--yes", "--no-verify")

    assert ran.status == 0
    assert "shorten" in ran.out + ran.err or "clamp" in ran.out + ran.err or "outlive" in ran.out + ran.err
    leaf = x509.load_pem_x509_certificate((empty.tree / "certificates/web/cert.pem").read_bytes())
    issuer = x509.load_pem_x509_certificate((empty.tree / "authorities/issuing/cert.pem").read_bytes())
    assert leaf.not_valid_after_utc <= issuer.not_valid_after_utc


INPUTS = [
    "site.yaml",
    "pki/authorities/root/cert.pem",
    "pki/authorities/issuing/key.pem",
    "pki/authorities/issuing/cert.pem",
    "pki/certificates/web/cert.pem",
    "pki/certificates/job/chain.pem",
]


@pytest.mark.parametrize("name", INPUTS)
def test_a_plan_holds_for_nothing_but_what_it_was_made_from(place: Place, name: str) -> None:
    place.write(MANIFEST.replace("www.acme.example", "other.acme.example"))
    assert place.run("plan", "--out", "plan.json").status == 0
    path = place.path / name
    path.write_bytes(path.read_bytes() + b"\n")
    before = place.facts()

    ran = place.run("apply", "plan.json", "--no-verify")

    assert ran.status == 1
    assert f"{name.removeprefix('pki/')} has changed since the plan was made" in ran.err
    assert {k: v[:-1] for k, v in place.facts().items() if ".pkiplan" not in k} == {
        k: v[:-1] for k, v in before.items() if ".pkiplan" not in k
    }


def test_a_forged_plan_does_nothing(place: Place) -> None:
    place.write(MANIFEST.replace("www.acme.example", "other.acme.example"))
    assert place.run("plan", "--out", "plan.json").status == 0
    document = json.loads((place.path / "plan.json").read_text())
    text = json.dumps(document).replace("other.acme.example", "evil.example")
    (place.path / "plan.json").write_text(text)

    ran = place.run("apply", "plan.json", "--no-verify")

    assert ran.status == 1
    assert "Traceback" not in ran.err
    assert "evil" not in (place.tree / "certificates/web/openssl.cnf").read_text()


def test_a_plan_for_one_place_does_nothing_in_another(place: Place, tmp_path: Path) -> None:
    place.write(MANIFEST.replace("www.acme.example", "other.acme.example"))
    assert place.run("plan", "--out", "plan.json").status == 0
    other = Place(tmp_path / "other").write(MANIFEST.replace("site: acme", "site: another"))
    shutil.copy(place.path / "plan.json", other.path / "plan.json")

    ran = other.run("apply", "plan.json", "--no-verify")

    assert ran.status == 1
    assert not other.tree.exists()
