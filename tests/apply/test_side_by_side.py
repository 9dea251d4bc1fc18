"""RSA keys take the cores that there are: they are made side by side, and nothing slow holds the other threads up."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pkiplan.model.keys import KeySpec, RsaKeySpec
from pkiplan.x509 import keys, private_keys
from pkiplan.x509.keys import PrivateKey, generate_key
from tests.apply.workbench import AUTHORITIES, Workbench

LEAVES = "certificates:\n" + "".join(
    f"  web{number}: {{issuer: issuing, dns: [www{number}.acme.example], key: rsa-2048,"
    " outputs: [{format: pem-combined, path: all.pem}]}\n"
    for number in range(2)
)


def test_other_threads_get_on_while_an_rsa_key_is_made() -> None:
    made: list[PrivateKey] = []
    making = threading.Thread(target=lambda: made.append(generate_key(RsaKeySpec(4096))))
    rounds = 0

    making.start()
    while making.is_alive():
        time.sleep(0.001)
        rounds += 1
    making.join()

    assert len(made) == 1
    assert rounds >= 10, "a tenth of a second at least, in which this thread would have stood still"


def test_as_many_keys_are_made_at_once_as_there_are_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=20)

    def meeting(spec: KeySpec) -> PrivateKey:
        if isinstance(spec, RsaKeySpec):
            together.wait()
        return generate_key(spec)

    monkeypatch.setattr(keys, "generate_key", meeting)

    report = Workbench(tmp_path).write(AUTHORITIES + LEAVES).apply(jobs=2)

    assert report.is_complete


def test_where_nothing_waits_for_a_library_no_thread_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python runs one thread at a time: several only take from one another."""
    monkeypatch.setattr("pkiplan.apply.executor.ThreadPoolExecutor", None)
    leaf = "  web: {issuer: issuing, dns: [www.acme.example], key: KEY}\n"
    site = AUTHORITIES + "certificates:\n" + leaf.replace("KEY", "ecdsa-p256")

    assert Workbench(tmp_path).write(site).apply(jobs=2).is_complete
    with pytest.raises(TypeError):
        Workbench(tmp_path).write(site + leaf.replace("KEY", "rsa-2048").replace("web", "old")).apply(jobs=2)


def test_a_key_that_only_goes_into_an_output_is_not_asked_for_its_primes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That would take a tenth of what making it takes, or more, while every other thread stands still."""
    asked = []

    def watched(data: bytes, password: bytes | None, **named: Any) -> object:
        key = load_pem_private_key(data, password, **named)
        if not named.get("unsafe_skip_rsa_key_validation"):
            asked.append(type(key).__name__)
        return key

    monkeypatch.setattr(private_keys, "load_pem_private_key", watched)

    report = Workbench(tmp_path).write(AUTHORITIES + LEAVES).apply()

    assert report.is_complete
    assert asked
    assert [name for name in asked if "RSA" in name] == []
