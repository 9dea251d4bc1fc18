"""pkilint is an extra; here it is asked from where `make dev` put it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import SubjectAltName
from pkiplan.model.keys import KeySpec
from pkiplan.model.resource import Resource
from pkiplan.x509 import pkilint_rules
from tests.judges import require_pkilint
from tests.render.sites import Issued, usual_site
from tests.render.test_quoting import PROPERTY, WRITABLE, resources
from tests.x509.chains import Workshop
from tests.x509.test_keys import EVERY_SPEC
from tests.x509.values import SERVER, authority, certificate, dns, ext, general, issued, replaced, self_signed


@pytest.fixture
def pkilint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put pkilint on the path; whether it is installed was answered before, and stays so for the other tests."""
    pkilint_rules.is_installed()
    monkeypatch.setattr(sys, "path", [*sys.path, require_pkilint()])


def test_its_errors_keep_a_certificate_from_being_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkilint_rules, "is_installed", lambda: True)
    monkeypatch.setattr(pkilint_rules, "lint_with_pkilint", lambda *_, **__: (Diagnostic(summary="pkilint says no"),))

    for resource in (authority(), certificate(issuer=None)):
        with pytest.raises(PkiplanError, match="pkilint says no"):
            self_signed(resource)


@pytest.mark.usefixtures("pkilint")
@pytest.mark.parametrize("spec", EVERY_SPEC, ids=str)
def test_it_finds_nothing_in_what_we_issue(spec: KeySpec) -> None:
    names = SubjectAltName(
        (*dns("*.acme.example", "www.acme.example", "localhost"), general("uri", "spiffe://acme.example/web"))
    )
    web = certificate(spec, digest="sha256", extensions=replaced(SERVER, ext("subject_alt_name", names)))

    assert pkilint_rules.lint_with_pkilint(self_signed(authority(spec))) == ()
    assert pkilint_rules.lint_with_pkilint(issued(web, authority())) == ()


@pytest.mark.usefixtures("pkilint")
def test_it_finds_what_is_unsound_and_can_be_silenced() -> None:
    workshop = Workshop()
    leaf = workshop.leaf(workshop.root(), ids=(True, False)).certificate

    found = pkilint_rules.lint_with_pkilint(leaf, what="certificate.web")
    assert found
    assert all(d.code.startswith("pkilint:") and d.summary.startswith("certificate.web: ") for d in found)
    assert pkilint_rules.lint_with_pkilint(leaf, disabled={d.code for d in found}) == ()


# What our own rules find as well, and `plan` with them.
FOUND_BY_US_TOO = {
    "pkilint:pkix.rdn_contains_duplicate_attribute_types",
    "pkilint:pkix.certificate_policies_explicit_text_not_nfc_normalized",
}


@pytest.mark.usefixtures("pkilint")
def test_it_finds_nothing_in_nasty_values_that_our_own_rules_do_not_find() -> None:
    found: set[str] = set()

    @settings(PROPERTY, max_examples=40)
    @given(resource=resources(WRITABLE))
    def lint(resource: Resource) -> None:
        certificate = Issued(usual_site(resource)).certificate(resource)
        found.update(each.code for each in pkilint_rules.lint_with_pkilint(certificate))

    lint()
    assert found <= FOUND_BY_US_TOO
