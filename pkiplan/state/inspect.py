"""From bytes to observed values: the border at which PEM ends. What does not parse is damaged, never missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from pkiplan.cache.memory import KeyFacts, Memory
from pkiplan.errors import PkiplanError, SecretError, UnusableKeyError
from pkiplan.model.keys import EcKeySpec, EdKeySpec, ExternalKey, ManagedKey, RsaKeySpec
from pkiplan.model.observed import (
    Found,
    Observation,
    ObservedCertificate,
    ObservedFile,
    ObservedKey,
    OutputContents,
    Unreadable,
)
from pkiplan.model.resource import Output
from pkiplan.model.secret_references import SecretReference
from pkiplan.state.regular_files import FileBytes
from pkiplan.x509.pem_lines import demand_own_lines

if TYPE_CHECKING:
    from pkiplan.model.keys import KeyEncryption, KeyForm
    from pkiplan.model.resource import Resource
    from pkiplan.x509.as_declared import AsDeclared
    from pkiplan.x509.keys import PublicKey
    from pkiplan.x509.parse import Signed

# Keys that are read, and looked at for their soundness, sooner than what is remembered of them.
_SOON_READ = (EcKeySpec, EdKeySpec)

# Resolves references to passphrases; given by apply alone.
OpenWith = Callable[[Sequence[SecretReference]], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key that may have signed a certificate: its digest, and how to load it when it must be tried."""

    spki_sha256: str
    load: Callable[[], PublicKey]


def inspect_key(
    read: Observation[FileBytes], declared: ManagedKey | ExternalKey, memory: Memory, open_with: OpenWith | None
) -> Observation[ObservedKey]:
    """Say what a key file holds; an encrypted one is opened only by `open_with`, else remembered or not checked."""
    if not isinstance(read, Found):
        return read
    file = read.value
    read_as = _read_as(declared)
    facts = memory.key(file.facts.sha256, read_as)
    if facts is None:
        try:
            facts = _external_facts(file, declared) if isinstance(declared, ExternalKey) else _key_facts(file)
        except PkiplanError as error:
            return _unusable(error)
        if memory.keeps_all or not isinstance(facts.spec, _SOON_READ) or isinstance(declared, ExternalKey):
            memory.remember_key(file.facts.sha256, read_as, facts)
    opened_by = None
    if isinstance(declared, ManagedKey) and facts.encryption is not None:
        opened_by = _known_opener(declared, facts)
        is_unsettled = declared.is_encrypted and len(declared.passphrases) > 1 and opened_by is None
        if open_with is not None and (facts.spki_sha256 is None or is_unsettled):
            opened = _opened_facts(file, facts, declared.passphrases, open_with)
            if isinstance(opened, Unreadable):
                return opened
            memory.remember_key(file.facts.sha256, read_as, opened)
            facts, opened_by = opened, _known_opener(declared, opened)
    return Found(
        ObservedKey(
            file=file.facts,
            spki_sha256=facts.spki_sha256,
            spec=facts.spec,
            form=facts.form,
            encryption=facts.encryption,
            weakness=facts.weakness,
            pss_bond=facts.pss_bond,
            opened_by=opened_by,
        )
    )


@dataclass(frozen=True, slots=True)
class Declared:
    """What a certificate shall be, and who reads those that are."""

    resource: Resource
    reader: AsDeclared


def inspect_certificate(
    read: Observation[FileBytes],
    candidates: Sequence[Candidate],
    memory: Memory,
    declared: Declared | None = None,
) -> Observation[ObservedCertificate]:
    """Describe the first certificate of a file, and try its signature under each candidate key.

    Where it is known what is `declared`, the answer is the same and comes sooner.
    """
    if not isinstance(read, Found):
        return read
    file = read.value
    facts = memory.certificate(file.facts)
    if facts is not None:
        is_self_issued = facts.issuer_der == facts.subject_der
        signers = _Signers(file, candidates, memory).among(facts.spki_sha256, is_self_issued=is_self_issued)
        return Found(replace(facts, file=file.facts, verified_by=signers))
    try:
        facts = _certificate_facts(file, candidates, memory, declared)
    except PkiplanError as error:
        return Unreadable(_words(error), is_damaged=True)
    if memory.keeps_all or not isinstance(facts.key_spec, _SOON_READ):
        memory.remember_certificate(facts)
    return Found(facts)


def inspect_chain(
    read: Observation[FileBytes], memory: Memory, parts: Sequence[tuple[Observation[FileBytes], Sequence[str]]] = ()
) -> Observation[ObservedFile]:
    """Say which certificates a PEM file holds, in order.

    `parts` are files and what they hold: where this one is those one after another, it holds what they do.
    """
    if not isinstance(read, Found):
        return read
    file = read.value
    try:
        demand_own_lines(file.content)
        certificates = _fingerprints(file, memory, parts)
    except PkiplanError as error:
        return Unreadable(_words(error), is_damaged=True)
    return _observed_file(file, OutputContents(certificates=certificates))


