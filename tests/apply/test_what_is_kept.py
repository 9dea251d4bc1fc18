"""What an apply keeps while it works: little for each change, and of private keys only those in use."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pkiplan.apply import certificate, executor
from pkiplan.apply.rehearsal import Waiting
from pkiplan.apply.results import ApplyReport, Failed
from pkiplan.model.resource import Resource
from pkiplan.x509 import keys, private_keys
from tests.apply import workbench
from tests.apply.workbench import AUTHORITIES, Workbench

# What is remembered of a change: its stage, its outcome, its serial number. Its certificate alone is as long again.
MOST_BYTES_A_LEAF = 1_600


LEAF = """\
  web{number}:
    issuer: issuing
    dns: [www{number}.acme.example]
    key: ecdsa-p256
    outputs: [{{format: pem-combined, path: all.pem}}]
"""


def _site(leaves: int) -> str:
    certificates = "".join(LEAF.format(number=number) for number in range(leaves))
    return f"{AUTHORITIES}certificates:\n{certificates}"


def _peak(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> int:
    """Apply, and return by how many bytes carrying the plan out was above where it began."""
    peaks = []
    apply_plan = executor.apply_plan

    def measured(*arguments: object, **named: Any) -> ApplyReport:
        numbers = itertools.count()

        def collecting(resource: Resource) -> str:
            # The interpreter keeps some thousand tuples that are free already, and gives them back then.
            if next(numbers) % 16 == 0:
                gc.collect()
            return named["cnf_texts"](resource)  # type: ignore[no-any-return]

        gc.collect()
        tracemalloc.start()
        try:
            report = apply_plan(*arguments, **named | {"progress": None, "cnf_texts": collecting})  # type: ignore[arg-type]
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        return report

    with monkeypatch.context() as patch:
        patch.setattr(workbench, "apply_plan", measured)
        report = bench.apply()
    assert report.is_complete
    return peaks[0]


def test_memory_stays_flat_as_the_site_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = []
    # The first one imports, and the second one fills what remembers a bounded number.
    for leaves in (20, 200, 300):
        directory = tmp_path / str(leaves)
        directory.mkdir()
        peaks.append(_peak(Workbench(directory).write(_site(leaves)), monkeypatch))

    assert (peaks[2] - peaks[1]) / 100 < MOST_BYTES_A_LEAF


class _WatchedKey(ec.EllipticCurvePrivateKey):
    """A private key of which Python can tell whether it still lives."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, alive: weakref.WeakSet[_WatchedKey]) -> None:
        self._key = key
        alive.add(self)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        return self._key.exchange(algorithm, peer_public_key)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._key.curve

    @property
    def key_size(self) -> int:
        return self._key.key_size

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        return self._key.sign(data, signature_algorithm)

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        return self._key.private_numbers()

    def private_bytes(self, *how: Any, **named: Any) -> bytes:
        return self._key.private_bytes(*how, **named)

    def __copy__(self) -> _WatchedKey:
        return self

    def __deepcopy__(self, memo: object) -> _WatchedKey:
        return self


class _Watch:
    """Counts the private keys that are alive whenever something is told of the apply."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.alive: weakref.WeakSet[_WatchedKey] = weakref.WeakSet()
        self.made = 0
        self.most = 0
        for module, name in ((keys, "generate_key"), (private_keys, "open_private_key")):
            monkeypatch.setattr(module, name, self._watched(getattr(module, name)))

    def count(self) -> int:
        return len(self.alive)

    def _watched(self, make: Callable[..., ec.EllipticCurvePrivateKey]) -> Callable[..., _WatchedKey]:
        def watched(*arguments: object, **named: object) -> _WatchedKey:
            key = _WatchedKey(make(*arguments, **named), self.alive)
            self.made += 1
            self.most = max(self.most, self.count())
            return key

        return watched


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_private_key_lives_only_while_it_is_worked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    watch = _Watch(monkeypatch)
    bench = Workbench(tmp_path).write(_site(12))
    while_waiting: list[int] = []

    def rehearsal(waiting: Waiting) -> str:
        while_waiting.append(watch.count())
        return ""

    report = bench.apply(jobs=jobs, rehearsal=rehearsal)

    assert report.is_complete
    assert watch.made >= 14 + 12 + 2, "one for each resource, one for each output, one for each authority that signs"
    assert watch.most <= jobs + 2, "those that are being worked on, and the authorities'"
    assert while_waiting == [0], "nothing is signed any more once everything waits for its switch"
    assert watch.count() == 0


def test_a_branch_that_failed_leaves_no_key_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(tmp_path).write(_site(3))
    watch = _Watch(monkeypatch)

    def failing(*_: object) -> object:
        raise RuntimeError

    monkeypatch.setattr(certificate, "cnf_write", failing)

    report = bench.apply()

    assert [type(result.outcome) for result in report.results][-3:] == [Failed] * 3
    gc.collect()
    assert watch.count() == 0
