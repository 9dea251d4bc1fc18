"""One apply that is killed, or one of whose calls fails, and everything that must hold afterwards.

The apply creates, renews, modifies, re-keys an authority and a leaf, puts a plain key under a passphrase, and removes
what is no longer declared.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from pkiplan.errors import PkiplanError
from pkiplan.x509.keys import spki_sha256
from pkiplan.x509.private_keys import describe_key_pem, open_private_key
from tests.apply.crash.launcher import Ended, Launcher

PASSPHRASE = "once upon a midnight dreary"
ENVIRONMENT = {"CRASH_PASSPHRASE": PASSPHRASE}

AUTHORITIES = """\
version: 1
site: acme
directory: pki
authorities:
  root:
    subject: {common_name: Acme Root}
    key: {type: ecdsa, passphrase: none}
    days: 3652
  issuing:
    issuer: root
    subject: {common_name: Acme Issuing}
    key: {type: ecdsa, passphrase: none}
    days: 1095
"""
BEFORE = (
    AUTHORITIES
    + """\
certificates:
  renewed: {issuer: root, key: ecdsa-p256, dns: [renewed.example], days: 90}
  modified: {issuer: issuing, key: ecdsa-p256, dns: [modified.example], days: 800, reuse_key: true}
  rekeyed:
    {issuer: issuing, key: ecdsa-p256, dns: [rekeyed.example], days: 800}
  protected: {issuer: root, key: ecdsa-p256, dns: [protected.example], days: 800}
  removed: {issuer: issuing, key: ecdsa-p256, dns: [removed.example], days: 800}
"""
)
AFTER = (
    AUTHORITIES
    + """\
certificates:
  renewed: {issuer: root, key: ecdsa-p256, dns: [renewed.example], days: 90}
  modified: {issuer: issuing, key: ecdsa-p256, dns: [modified.example, new.example], days: 800, reuse_key: true}
  rekeyed:
    {issuer: issuing, key: ecdsa-p384, dns: [rekeyed.example], days: 800}
  protected:
    issuer: root
    key: {type: ecdsa, passphrase: {env: CRASH_PASSPHRASE}, encryption: {rounds: 10000}}
    dns: [protected.example]
    days: 800
  created:
    issuer: issuing
    key: ecdsa-p256
    dns: [created.example]
    days: 90
    outputs: [{format: pem-combined, path: all.pem}]
"""
)
DECLARED = ("renewed", "modified", "rekeyed", "protected", "created")
LEAVES = (*DECLARED, "removed")

THEN, NOW = "2027-03-01T12:00:00+00:00", "2027-05-10T12:00:00+00:00"

APPLY = ("apply", "site.yaml", "--yes", "--no-verify", "--jobs", "1", "--prune", "--allow", "authority.issuing",
         "--allow-many")  # fmt: skip
ASKING_FOR_MUCH = (*APPLY, "--replace", "authority.issuing", "--rekey")

_STAGED = re.compile(r"\.\.(new|link|data)-")


class BrokenPromiseError(AssertionError):
    """Something that must hold did not."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: at the call with this number among those that change, or look; None kills."""

    at: int
    error: int | None = None
    is_looking: bool = False

    def __str__(self) -> str:
        what = "SIGKILL" if self.error is None else errno.errorcode[self.error]
        return f"{what} at {'look' if self.is_looking else 'change'} {self.at}"