def _fingerprints(
    file: FileBytes, memory: Memory, parts: Sequence[tuple[Observation[FileBytes], Sequence[str]]]
) -> tuple[str, ...]:
    if parts and file.content == b"".join(part.value.content for part, _ in parts if isinstance(part, Found)):
        return tuple(one for _, held in parts for one in held)
    known = memory.fingerprints(file.facts.sha256)
    if known is not None:
        return known.certificates
    from pkiplan.x509.parse import read_pem_certificates

    certificates = tuple(one.fingerprint for one in read_pem_certificates(file.content))
    memory.remember_fingerprints(file.facts.sha256, certificates)
    return certificates


def inspect_text(read: Observation[FileBytes]) -> Observation[ObservedFile]:
    """Describe a text by its digest alone."""
    return _observed_file(read.value, OutputContents()) if isinstance(read, Found) else read


def inspect_output(
    read: Observation[FileBytes], output: Output, memory: Memory, open_with: OpenWith | None
) -> Observation[ObservedFile]:
    """Say what an output holds; where it needs a passphrase, only what is remembered, or `not_checked`."""
    if not isinstance(read, Found):
        return read
    file = read.value
    contents = memory.output(file.facts.sha256, output.format, output.options)
    if contents is None:
        passphrases = () if open_with is None else _passphrases(output.passphrases, open_with)
        if len(passphrases) < len(output.passphrases):
            passphrases = ()
        try:
            contents = _read_output(file.content, output, passphrases)
        except PkiplanError as error:
            # An output can be written anew, unlike a key, so that no passphrase opens it means that it lags.
            return Unreadable(_words(error), is_damaged=True)
        if contents.not_checked is None:
            memory.remember_output(file.facts.sha256, output.format, output.options, contents)
    return _observed_file(file, contents)


def _read_output(content: bytes, output: Output, passphrases: Sequence[bytes]) -> OutputContents:
    """Read an output; of several passphrases the one that opens it is told by its reference."""
    from pkiplan.formats import FORMATS

    read = FORMATS[output.format].read
    for number, passphrase in enumerate(passphrases):
        try:
            contents = read(content, (passphrase,), dict(output.options))
        except PkiplanError:
            if number == len(passphrases) - 1:
                raise
            continue
        return replace(contents, opened_by=str(output.passphrases[number]))
    return read(content, (), dict(output.options))


def candidate_of_certificate(content: bytes, spki_sha256: str) -> Candidate:
    """Make a candidate of the key in a certificate."""

    def load() -> PublicKey:
        from pkiplan.x509.parse import load_pem_certificates

        return load_pem_certificates(content)[0].public_key()  # type: ignore[return-value] # a key that cannot sign verifies nothing

    return Candidate(spki_sha256, cache(load))


def candidate_of_key(content: bytes, spki_sha256: str) -> Candidate | None:
    """Make a candidate of the key in a plain key file; there is none in an encrypted one."""
    if b"ENCRYPTED" in content:
        return None

    def load() -> PublicKey:
        from pkiplan.x509.private_keys import open_private_key

        return open_private_key(content, (), to_sign=False).public_key()

    return Candidate(spki_sha256, cache(load))


def _read_as(declared: ManagedKey | ExternalKey) -> str:
    if isinstance(declared, ManagedKey):
        return "key"
    return "request" if declared.is_request else "public-key"


def _key_facts(file: FileBytes) -> KeyFacts:
    from pkiplan.x509.private_keys import describe_key_pem

    described = describe_key_pem(file.content)
    return _with_bond(_facts_of_key(described.form, described.encryption, described.public_key), file)


def _opened_facts(
    file: FileBytes, facts: KeyFacts, references: Sequence[SecretReference], open_with: OpenWith
) -> KeyFacts | Unreadable:
    """Open a key with the first passphrase that fits; unchanged where not all of them are to be had and none fits."""
    from pkiplan.x509.private_keys import open_private_key

    texts = tuple(str(reference) for reference in references)
    failed: list[SecretError] = []
    for reference in references:
        for passphrase in _passphrases((reference,), open_with):
            try:
                key = open_private_key(file.content, (passphrase,), to_sign=False)
            except SecretError as error:
                failed.append(error)
            except PkiplanError as error:
                return _unusable(error)
            else:
                opened = _facts_of_key(facts.form, facts.encryption, key.public_key())
                return replace(opened, opened_by=str(reference), tried=texts)
    if failed and len(failed) == len(references):
        why = _words(failed[0]) if len(failed) == 1 else f"none of {len(failed)} passphrases opens the key"
        return Unreadable(f"{why}: {', '.join(texts)}", is_closed=True)
    return facts


