"""Names as values: order, text form, sorting."""

from __future__ import annotations

import pytest

from pkiplan.model.names import (
    ATTRIBUTE_BY_OID,
    ATTRIBUTE_TYPES,
    COMMON_NAME_OID,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    OtherNameValue,
)

COUNTRY = NameAttribute("2.5.4.6", "SE")
ORGANIZATION = NameAttribute("2.5.4.10", "Acme, Inc.")
WEB = NameAttribute(COMMON_NAME_OID, "web")


def test_attribute_types_are_unique_by_word_short_name_and_oid() -> None:
    assert len({a.name for a in ATTRIBUTE_TYPES}) == len(ATTRIBUTE_TYPES)
    assert len({a.short_name for a in ATTRIBUTE_TYPES}) == len(ATTRIBUTE_TYPES)
    assert len(ATTRIBUTE_BY_OID) == len(ATTRIBUTE_TYPES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(DistinguishedName(), "(empty)", id="an empty name says so"),
        pytest.param(DistinguishedName(((COUNTRY,), (WEB,))), "C=SE, CN=web", id="first RDN first"),
        pytest.param(DistinguishedName(((ORGANIZATION,),)), "O=Acme\\, Inc.", id="a comma is escaped"),
        pytest.param(DistinguishedName(((COUNTRY, WEB),)), "C=SE + CN=web", id="a plus inside one RDN"),
        pytest.param(
            DistinguishedName(((NameAttribute("1.3.6.1.4.1.99999.1", "x"),),)),
            "1.3.6.1.4.1.99999.1=x",
            id="an unknown attribute by OID",
        ),
    ],
)
def test_distinguished_name_as_text(name: DistinguishedName, text: str) -> None:
    assert str(name) == text


def test_common_name_is_the_most_specific_one() -> None:
    name = DistinguishedName(((NameAttribute(COMMON_NAME_OID, "first"),), (COUNTRY,), (WEB,)))

    assert name.common_name == "web"
    assert DistinguishedName(((COUNTRY,),)).common_name is None
    assert DistinguishedName().is_empty


def test_general_names_sort_by_kind_then_text() -> None:
    names = [
        GeneralName(GeneralNameKind.OTHER_NAME, OtherNameValue("1.2.3", b"\x05\x00")),
        GeneralName(GeneralNameKind.DIR_NAME, DistinguishedName(((WEB,),))),
        GeneralName(GeneralNameKind.IP, "10.0.0.2"),
        GeneralName(GeneralNameKind.DNS, "b.example"),
        GeneralName(GeneralNameKind.DNS, "a.example"),
    ]

    assert [str(name) for name in sorted(names, key=lambda name: name.sort_key)] == [
        "dns:a.example",
        "dns:b.example",
        "ip:10.0.0.2",
        "dir_name:CN=web",
        "other_name:1.2.3;DER:0500",
    ]
