"""What is told follows what is done: change the setup, and the trace changes."""

from __future__ import annotations

from typing import Any

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.report.trace import trace_json, trace_mermaid, trace_text
from pkiplan.verify.trace import KeyExchange, trace_handshake
from pkiplan.verify.trace.story import HandshakeTrace, StepState
from tests.verify.toy_site import NOW, Toy, key_pem, usual_site


@pytest.fixture(scope="module")
def toy() -> Toy:
    made = usual_site()
    made.leaf("rsa", "authority.issuing", names=["rsa.toy.example"], key="rsa-2048")
    made.authority("other")
    made.leaf("stranger", "authority.other", usages=["client_auth"])
    return made


def traced(toy: Toy, server: str = "web", client: str | None = None, **how: Any) -> HandshakeTrace:
    who = toy.resources[f"certificate.{client}"] if client else None
    asked = toy.resources[f"certificate.{server}"]
    return trace_handshake(toy.site, now=NOW, load=toy.load, server=asked, client=who, **how)


def names(trace: HandshakeTrace) -> list[tuple[str, str]]:
    return [(m.sender[0], m.name) for m in trace.messages if m.name not in ("ChangeCipherSpec", "NewSessionTicket")]


def facts(trace: HandshakeTrace, name: str, sender: str | None = None) -> dict[str, str]:
    return next(dict(m.facts) for m in trace.messages if m.name == name and sender in (None, m.sender))


def states(trace: HandshakeTrace) -> list[StepState]:
    return [step.state for step in trace.steps]


DONE, SKIPPED, FAILED, NOT_REACHED = StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.NOT_REACHED


def test_tls_1_3_with_a_client_certificate(toy: Toy) -> None:
    trace = traced(toy, client="ops")

    assert names(trace) == [
        ("c", "ClientHello"),
        ("s", "ServerHello"),
        ("s", "EncryptedExtensions"),
        ("s", "CertificateRequest"),
        ("s", "Certificate"),
        ("s", "CertificateVerify"),
        ("s", "Finished"),
        ("c", "Certificate"),
        ("c", "CertificateVerify"),
        ("c", "Finished"),
        ("c", "ApplicationData"),
        ("s", "ApplicationData"),
    ]
    assert states(trace) == [DONE] * 9
    plain = {message.name for message in trace.messages if not message.is_encrypted}
    assert plain == {"ClientHello", "ServerHello", "ChangeCipherSpec"}


def test_tls_1_3_without_one(toy: Toy) -> None:
    trace = traced(toy)

    assert ("s", "CertificateRequest") not in names(trace)
    assert ("c", "Certificate") not in names(trace)
    assert states(trace) == [DONE, DONE, DONE, DONE, SKIPPED, SKIPPED, DONE, DONE, DONE]


def test_tls_1_2_with_ecdhe(toy: Toy) -> None:
    trace = traced(toy, version="1.2")

    assert names(trace) == [
        ("c", "ClientHello"),
        ("s", "ServerHello"),
        ("s", "Certificate"),
        ("s", "ServerKeyExchange"),
        ("s", "ServerHelloDone"),
        ("c", "ClientKeyExchange"),
        ("c", "Finished"),
        ("s", "Finished"),
        ("c", "ApplicationData"),
        ("s", "ApplicationData"),
    ]
    assert facts(trace, "ServerKeyExchange")["group"] == trace.group
    assert "never went over the wire" in trace.steps[3].text


def test_tls_1_2_with_rsa_key_exchange(toy: Toy) -> None:
    trace = traced(toy, "rsa", client="ops", version="1.2", key_exchange=KeyExchange.RSA)

    assert ("s", "ServerKeyExchange") not in names(trace)
    assert facts(trace, "ClientKeyExchange") == {
        "encrypted premaster secret": "256 bytes; only the server's private key opens it"
    }
    assert names(trace).index(("c", "ClientKeyExchange")) < names(trace).index(("c", "CertificateVerify"))
    assert "no forward secrecy" in trace.steps[3].text
    assert trace.group == ""
    assert states(trace) == [DONE] * 9


