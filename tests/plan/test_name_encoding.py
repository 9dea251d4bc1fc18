"""The planner's encoding of a name is the one the X.509 adapter writes, and cryptography's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkiplan.model.names import ATTRIBUTE_TYPES, DistinguishedName, NameAttribute, StringType
from pkiplan.plan.name_encoding import encode_name
from pkiplan.x509.names import to_x509_name

OIDS = [attribute.oid for attribute in ATTRIBUTE_TYPES] + ["1.2.3", "2.999.128.16384.1", "0.9.2342"]
PRINTABLE = {a.oid for a in ATTRIBUTE_TYPES if a.string_type is not StringType.UTF8}


@st.composite
def attributes(draw: st.DrawFn) -> NameAttribute:
    oid = draw(st.sampled_from(OIDS))
    ascii_text = st.text(alphabet="abcXYZ019 .-", min_size=2, max_size=200)
    any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
    text = ascii_text if oid in PRINTABLE else any_text
    return NameAttribute(oid, draw(text)[: 2 if oid == "2.5.4.6" else None])


RDNS = st.lists(attributes(), min_size=1, max_size=3, unique_by=lambda a: a.oid).map(tuple)
NAMES = st.lists(RDNS, max_size=4).map(lambda rdns: DistinguishedName(tuple(rdns)))


@given(NAMES)
@settings(max_examples=200, deadline=None)
def test_a_name_is_encoded_as_it_will_be_signed(name: DistinguishedName) -> None:
    assert encode_name(name) == to_x509_name(name).public_bytes()


@pytest.mark.parametrize("length", [1, 127, 128, 255, 256, 70_000])
def test_lengths_of_every_form(length: int) -> None:
    name = DistinguishedName(((NameAttribute("2.5.4.10", "x" * length),),))

    assert encode_name(name) == to_x509_name(name).public_bytes()


def test_an_empty_name_is_an_empty_sequence() -> None:
    assert encode_name(DistinguishedName()) == b"\x30\x00"
