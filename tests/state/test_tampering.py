"""Whatever somebody did to one certificate among many, a large site tells it in the words of a small one."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from pkiplan.cache import Cache, open_cache
from pkiplan.model.site import Site
from pkiplan.plan.beforehand import Foresight
from pkiplan.plan.changes import Plan
from pkiplan.plan.planner import no_older_cnf, plan_site
from pkiplan.state import looking, observe, side_by_side
from pkiplan.state.inspect import inspect_chain
from pkiplan.state.observe import Observed, gives_the_same_plan, observe_site
from pkiplan.workflow.asked import cnf_digests
from tests.apply.workbench import AUTHORITIES, NOW, Workbench
from tests.state.tampering import (
    ECDSA_SHA256,
    Leaf,
    Tampering,
    edited,
    edited_certificate,
    edited_chain,
    encoded,
    give_chain_of_another,
    give_key_away,
    in_bytes,
    in_reverse,
    in_strings_of,
    issued,
    leave_no_newline,
    link_key_to_another,
    link_to_another_generation,
    of_mode,
    outside,
    put_file_for_link,
    sequence,
    shorten_full_chain,
    swap_directories,
    swapped,
    with_names,
    with_names_reversed,
    without,
)

SITE = (
    AUTHORITIES
    + """\
  other: {issuer: root, key: ecdsa-p256, days: 1000, path_length: 0}
certificates:
  node:
    for_each: {range: [1, 4]}
    issuer: issuing
    key: ecdsa-p256
    dns: ["node-{{ each.key }}.example", "{{ each.key }}.nodes.example"]
    ip: ["10.0.0.{{ each.key }}"]
    subject: {common_name: "node-{{ each.key }}.example", organization: Acme, country: SE}
    days: 90
