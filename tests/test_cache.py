"""A cache only saves time: whatever is wrong with it, the answer is that nothing is remembered."""

from __future__ import annotations

import json
import os
import stat
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pkiplan.cache import Cache, open_cache, store, value_codec
from pkiplan.cache.memory import Fingerprints, KeyFacts, Memory, Signatures
from pkiplan.cache.seal import seal, sealing_key
from pkiplan.cache.value_codec import NotOfThisShapeError, decode, encode
from pkiplan.model.extensions import BasicConstraints, Extension, OtherExtension, SubjectAltName
from pkiplan.model.keys import Curve, EcKeySpec, KeyEncryption, KeyForm
from pkiplan.model.names import DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.observed import FileFacts, ObservedCertificate, OutputContents

FILE = FileFacts(sha256="aa", mode=0o644, uid=0, gid=0, owner="root", group="root")
NAME = DistinguishedName(((NameAttribute("2.5.4.3", "www"), NameAttribute("2.5.4.10", "Acme")),))
CERTIFICATE = ObservedCertificate(
    file=FILE,
    fingerprint_sha256="ff",
    subject=NAME,
    issuer=NAME,
    subject_der=b"\x30\x00",
    issuer_der=b"\x30\x01",
    serial=1 << 158,
    not_before=datetime(2027, 1, 1, tzinfo=UTC),
    not_after=datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
    spki_sha256="ee",
    key_spec=EcKeySpec(Curve.P256),
    signature_digest=None,
    extensions=(
        Extension("2.5.29.19", True, BasicConstraints(False)),
        Extension("2.5.29.17", False, SubjectAltName((GeneralName(GeneralNameKind.DIR_NAME, NAME),))),
        Extension("1.2.3", False, OtherExtension("1.2.3", b"\x05\x00", "NULL")),
    ),
    subject_key_id=b"\x01",
    authority_key_id=None,
    key_id_of_key=b"\x02",
    key_id_when_signed=b"\x02",
)
LEFT_OUT = {"file": FILE, "verified_by": frozenset[str]()}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


def opened(environment: dict[str, str]) -> Cache:
    cache = open_cache(environment)
    assert cache is not None
    return cache


def remember(environment: dict[str, str]) -> Path:
    cache = opened(environment)
    cache.put("key", "aa", {"v": 1})
    cache.save()
    return Path(environment["XDG_CACHE_HOME"]) / "pkiplan/key.facts"


def test_what_was_put_is_there_in_the_next_run_and_private(environment: dict[str, str]) -> None:
    file = remember(environment)

    assert opened(environment).get("key", "aa") == {"v": 1}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == ["key.facts"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'pkiplan cache 2 0.0.0-other\naa {"v":2}\n', id="of another version"),
        pytest.param(b"\xff\xfe\x00" * 100, id="not text"),
        pytest.param(store._HEADER + b'\naa {"v":2}', id="cut off in its last line"),
        pytest.param(store._HEADER + b'\naa {"v":\n', id="cut off in its JSON"),
        pytest.param(store._HEADER + b"\naa [1]\n", id="not an object"),
        pytest.param(store._HEADER + b"\naa " + b"[" * 100_000 + b"\n", id="too deep"),
    ],
)
@pytest.mark.parametrize("is_sealed", [True, False], ids=["under a good seal", "under none"])
def test_a_damaged_file_remembers_nothing(environment: dict[str, str], content: bytes, *, is_sealed: bool) -> None:
    key = sealing_key(environment)
    assert key is not None
    remember(environment).write_bytes(content + (seal(key, "key", content) if is_sealed else b""))

    assert opened(environment).get("key", "aa") is None


def test_facts_that_somebody_altered_are_not_believed(environment: dict[str, str]) -> None:
    file = remember(environment)
    file.write_bytes(file.read_bytes().replace(b'{"v":1}', b'{"v":2}'))

    assert opened(environment).get("key", "aa") is None


def test_facts_from_another_machine_are_not_believed(environment: dict[str, str], tmp_path: Path) -> None:
    file = remember(environment)
    elsewhere = {"XDG_CACHE_HOME": str(tmp_path / "elsewhere"), "XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    remember(elsewhere).write_bytes(file.read_bytes())

    assert opened(elsewhere).get("key", "aa") is None


def test_facts_of_one_kind_cannot_stand_for_another(environment: dict[str, str]) -> None:
    file = remember(environment)
    file.rename(file.with_name("certificate.facts"))

    assert opened(environment).get("certificate", "aa") is None


@pytest.mark.parametrize("mode", [0o620, 0o602], ids=["the group", "others"])
def test_a_key_that_others_can_write_seals_nothing(environment: dict[str, str], mode: int) -> None:
    remember(environment)
    (Path(environment["XDG_STATE_HOME"]) / "pkiplan/cache-key").chmod(mode)

    assert open_cache(environment) is None


def test_without_a_place_for_the_key_there_is_no_cache(tmp_path: Path) -> None:
    assert open_cache({"XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": "/proc/nowhere"}) is None


def test_a_file_that_others_can_write_is_not_believed(environment: dict[str, str]) -> None:
    remember(environment).chmod(0o622)

    assert opened(environment).get("key", "aa") is None


def test_a_link_is_not_followed(environment: dict[str, str], tmp_path: Path) -> None:
    file = remember(environment)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    assert opened(environment).get("key", "aa") is None


def test_a_directory_that_others_can_write_is_not_used(environment: dict[str, str]) -> None:
    remember(environment).parent.chmod(0o777)

    assert open_cache(environment) is None


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PKIPLAN_CACHE": "off", "HOME": "/tmp"}, id="switched off"),
        pytest.param({}, id="no home"),
        pytest.param({"XDG_CACHE_HOME": "relative"}, id="a relative directory"),
        pytest.param({"XDG_CACHE_HOME": "/proc/nowhere"}, id="a directory that cannot be made"),
    ],
)
def test_there_may_be_no_cache(environment: dict[str, str]) -> None:
    assert open_cache(environment) is None


