"""Filling in a pattern gives the very text that rendering gives, whatever the certificates are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import ExtendedKeyUsage
from pkiplan.model.keys import Curve, EcKeySpec, ManagedKey
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.render import render_cnf
from pkiplan.render.patterns import CnfPatterns
from tests.render.sites import (
    LEAF_EXTENSIONS,
    alternative,
    days,
    dn,
    extension,
    general,
    leaf,
    usual_site,
)
from tests.render.test_by_hand import CERTIFICATES


class Counted:
    """Renders, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, site: Site, resource: Resource) -> str:
        self.calls += 1
        return render_cnf(site, resource)


def texts(*resources: Resource) -> tuple[list[str], int]:
    """Give the text of each through one set of patterns, after seeing that it is the right one, and the renderings."""
    site = usual_site(*resources)
    counted = Counted()
    patterns = CnfPatterns(site, counted)
    found = [patterns.text(resource) for resource in resources]
    assert found == [render_cnf(site, resource) for resource in resources]
    return found, counted.calls


P256 = EcKeySpec(Curve.P256)


def host(number: int) -> Resource:
    name = f"node-{number}.example"
    return leaf(
        f"node-{number}",
        subject=dn(("O", "Acme"), ("CN", name)),
        extensions=(*LEAF_EXTENSIONS, alternative(general("dns", name), general("ip", f"10.0.0.{number}"))),
    )


def test_certificates_that_differ_by_words_alone_are_rendered_once_and_once_with_marks() -> None:
    _, renderings = texts(*(host(number) for number in range(1, 9)))
    assert renderings == 2


@pytest.mark.parametrize(
    "change",
    [
        {"validity": days(30)},
        {"digest": "sha512"},
        {"key": ManagedKey(spec=P256, path="tls.key")},
        {"directory": "elsewhere/node-2"},
        {"issuer": "authority.root"},
        {"issuer": None},
        {"subject": dn(("CN", "node-2.example"), ("O", "Acme"))},
        {"subject": dn([("O", "Acme"), ("CN", "node-2.example")])},
        {"extensions": (*LEAF_EXTENSIONS, alternative(general("dns", "node-2.example")))},
        {"extensions": (*LEAF_EXTENSIONS, alternative(general("dns", "a"), general("dns", "b")))},
        {"extensions": (*LEAF_EXTENSIONS, alternative(general("dns", "a"), general("ip", "10.0.0.1"), critical=True))},
        {"extensions": (*LEAF_EXTENSIONS[:-1], extension("extended_key_usage", ExtendedKeyUsage(("1.2.3",))))},
    ],
    ids=str,
)
def test_whatever_else_differs_is_not_taken_for_alike(change: dict[str, object]) -> None:
    other = replace(host(2), **change)  # type: ignore[arg-type] # one field of many
    texts(host(1), host(3), other, host(4))


def test_the_marks_themselves_may_be_somebodys_words() -> None:
    mark = "0pkiplan0word00"
    marked = [replace(host(number), key=ManagedKey(spec=P256, path=f"{mark}.pem")) for number in (1, 2, 3)]
    texts(*marked)
    texts(*(leaf(f"n{number}", subject=dn(("O", mark), ("CN", f"0pkiplan0word0{number}0"))) for number in range(4)))


def test_every_certificate_of_the_other_tests_beside_one_that_is_alike() -> None:
    for row in CERTIFICATES:
        resource: Resource = row.values[0]
        twin = replace(resource, address=f"{resource.address}-twin", directory=f"{resource.directory}-twin")
        texts(resource, twin)


def test_a_site_with_templates_of_its_own_is_rendered_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "header.cnf.j2").write_text("{% if 'node-2' in address %}# the second\n{% endif %}")
    resources = [host(1), host(2), host(3)]
    site = usual_site(*resources, base=str(tmp_path), templates=str(tmp_path))
    patterns = CnfPatterns(site, render_cnf)
    assert ["# the second" in patterns.text(resource) for resource in resources] == [False, True, False]


def test_what_cannot_be_written_is_refused_as_by_rendering() -> None:
    nasty = replace(host(2), subject=dn(("CN", "two\nlines")))
    patterns = CnfPatterns(usual_site(host(1), nasty, host(3)), render_cnf)
    patterns.text(host(1))
    with pytest.raises(PkiplanError, match="control character"):
        patterns.text(nasty)


WORDS = st.one_of(
    st.sampled_from(
        [
            "a",
            "x.y",
            "-a",
            ".",
            "copy",
            "move",
            "Jane Doe",
            "ö",
            "$x",
            "${a::b}",
            "#",
            "a\\",
            "a\\b",
            '"',
            "'",
            "@x",
            "[x]",
        ]
    ),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=140).filter(
        lambda text: text == text.strip()
    ),
    st.text("ab\\", min_size=1, max_size=200),
)
KINDS = st.sampled_from(["dns", "ip", "uri", "email", "upn"])


NAMED = st.tuples(WORDS, WORDS, st.lists(st.tuples(KINDS, WORDS), max_size=3))


@given(st.lists(NAMED, min_size=2, max_size=5))
def test_any_words_give_the_rendered_text(cases: list[tuple[str, str, list[tuple[str, str]]]]) -> None:
    resources = [
        leaf(
            f"n{number}",
            subject=dn(("O", organization), ("CN", common_name)),
            extensions=(
                *LEAF_EXTENSIONS,
                alternative(*(general(kind, value) for kind, value in names if "/" not in value)),
            ),
        )
        for number, (organization, common_name, names) in enumerate(cases)
    ]
    site = usual_site(*resources)
    patterns = CnfPatterns(site, render_cnf)
    for resource in resources:
        assert outcome(patterns.text, resource) == outcome(partial(render_cnf, site), resource)


def outcome(render: Callable[[Resource], str], resource: Resource) -> str:
    try:
        return render(resource)
    except PkiplanError as error:
        return f"refused: {error}"
