"""What the examples make is accepted by programs that we did not write; a key that one cannot read is named."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, PublicKeyAlgorithmOID

from tests.examples.conftest import Example
from tests.judges import require

# Every judge reads these; whether it reads another is asked.
READ_BY_ALL = {PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5, PublicKeyAlgorithmOID.EC_PUBLIC_KEY}


@dataclass(frozen=True)
class Leaf:
    """A certificate of the tree, the authorities above it, and the root that its peers trust."""

    address: str
    directory: Path
    authorities: tuple[Path, ...]

    @property
    def root(self) -> Path:
        return self.path[-1]

    @property
    def path(self) -> tuple[Path, ...]:
        return (self.directory / "cert.pem", *self.authorities)

    @property
    def certificate(self) -> x509.Certificate:
        return _read(self.directory / "cert.pem")

    @property
    def is_self_signed(self) -> bool:
        return self.root.parent == self.directory

    @property
    def usages(self) -> list[x509.ObjectIdentifier]:
        try:
            return list(self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        except x509.ExtensionNotFound:
            return []


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _authorities(applied: Example) -> list[Path]:
    """Every authority's certificate; an element of `for_each` lies one directory deeper."""
    return sorted((applied.tree / "authorities").rglob("cert.pem"))


def _above(applied: Example, path: Path) -> Iterator[Path]:
    """Follow the names of issuers up to a root."""
    certificate = _read(path)
    while certificate.subject != certificate.issuer:
        path = next(each for each in _authorities(applied) if _read(each).subject == certificate.issuer)
        yield path
        certificate = _read(path)


def _leaves(applied: Example) -> Iterator[Leaf]:
    certificates = applied.tree / "certificates"
    directories = sorted(path.parent for path in certificates.rglob("fullchain.pem") if path.is_symlink())
    assert directories
    for directory in directories:
        above = tuple(_above(applied, directory / "cert.pem"))
        yield Leaf(str(directory.relative_to(certificates)), directory, above)


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)


def _skip_unread(judge: str, version: Callable[[], str], leaf: Leaf, reads: Callable[[Path], bool]) -> None:
    """Skip with the judge's version what it cannot read; of the algorithms that all read, nothing is skipped."""
    for path in leaf.path:
        oid = _read(path).public_key_algorithm_oid
        if oid not in READ_BY_ALL and not reads(path):
            pytest.skip(f"{leaf.address} not run: {judge} {version()} reads no key of {oid.dotted_string}")


def _skip_unknown_demands(judge: str, version: Callable[[], str], leaf: Leaf, said: str) -> None:
    """Skip what a judge refuses because it does not know what an authority demands of policies (RFC 5280, 4.2.1.11)."""
    demands = {
        extension.oid.dotted_string
        for path in leaf.authorities
        for extension in _read(path).extensions
        if extension.critical and extension.oid in (ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.INHIBIT_ANY_POLICY)
    }
    if demands and "unknown critical extension" in said:
        pytest.skip(f"{leaf.address} not run: {judge} {version()} does not know all of {', '.join(sorted(demands))}")


@pytest.mark.judge("openssl")
def test_openssl_accepts_every_chain_strictly(applied: Example, subtests: pytest.Subtests) -> None:
    openssl = require("openssl")

    def version() -> str:
        return _run(openssl, "version").stdout.split()[1]

    def reads(path: Path) -> bool:
        return _run(openssl, "x509", "-in", path, "-noout", "-pubkey").returncode == 0

    for leaf in _leaves(applied):
        with subtests.test(leaf.address):
            _skip_unread("OpenSSL", version, leaf, reads)
            purpose = []
            if ExtendedKeyUsageOID.SERVER_AUTH in leaf.usages:
                purpose = ["-purpose", "sslserver"]
            elif ExtendedKeyUsageOID.CLIENT_AUTH in leaf.usages:
                purpose = ["-purpose", "sslclient"]
            sent, certificate = leaf.directory / "fullchain.pem", leaf.directory / "cert.pem"

            ran = _run(
                openssl, "verify", "-x509_strict", *purpose, "-CAfile", leaf.root, "-untrusted", sent, certificate
            )

            assert ran.stdout.strip().endswith(": OK"), (ran.stdout, ran.stderr)