def test_a_failure_to_save_is_silent(environment: dict[str, str]) -> None:
    cache = opened(environment)
    cache.put("key", "aa", {"v": 1})
    (Path(environment["XDG_CACHE_HOME"]) / "pkiplan").rmdir()

    cache.save()


def test_two_runs_keep_what_both_learnt(environment: dict[str, str]) -> None:
    first, second = opened(environment), opened(environment)
    first.put("key", "aa", {"v": 1})
    second.put("key", "bb", {"v": 2})
    first.save()
    second.save()

    assert (opened(environment).get("key", "aa"), opened(environment).get("key", "bb")) == ({"v": 1}, {"v": 2})


def test_what_was_not_used_goes_when_there_is_too_much(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_ENTRIES", 3)
    remember(environment)
    cache = opened(environment)
    for digest in ("bb", "cc", "dd"):
        cache.put("key", digest, {"v": 2})
    cache.save()

    assert opened(environment).get("key", "aa") is None
    assert opened(environment).get("key", "dd") == {"v": 2}


def test_a_certificate_comes_back_as_it_was() -> None:
    data = json.loads(json.dumps(encode(CERTIFICATE, frozenset(LEFT_OUT))))

    assert decode(ObservedCertificate, data, LEFT_OUT) == CERTIFICATE


def _kinds(hint: Any) -> Iterator[Any]:
    """List everything that the type of a remembered value is made of."""
    yield hint
    parts = typing.get_type_hints(hint).values() if is_dataclass(hint) else typing.get_args(hint)
    for part in parts:
        if part is not Ellipsis:
            yield from _kinds(part)


@pytest.mark.parametrize("kind", [ObservedCertificate, KeyFacts, Fingerprints, OutputContents, Signatures])
def test_whatever_can_be_in_what_is_remembered_has_a_shape(kind: type) -> None:
    # A certificate is written without its file and without who verified it.
    for part in set(_kinds(kind)) - {ObservedCertificate, FileFacts, frozenset[str]}:
        value_codec._decoder_of(part)


def _places(value: object, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    found = [path]
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += _places(item, (*path, number))
    return found


@pytest.mark.parametrize("wrong", [None, True, 3.5, [], {}, ["EcKeySpec"], ["x", 1], "x"], ids=repr)
def test_another_shape_in_any_place_is_refused_or_of_the_right_type(wrong: object) -> None:
    good = json.dumps(encode(CERTIFICATE, frozenset(LEFT_OUT)))
    for path in _places(json.loads(good)):
        if not path:
            continue
        data = json.loads(good)
        *above, last = path
        inner = data
        for step in above:
            inner = inner[step]
        inner[last] = wrong
        try:
            facts = decode(ObservedCertificate, data, LEFT_OUT)
        except NotOfThisShapeError:
            continue
        # It fitted there, so what came out can be written again.
        assert json.loads(json.dumps(encode(facts, frozenset(LEFT_OUT)))) == data


def test_facts_of_another_shape_are_forgotten(environment: dict[str, str]) -> None:
    cache = opened(environment)
    cache.put("key", "aa", {"v": ["pkcs8", ["none", None], 5, ["none", None]]})

    assert Memory(cache).key("aa", "key") is None


def test_the_public_key_of_an_encrypted_file_is_remembered(environment: dict[str, str]) -> None:
    facts = KeyFacts(form=KeyForm.PKCS8, encryption=KeyEncryption(), spki_sha256="ee", spec=EcKeySpec(Curve.P384))
    cache = opened(environment)
    Memory(cache).remember_key("aa", "key", facts)
    cache.save()

    assert Memory(opened(environment)).key("aa", "key") == facts
    assert Memory(None).key("aa", "key") is None


def test_only_the_last_keys_tried_on_a_certificate_are_remembered(environment: dict[str, str]) -> None:
    memory = Memory(opened(environment))
    for number in range(20):
        verifies = [f"{number}"] if number % 2 == 0 else []
        memory.remember_signatures("aa", memory.signatures("aa"), verifies=verifies, of=[f"{number}"])

    known = memory.signatures("aa")
    assert known.verifies[-1] == "18"
    assert known.fails[-1] == "19"
    assert len(known.verifies) == len(known.fails) == 8
