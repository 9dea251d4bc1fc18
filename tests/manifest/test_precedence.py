"""Defaults, profiles and resources: what wins, what merges, what is unset."""

# ruff: noqa: E501  # manifests and tables are easier to compare on one line

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pkiplan.manifest.profiles import BUILT_IN
from pkiplan.model.extensions import EXTENDED_KEY_USAGE_NAMES
from pkiplan.model.keys import Curve, EcKeySpec, ManagedKey, RsaKeySpec
from pkiplan.model.secret_references import EnvSecret
from tests.manifest.loading import HEAD, load_text, mistakes, site_of

SECOND = timedelta(seconds=1)


def days(directory: Path, text: str) -> dict[str, int]:
    site = site_of(directory, text)
    return {r.id: (r.validity.lifetime + SECOND).days for r in site if r.validity.lifetime is not None}


def test_each_layer_wins_over_the_ones_below(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {days: 10}\nprofiles:\n  p: {extends: server, days: 30}\n  q: {extends: p}\n  r: {extends: q, days: 35}\n"
        "authorities:\n  root: {}\n  sub: {issuer: root, defaults: {days: 20}}\ncertificates:\n"
        "  a: {issuer: root, dns: [a.example]}\n"
        "  b: {issuer: sub, dns: [a.example]}\n"
        "  c: {issuer: sub, profile: p, dns: [a.example]}\n"
        "  d: {issuer: sub, profile: q, dns: [a.example]}\n"
        "  e: {issuer: sub, profile: r, dns: [a.example]}\n"
        "  f: {issuer: sub, profile: r, days: 40, dns: [a.example]}\n"
        "  g: {issuer: root, profile: server, dns: [a.example]}\n"
    )

    assert days(tmp_path, text) == {
        "root": 3652,
        "sub": 1095,
        "a": 10,
        "b": 20,
        "c": 30,
        "d": 30,
        "e": 35,
        "f": 40,
        "g": 10,
    }


def test_defaults_hold_maps_for_each_kind(tmp_path: Path) -> None:
    text = HEAD + (
        "defaults: {days: 7, authorities: {days: 400}, certificates: {days: 8, issuer: issuing, profile: client}}\n"
        "certificates:\n  a: {}\n"
    )
    found = site_of(tmp_path, text).resources["certificate.a"]

    assert days(tmp_path, text) == {"root": 400, "issuing": 400, "a": 8}
    assert (found.issuer, found.profile) == ("authority.issuing", "client")


def test_of_the_ways_to_give_a_lifetime_the_highest_layer_counts(tmp_path: Path) -> None:
    text = HEAD + (
        "defaults: {lifetime: 12h}\nprofiles: {p: {extends: server, not_after: 2030-01-01}}\n"
        "certificates:\n  a: {issuer: issuing, dns: [a.example]}\n  b: {issuer: issuing, profile: p, dns: [a.example]}\n"
        "  c: {issuer: issuing, profile: p, days: 3, dns: [a.example]}\n"
    )
    site = site_of(tmp_path, text)

    validities = {name: site.resources[f"certificate.{name}"].validity for name in "abc"}
    assert validities["a"].lifetime == timedelta(hours=12) - SECOND
    assert validities["b"].lifetime is None
    assert validities["b"].not_after is not None
    assert validities["c"].lifetime == timedelta(days=3) - SECOND
    assert validities["c"].not_after is None


def test_maps_merge_lists_replace_and_null_unsets(tmp_path: Path) -> None:
    text = HEAD + (
        "defaults: {subject: {organization: Acme, country: SE, locality: Lund}, aia: {ocsp: http://o/}}\n"
        "profiles: {p: {extends: peer, subject: {locality: null, organizational_unit: [A, B]}, extended_key_usage: [client_auth]}}\n"
        "certificates:\n  a: {issuer: issuing, profile: p, subject: {organizational_unit: [C], common_name: x}, aia: {ca_issuers: http://c/}}\n"
        "  b: {issuer: issuing, profile: p, subject: null, aia: null, email: [a@b.example]}\n"
    )
    site = site_of(tmp_path, text)
    a, b = site.resources["certificate.a"], site.resources["certificate.b"]

    assert str(a.subject) == "C=SE, O=Acme, OU=C, CN=x"
    assert len(a.extension("aia").descriptions) == 2  # type: ignore[union-attr]  # it is there
    assert a.extended_key_usages == ("1.3.6.1.5.5.7.3.2",)
    assert b.subject.common_name == "b"
    assert b.extension("aia") is None


