from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from pkiplan.errors import PkiplanError
from pkiplan.model.keys import ExternalKey
from pkiplan.model.resource import Resource
from pkiplan.verify import Outcome, VerifyEvent, VerifyReport, VerifyScope, verify_site
from pkiplan.verify.credentials import Credential
from pkiplan.verify.stacks.base import HandshakeOutcome, HandshakeSetup
from pkiplan.verify.stacks.pyopenssl import PyOpenSslStack
from tests.verify.asking import FULL, of, outcomes, unexpected, verified
from tests.verify.toy_site import NOW, Toy, usual_site


@pytest.fixture(scope="module")
def usual() -> VerifyReport:
    return verified(usual_site())


def test_a_sound_site_is_as_expected_on_every_stack(usual: VerifyReport) -> None:
    assert [str(result) for result in usual.unexpected] == []
    assert {result.stack for result in usual.results} == {"pyopenssl", "ssl", "cryptography"}
    assert usual.disagreements == ()


def test_a_server_is_reached_by_every_name_in_both_versions(usual: VerifyReport) -> None:
    found = {(result.target, result.version) for result in of(usual, "certificate.web", "server")}

    hosts = {"www.toy.example", "pkiplan-check.apps.toy.example", "10.0.0.2", "2001:db8::2"}
    assert found == {(host, version) for host in hosts for version in ("1.2", "1.3")}
    assert {result.strict for result in of(usual, "certificate.web", "server")} == {True, False}


def test_a_client_meets_a_server_of_the_site(usual: VerifyReport) -> None:
    results = of(usual, "certificate.ops", "client")

    assert {result.server for result in results} == {"certificate.web"}
    assert outcomes(results) == {Outcome.ACCEPTED}


def test_a_client_without_a_server_in_the_site_meets_a_stand_in() -> None:
    toy = Toy()
    toy.authority("root")
    toy.leaf("ops", "authority.root", usages=["client_auth"])

    report = verified(toy)

    assert unexpected(report) == set()
    assert {result.server for result in of(report, "certificate.ops", "client")} == {"throw-away server"}


@pytest.mark.parametrize(
    ("subject", "check", "reason", "by"),
    [
        ("certificate.web", "control-server-wrong-name", "wrong-name", "client"),
        ("certificate.web", "control-server-expired", "expired", "client"),
        ("certificate.web", "control-server-not-yet-valid", "not-yet-valid", "client"),
        ("certificate.web", "control-server-unrelated-authority", "unknown-authority", "client"),
        ("certificate.web", "control-server-sibling-root", "unknown-authority", "client"),
        ("certificate.web", "control-server-missing-intermediate", "unknown-authority", "client"),
        ("certificate.web", "control-server-leaf-as-authority", "not-an-authority", "client"),
        ("certificate.web", "control-server-wrong-purpose", "wrong-purpose", "client"),
        ("certificate.ops", "control-client-no-certificate", "no-client-certificate", "server"),
        ("certificate.ops", "control-client-expired", "expired", "server"),
        ("certificate.ops", "control-client-not-yet-valid", "not-yet-valid", "server"),
        ("certificate.ops", "control-client-unrelated-authority", "unknown-authority", "server"),
        ("certificate.ops", "control-client-sibling-root", "unknown-authority", "server"),
        ("certificate.ops", "control-client-missing-intermediate", "unknown-authority", "server"),
        ("certificate.ops", "control-client-leaf-as-authority", "not-an-authority", "server"),
        ("certificate.ops", "control-client-wrong-purpose", "wrong-purpose", "server"),
    ],
)
def test_controls_are_refused_for_the_right_reason_by_the_right_side(
    usual: VerifyReport, subject: str, check: str, reason: str, by: str
) -> None:
    ran = [result for result in of(usual, subject, check) if result.outcome is not Outcome.NOT_RUN]

    assert {result.version for result in ran} == {"1.2", "1.3"}
    assert {(result.outcome, result.reason.code, result.reason.by) for result in ran} == {(Outcome.REFUSED, reason, by)}


