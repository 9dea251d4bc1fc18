"""Fields and values in the words of the manifest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pkiplan.model.extensions import (
    ExtensionValue,
    NameConstraints,
    OtherExtension,
    PolicyConstraints,
    TlsFeature,
)
from pkiplan.model.keys import FileAttributes
from pkiplan.model.validity import INCLUSIVE_SECOND, Validity
from pkiplan.plan.changes import FieldChange
from pkiplan.plan.descriptions import declared_lifetime, lifetime, several, span, value_text
from pkiplan.plan.files import file_attributes
from tests.plan.cases import EXTENSIONS, OUTPUTS, case_world
from tests.plan.sites import NOW, dns, edited, with_key


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=12, hours=5), "12 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=23), "23 hours"),
        (timedelta(minutes=-5), "5 minutes"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(), "0 seconds"),
    ],
)
def test_a_span_is_written_in_its_largest_whole_unit(length: timedelta, text: str) -> None:
    assert span(length) == text


@pytest.mark.parametrize(
    ("whole", "text"),
    [
        (timedelta(days=90), "90d"),
        (timedelta(hours=12), "12h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(days=3, seconds=61), "3d 00:01:01"),
        (timedelta(seconds=61), "00:01:01"),
        (timedelta(), "00:00:00"),
    ],
)
def test_a_lifetime_is_written_as_declared(whole: timedelta, text: str) -> None:
    assert lifetime(whole - INCLUSIVE_SECOND) == text


def test_a_declared_validity_is_written_in_the_words_of_the_manifest() -> None:
    assert declared_lifetime(Validity(not_after=NOW)) == "until 2026-11-24T12:00:00Z"
    assert declared_lifetime(Validity()) == "until-issuer"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (EXTENSIONS["policies"][1].value, "1.2.3.4 (http://pki.example/issuing; mind; Acme (1,)), 1.2.3"),
        (NameConstraints(dns("a"), dns("b", "c")), "permitted dns:a; excluded dns:b, dns:c"),
        (PolicyConstraints(0, None), "require_explicit_policy 0"),
        (EXTENSIONS["aia"][0].value, "ocsp http://pki.example/issuing"),
        (EXTENSIONS["sia"][0].value, "ca_repository http://pki.example/issuing"),
        (TlsFeature((5, 99)), "status_request, 99"),
        (OtherExtension("1.2", b"\x05"), "der:05"),
        (OtherExtension("1.2", b"\x05", asn1="NULL"), "asn1:NULL"),
    ],
)
def test_a_value_is_written_in_the_words_of_the_manifest(value: ExtensionValue, text: str) -> None:
    assert value_text(value) == text


def test_several_names_are_counted() -> None:
    assert several(["a", "b", "c"]) == "a, b, c"
    assert several(["a", "b", "c", "d"], at_most=1) == "a and 3 more"


def test_the_attributes_of_every_file_of_a_resource_are_known() -> None:
    world = case_world()
    site = edited(world.site, "certificate.api", lambda r: with_key(r, attributes=FileAttributes(mode=0o400)))
    api, given = site.resources["certificate.api"], site.resources["certificate.given"]

    assert file_attributes(api, "key.pem").mode == 0o400
    assert file_attributes(api, "haproxy.pem") == OUTPUTS[0].attributes
    assert file_attributes(api, "chain.pem") == api.attributes
    assert file_attributes(given, "key.pem") == given.attributes


def test_a_change_of_names_is_told_kind_by_kind() -> None:
    world = case_world()
    from tests.plan.cases import NAMES, OWN_NAME, san
    from tests.plan.sites import with_extension

    ip = NAMES["IPv4 address"]
    world.site = edited(world.site, "certificate.web", lambda r: with_extension(r, san(OWN_NAME, ip)))

    (change,) = world.plan().changes

    assert change.findings[0].message == "names: added ip:10.0.0.2"
    assert change.fields[0] == FieldChange("ip", None, "10.0.0.2")
    assert [field.field for field in change.fields] == ["ip", "serial"]
    assert change.fields[-1].after_unknown