class Experiments:
    """Makes the same site again and again, disturbs its apply, and looks at what is left."""

    def __init__(self, directory: Path, launcher: Launcher) -> None:
        self._directory = directory
        self._launcher = launcher
        self._template = directory / "template"

    def prepare(self) -> None:
        """Make the site as it is before the apply."""
        self._template.mkdir(parents=True)
        (self._template / "site.yaml").write_text(BEFORE)
        _demand(self._run(self._template, *APPLY, now=THEN).status == 0, "the first apply failed")
        (self._template / "site.yaml").write_text(AFTER)

    def undisturbed(self, *, is_looking: bool = False) -> Ended:
        """Run the apply without a fault; its trace numbers the calls."""
        site = self._fresh("undisturbed")
        ended = self._run(site, *ASKING_FOR_MUCH, is_looking=is_looking, is_traced=True)
        _demand(ended.status == 0, ended.err)
        self._finished(site)
        return ended

    def suffer(self, fault: Fault) -> None:
        """Run the apply with a fault; raise `BrokenPromiseError` with the words for what does not hold afterwards."""
        site = self._fresh(f"{os.getpid()}-{fault.at}")
        keys = _keys(site)
        ended = self._run(site, *ASKING_FOR_MUCH, is_looking=fault.is_looking, at=fault.at, error=fault.error)
        try:
            self._after_fault(site, fault, ended, keys)
        except (BrokenPromiseError, PkiplanError, OSError, ValueError) as error:
            raise BrokenPromiseError(f"{fault}: {error} (left in {site}); the apply said: {ended.err}") from error
        shutil.rmtree(site)

    def _after_fault(self, site: Path, fault: Fault, ended: Ended, keys: dict[str, set[str]]) -> None:
        _demand("Traceback" not in ended.err and "pkiplan failed" not in ended.err, "a traceback or a crash of our own")
        _demand("internal error" not in ended.err, "an internal error")
        if fault.error is None:
            _demand(ended.signal == signal.SIGKILL, f"it was not killed but ended with {ended.status}")
        else:
            _demand(ended.status in (0, 1), f"it ended with status {ended.status}, signal {ended.signal}")
            _demand(ended.status == 0 or "error" in ended.err or "failed" in ended.out, "it failed without a word")
        lost = keys.keys() - _keys(site).keys()
        _demand(not lost, f"lost the keys of {sorted(where for key in lost for where in keys[key])}")
        _published_is_whole(site)
        _no_key_is_open(site)
        told = self._run(site, "plan", "site.yaml", "--prune", "--detailed-exitcode")
        _demand(told.status in (0, 2), f"the next plan fails: {told.err}")
        if ended.status == 0:
            _demand(told.status == 0 or "authority.issuing" not in told.out, "it said that it was done")
        again = self._run(site, *APPLY)
        _demand(again.status == 0, f"the next apply fails: {again.err}{again.out}")
        self._finished(site)
        lost = keys.keys() - _keys(site).keys()
        _demand(not lost, f"the next apply lost the keys of {sorted(where for key in lost for where in keys[key])}")

    def _finished(self, site: Path) -> None:
        """Nothing is left to do, and nothing is left over."""
        told = self._run(site, "plan", "site.yaml", "--prune", "--detailed-exitcode")
        _demand(told.status == 0, f"something is left to do: {told.out}{told.err}")
        _demand("interrupted" not in told.out, f"something is left to finish: {told.out}")
        _published_is_whole(site)
        for name in DECLARED:
            _demand((site / f"pki/certificates/{name}/..data").is_symlink(), f"{name} was not made")
        _demand(not (site / "pki/.pkiplan/journal").exists(), "the journal is left")
        _demand(not (site / "pki/certificates/removed").exists(), "what is not declared is still there")
        _no_secret_lingers(site)
        _every_certificate_is_in_an_index(site)

    def _fresh(self, name: str) -> Path:
        site = self._directory / name
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(self._template, site, symlinks=True)
        return site

    def _run(
        self,
        site: Path,
        *arguments: str,
        now: str = NOW,
        is_looking: bool = False,
        at: int | None = None,
        error: int | None = None,
        is_traced: bool = False,
    ) -> Ended:
        environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(site / "cache")}
        return self._launcher.run(
            site,
            *arguments,
            now=now,
            environment=environment,
            is_looking=is_looking,
            at=at,
            error=error,
            is_traced=is_traced,
        )


def kind_of_call(name: str, path: str) -> str:
    """Say what sort of call it is: its name and its path without what differs from run to run."""
    last_two = "/".join(path.split("/")[-2:])
    last_two = re.sub(r"[0-9A-F]{30,}|\d{8}T\d{6}Z-[0-9a-f]+|[0-9a-f]{8}|\d{3,}", "*", last_two)
    return f"{name} {re.sub('|'.join(LEAVES), '*', last_two)}"


def sampled(trace: Sequence[tuple[str, str, str]], every: int, seed: int) -> list[int]:
    """Choose the first call of each kind, and a seeded part of the others."""
    import random

    chooser = random.Random(seed)
    kinds: set[str] = set()
    chosen = []
    for number, (name, path, _) in enumerate(trace):
        kind = kind_of_call(name, path)
        if kind not in kinds or chooser.randrange(every) == 0:
            chosen.append(number)
        kinds.add(kind)
    return chosen


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)


def _files(site: Path) -> Iterator[tuple[str, Path]]:
    for directory, _, names in os.walk(site):
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                yield str(path.relative_to(site)), path