def _known_opener(declared: ManagedKey, facts: KeyFacts) -> str | None:
    """Return the reference to the passphrase that opens a key, as far as that is known.

    What opened it once may mean another passphrase by now, when it stands first in a list that was not tried yet.
    """
    texts = tuple(str(reference) for reference in declared.passphrases)
    if facts.opened_by not in texts or (facts.opened_by == texts[0] and facts.tried != texts):
        return None
    return facts.opened_by


def _unusable(error: PkiplanError) -> Unreadable:
    is_sound = isinstance(error, UnusableKeyError)
    return Unreadable(_words(error), is_damaged=not is_sound, is_of_another_kind=is_sound)


def _external_facts(file: FileBytes, declared: ExternalKey) -> KeyFacts:
    from pkiplan.x509.parse import load_public_key, load_request

    load = load_request if declared.is_request else load_public_key
    return _with_bond(_facts_of_key(None, None, load(file.content)), file)


def _with_bond(facts: KeyFacts, file: FileBytes) -> KeyFacts:
    if not isinstance(facts.spec, RsaKeySpec):
        return facts
    from pkiplan.x509.pss_keys import bond_of

    return replace(facts, pss_bond=bond_of(file.content))


def _facts_of_key(form: KeyForm | None, encryption: KeyEncryption | None, public_key: PublicKey | None) -> KeyFacts:
    if public_key is None:
        return KeyFacts(form=form, encryption=encryption, spki_sha256=None, spec=None)
    from pkiplan.x509.keys import public_key_facts
    from pkiplan.x509.unsound_keys import weakness

    spec, digest = public_key_facts(public_key)
    return KeyFacts(form=form, encryption=encryption, spki_sha256=digest, spec=spec, weakness=weakness(public_key))


def _certificate_facts(
    file: FileBytes, candidates: Sequence[Candidate], memory: Memory, declared: Declared | None
) -> ObservedCertificate:
    from pkiplan.x509.parse import encoded_certificate_facts, read_pem_certificates

    def verified_by(signed: Signed) -> frozenset[str]:
        signers = _Signers(file, candidates, memory, signed)
        return signers.among(signed.spki_sha256, is_self_issued=signed.is_self_issued)

    certificates = read_pem_certificates(file.content)
    if declared is not None and len(certificates) == 1:
        return declared.reader.facts(certificates[0], declared.resource, file=file.facts, verified_by=verified_by)
    return encoded_certificate_facts(
        certificates[0], file=file.facts, verified_by=verified_by, certificates_in_file=len(certificates)
    )


@dataclass(slots=True)
class _Signers:
    """Finds the keys under which a certificate's signature verifies; each is tried once in the life of both."""

    file: FileBytes
    candidates: Sequence[Candidate]
    memory: Memory
    # None where it is only made when a key must be tried.
    signed: Signed | None = None

    def among(self, own_digest: str, *, is_self_issued: bool) -> frozenset[str]:
        """Try every candidate, and the certificate's own key where it names itself as its issuer."""
        candidates = {candidate.spki_sha256: candidate for candidate in self.candidates}
        if is_self_issued:
            candidates.setdefault(own_digest, candidate_of_certificate(self.file.content, own_digest))
        known = self.memory.signatures(self.file.facts.sha256)
        verified = {digest for digest in candidates if digest in known.verifies}
        tried = [digest for digest in candidates if digest not in verified and digest not in known.fails]
        if tried:
            found = {digest for digest in tried if self._is_signer(candidates[digest])}
            self.memory.remember_signatures(self.file.facts.sha256, known, verifies=found, of=tried)
            verified |= found
        return frozenset(verified)

    def _is_signer(self, candidate: Candidate) -> bool:
        try:
            key = candidate.load()
            return self.signed.is_with(key) if self.signed is not None else self._verifies(key)
        except PkiplanError:
            return False

    def _verifies(self, key: PublicKey) -> bool:
        from pkiplan.x509.keys import signature_verifies
        from pkiplan.x509.parse import read_pem_certificates

        return signature_verifies(read_pem_certificates(self.file.content)[0].certificate, key)


def _observed_file(file: FileBytes, contents: OutputContents) -> Found[ObservedFile]:
    return Found(ObservedFile(file=file.facts, contents=contents))


def _passphrases(references: Sequence[SecretReference], open_with: OpenWith) -> Sequence[bytes]:
    try:
        return open_with(references) if references else ()
    except SecretError:
        # Whether it is needed shows later; apply resolves what it needs before its first write, and says what fails.
        return ()


def _words(error: PkiplanError) -> str:
    """Say what is wrong, and the way out where the error knows one."""
    told = (f"{each.summary} ({each.hint})" if each.hint else each.summary for each in error.diagnostics)
    return "; ".join(" ".join(each.splitlines()) for each in told)