def test_what_ssl_cannot_do_is_not_run_and_says_why(usual: VerifyReport) -> None:
    late = [result for result in of(usual, "certificate.web", "control-server-expired") if result.stack == "ssl"]

    assert outcomes(late) == {Outcome.NOT_RUN}
    assert {result.reason.text for result in late} == {"Python's ssl cannot be told the time"}


def test_no_control_shows_a_certificate_that_the_site_signed_but_for_its_own(usual: VerifyReport) -> None:
    fakes = ("unrelated-authority", "sibling-root", "leaf-as-authority", "wrong-purpose")
    results = [result for result in usual.results if result.check.endswith(fakes) and result.check != "path"]

    assert results
    for result in results:
        if result.check.startswith("control-server"):
            assert result.server == "throw-away server"
        elif result.check.startswith("control-client"):
            assert (result.server, result.client) == ("throw-away server", "throw-away client")


def test_no_key_of_the_site_signs_a_control() -> None:
    """Whatever is shown in a handshake is either a certificate of the site, or by a key that is none of the site's."""
    toy = usual_site()
    shown: set[x509.Certificate] = set()

    class Watching(PyOpenSslStack):
        def handshake(self, setup: HandshakeSetup) -> HandshakeOutcome:
            shown.update(setup.all_certificates)
            return super().handshake(setup)

    verified(toy, stacks=(Watching(),))

    of_the_site = set(toy.certificates.values())
    impostors = shown - of_the_site
    assert of_the_site <= shown
    assert {"CN=web", "CN=ops", "CN=issuing", "CN=root"} <= {one.subject.rfc4514_string() for one in impostors}
    for impostor in impostors:
        for key in toy.keys.values():
            with pytest.raises(InvalidSignature):
                key.public_key().verify(impostor.signature, impostor.tbs_certificate_bytes, ECDSA(SHA256()))


def test_a_self_signed_certificate_is_its_own_trust_anchor() -> None:
    toy = Toy()
    toy.leaf("legacy", None, names=["localhost"])

    report = verified(toy)

    assert unexpected(report) == set()
    assert outcomes(of(report, "certificate.legacy", "server")) == {Outcome.ACCEPTED}
    assert {r.reason.code for r in of(report, "certificate.legacy", "control-server-unrelated-authority")} == {
        "unknown-authority"
    }


def test_another_time_is_given_to_the_stack_that_can_be_told() -> None:
    toy = usual_site()

    report = verify_site(toy.site, now=NOW + timedelta(days=100), load=toy.load, scope=FULL)

    server = of(report, "certificate.web", "server")
    assert {(r.stack, r.outcome, r.reason.code) for r in server} == {
        ("pyopenssl", Outcome.REFUSED, "expired"),
        ("ssl", Outcome.NOT_RUN, "not-supported"),
    }


def test_a_time_that_is_said_to_be_pretended_is_told_only_to_the_stack_that_can() -> None:
    toy = usual_site()

    report = verified(toy, is_pretended=True)

    assert outcomes([r for r in of(report, "certificate.web", "server") if r.stack == "ssl"]) == {Outcome.NOT_RUN}


def many(count: int) -> Toy:
    toy = Toy()
    toy.authority("root")
    for number in range(count):
        toy.leaf(f"n{number}", "authority.root", names=[f"n{number}.toy.example", f"m{number}.toy.example"])
    return toy


def test_without_full_one_of_each_issuer_and_profile_gets_every_check() -> None:
    report = verified(many(4), VerifyScope())

    assert unexpected(report) == set()
    first, *others = (f"certificate.n{number}" for number in range(4))
    assert of(report, first, "control-server-wrong-name")
    for address in others:
        handshakes = [result for result in report.results if result.subject == address and result.version]
        assert {(r.check, r.stack, r.version, r.strict) for r in handshakes} == {
            ("server", "pyopenssl", "1.2", True),
            ("server", "pyopenssl", "1.3", True),
        }


def test_a_sample_says_that_it_is_one() -> None:
    report = verified(many(9), VerifyScope(sample=3))

    assert report.sample is not None
    assert (report.sample.taken, report.sample.of) == (3, 10)
    assert {result.subject for result in report.results} == {"authority.root", "certificate.n2", "certificate.n5"}


