"""Live endpoints that the manifest names: they must serve exactly what the site declares, and shake hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from cryptography import x509

from pkiplan.model.site import VerifyRule
from pkiplan.verify import reasons
from pkiplan.verify.credentials import Subject
from pkiplan.verify.live.endpoint import served_certificates, visit
from pkiplan.verify.live.starttls import STARTTLS
from pkiplan.verify.live.wire import UnreachableError, host_and_port
from pkiplan.verify.purposes import host_names
from pkiplan.verify.results import ACCEPTED, CheckResult, Expected, Outcome, Reason
from pkiplan.verify.session import Session
from pkiplan.verify.stacks.base import VERSIONS, HandshakeSetup, Identity, RefusedError

_STACK = "pyopenssl"
TIMEOUT_SECONDS = 10.0


def connect_checks(session: Session, rule: VerifyRule) -> Iterator[CheckResult]:
    """Check the served certificates once, then a handshake for each version, by the name the server is reached by."""
    assert rule.connect is not None
    if rule.starttls is not None and rule.starttls not in STARTTLS:
        yield _unsupported(rule)
        return
    server = session.subject(session.site.resources[rule.server]) if rule.server else None
    client = session.subject(session.site.resources[rule.client]) if rule.client else None
    versions = rule.versions or VERSIONS
    if server is not None:
        yield _serves_what_is_declared(rule, _setups(session, rule, server, None, versions), server)
    trusted = server or client
    if trusted is None:
        return
    for setup in _setups(session, rule, trusted, client, versions):
        started = time.perf_counter()
        reason = _ask(partial(visit, rule.connect, rule.starttls, setup, TIMEOUT_SECONDS))
        expected = Expected.ACCEPTED if rule.expect_accepted else Expected.REFUSED
        yield _result("connect", rule, setup, expected, reason, time.perf_counter() - started)


def _setups(
    session: Session, rule: VerifyRule, trusted: Subject, client: Subject | None, versions: tuple[str, ...]
) -> list[HandshakeSetup]:
    return [
        HandshakeSetup(
            server=Identity(rule.connect or "", trusted.served, b""),
            client=client.identity if client else None,
            client_trusts=(trusted.anchor,),
            host=rule.host_name or _host(rule, trusted),
            version=version,
            strict=True,
            time=rule.at or session.now,
            is_clock_moved=session.is_clock_moved(rule.at or session.now),
            allows_weak_keys=trusted.allows_weak_keys or bool(client and client.allows_weak_keys),
        )
        for version in versions
    ]


def _host(rule: VerifyRule, trusted: Subject) -> str:
    """Ask for the name the endpoint is reached by if the certificate holds it, else for the certificate's first."""
    hosts = host_names(trusted.resource)
    reached_by = host_and_port(rule.connect or "")[0]
    return reached_by if reached_by in hosts or not hosts else hosts[0]


def _serves_what_is_declared(rule: VerifyRule, setups: list[HandshakeSetup], server: Subject) -> CheckResult:
    started = time.perf_counter()

    def compare(setup: HandshakeSetup) -> Reason:
        served = served_certificates(rule.connect or "", rule.starttls, setup, TIMEOUT_SECONDS)
        return _difference(served, server)

    # Where one version is not spoken, another tells which certificate it is.
    reason = ACCEPTED
    for setup in reversed(setups):
        reason = _ask(partial(compare, setup))
        if reason.code != reasons.HANDSHAKE_FAILED:
            break
    return _result("connect-certificate", rule, setups[-1], Expected.ACCEPTED, reason, time.perf_counter() - started)


def _ask(ask: Callable[[], Reason]) -> Reason:
    try:
        return ask()
    except (UnreachableError, RefusedError) as error:
        return error.reason


def _difference(served: tuple[x509.Certificate, ...], server: Subject) -> Reason:
    if served == server.served:
        return ACCEPTED
    if not served or served[0] != server.certificate:
        what = f"serial {served[0].serial_number:x}, {served[0].subject.rfc4514_string()}" if served else "none"
        words = f"it serves another certificate ({what}) than {server.address}; has it been reloaded?"
        return Reason(reasons.OTHER_CERTIFICATE_SERVED, words, "server")
    names = ", ".join(certificate.subject.rfc4514_string() or "(empty)" for certificate in served[1:]) or "nothing"
    words = f"after {server.address} it serves {names}, not the declared chain"
    return Reason(reasons.OTHER_CHAIN_SERVED, words, "server")


def _unsupported(rule: VerifyRule) -> CheckResult:
    return CheckResult(
        check="connect",
        subject=rule.server or rule.connect or "",
        server=rule.connect,
        stack=_STACK,
        target=rule.starttls or "",
        expected=Expected.ACCEPTED,
        outcome=Outcome.NOT_RUN,
        reason=Reason(reasons.NOT_SUPPORTED, f"STARTTLS is known for {', '.join(sorted(STARTTLS))} only"),
    )


def _result(
    check: str, rule: VerifyRule, setup: HandshakeSetup, expected: Expected, reason: Reason, seconds: float
) -> CheckResult:
    return CheckResult(
        check=check,
        subject=rule.server or rule.client or rule.connect or "",
        server=rule.connect,
        client=setup.client.name if setup.client else None,
        stack=_STACK,
        version=setup.version,
        strict=setup.strict,
        target=setup.host or "",
        expected=expected,
        outcome=Outcome.ACCEPTED if reason is ACCEPTED else Outcome.REFUSED,
        reason=reason,
        seconds=seconds,
    )
