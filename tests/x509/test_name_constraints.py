"""RFC 5280, 4.2.1.10, kind by kind."""

from __future__ import annotations

import pytest

from pkiplan.model.extensions import NameConstraints
from pkiplan.model.names import OtherNameValue
from pkiplan.x509.name_constraints import constrained_names, is_within, violations
from tests.x509.values import dns, general, name

SE, ACME = name("C=SE"), name("C=SE", "O=Acme  Inc")


@pytest.mark.parametrize(
    ("kind", "value", "base", "within"),
    [
        ("dns", "acme.example", "acme.example", True),
        ("dns", "a.b.acme.example", "acme.example", True),
        ("dns", "A.ACME.example", "acme.EXAMPLE", True),
        ("dns", "notacme.example", "acme.example", False),
        ("dns", "acme.example.org", "acme.example", False),
        ("dns", "*.acme.example", "acme.example", True),
        ("dns", "acme.example", ".acme.example", False),
        ("dns", "a.acme.example", ".acme.example", True),
        ("dns", "anything.at.all", "", True),
        ("ip", "10.1.2.3", "10.0.0.0/8", True),
        ("ip", "11.1.2.3", "10.0.0.0/8", False),
        ("ip", "2001:db8::1", "2001:db8::/32", True),
        ("ip", "2001:db8::1", "0.0.0.0/0", False),
        ("ip", "10.1.2.3", "::/0", False),
        ("email", "a@acme.example", "a@acme.example", True),
        ("email", "A@acme.example", "a@acme.example", False),
        ("email", "a@ACME.example", "a@acme.example", True),
        ("email", "a@acme.example", "acme.example", True),
        ("email", "a@x.acme.example", "acme.example", False),
        ("email", "a@x.acme.example", ".acme.example", True),
        ("email", "a@acme.example", ".acme.example", False),
        ("uri", "https://acme.example:8443/x", "acme.example", True),
        ("uri", "https://x.acme.example/", "acme.example", False),
        ("uri", "https://x.acme.example/", ".acme.example", True),
        ("uri", "urn:uuid:1", "acme.example", False),
        ("uri", "https://[::1", "acme.example", False),
        ("dir_name", ACME, SE, True),
        ("dir_name", SE, ACME, False),
        ("dir_name", name("C=NO", "O=Acme"), SE, False),
        ("dir_name", name("C=SE", "O=ACME inc"), ACME, True),
        ("dir_name", name("O=Acme", "C=SE"), SE, False),
        ("dir_name", ACME, name(), True),
        ("rid", "1.2.3", "1.2.3", True),
        ("rid", "1.2.3.4", "1.2.3", False),
        ("other_name", OtherNameValue("1.2", b"\x05\x00"), OtherNameValue("1.2", b"\x05\x00"), True),
    ],
)
def test_a_name_is_within_a_subtree_or_not(kind: str, value: object, base: object, within: bool) -> None:
    assert is_within(general(kind, value), general(kind, base)) is within


def test_subtrees_of_other_kinds_say_nothing() -> None:
    constraints = NameConstraints((general("dns", "acme.example"),), (general("email", "acme.example"),))

    assert list(violations((general("ip", "10.0.0.1"), *dns("a.acme.example")), constraints)) == []


def test_excluded_goes_before_permitted() -> None:
    constraints = NameConstraints(dns("acme.example"), dns("secret.acme.example"))

    assert list(violations(dns("a.secret.acme.example"), constraints)) == [
        "`a.secret.acme.example` is excluded by `secret.acme.example`"
    ]


def test_more_comparisons_than_verifiers_make_are_not_made() -> None:
    names = dns(*(f"h{number}.acme.example" for number in range(2000)))
    constraints = NameConstraints(permitted=names[:1000])

    assert list(violations(names, constraints)) == [
        "2000 names against 1000 constraints are more than verifiers compare"
    ]


def test_of_many_constraints_only_a_few_are_shown() -> None:
    constraints = NameConstraints(permitted=dns(*(f"h{number}.example" for number in range(30))))

    (told,) = violations(dns("www.acme.example"), constraints)
    assert told.endswith("`h8.example`, `h9.example` and 20 more")


def test_a_wildcard_that_covers_an_excluded_host_is_excluded() -> None:
    constraints = NameConstraints((), dns("secret.acme.example"))

    assert list(violations(dns("*.acme.example"), constraints)) != []
    assert list(violations(dns("*.other.example"), constraints)) == []


def test_email_in_the_subject_counts_where_no_name_is_one() -> None:
    subject = name("CN=a", "emailAddress=a@b.example")

    assert general("email", "a@b.example") in constrained_names(subject, ())
    assert general("email", "a@b.example") not in constrained_names(subject, (general("email", "x@y.example"),))


def test_an_empty_subject_is_no_directory_name() -> None:
    assert constrained_names(name(), dns("a.example")) == dns("a.example")