def test_a_key_merges_unless_its_type_differs(tmp_path: Path) -> None:
    text = HEAD + (
        "profiles: {p: {extends: server, key: {type: rsa, size: 3072, passphrase: {env: A}}}}\ncertificates:\n"
        "  a: {issuer: issuing, profile: p, dns: [a.example], key: {size: 4096}}\n"
        "  b: {issuer: issuing, profile: p, dns: [a.example], key: {type: ecdsa}}\n"
        "  c: {issuer: issuing, profile: p, dns: [a.example], key: rsa-2048}\n"
        "  d: {issuer: issuing, profile: p, dns: [a.example], key: {passphrase: {env: B}}}\n"
    )
    site = site_of(tmp_path, text)
    keys = {name: site.resources[f"certificate.{name}"].key for name in "abcd"}

    assert keys["a"] == ManagedKey(spec=RsaKeySpec(4096), passphrases=(EnvSecret("A"),))
    assert keys["b"] == ManagedKey(spec=EcKeySpec(Curve.P256))
    assert keys["c"] == ManagedKey(spec=RsaKeySpec(2048), passphrases=(EnvSecret("A"),))
    assert keys["d"] == ManagedKey(spec=RsaKeySpec(3072), passphrases=(EnvSecret("B"),))


def test_a_profile_without_extends_refines_the_default_one(tmp_path: Path) -> None:
    text = "version: 1\nprofiles: {short: {days: 5}}\nauthorities:\n  root: {profile: short}\n  sub: {issuer: root, profile: short}\n"
    text += "certificates:\n  a: {issuer: sub, profile: short, dns: [a.example]}\n"
    site = site_of(tmp_path, text)

    assert days(tmp_path, text) == {"root": 5, "sub": 5, "a": 5}
    assert site.resources["authority.sub"].path_length == 0
    assert site.resources["certificate.a"].extended_key_usages == ("1.3.6.1.5.5.7.3.1",)


@pytest.mark.parametrize(
    ("profile", "purposes", "lifetime"),
    [
        ("server", ["server_auth"], 90),
        ("client", ["client_auth"], 90),
        ("peer", ["server_auth", "client_auth"], 90),
        ("ocsp-signer", ["ocsp_signing"], 30),
        ("code-signing", ["code_signing"], 90),
        ("email", ["email_protection"], 90),
        ("timestamping", ["time_stamping"], 90),
    ],
)
def test_built_in_profiles_of_certificates(tmp_path: Path, profile: str, purposes: list[str], lifetime: int) -> None:
    text = HEAD + f"certificates:\n  a: {{issuer: issuing, profile: {profile}, dns: [a.example]}}\n"
    found = site_of(tmp_path, text).resources["certificate.a"]

    assert [EXTENDED_KEY_USAGE_NAMES[oid] for oid in found.extended_key_usages] == purposes
    assert found.validity.lifetime == timedelta(days=lifetime) - SECOND
    assert not found.extensions[0].value.is_authority  # type: ignore[union-attr]  # basic constraints come first


def test_every_built_in_profile_has_a_test_or_is_for_authorities() -> None:
    assert set(BUILT_IN) - {"root-ca", "issuing-ca"} == {
        "server", "client", "peer", "ocsp-signer", "code-signing", "email", "timestamping",
    }  # fmt: skip


def test_a_site_is_the_same_whatever_the_order_of_files_documents_and_keys(tmp_path: Path) -> None:
    parts = [
        "version: 1\nvars: {domain: acme.example}\n",
        "authorities:\n  root: {}\n  issuing: {issuer: root}\n",
        "certificates:\n  web: {dns: ['a.{{ domain }}'], issuer: issuing}\n",
        "certificates:\n  api: {issuer: issuing, dns: ['b.{{ domain }}']}\n",
    ]

    first = site_of(tmp_path, "---\n".join(parts))
    second = site_of(tmp_path, "---\n".join(reversed(parts)))
    split = site_of(
        tmp_path, parts[0] + "include: ['part*.yaml']\n", part1_yaml=parts[3], part2_yaml=parts[1], part3_yaml=parts[2]
    )

    assert first == second == split
    assert list(first.resources) == list(second.resources) == list(split.resources)


def test_maps_of_several_files_merge_and_contradictions_are_named(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, HEAD + "include: [more.yaml]\ndefaults: {days: 5, subject: {country: SE}}\nvars: {a: 1}\n",
                       more_yaml="defaults: {days: 6, subject: {country: SE, organization: Acme}}\nvars: {a: 2}\nauthorities: {root: {}}\n")  # fmt: skip

    assert mistakes(loaded) == [
        "`days` is given twice with different values",
        "`a` is defined twice among vars",
        "`root` is defined twice among authorities",
    ]
    assert {note.place.file for found in loaded.diagnostics for note in found.notes if note.place} == {"site.yaml"}
