"""The acceptance tests that the manifest asks for: server × client × expectation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pkiplan.model.site import VerifyRule
from pkiplan.verify import reasons
from pkiplan.verify.credentials import Subject
from pkiplan.verify.probes.client import mutual_setup
from pkiplan.verify.probes.server import server_setup
from pkiplan.verify.purposes import host_names
from pkiplan.verify.reasons import NO_NAME
from pkiplan.verify.results import CheckResult, Expected, Outcome, Reason
from pkiplan.verify.session import HandshakeCheck, Session
from pkiplan.verify.stacks.base import SERVER, VERSIONS, HandshakeSetup


def rule_checks(session: Session, rule: VerifyRule) -> Iterator[HandshakeCheck | CheckResult]:
    """Yield the handshakes of one rule, of every version and host name; both sides trust the root of the server alone.

    A rule that expects a refusal and names neither another host nor another time is about the client: it is the
    server that must refuse. Without a client certificate the server demands one only in such a rule.
    """
    assert rule.server is not None
    server = session.subject(session.site.resources[rule.server])
    client = session.subject(session.site.resources[rule.client]) if rule.client else None
    hosts = (rule.host_name,) if rule.host_name else host_names(server.resource)
    if not hosts:
        yield _nameless(rule.server)
    is_about_the_client = not rule.expect_accepted and rule.host_name is None and rule.at is None
    for version in rule.versions or VERSIONS:
        for host in hosts:
            setup = _setup(session, server, client, host, version, is_about_the_client=is_about_the_client)
            demanded = client is None and is_about_the_client
            yield HandshakeCheck(
                check="rule",
                subject=rule.server,
                setup=session.at(setup, rule.at) if rule.at else setup,
                target=f"{host} at {rule.at.isoformat()}" if rule.at else host,
                expected=Expected.ACCEPTED if rule.expect_accepted else Expected.REFUSED,
                expected_reason=reasons.NO_CLIENT_CERTIFICATE if demanded else "",
                expected_by=SERVER if is_about_the_client else "",
            )


def _setup(
    session: Session, server: Subject, client: Subject | None, host: str, version: str, *, is_about_the_client: bool
) -> HandshakeSetup:
    if client is not None:
        return mutual_setup(session, server, client, version=version, strict=True, host=host)
    plain = server_setup(session, server, host=host, version=version, strict=True)
    return replace(plain, server_trusts=(server.anchor,)) if is_about_the_client else plain


def _nameless(address: str) -> CheckResult:
    return CheckResult(
        check="rule",
        subject=address,
        server=address,
        stack="pkiplan",
        expected=Expected.ACCEPTED,
        outcome=Outcome.NOT_RUN,
        reason=Reason(NO_NAME, "it has no DNS name and no IP address that a client could ask for"),
    )