def test_the_hello_says_what_is_asked_for(toy: Toy) -> None:
    hello = facts(traced(toy, host="x.apps.toy.example"), "ClientHello")

    assert hello["server name"] == "x.apps.toy.example"
    assert hello["versions"] == "TLS 1.3"
    assert len(hello["random"]) == 64
    assert "x25519" in hello["groups"]
    assert "server name" not in facts(traced(toy, host="10.0.0.2"), "ClientHello")


def test_certificates_are_those_that_were_sent(toy: Toy) -> None:
    trace = traced(toy, client="ops")

    sent = facts(trace, "Certificate", "server")
    assert list(sent) == ["certificate 1", "certificate 2"]
    assert sent["certificate 1"].startswith("CN=web, issued by CN=issuing, ecdsa P-256, key id ")
    assert facts(trace, "CertificateRequest")["accepted authorities"] == "CN=root"
    assert "CN=web ← CN=issuing ← CN=root" in trace.steps[2].text
    assert "CN=ops ← CN=issuing ← CN=root" in trace.steps[5].text


def test_a_client_that_refuses(toy: Toy) -> None:
    trace = traced(toy, host="elsewhere.example")

    assert not trace.accepted
    assert (trace.reason.code, trace.reason.by) == ("wrong-name", "client")
    assert names(trace)[-1] == ("c", "Alert")
    assert states(trace)[2] is FAILED
    assert states(trace)[7:] == [NOT_REACHED, NOT_REACHED]
    assert "hostname mismatch" in trace.steps[2].text


def test_a_server_that_refuses_after_the_client_has_finished(toy: Toy) -> None:
    trace = traced(toy, client="stranger")

    # Whom the stranger's own root vouches for is not the question: the server does not know that root.
    assert (trace.reason.code, trace.reason.by) == ("unknown-authority", "server")
    made = usual_site()
    made.leaf("ops", "authority.issuing", usages=["client_auth"], actual={"usages": ("server_auth",)})
    refused = traced(made, client="ops")
    assert (refused.reason.code, refused.reason.by) == ("wrong-purpose", "server")
    assert ("c", "Finished") in names(refused)
    assert names(refused)[-1] == ("s", "Alert")
    assert states(refused)[5] is FAILED
    assert states(refused)[8] is NOT_REACHED
    assert "proves nothing yet" in refused.steps[7].text


def test_what_cannot_begin_is_an_error(toy: Toy) -> None:
    with pytest.raises(PkiplanError, match=r"ended with TLS 1\.2"):
        traced(toy, "rsa", key_exchange=KeyExchange.RSA)
    made = usual_site()
    del made.keys["certificate.web"]
    with pytest.raises(PkiplanError, match="its key is not here"):
        traced(made)


@pytest.mark.parametrize("how", [{}, {"version": "1.2"}, {"client": "ops"}])
def test_views_hold_every_message_and_step_and_no_secret(toy: Toy, how: dict[str, Any]) -> None:
    trace = traced(toy, **how)

    text, diagram, document = trace_text(trace), trace_mermaid(trace), trace_json(trace)
    for message in trace.messages:
        assert message.name in text
        assert message.name in diagram
    for step in trace.steps:
        assert step.title in text
        assert step.title in diagram
    assert [entry["name"] for entry in document["messages"]] == [message.name for message in trace.messages]
    assert diagram.startswith("sequenceDiagram\n")
    for key in toy.keys.values():
        line = key_pem(key).splitlines()[1].decode()
        assert line not in text
        assert line not in str(document)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_diagram_shows_each_message_beneath_its_step(toy: Toy, version: str) -> None:
    lines = [line.strip() for line in trace_mermaid(traced(toy, client="ops", version=version)).splitlines()]

    def step_of(message: str) -> str:
        at = next(number for number, line in enumerate(lines) if message in line)
        return next(line for line in reversed(lines[:at]) if line.startswith("Note")).partition(": ")[2]

    assert step_of("S->>C: CertificateRequest") == "2. The server answers with its certificate"
    assert step_of("C->>S: Certificate,") == "5. The client shows who it is, if asked"
    if version == "1.2":
        assert step_of("C->>S: ClientKeyExchange") == "4. Both come to a common secret"
