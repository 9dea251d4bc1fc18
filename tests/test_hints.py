"""What a mistaken word is taken for."""

from __future__ import annotations

import time

import pytest

from pkiplan.hints import did_you_mean, nearest

MANY = [f"certificate.host-{number:05}" for number in range(50_000)]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("isuer", ["issuer", "subject"], "issuer"),
        ("ISSUER", ["issuer", "subject"], "issuer"),
        ("reuse-key", ["reuse_key", "renew_before"], "reuse_key"),
        ("xyzzy", ["issuer", "subject"], None),
        ("", ["issuer"], None),
        ("xertificate.host-04321", MANY, "certificate.host-04321"),
        ("certificate.hosst-04321", MANY, "certificate.host-04321"),
    ],
)
def test_the_nearest_word(word: str, known: list[str], meant: str | None) -> None:
    begun = time.process_time()

    assert nearest(word, known) == meant
    assert time.process_time() - begun < 5


def test_where_no_word_is_near_all_are_listed_unless_there_is_better_to_say() -> None:
    assert did_you_mean("xyzzy", ["b", "a"]) == "known: `a` and `b`"
    assert did_you_mean("xyzzy", ["b", "a"], otherwise="see the help") == "see the help"
    assert did_you_mean("xyzzy", []) == ""
