"""What was learnt from bytes before: facts of certificates, keys and outputs, by the digest of those bytes.

It is sound because parsing is a function of the bytes alone, and a signature check one of certificate and key. The
digest of an encrypted key's file and its public key are remembered when the file is first opened: `plan` needs no
passphrase.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from pkiplan.cache.store import Cache, line_of
from pkiplan.cache.value_codec import NotOfThisShapeError, decode, encode
from pkiplan.model.keys import KeyEncryption, KeyForm, ObservedKeySpec, PssBond
from pkiplan.model.observed import FileFacts, ObservedCertificate, OutputContents

T = TypeVar("T")

# Lines of the cache by kind and digest.
Learnt = Mapping[str, Mapping[bytes, bytes]]

# What is not a function of the file's bytes: where it lies, and which keys were tried.
_NOT_OF_THE_BYTES = frozenset({"file", "verified_by"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What a key file holds; `spki_sha256` and `spec` are None while it is encrypted and was never opened.

    `opened_by` is the reference to the passphrase that opened it, of those that were `tried`.
    """

    form: KeyForm | None
    encryption: KeyEncryption | None
    spki_sha256: str | None
    spec: ObservedKeySpec | None
    weakness: str | None = None
    pss_bond: PssBond | None = None
    opened_by: str | None = None
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """Under which public keys, of those tried, a certificate's signature verifies; by SPKI digest."""

    verifies: tuple[str, ...]
    fails: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """The certificates of a PEM file, in order, by SHA-256 of their DER."""

    certificates: tuple[str, ...]


class Memory:
    """Typed access to the cache; without one, nothing is remembered.

    `keeps_all` says that also what is parsed in no time is remembered: in a small site, loading what parses takes most
    of the time, and it is spared when all is known.
    """

    __slots__ = ("_cache", "keeps_all")

    def __init__(self, cache: Cache | None, *, keeps_all: bool = True) -> None:
        self._cache = cache
        self.keeps_all = keeps_all

    def learnt(self) -> Learnt:
        """Give what was remembered since the cache was opened or saved, for another memory to learn."""
        return {} if self._cache is None else self._cache.new()

    def learn(self, learnt: Learnt) -> None:
        """Remember what another memory learnt."""
        if self._cache is not None:
            self._cache.add(learnt)

    def certificate(self, file: FileFacts) -> ObservedCertificate | None:
        """Return the facts of a certificate with these bytes, no key tried yet."""
        return self._get(
            "certificate", file.sha256, ObservedCertificate, {"file": file, "verified_by": frozenset[str]()}
        )

    def remember_certificate(self, facts: ObservedCertificate) -> None:
        """Remember the facts of a certificate."""
        self._put("certificate", facts.file.sha256, facts, _NOT_OF_THE_BYTES)

    def signatures(self, sha256: str) -> Signatures:
        """Return which keys were tried on the certificate with these bytes."""
        return self._get("signature", sha256, Signatures, {}) or Signatures(verifies=(), fails=())

    def remember_signatures(
        self, sha256: str, known: Signatures, *, verifies: Collection[str], of: Sequence[str]
    ) -> None:
        """Remember under which `of` some keys a certificate's signature verifies, beside what was known."""
        # Keys change rarely; a list that grows without end would be a fault.
        now_known = Signatures(
            verifies=(*known.verifies, *(digest for digest in of if digest in verifies))[-8:],
            fails=(*known.fails, *(digest for digest in of if digest not in verifies))[-8:],
        )
        if self._cache is not None:
            self._cache.put_line("signature", sha256, _signatures_line(now_known))

    def key(self, sha256: str, read_as: str) -> KeyFacts | None:
        """Return what a key file with these bytes holds, read as a private key, public key or request."""
        return self._get(read_as, sha256, KeyFacts, {})

    def remember_key(self, sha256: str, read_as: str, facts: KeyFacts) -> None:
        """Remember what a key file holds."""
        self._put(read_as, sha256, facts)

    def fingerprints(self, sha256: str) -> Fingerprints | None:
        """Return the certificates of a PEM file with these bytes."""
        return self._get("chain", sha256, Fingerprints, {}) if self.keeps_all else None

    def remember_fingerprints(self, sha256: str, certificates: tuple[str, ...]) -> None:
        """Remember the certificates of a PEM file."""
        if self.keeps_all:
            self._put("chain", sha256, Fingerprints(certificates=certificates))

    def output(self, sha256: str, output_format: str, options: object) -> OutputContents | None:
        """Return what an output with these bytes holds, read as this format with these options."""
        return self._get("output", _output_digest(sha256, output_format, options), OutputContents, {})

    def remember_output(self, sha256: str, output_format: str, options: object, contents: OutputContents) -> None:
        """Remember what an output holds."""
        self._put("output", _output_digest(sha256, output_format, options), contents)

    def _get(self, kind: str, digest: str, shape: type[T], given: Mapping[str, object]) -> T | None:
        if self._cache is None:
            return None
        data = self._cache.get(kind, digest)
        if data is None:
            return None
        try:
            return decode(shape, data.get("v"), given)
        except (NotOfThisShapeError, RecursionError):
            return None

    def _put(self, kind: str, digest: str, value: object, skip: frozenset[str] = frozenset()) -> None:
        if self._cache is not None:
            self._cache.put(kind, digest, _as_remembered(value, skip))


# What one authority signed verifies under the same keys.
@lru_cache(maxsize=64)
def _signatures_line(signatures: Signatures) -> bytes:
    return line_of(_as_remembered(signatures))


def _as_remembered(value: object, skip: frozenset[str] = frozenset()) -> dict[str, object]:
    return {"v": encode(value, skip)}


def _output_digest(sha256: str, output_format: str, options: object) -> str:
    return hashlib.sha256(f"{sha256}\0{output_format}\0{options!r}".encode()).hexdigest()
