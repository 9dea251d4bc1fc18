from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pkiplan.diagnostics import Place
from pkiplan.model.site import VerifyRule
from pkiplan.report.verify import verify_text
from pkiplan.verify import Expected, Outcome, VerifyScope
from pkiplan.verify.results import CheckResult, report_of, result_document
from tests.verify.asking import verified
from tests.verify.toy_site import NOW, Toy, p256, usual_site


def rule(**what: Any) -> VerifyRule:
    return VerifyRule(place=Place("site.yaml", 9), **what)


def run(toy: Toy, *rules: VerifyRule) -> list[CheckResult]:
    toy.rules = list(rules)
    return [result for result in verified(toy, VerifyScope()).results if result.check == "rule"]


def two_sites() -> Toy:
    toy = usual_site()
    toy.authority("other")
    toy.leaf("stranger", "authority.other", usages=["client_auth"])
    return toy


WEB = "certificate.web"


@pytest.mark.parametrize(
    ("asked", "outcome", "reason"),
    [
        pytest.param(rule(server=WEB, client="certificate.ops"), "accepted", "", id="client of the same root"),
        pytest.param(
            rule(server=WEB, expect_accepted=False), "refused", "no-client-certificate", id="none where one is demanded"
        ),
        pytest.param(rule(server=WEB), "accepted", "", id="none where none is demanded"),
        pytest.param(
            rule(server=WEB, client="certificate.stranger", expect_accepted=False),
            "refused",
            "unknown-authority",
            id="client of another root",
        ),
        pytest.param(
            rule(server=WEB, host_name="elsewhere.example", expect_accepted=False),
            "refused",
            "wrong-name",
            id="another name",
        ),
        pytest.param(rule(server=WEB, host_name="x.apps.toy.example"), "accepted", "", id="instance of the wildcard"),
        pytest.param(
            rule(server=WEB, at=NOW + timedelta(days=99), expect_accepted=False), "refused", "expired", id="at a time"
        ),
    ],
)
def test_a_rule_ends_as_it_expects(asked: VerifyRule, outcome: str, reason: str) -> None:
    results = run(two_sites(), asked)

    ran = [result for result in results if result.outcome is not Outcome.NOT_RUN]
    assert {(r.outcome.value, r.reason.code) for r in ran} == {(outcome, reason)}
    assert all(result.as_expected for result in results)
    assert {result.version for result in ran} == {"1.2", "1.3"}


def test_a_stranger_must_be_refused_by_the_server_and_not_refuse_it() -> None:
    stranger = rule(server=WEB, client="certificate.stranger", expect_accepted=False)
    toy = two_sites()

    assert {result.reason.by for result in run(toy, stranger) if result.outcome is Outcome.REFUSED} == {"server"}
    toy.keys["certificate.stranger"] = p256()
    assert not any(result.as_expected for result in run(toy, stranger) if result.outcome is Outcome.REFUSED)


def test_a_rule_that_is_not_kept_is_unexpected() -> None:
    accepted, refused = (
        run(two_sites(), rule(server=WEB, client="certificate.stranger")),
        run(two_sites(), rule(server=WEB, client="certificate.ops", expect_accepted=False)),
    )

    assert {(r.expected, r.outcome, r.as_expected) for r in accepted} == {(Expected.ACCEPTED, Outcome.REFUSED, False)}
    assert {(r.expected, r.outcome, r.as_expected) for r in refused} == {(Expected.REFUSED, Outcome.ACCEPTED, False)}


def test_a_rule_says_where_it_was_declared() -> None:
    (found, *_) = run(two_sites(), rule(server=WEB, client="certificate.stranger"))

    assert found.declared_at == "site.yaml:9:1"
    assert "it had to be accepted (site.yaml:9:1)" in verify_text(report_of([found]))
    assert result_document(found)["declared_at"] == "site.yaml:9:1"


def test_a_rule_keeps_to_its_versions_and_host() -> None:
    results = run(usual_site(), rule(server=WEB, versions=("1.3",), host_name="www.toy.example"))

    assert {(r.version, r.target) for r in results} == {("1.3", "www.toy.example")}


def test_rules_outside_of_the_scope_are_not_run() -> None:
    toy = two_sites()
    toy.rules = [rule(server=WEB, client="certificate.ops"), rule(server=WEB, connect="127.0.0.1:1")]

    other = verified(toy, VerifyScope(addresses=frozenset({"authority.other"})))
    no_live = verified(toy, VerifyScope(live=False))

    assert not [r for r in other.results if r.check in ("rule", "connect")]
    assert {r.check for r in no_live.results if r.check in ("rule", "connect")} == {"rule"}