def test_a_scope_takes_everything_beneath_what_changed_and_nothing_else() -> None:
    toy = usual_site()
    toy.authority("other")
    toy.leaf("elsewhere", "authority.other", names=["elsewhere.toy.example"])

    report = verified(toy, VerifyScope(addresses=frozenset({"authority.issuing"})))

    assert {result.subject for result in report.results} == {
        "authority.issuing",
        "certificate.web",
        "certificate.ops",
        "certificate.node",
    }


def test_two_runs_report_the_same_but_for_the_time_they_took() -> None:
    toy = usual_site()

    assert verified(toy).results == verified(toy, jobs=1).results


def test_progress_counts_every_certificate_and_rule() -> None:
    events: list[VerifyEvent] = []

    verified(usual_site(), progress=events.append)

    assert [event.done for event in events] == [1, 2, 3, 4, 5]
    assert {event.of for event in events} == {5}


def test_a_certificate_that_is_not_there_is_found() -> None:
    toy = usual_site()

    def load(resource: Resource) -> Credential:
        if resource.address == "certificate.web":
            raise PkiplanError.of("certificate.web has no cert.pem yet: apply first")
        return toy.load(resource)

    report = verify_site(toy.site, now=NOW, load=load)

    assert unexpected(report) == {("certificate.web", "credential", "unusable-certificate")}


def test_a_key_that_is_not_here_is_no_failure() -> None:
    toy = usual_site()
    del toy.keys["certificate.web"]

    report = verified(toy)

    assert unexpected(report) == set()
    found = of(report, "certificate.web", "server")
    assert [(r.outcome, r.reason.code, r.reason.text) for r in found] == [
        (Outcome.NOT_RUN, "key-not-opened", "its key is not here")
    ]
    # The client takes the next server of the site.
    assert {result.server for result in of(report, "certificate.ops", "client")} == {"certificate.node"}


def with_key_elsewhere(toy: Toy, address: str) -> None:
    toy.resources[address] = replace(toy.resources[address], key=ExternalKey(path="request.csr", is_request=True))


def test_a_peer_whose_key_is_elsewhere_is_judged_by_its_path() -> None:
    toy = usual_site()
    with_key_elsewhere(toy, "certificate.node")

    sound = verified(toy)
    toy.leaf("ops", "authority.issuing", usages=["client_auth"], actual={"usages": ("server_auth",)})
    with_key_elsewhere(toy, "certificate.ops")
    broken = verified(toy)

    assert unexpected(sound) == set()
    assert {(r.target, r.strict) for r in of(sound, "certificate.node", "path")} == {
        (usage, strict) for usage in ("server_auth", "client_auth") for strict in (True, False)
    }
    assert outcomes(of(sound, "certificate.node", "server")) == {Outcome.NOT_RUN}
    assert unexpected(broken) == {("certificate.ops", "path", "wrong-purpose")}


def test_a_peer_whose_key_cannot_be_opened_is_judged_by_its_path() -> None:
    toy = usual_site()
    toy.leaf("web", "authority.issuing", names=["www.toy.example"], actual={"days": (-30, -1)})
    del toy.keys["certificate.web"]

    report = verified(toy, VerifyScope())

    assert ("certificate.web", "path", "expired") in unexpected(report)


def test_who_stands_for_others_has_its_key_at_hand() -> None:
    toy = many(3)
    with_key_elsewhere(toy, "certificate.n0")

    report = verified(toy, VerifyScope())

    assert of(report, "certificate.n1", "control-server-wrong-name")
    assert not of(report, "certificate.n2", "control-server-wrong-name")


def test_an_interruption_waits_for_what_is_begun_and_not_for_everything() -> None:
    loaded: list[str] = []
    toy = many(300)

    def load(resource: Resource) -> Credential:
        loaded.append(resource.address)
        return toy.load(resource)

    def interrupt(event: VerifyEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_site(toy.site, now=NOW, load=load, scope=FULL, progress=interrupt, jobs=2)

    assert len(loaded) < 50
