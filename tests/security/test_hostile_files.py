"""Whatever bytes lie where a file is read: an answer in words, soon, and in memory of the order of the file's size."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pkiplan.cache.seal import SEAL_BYTES, seal
from pkiplan.cache.store import Cache
from pkiplan.errors import PkiplanError
from pkiplan.model.journal import parse_journal
from pkiplan.model.observed import FileFacts
from pkiplan.plan.saved_plan import parse_plan_document
from pkiplan.render.ca_database import attributes_text, parse_index, parse_number
from pkiplan.state.saved_plans import read_plan_file
from pkiplan.verify.cnf_reading import UnreadableCnfError, check_harmless, read_cnf
from pkiplan.x509 import der
from pkiplan.x509.parse import (
    certificate_facts,
    load_der_certificate,
    load_pem_certificates,
    load_public_key,
    load_request,
)
from pkiplan.x509.private_keys import describe_key_pem, open_private_key
from tests.security.site import PASSPHRASE, Place

Read = Callable[[bytes, Path], object]

_FACTS = FileFacts(sha256="00", mode=0o600, uid=0, gid=0, owner="root", group="root")
_SEALING_KEY = b"k" * 32
# What a process takes whatever it reads, and the time a busy machine may need for a megabyte.
_BASE_MEMORY = 4 * 1024 * 1024
_SECONDS = 5.0


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _certificate(data: bytes, _: Path) -> object:
    return [certificate_facts(each, file=_FACTS) for each in load_pem_certificates(data)]


def _der_certificate(data: bytes, _: Path) -> object:
    return certificate_facts(load_der_certificate(data), file=_FACTS)


def _der(data: bytes, _: Path) -> object:
    def depth(element: der.Tlv, level: int = 0) -> int:
        if element.tag not in (der.SEQUENCE, 0x31) or level > 20:
            return level
        return max((depth(child, level + 1) for child in element.children()), default=level)

    return depth(der.single(data))


def _key(data: bytes, _: Path) -> object:
    described = describe_key_pem(data)
    if described.encryption is not None and described.encryption.rounds > 20_000:
        return described
    return open_private_key(data, (b"one", PASSPHRASE.encode()))


def _plan(data: bytes, directory: Path) -> object:
    path = directory / "plan.json"
    path.write_bytes(data)
    return parse_plan_document(read_plan_file(str(path)))


def _cnf(data: bytes, _: Path) -> object:
    sections = read_cnf(_text(data))
    check_harmless(sections, "/nowhere")
    return sections


def _cache(data: bytes, directory: Path) -> object:
    path = directory / "key.facts"
    # As if somebody had the key to the seal.
    path.write_bytes(data + seal(_SEALING_KEY, "key", data))
    path.chmod(0o600)
    return Cache(str(directory), _SEALING_KEY).get("key", "00")


READERS: dict[str, Read] = {
    "a certificate": _certificate,
    "a DER certificate": _der_certificate,
    "any DER": _der,
    "a request": lambda data, _: load_request(data),
    "a public key": lambda data, _: load_public_key(data),
    "a private key": _key,
    "index.txt": lambda data, _: parse_index(_text(data)),
    "index.txt.attr": lambda data, _: attributes_text(_text(data)),
    "serial": lambda data, _: parse_number(_text(data)),
    "openssl.cnf": _cnf,
    "the journal": lambda data, _: parse_journal(data),
    "a saved plan": _plan,
    "the cache": _cache,
}
ANSWERS = (PkiplanError, der.DerError, UnreadableCnfError)


@pytest.fixture(scope="module")
def samples(made: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound file for each reader."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from pkiplan.model.journal import JournalEntries, StagedFile, first_line, switch_line

    web = made.tree / "certificates/web"
    issuing = made.tree / "authorities/issuing"
    certificate = x509.load_pem_x509_certificate((web / "cert.pem").read_bytes())
    key = open_private_key((web / "key.pem").read_bytes(), ())
    request = x509.CertificateSigningRequestBuilder().subject_name(certificate.subject)
    from cryptography.hazmat.primitives.hashes import SHA256

    made.run("plan", "site.yaml", "--out", "sample.json", "--replace", "certificate.web")
    entries = JournalEntries(
        run="0123abcd", pid=1, process_started="5", host="h", started="s", directories={"authority.a": "authorities/a"}
    )
    staged = StagedFile("authorities/a", "..new-0123abcd-key.pem", "key.pem", "00" * 32)
    cache = next((made.path / "cache/pkiplan").glob("key.facts"))
    return {
        "a certificate": (web / "fullchain.pem").read_bytes(),
        "a DER certificate": certificate.public_bytes(Encoding.DER),
        "any DER": certificate.public_bytes(Encoding.DER),
        "a request": request.sign(key, SHA256()).public_bytes(Encoding.PEM),
        "a public key": certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "a private key": (made.tree / "authorities/root/key.pem").read_bytes(),
        "index.txt": (issuing / "index.txt").read_bytes(),
        "index.txt.attr": (issuing / "index.txt.attr").read_bytes(),
        "serial": (issuing / "serial").read_bytes(),
        "openssl.cnf": (issuing / "openssl.cnf").read_bytes(),
        "the journal": first_line(entries) + switch_line("authority.a", (staged,)),
        "a saved plan": (made.path / "sample.json").read_bytes(),
        "the cache": cache.read_bytes()[:-SEAL_BYTES],
    }


def _read(reader: str, data: bytes, directory: Path) -> None:
    begun = time.process_time()
    with suppress(*ANSWERS):
        READERS[reader](data, directory)
    assert time.process_time() - begun < _SECONDS, f"{reader}: {len(data)} bytes took too long"


@pytest.mark.parametrize("reader", READERS)
def test_a_sound_file_is_read(samples: dict[str, bytes], reader: str, tmp_path: Path) -> None:
    assert READERS[reader](samples[reader], tmp_path) is not None or reader == "the cache"


@pytest.mark.parametrize("reader", READERS)
@given(data=st.binary(max_size=300))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_answered_in_words(tmp_path: Path, reader: str, data: bytes) -> None:
    _read(reader, data, tmp_path)


@pytest.mark.parametrize("reader", READERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_changed_file_is_answered_in_words(
    samples: dict[str, bytes], tmp_path: Path, reader: str, data: st.DataObject
) -> None:
    changed = bytearray(samples[reader])
    for _ in range(data.draw(st.integers(1, 5))):
        where = data.draw(st.integers(0, max(0, len(changed) - 1)))
        match data.draw(st.sampled_from(["set", "cut", "insert", "repeat"])):
            case "set" if changed:
                changed[where] = data.draw(st.integers(0, 255))
            case "cut":
                del changed[where : where + data.draw(st.integers(1, 200))]
            case "insert":
                changed[where:where] = data.draw(st.binary(min_size=1, max_size=30))
            case _:
                changed[where:where] = changed[where : where + data.draw(st.integers(1, 100))]
    _read(reader, bytes(changed), tmp_path)


@pytest.mark.parametrize("reader", ["a saved plan"])
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_plan_with_another_value_in_any_place_is_answered_in_words(
    samples: dict[str, bytes], tmp_path: Path, reader: str, data: st.DataObject
) -> None:
    document = json.loads(samples[reader])
    places: list[tuple[object, object]] = []

    def walk(value: object) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            places.append((value, key))
            walk(inner)

    walk(document)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(  # type: ignore[index]
        st.sampled_from([None, True, -1, 10**30, 1e308, "", "\0", "../..", [], {}, [[]], {"a": {}}, "\ud800"])
    )
    _read(reader, json.dumps(document).encode(), tmp_path)


LARGE = {
    "nothing but zeros": b"\0" * 250_000,
    "nothing but blanks": b" " * 250_000,
    "a letter and blanks": b"a" + b" " * 50_000,
    "line ends": b"\n" * 250_000,
    "tabs": b"\t" * 125_000,
    "backslashes": b"\\" * 125_000,
    "number signs": b"#" * 125_000,
    "brackets": b"[" * 125_000,
    "braces": b'{"a":' * 25_000,
    "equal signs": b"=" * 125_000,
    "dashes": b"-" * 125_000,
    "beginnings": b"-----BEGIN CERTIFICATE-----\n" * 5_000,
    "beginnings of keys": b"-----BEGIN PRIVATE KEY-----\n" * 5_000,
    "nested sequences": b"0\x80" * 50_000,
    "nested definite sequences": b"0\x82\xff\xff" * 25_000,
    "a long number": b"9" * 125_000,
    "a plan of many": b'{"format_version": "1.0", "changes": [' + b"[]," * 25_000 + b"[]]}",
    "sections": b"[a]\n" * 25_000,
    "settings": b"a = b\n" * 25_000,
    "lines of an index": b"V\t\t\t01\tunknown\t/\n" * 7_500,
}


@pytest.mark.parametrize("content", LARGE)
def test_large_files_take_neither_long_nor_much(samples: dict[str, bytes], tmp_path: Path, content: str) -> None:
    data = LARGE[content]
    for reader in READERS:
        for each in (data, samples[reader][: len(samples[reader]) // 2] + data):
            tracemalloc.start()
            _read(reader, each, tmp_path)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 20 * len(each) + _BASE_MEMORY, f"{reader}: {peak:,} bytes for {len(each):,}"


HOSTILE_TREE = ["cert.pem", "key.pem", "chain.pem", "fullchain.pem", "openssl.cnf", "web.p12", "web-all.pem"]


@pytest.mark.parametrize("content", ["nothing but zeros", "beginnings", "nested sequences", "dashes"])
def test_a_plan_over_hostile_files_is_answered_in_words(place: Place, content: str) -> None:
    data = LARGE[content]
    web = place.tree / "certificates/web"
    for name in HOSTILE_TREE:
        (web / name).write_bytes(data)
    for name in ("index.txt", "serial", "cert.pem"):
        (place.tree / "authorities/issuing" / name).write_bytes(data)
    (place.tree / ".pkiplan/journal").write_bytes(data)

    ran = place.run("plan", before=["prlimit", "--as=1000000000", "timeout", "60"])

    assert ran.status in (0, 1)
    assert "Traceback" not in ran.err
    assert "pkiplan failed" not in ran.err
    assert "damaged" in ran.out
