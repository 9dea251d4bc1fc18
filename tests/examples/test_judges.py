"""What the examples make is accepted by programs that we did not write; a key that one cannot read is named."""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, PublicKeyAlgorithmOID

from tests.examples.conftest import Example
from tests.judges import require

# Every judge reads these; whether it reads another is asked.
READ_BY_ALL = {PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5, PublicKeyAlgorithmOID.EC_PUBLIC_KEY}


@dataclass(frozen=True)
class Leaf:
    """A certificate of the tree, and the root that its peers trust."""

    address: str
    directory: Path
    root: Path

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


def _root_of(applied: Example, directory: Path) -> Path:
    top = x509.load_pem_x509_certificates((directory / "fullchain.pem").read_bytes())[-1]
    if top.subject == top.issuer:
        return directory / "cert.pem"
    for path in _authorities(applied):
        certificate = _read(path)
        if certificate.subject == top.issuer and certificate.subject == certificate.issuer:
            return path
    raise AssertionError(f"no root of {directory} in the tree")


def _leaves(applied: Example) -> Iterator[Leaf]:
    certificates = applied.tree / "certificates"
    directories = sorted(path.parent for path in certificates.rglob("fullchain.pem") if path.is_symlink())
    assert directories
    for directory in directories:
        yield Leaf(str(directory.relative_to(certificates)), directory, _root_of(applied, directory))


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)


def _skip_unread(judge: str, version: Callable[[], str], leaf: Leaf, reads: Callable[[Path], bool]) -> None:
    """Skip with the judge's version what it cannot read; of the algorithms that all read, nothing is skipped."""
    for path in (leaf.directory / "cert.pem", leaf.root):
        oid = _read(path).public_key_algorithm_oid
        if oid not in READ_BY_ALL and not reads(path):
            pytest.skip(f"{leaf.address} not run: {judge} {version()} reads no key of {oid.dotted_string}")


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
        return "Public Key Algorithm: unknown" not in _run(certtool, "--certificate-info", "--infile", path).stdout

    for leaf in _leaves(applied):
        with subtests.test(leaf.address):
            if leaf.is_self_signed:
                pytest.skip(f"{leaf.address} not run: certtool wants CA:TRUE of a self-signed certificate")
            _skip_unread("GnuTLS", version, leaf, reads)
            sent = leaf.directory / "fullchain.pem"

            ran = _run(certtool, "--verify", "--load-ca-certificate", leaf.root, "--infile", sent)

            assert "Chain verification output: Verified" in ran.stdout, (ran.stdout, ran.stderr)


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
            purposes = []
            if ExtendedKeyUsageOID.SERVER_AUTH in leaf.usages:
                purposes.append("V")
            if ExtendedKeyUsageOID.CLIENT_AUTH in leaf.usages:
                purposes.append("C")
            assert purposes, "certutil judges servers and clients"
            name = str(leaf.directory.relative_to(applied.tree))

            said = [_run(certutil, "-V", "-d", database, "-n", name, "-u", each, "-e") for each in purposes]

            assert {ran.stdout.strip() for ran in said} == {"certutil: certificate is valid"}, said