"""
)
# The first is what others are compared with; the last is read in another process.
FIRST, LAST = "1", "4"

_OLD = datetime(2024, 1, 1, tzinfo=UTC)
_NAME = x509.DNSName

TAMPERINGS: dict[str, Tampering] = {
    "swapped certificates": swapped("cert.pem"),
    "swapped certificates and full chains": swapped("cert.pem", "fullchain.pem"),
    "swapped keys": swapped("key.pem"),
    "swapped full chains": swapped("fullchain.pem"),
    "swapped cnf": swapped("openssl.cnf"),
    "swapped keys and certificates": swapped("key.pem", "cert.pem", "fullchain.pem"),
    "swapped directories": swap_directories,
    "a key linked to another's": link_key_to_another,
    "another's generation": link_to_another_generation,
    "a file in the place of a link": put_file_for_link,
    "no directory": lambda leaf: shutil.rmtree(leaf.directory),
    "a name changed, not signed": in_bytes(b"node-%.example", b"nodf-%.example", signs=False),
    "a name changed, signed": in_bytes(b"node-%.example", b"nodf-%.example"),
    "a name in capitals": in_bytes(b"node-%.example", b"Node-%.example"),
    "an address changed": in_bytes(b"\x87\x04\x0a\x00\x00", b"\x87\x04\x0a\x00\x01"),
    "a name of another kind": in_bytes(b"\x82\x0enode", b"\x86\x0enode"),
    "a key identifier that is not the key's": in_bytes(
        b"\x06\x03\x55\x1d\x0e\x04\x16\x04\x14", b"\x06\x03\x55\x1d\x0e\x04\x16\x04\x13"
    ),
    "another inner algorithm": in_bytes(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303")),
    "version 2": in_bytes(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"),
    "a criticality that is not DER": in_bytes(b"\x01\x01\xff", b"\x01\x01\x01"),
    "a compressed-looking point": in_bytes(b"\x03\x42\x00\x04", b"\x03\x42\x00\x06"),
    "another issuer's name": in_bytes(b"Acme Issuing", b"Acme IssuinG"),
    "another outer algorithm": outside(
        lambda part, signature: sequence(part, ECDSA_SHA256[:-1] + b"\x03", encoded(3, b"\0" + signature))
    ),
    "a changed signature": outside(
        lambda part, signature: sequence(
            part, ECDSA_SHA256, encoded(3, b"\0" + signature[:-1] + bytes((signature[-1] ^ 1,)))
        )
    ),
    "a longer signature": outside(
        lambda part, signature: sequence(part, ECDSA_SHA256, encoded(3, b"\0" + signature + b"\0"))
    ),
    "issued by another": issued(by="other"),
    "issued by the root": issued(by="root"),
    "self-signed": issued(is_own_key=True),
    "another key": issued(is_new_key=True),
    "another serial number": issued(serial=4711),
    "another digest": issued(digest=hashes.SHA384()),
    "expired": issued(start=_OLD, end=_OLD + timedelta(days=90)),
    "valid after 2049": issued(end=datetime(2051, 1, 1, tzinfo=UTC)),
    "an extension more": issued(extensions=lambda known: [*known, (x509.OCSPNoCheck(), False)]),
    "an unknown extension": issued(
        extensions=lambda known: [
            *known,
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
        ]
    ),
    "an authority": issued(
        extensions=lambda known: [
            *without(x509.BasicConstraints)(known),
            (x509.BasicConstraints(ca=True, path_length=None), True),
        ]
    ),
    "no constraints": issued(extensions=without(x509.BasicConstraints)),
    "no names": issued(extensions=without(x509.SubjectAlternativeName)),
    "no key identifier": issued(extensions=without(x509.SubjectKeyIdentifier)),
    "no identifier of the issuer": issued(extensions=without(x509.AuthorityKeyIdentifier)),
    "no usages": issued(extensions=without(x509.ExtendedKeyUsage)),
    "extensions in another order": issued(extensions=lambda known: known[::-1]),
    "every criticality turned": issued(extensions=lambda known: [(value, not critical) for value, critical in known]),
    "names in another order": issued(extensions=with_names_reversed),
    "a name more": issued(extensions=with_names(_NAME("node-1.example"), _NAME("evil.example"))),
    "a name twice": issued(extensions=with_names(_NAME("node-1.example"), _NAME("node-1.example"))),
    "names that are critical": issued(extensions=with_names(_NAME("node-1.example"), critical=True)),
    "a subject in another order": issued(subject=lambda name: x509.Name(list(name)[::-1])),
    "a subject of another string type": issued(subject=lambda name: in_strings_of(name, _ASN1Type.PrintableString)),
    "a subject in BMP": issued(subject=lambda name: in_strings_of(name, _ASN1Type.BMPString)),
    "a subject with a word more": issued(
        subject=lambda name: x509.Name([*name, x509.NameAttribute(NameOID.LOCALITY_NAME, "X")])
    ),
    "a subject of several values": issued(
        subject=lambda name: x509.Name(
            [x509.RelativeDistinguishedName([*name, x509.NameAttribute(NameOID.LOCALITY_NAME, "X")])]
        )
    ),
    "no subject": issued(subject=lambda _: x509.Name([])),
    "truncated": edited("cert.pem", lambda content: content[: len(content) // 2]),
    "empty": edited("cert.pem", lambda _: b""),
    "a certificate more": lambda leaf: leaf.edit(
        "cert.pem", lambda content: content + leaf.like().at("cert.pem").read_bytes()
    ),
    "a certificate before": lambda leaf: leaf.edit(
        "cert.pem", lambda content: leaf.like().at("cert.pem").read_bytes() + content
    ),
    "the same certificate twice": edited_certificate(lambda content: content * 2),
    "CRLF": edited_certificate(lambda content: content.replace(b"\n", b"\r\n")),
    "CRLF in the chain": edited_chain(lambda content: content.replace(b"\n", b"\r\n")),
    "text before": edited_certificate(lambda content: b"subject=CN = x\n" + content),
    "text after": edited_certificate(lambda content: content + b"# end\n"),
    "no newline at the end, text in its place": edited_certificate(lambda content: content.rstrip(b"\n") + b" "),
    "a beginning after": edited_certificate(lambda content: content + b"-----BEGIN CERTIFICATE-----\n"),
    "a beginning that the chain ends": edited_certificate(lambda content: content + b"-----BEGIN"),
    "an end after": edited_certificate(lambda content: content + b"-----END CERTIFICATE-----\n"),
    "a null byte after": edited_certificate(lambda content: content + b"\0"),
    "a mark of UTF-8 before": edited_certificate(lambda content: b"\xef\xbb\xbf" + content),
    "no newline between certificate and chain": leave_no_newline,
    "a chain without its last newline": edited_chain(lambda content: content.rstrip(b"\n")),
    "a chain with a beginning after": edited_chain(lambda content: content + b"-----BEGIN CERTIFICATE-----\n"),
    "an empty chain": edited_chain(lambda _: b""),
    "a chain in another order": edited_chain(lambda content: content + content),
    "a full chain in another order": edited("fullchain.pem", in_reverse),
    "a full chain of the certificate": shorten_full_chain,
    "a chain of another issuer": give_chain_of_another,
    "no chain": lambda leaf: leaf.at("chain.pem").unlink(),
    "no full chain": lambda leaf: leaf.at("fullchain.pem").unlink(),
    "no certificate": lambda leaf: leaf.at("cert.pem").unlink(),
    "no key": lambda leaf: leaf.at("key.pem").unlink(),
    "a character of the cnf": edited("openssl.cnf", lambda content: content.replace(b"example", b"exbmple", 1)),
    "a newline after the cnf": edited("openssl.cnf", lambda content: content + b"\n"),
    "a key that all may read": of_mode("key.pem", 0o644),
    "a certificate that nobody may": of_mode("cert.pem", 0o000),
    "a directory that all may write": lambda leaf: leaf.directory.chmod(0o777),
    "a key of another owner": give_key_away,
}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bench = Workbench(tmp_path_factory.mktemp("site")).write(SITE)
    bench.applied()
    return bench.path


@pytest.fixture
def bench(untouched: Path, tmp_path: Path) -> Workbench:
    shutil.copytree(untouched, tmp_path / "site", symlinks=True)
    return Workbench(tmp_path / "site")


def looked_at_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> Observed:
    """Look without any of what makes a large site fast."""
    with monkeypatch.context() as patched:
        patched.setattr(observe, "SMALL_SITE", 1_000_000)
        patched.setattr(side_by_side, "LEAST_EACH", 1_000_000)
        patched.setattr(looking, "inspect_chain", lambda read, memory, _parts: inspect_chain(read, memory))
        return observe_site(site, cache=None)


def looked_at_as_large(
    site: Site, monkeypatch: pytest.MonkeyPatch, *, cache: Cache | None = None, processors: int = 1
) -> Observed:
    with monkeypatch.context() as patched:
        patched.setattr(observe, "SMALL_SITE", 0)
        patched.setattr(side_by_side, "LEAST_EACH", 2)
        patched.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
        patched.setattr(threading, "active_count", lambda: 1)
        return observe_site(site, cache=cache, with_foresight=partial(Foresight, site, now=NOW, **asked(site)))


def asked(site: Site) -> dict[str, Any]:
    return {"cnf_digests": cnf_digests(site), "lint": {}, "older_cnf_digests": no_older_cnf}


def planned(site: Site, observed: Observed) -> Plan:
    return plan_site(site, observed.state, NOW, beforehand=observed.beforehand, **asked(site))


@pytest.mark.parametrize("name", [FIRST, LAST])
@pytest.mark.parametrize("tamper", TAMPERINGS.values(), ids=TAMPERINGS)
def test_what_was_done_to_one_of_many_is_told_as_of_one_of_few(
    tamper: Tampering, name: str, bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = bench.site()
    cache = open_cache({"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path)})
    before = looked_at_as_large(site, monkeypatch, cache=cache)
    untouched = looked_at_whole(site, monkeypatch)
    tamper(Leaf(bench.tree, name))
    expected = looked_at_whole(site, monkeypatch)
    assert expected.state != untouched.state

    for seen in (
        looked_at_as_large(site, monkeypatch),
        looked_at_as_large(site, monkeypatch, cache=cache, processors=2),
    ):
        assert planned(site, seen) == planned(site, expected)
        assert seen == expected
        assert not gives_the_same_plan(seen, before) or planned(site, seen) == planned(site, untouched)


def test_two_looks_at_the_same_give_the_same_plan(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    site = bench.site()
    before = looked_at_as_large(site, monkeypatch, processors=2)
    assert len(before.beforehand.unchanged) == 4
    assert gives_the_same_plan(looked_at_as_large(site, monkeypatch), before)
