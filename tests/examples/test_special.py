"""What single examples are there to show."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path

import pytest

from tests.examples.conftest import Example, copy_of
from tests.judges import require, require_pkilint


@pytest.mark.judge("openssl")
def test_openssl_makes_the_same_of_every_cnf(applied: Example) -> None:
    """The promise that one can go on with openssl; what its version does not know is not run, and says so."""
    require("openssl")

    ran = applied.pkiplan("verify", "--cnf", "--json")

    document = json.loads(ran.stdout)
    assert ran.status == 0, document
    unproved = {result["reason"]["text"] for result in document["results"] if result["outcome"] == "not run"}
    assert all(re.search(r"OpenSSL \S+ does not know ml-dsa-\d\d, which came with 3\.5", why) for why in unproved)
    # One value is changed in a cnf, and the proof has to fail.
    controls = [result for result in document["results"] if result["check"] == "openssl-cnf-control"]
    assert [result["outcome"] for result in controls] == ["refused"] or unproved


def test_pkilint_finds_nothing(applied: Example) -> None:
    environment = applied.environment | {"PYTHONPATH": f"{applied.environment['PYTHONPATH']}:{require_pkilint()}"}
    example = Example(applied.name, applied.path, environment)

    certificates = sorted(str(path) for path in applied.tree.rglob("cert.pem") if path.parent.name[:2] != "..")
    ran = example.pkiplan("lint", *certificates)

    assert ran.status == 0, ran.stdout
    assert re.search(r"^Lint: \d+ certificates?, .* \(with pkilint [\d.]+\)\.$", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize("applied", ["post-quantum"], indirect=True)
def test_its_handshakes_agree_on_keys_that_a_quantum_computer_does_not_find(applied: Example) -> None:
    ran = applied.pkiplan("verify")

    assert ran.status == 0, ran.stdout
    assert re.search(
        r"^key exchange over pyopenssl, TLS 1\.3: X25519MLKEM768 \(\d+ handshakes\)$", ran.stdout, re.MULTILINE
    )
    assert "checks not run over pyopenssl: TLS 1.2 has no ML-DSA signatures\n" in ran.stdout
    version = ssl.OPENSSL_VERSION.split()[1]
    knows_ml_dsa = ssl.OPENSSL_VERSION_INFO >= (3, 5)
    assert (f"checks not run over ssl: OpenSSL {version} knows no ML-DSA\n" in ran.stdout) is not knows_ml_dsa


OUTSIDE = [
    ("robots.factory.acme.example", "robots.elsewhere.example", "is not within"),
    ("robots.factory.acme.example", "www.acme.example", "is not within"),
    ("www.acme.example,", "www.factory.acme.example,", "is excluded"),
    ("10.20.0.7", "10.30.0.7", "is not within"),
    ("post@acme.example", "post@elsewhere.example", "is not within"),
]


@pytest.mark.parametrize(("inside", "outside", "why"), OUTSIDE)
def test_a_name_outside_of_the_constraints_above_stops_the_plan(
    inside: str, outside: str, why: str, tmp_path: Path
) -> None:
    example = copy_of("name-constraints", tmp_path)
    manifest = example.path / "site.yaml"
    assert inside in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(inside, outside))

    ran = example.pkiplan("plan")

    assert ran.status == 1
    assert why in ran.stdout + ran.stderr
    assert "site.yaml:" in ran.stdout
    assert not example.tree.exists()