def _is_staged(path: str, site: Path) -> bool:
    """Tell whether a file waits for its switch: by its name, or in a generation that is not the current one."""
    if _STAGED.search(path):
        return True
    parts = path.split("/")
    generation = next((position for position, part in enumerate(parts) if part.startswith("..2")), None)
    if generation is None:
        return False
    data = site.joinpath(*parts[:generation], "..data")
    return not data.is_symlink() or os.readlink(data) != parts[generation]


def _keys(site: Path) -> dict[str, set[str]]:
    """Find every private key that does not wait, by the digest of its public half, and where it lies. Each opens."""
    found: dict[str, set[str]] = {}
    for name, path in _files(site):
        if _is_staged(name, site) or not path.name.endswith((".pem", ".p12")):
            continue
        content = path.read_bytes()
        if b"PRIVATE KEY" in content or path.name == "key.pem":
            key = open_private_key(content, (PASSPHRASE.encode(),))
            found.setdefault(spki_sha256(key.public_key()), set()).add(name)
    return found


def _published_is_whole(site: Path) -> None:
    """Every published certificate is of the key beside it, and its chain is that of the authority that signed it.

    An authority whose files were being switched is looked at as pkiplan does: by its journal.
    """
    for name in LEAVES:
        directory = site / "pki/certificates" / name
        if not (directory / "..data").is_symlink():
            continue
        key = open_private_key((directory / "key.pem").read_bytes(), (PASSPHRASE.encode(),))
        (certificate,) = _certificates(directory / "cert.pem")
        _demand(spki_sha256(key.public_key()) == spki_sha256(certificate.public_key()), f"{name}: not a pair")
        above = _certificates(site / "pki/authorities/root/cert.pem")[0]
        if (directory / "chain.pem").is_symlink():  # what the root signed has none
            full, chain = _certificates(directory / "fullchain.pem"), _certificates(directory / "chain.pem")
            _demand(full == [certificate, *chain], f"{name}: its full chain is of another certificate")
            above = chain[0]
        try:
            certificate.verify_directly_issued_by(above)
        except Exception as error:
            raise BrokenPromiseError(f"{name}: its chain is of another authority") from error
        _demand((directory / "openssl.cnf").read_text().endswith("\n"), f"{name}: half an openssl.cnf")


def _certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _no_key_is_open(site: Path) -> None:
    """Whatever holds a key, or half of one, is for its owner alone."""
    for name, path in _files(site):
        if b"PRIVATE KEY" in path.read_bytes():
            _demand(path.stat().st_mode & 0o077 == 0, f"{name} can be read by others")


def _no_secret_lingers(site: Path) -> None:
    """Keys lie in their places, in the generation before, and in the archive, and nowhere else."""
    for name, path in _files(site):
        _demand(not _STAGED.search(name), f"{name} is left over")
        _demand(PASSPHRASE.encode() not in path.read_bytes(), f"the passphrase stands in {name}")
        if b"PRIVATE KEY" in path.read_bytes():
            place = re.match(
                r"pki/(authorities/\w+/key\.pem|certificates/\w+/\.\.2[^/]+/(key|all)\.pem|archive/)", name
            )
            _demand(place is not None, f"a key lies in {name}")
    for leaf in DECLARED:
        generations = [path for path in (site / "pki/certificates" / leaf).iterdir() if path.name.startswith("..2")]
        _demand(len(generations) <= 2, f"{leaf} has {len(generations)} generations")
    for path in (site / "pki/certificates/protected").rglob("key.pem"):
        _demand(describe_key_pem(path.read_bytes()).encryption is not None, f"a plain copy of a key is left in {path}")


def _every_certificate_is_in_an_index(site: Path) -> None:
    """No issuance is lost and no serial number used twice."""
    serials: list[int] = []
    for authority in ("root", "issuing"):
        lines = (site / f"pki/authorities/{authority}/index.txt").read_text().splitlines()
        _demand(all(line.count("\t") == 5 for line in lines), f"OpenSSL cannot read the index of {authority}")
        serials += [int(line.split("\t")[3], 16) for line in lines]
    _demand(len(serials) == len(set(serials)), "a serial number was used twice")
    for path in [*site.glob("pki/certificates/*/cert.pem"), *site.glob("pki/authorities/*/cert.pem")]:
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        _demand(serial in serials, f"{path} stands in no index")
