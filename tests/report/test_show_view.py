from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from pkiplan.diagnostics import Place
from pkiplan.model.extensions import EXTENSION_OIDS, Extension, SubjectAltName
from pkiplan.model.keys import PssBond
from pkiplan.model.names import GeneralName, GeneralNameKind
from pkiplan.model.observed import ObservedCertificate
from pkiplan.plan.shown import Shown, ShownCertificate
from pkiplan.report.show import origins_json, origins_text, show_json, show_text
from tests.report.golden import assert_golden
from tests.report.values import CREATE_WEB, ISSUING, NOW, RENEW_OPS, ROOT, WEB, name


def shown(certificate: ObservedCertificate | None, **more: object) -> Shown:
    settings: dict[str, object] = {"title": "certificate.web", "path": "pki/certificates/web/cert.pem"} | more
    return Shown(now=NOW, certificates=(ShownCertificate(certificate=certificate, **settings),))  # type: ignore[arg-type]


CASES: dict[str, Shown] = {
    "as-declared": shown(WEB, chain=(ISSUING, ROOT), is_declared=True, place=Place("site.yaml", 31)),
    "differs": shown(WEB, chain=(ISSUING, ROOT), is_declared=True, change=RENEW_OPS),
    "foreign-file": shown(WEB, title="chain.pem, certificate 1", path="chain.pem"),
    "authority": shown(ISSUING, title="authority.issuing", chain=(ROOT,)),
    "old-root": shown(ROOT, title="authority.root"),
    "not-there-yet": shown(None, is_declared=True, change=CREATE_WEB),
}


@pytest.mark.parametrize("case", CASES)
def test_certificate_reads_well(case: str) -> None:
    assert_golden(f"show/{case}.txt", show_text(CASES[case]))


def test_validity_is_told_from_now() -> None:
    later = Shown(now=NOW + timedelta(days=400), certificates=CASES["as-declared"].certificates)
    earlier = Shown(now=NOW - timedelta(days=20), certificates=CASES["as-declared"].certificates)

    assert "expired 320 days ago" in show_text(later)
    assert "not yet valid, begins in 10 days" in show_text(earlier)


def test_hostile_subject_cannot_move_the_cursor() -> None:
    evil = replace(WEB, subject=name("\x1b]0;owned\x07"))

    assert "\x1b" not in show_text(shown(evil, chain=(evil,)))


def test_what_a_reader_would_not_know_by_its_looks_says_what_it_is() -> None:
    names = SubjectAltName(
        (
            GeneralName(GeneralNameKind.DNS, "www.acme.example"),
            GeneralName(GeneralNameKind.RID, "1.2.3"),
            GeneralName(GeneralNameKind.DIR_NAME, name("x")),
        )
    )
    odd = replace(WEB, extensions=(Extension(EXTENSION_OIDS["subject_alt_name"], False, names),))

    assert re.search(r"names +www\.acme\.example, rid:1\.2\.3, dir_name:.*CN=x$", show_text(shown(odd)), re.MULTILINE)


def test_a_key_that_anybody_can_use_and_the_padding_of_a_signature_are_told() -> None:
    weak = replace(WEB, key_weakness="its primes are close together", signature_is_pss=True)

    text, document = show_text(shown(weak)), show_json(shown(weak))["certificates"][0]["certificate"]
    assert "the key is unsound: its primes are close together\n" in text
    assert " with RSASSA-PSS\n" in text
    assert (document["key_weakness"], document["signature_is_pss"]) == ("its primes are close together", True)


@pytest.mark.parametrize(
    ("bond", "told"),
    [(PssBond(), "for RSASSA-PSS alone\n"), (PssBond("sha512"), "for RSASSA-PSS alone, over sha512\n")],
)
def test_what_a_key_is_bound_to_is_told(bond: PssBond, told: str) -> None:
    bound = replace(WEB, key_pss_bond=bond)

    assert told in show_text(shown(bound))
    assert show_json(shown(bound))["certificates"][0]["certificate"]["key_is_bound_to_pss"] is True
    assert show_json(shown(WEB))["certificates"][0]["certificate"]["key_is_bound_to_pss"] is False


def test_json() -> None:
    document = json.loads(json.dumps(show_json(CASES["differs"])))

    certificate = document["certificates"][0]
    assert document["format_version"] == "1.0"
    assert certificate["certificate"]["names"] == ["dns:www.acme.example", "ip:10.0.0.2"]
    assert [link["subject"] for link in certificate["chain"]] == ["O=Acme, CN=Acme Issuing", "O=Acme, CN=Acme Root"]
    assert certificate["change"]["action"] == "renew"
    assert json.loads(json.dumps(show_json(CASES["not-there-yet"])))["certificates"][0]["certificate"] is None


def test_origins() -> None:
    found = shown(
        WEB,
        origins=(
            ("days", "90", Place("site.yaml", 14, 11)),
            ("extended_key_usage", "[server_auth]", Place("built-in", 0)),
        ),
    )

    assert origins_text(found) == (
        "certificate.web\n"
        "    days                90             site.yaml:14:11\n"
        "    extended_key_usage  [server_auth]  built-in\n"
    )
    assert origins_json(found)["origins"]["certificate.web"] == [
        {"field": "days", "value": "90", "source": {"file": "site.yaml", "line": 14, "column": 11}},
        {"field": "extended_key_usage", "value": "[server_auth]", "source": "built-in"},
    ]
