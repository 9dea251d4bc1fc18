from __future__ import annotations

from typing import Any

import pytest

from pkiplan.verify import Outcome
from tests.verify.asking import of, unexpected, verified
from tests.verify.toy_site import KEYS, Toy


def site_with(key: str, *, authority_key: str = "ecdsa-p256", **how: Any) -> Toy:
    toy = Toy()
    toy.authority("root", key=authority_key)
    toy.leaf("web", "authority.root", key=key, names=["www.toy.example"], **how)
    toy.leaf("ops", "authority.root", key=key, usages=["client_auth"], **how)
    return toy


@pytest.mark.parametrize("key", [key for key in KEYS if key != "rsa-1024"])
def test_every_kind_of_key_shakes_hands(key: str) -> None:
    report = verified(site_with(key))

    assert [str(result) for result in report.unexpected] == []
    accepted = {
        (r.stack, r.version)
        for check, address in (("server", "certificate.web"), ("client", "certificate.ops"))
        for r in of(report, address, check)
        if r.outcome is Outcome.ACCEPTED
    }
    assert ("pyopenssl", "1.3") in accepted
    if not key.startswith("ml-dsa"):
        assert accepted == {(stack, version) for stack in ("pyopenssl", "ssl") for version in ("1.2", "1.3")}


def test_ml_dsa_is_not_run_where_it_cannot_be_and_says_why() -> None:
    report = verified(site_with("ml-dsa-65"))

    not_run = {(r.stack, r.version): r.reason.text for r in report.not_run if r.check == "server"}
    assert not_run["pyopenssl", "1.2"] == "TLS 1.2 has no ML-DSA signatures"
    assert ("pyopenssl", "1.3") not in not_run


@pytest.mark.parametrize("authority_key", ["ml-dsa-65", "ed25519", "rsa-2048", "ecdsa-p384"])
def test_every_kind_of_authority_is_believed(authority_key: str) -> None:
    report = verified(site_with("ecdsa-p256", authority_key=authority_key))

    assert [str(result) for result in report.unexpected] == []
    versions = {r.version for r in of(report, "certificate.web", "server") if r.outcome is Outcome.ACCEPTED}
    assert versions == {"1.2", "1.3"}


def test_short_rsa_is_accepted_where_the_manifest_allows_it() -> None:
    report = verified(site_with("rsa-1024", allow=["rsa-1024"]))

    assert [str(result) for result in report.unexpected] == []
    assert {r.stack for r in of(report, "certificate.web", "server")} == {"pyopenssl", "ssl"}


def test_short_rsa_is_refused_elsewhere() -> None:
    toy = site_with("rsa-1024")
    toy.leaf("sound", "authority.root", names=["sound.toy.example"])

    report = verified(toy)

    assert ("certificate.web", "server", "weak") in unexpected(report)
    assert not [result for result in report.unexpected if result.subject == "certificate.sound"]


def test_a_self_signed_certificate_with_short_rsa_works_where_it_is_allowed() -> None:
    toy = Toy()
    toy.leaf("legacy", None, key="rsa-1024", allow=["rsa-1024"], names=["localhost"])

    assert [str(result) for result in verified(toy).unexpected] == []