@pytest.mark.judge("certtool")
def test_gnutls_accepts_every_issued_chain(applied: Example, subtests: pytest.Subtests) -> None:
    certtool = require("certtool")

    def version() -> str:
        return _run(certtool, "--version").stdout.split()[1]

    def reads(path: Path) -> bool:
        # An algorithm that it does not know it names by its OID, or not at all.
        described = _run(certtool, "--certificate-info", "--infile", path).stdout
        return re.search(r"Public Key Algorithm: (unknown|[\d.]+)$", described, re.MULTILINE) is None

    for leaf in _leaves(applied):
        with subtests.test(leaf.address):
            if leaf.is_self_signed:
                pytest.skip(f"{leaf.address} not run: certtool wants CA:TRUE of a self-signed certificate")
            _skip_unread("GnuTLS", version, leaf, reads)
            sent = leaf.directory / "fullchain.pem"

            ran = _run(certtool, "--verify", "--load-ca-certificate", leaf.root, "--infile", sent)

            _skip_unknown_demands("GnuTLS", version, leaf, ran.stdout)
            assert "Chain verification output: Verified" in ran.stdout, (ran.stdout, ran.stderr)


_NSS_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "V",
    ExtendedKeyUsageOID.CLIENT_AUTH: "C",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "S",
    ExtendedKeyUsageOID.CODE_SIGNING: "J",
}


def _nss_version() -> str:
    """Ask the library: certutil does not tell."""
    library = ctypes.CDLL(ctypes.util.find_library("nss3") or "libnss3.so")
    library.NSS_GetVersion.restype = ctypes.c_char_p
    return str(library.NSS_GetVersion(), "ascii")


@pytest.mark.judge("certutil")
def test_nss_accepts_every_issued_chain(applied: Example, subtests: pytest.Subtests, tmp_path: Path) -> None:
    certutil = require("certutil")
    database = f"sql:{tmp_path}"
    made = _run(certutil, "-N", "-d", database, "--empty-password")
    assert made.returncode == 0, made.stderr

    def add(path: Path, trust: str) -> subprocess.CompletedProcess[str]:
        name = str(path.parent.relative_to(applied.tree))
        return _run(certutil, "-A", "-d", database, "-n", name, "-t", trust, "-a", "-i", path)

    added = {}
    for authority in _authorities(applied):
        certificate = _read(authority)
        added[authority] = add(authority, "CT,C,C" if certificate.subject == certificate.issuer else ",,")
        assert added[authority].returncode == 0 or certificate.public_key_algorithm_oid not in READ_BY_ALL
    for leaf in _leaves(applied):
        added[leaf.directory / "cert.pem"] = add(leaf.directory / "cert.pem", ",,")
    for leaf in _leaves(applied):
        with subtests.test(leaf.address):
            if leaf.is_self_signed:
                pytest.skip(f"{leaf.address} not run: its root is not an authority")
            _skip_unread("NSS", _nss_version, leaf, lambda path: added[path].returncode == 0)
            purposes = [letter for oid, letter in _NSS_PURPOSES.items() if oid in leaf.usages]
            if not purposes:
                pytest.skip(f"{leaf.address} not run: certutil judges TLS, mail and code alone")
            name = str(leaf.directory.relative_to(applied.tree))

            said = [_run(certutil, "-V", "-d", database, "-n", name, "-u", each, "-e") for each in purposes]

            _skip_unknown_demands("NSS", _nss_version, leaf, "".join(f"{ran.stdout}{ran.stderr}" for ran in said))
            assert {ran.stdout.strip() for ran in said} == {"certutil: certificate is valid"}, said
