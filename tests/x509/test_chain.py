"""Our check of a chain, beside seven that we did not write."""

from __future__ import annotations

import os
import time
from collections import Counter
from functools import cache

import pytest

from pkiplan.model.extensions import EXTENDED_KEY_USAGES
from pkiplan.model.keys import MlDsaKeySpec, RsaKeySpec
from pkiplan.x509.chain import LONGEST_PATH, Question, check_chain
from pkiplan.x509.host_names import host_matches
from tests.judges import require
from tests.x509.chain_judges import DISAGREEMENTS, JUDGES, Answer
from tests.x509.chains import NOW, Verdict, Workshop, all_chains, ec_key, rsa_key
from tests.x509.values import NOT_BEFORE, authority, certificate, dns, general, issued, self_signed

SERVER = EXTENDED_KEY_USAGES["server_auth"]

TITLES = [chain.title for chain in all_chains()]
QUESTIONS = [
    pytest.param(
        judge.name,
        chain.title,
        id=f"{judge.name}: {chain.title}",
        marks=[pytest.mark.judge(judge.program)] if judge.program else [],
    )
    for judge in JUDGES.values()
    for chain in all_chains()
    if judge.checks_host or not chain.is_about_host
]


@cache
def answers(judge: str) -> dict[str, Answer]:
    return JUDGES[judge].ask()


@pytest.mark.parametrize(("name", "title"), QUESTIONS)
def test_every_judge_says_what_the_table_says(name: str, title: str) -> None:
    judge, chain = JUDGES[name], all_chains()[TITLES.index(title)]
    if judge.program:
        require(judge.program)
    expected = chain.verdict is Verdict.ACCEPTED or (chain.verdict is Verdict.STRICTLY_REFUSED and not judge.is_strict)
    reason = DISAGREEMENTS.get((name, title))

    answer = answers(name)[title]
    if reason is None:
        assert answer.accepted is expected, answer.why
    elif os.environ.get("CI"):
        # Elsewhere another version may have changed its mind.
        assert answer.accepted is not expected, f"no longer disagrees: {reason}"


def test_the_table_is_large_and_its_disagreements_are_about_it() -> None:
    verdicts = Counter(chain.verdict for chain in all_chains())

    assert len(set(TITLES)) == len(TITLES) >= 40
    assert min(verdicts.values()) >= 8
    assert {title for _, title in DISAGREEMENTS} <= set(TITLES)
    assert {name for name, _ in DISAGREEMENTS} <= set(JUDGES)


def test_we_agree_with_ourselves() -> None:
    """Our check never needs an excuse."""
    assert not [name for name, _ in DISAGREEMENTS if name.startswith("pkiplan")]


def test_what_we_issue_passes_our_check_and_a_change_does_not() -> None:
    root, web = self_signed(authority()), issued(certificate(), authority())
    question = Question(at=NOT_BEFORE, purpose=SERVER, host="www.acme.example")

    assert check_chain(web, (), (root,), question) == ()
    found = check_chain(
        web, (), (root,), Question(at=NOT_BEFORE, purpose=EXTENDED_KEY_USAGES["client_auth"], host="other.example")
    )
    assert sorted(diagnostic.code for diagnostic in found) == ["host-name", "purpose"]


@pytest.mark.parametrize("parameter_set", [44, 65, 87])
def test_post_quantum_chains_are_checked_too(parameter_set: int) -> None:
    spec = MlDsaKeySpec(parameter_set)
    root, web = self_signed(authority(spec)), issued(certificate(spec), authority(spec))

    assert check_chain(web, (), (root,), Question(at=NOT_BEFORE, purpose=SERVER, host="www.acme.example")) == ()


def test_every_problem_of_a_path_is_told() -> None:
    workshop = Workshop()
    root = workshop.root(key=rsa_key(1024))
    leaf = workshop.leaf(root, hosts=("other.example",))
    found = check_chain(
        leaf.certificate,
        (),
        (root.certificate,),
        Question(at=NOW.replace(year=NOW.year + 1), purpose=SERVER, host="www.acme.example"),
    )

    assert sorted(diagnostic.code for diagnostic in found) == ["expired", "expired", "host-name", "weak-key"]
    assert found[0].summary.startswith("certificate: expired ")


def test_a_weak_key_can_be_allowed() -> None:
    root, web = (
        self_signed(authority(RsaKeySpec(2048))),
        issued(certificate(digest="sha256"), authority(RsaKeySpec(2048))),
    )

    assert check_chain(web, (), (root,), Question(at=NOT_BEFORE, smallest_rsa=2048)) == ()
    assert check_chain(web, (), (root,), Question(at=NOT_BEFORE, smallest_rsa=3072)) != ()


def test_a_tangle_of_authorities_takes_no_time() -> None:
    """Eight authorities, each certified by each other, and none by an anchor."""
    workshop = Workshop()
    tangle = [workshop.root(f"Authority {number}", key=ec_key(number)) for number in range(8)]
    crossed = [
        workshop.authority(above, f"Authority {number}", key=below.key).certificate
        for above in tangle
        for number, below in enumerate(tangle)
        if above is not below
    ]
    leaf = workshop.leaf(tangle[0])
    question = Question(at=NOW)

    started = time.monotonic()
    found = check_chain(leaf.certificate, crossed, (workshop.root("Foreign").certificate,), question)
    assert [diagnostic.code for diagnostic in found] == ["no-path"]
    assert time.monotonic() - started < 10


def test_a_path_is_not_longer_than_any_that_makes_sense() -> None:
    workshop = Workshop()
    above = [workshop.root()]
    for depth in range(LONGEST_PATH):
        above.append(workshop.authority(above[-1], f"Authority {depth}"))
    leaf = workshop.leaf(above[-1])

    found = check_chain(
        leaf.certificate, [made.certificate for made in above[1:]], [above[0].certificate], Question(at=NOW)
    )
    assert [diagnostic.code for diagnostic in found] == ["no-path"]


@pytest.mark.parametrize(
    ("host", "presented", "matches"),
    [
        ("www.acme.example", "www.acme.example", True),
        ("WWW.acme.example", "www.acme.example", True),
        ("www.acme.example", "*.acme.example", True),
        ("a.www.acme.example", "*.acme.example", False),
        ("acme.example", "*.acme.example", False),
        (".acme.example", "*.acme.example", False),
        ("www.acme.example", "*", False),
        ("www.acme.example", "w*.acme.example", False),
        ("10.0.0.1", "10.0.0.1", False),
    ],
)
def test_a_host_matches_a_dns_name_or_not(host: str, presented: str, matches: bool) -> None:
    assert host_matches(host, dns(presented)) is matches


def test_an_address_matches_an_address() -> None:
    names = (general("ip", "2001:db8::1"), general("ip", "10.0.0.1"))

    assert host_matches("2001:0db8:0::1", names)
    assert host_matches("10.0.0.1", names)
    assert not host_matches("10.0.0.2", names)
