"""When a certificate ends, from the manifest to the octets (RFC 5280, 4.1.2.5)."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.conftest import Here
from tests.judges import require

# Declared, and how OpenSSL reads it: UTCTime until 2049, GeneralizedTime from 2050.
ENDS = {
    "leap-day": ("2028-02-29T12:00:00Z", "UTCTIME :280229120000Z"),
    "first-of-march": ("2100-03-01T00:00:00Z", "GENERALIZEDTIME :21000301000000Z"),
    "year-2038": ("2038-01-19T03:14:08Z", "UTCTIME :380119031408Z"),
    "last-utctime": ("2049-12-31T23:59:59Z", "UTCTIME :491231235959Z"),
    "first-generalized": ("2050-01-01T00:00:00Z", "GENERALIZEDTIME :20500101000000Z"),
    "other-zone": ("2050-01-01T00:30:00+01:00", "UTCTIME :491231233000Z"),
    "end-of-time": ("9999-12-31T23:59:59Z", "GENERALIZEDTIME :99991231235959Z"),
}


@pytest.mark.judge("openssl")
def test_ends_are_encoded_as_declared_and_planned_no_second_time(here: Here) -> None:
    lines = [f'  {name}: {{self_signed: true, profile: client, not_after: "{end}"}}' for name, (end, _) in ENDS.items()]
    here.write("\n".join(["version: 1", "certificates:", *lines, ""]))

    applied = here.run("apply", "--yes", "--no-verify")

    assert applied.status == 0, applied.err
    read = {}
    for name in ENDS:
        path = here.directory / "pki" / "certificates" / name / "cert.pem"
        command = [require("openssl"), "asn1parse", "-in", str(path)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        times = [line.split("prim: ")[1] for line in ran.stdout.splitlines() if "TIME" in line]
        read[name] = " ".join(times[1].split())
    assert read == {name: encoded for name, (_, encoded) in ENDS.items()}
    assert here.run("plan", "--detailed-exitcode").status == 0


def test_what_has_no_end_is_verified_but_for_its_end(here: Here) -> None:
    """RFC 5280, 4.1.2.5: no moment comes after the last second of 9999."""
    here.write(
        "version: 1\n"
        "authorities: {root: {subject: {common_name: Root}, not_after: 9999-12-31T23:59:59Z}}\n"
        "certificates: {web: {issuer: root, profile: peer, dns: [a.example], lifetime: until-issuer}}\n"
    )

    applied = here.run("apply", "--yes")

    assert applied.status == 0, applied.err
    controls = {check["check"] for check in json.loads(here.run("verify", "--json").out)["results"]}
    for name in ("control-server", "control-client", "control-path"):
        assert f"{name}-not-yet-valid" in controls
        assert f"{name}-expired" not in controls


def test_a_leap_day_that_there_is_not_is_told_with_its_place(here: Here) -> None:
    here.write("version: 1\ncertificates:\n  a: {self_signed: true, dns: [a.example], not_after: 2027-02-29}\n")

    ran = here.run("plan")

    assert ran.status == 1
    assert "2027-02-29" in ran.err
    assert "site.yaml:3:" in ran.err
