"""What the examples make is accepted by programs that we did not write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.judges import require


def _anchor_and_chain(applied, leaf: Path) -> tuple[Path, list[x509.Certificate]]:
    """Find the root file of a leaf by following issuers; the chain is the leaf's and what it was served with."""
    served = x509.load_pem_x509_certificates((leaf / "fullchain.pem").read_bytes())
    top = served[-1]
    if top.subject == top.issuer:
        return leaf / "cert.pem", served
    for path in (applied.tree / "authorities").glob("*/cert.pem"):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        if certificate.subject == top.issuer and certificate.subject == certificate.issuer:
            return path, served
    raise AssertionError(f"no root of {leaf} in the tree")


def _leaves(applied) -> list[Path]:
    return sorted(path.parent for path in (applied.tree / "certificates").rglob("fullchain.pem") if path.is_symlink())


def _is_ml_dsa(path: Path) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.public_key_algorithm_oid.dotted_string.startswith("2.16.840.1.101.3.4.3.")


def _purpose(certificate: x509.Certificate) -> str | None:
    try:
        usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None
    if ExtendedKeyUsageOID.SERVER_AUTH in usages:
        return "sslserver"
    return "sslclient" if ExtendedKeyUsageOID.CLIENT_AUTH in usages else None


def _run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)


@pytest.mark.judge("openssl")
def test_openssl_accepts_every_chain_strictly(applied):
    openssl = require("openssl")
    for leaf in _leaves(applied):
        root, served = _anchor_and_chain(applied, leaf)
        if _is_ml_dsa(root):
            continue  # OpenSSL before 3.5 does not know it; verified by pkiplan's own stack
        purpose = _purpose(served[0])
        options = ["-purpose", purpose] if purpose else []

        ran = _run(
            openssl,
            "verify",
            "-x509_strict",
            *options,
            "-CAfile",
            root,
            "-untrusted",
            leaf / "fullchain.pem",
            leaf / "cert.pem",
        )

        assert ran.stdout.strip().endswith(": OK"), (leaf, ran.stdout, ran.stderr)


@pytest.mark.judge("certtool")
def test_gnutls_accepts_every_issued_chain(applied):
    certtool = require("certtool")
    for leaf in _leaves(applied):
        root, _ = _anchor_and_chain(applied, leaf)
        if _is_ml_dsa(root) or root.parent == leaf:
            continue  # GnuTLS 3.7 knows no ML-DSA, and certtool wants CA:TRUE of a self-signed certificate

        ran = _run(certtool, "--verify", "--load-ca-certificate", root, "--infile", leaf / "fullchain.pem")

        assert "Chain verification output: Verified" in ran.stdout, (leaf, ran.stdout, ran.stderr)


@pytest.mark.judge("certutil")
def test_nss_accepts_every_issued_chain(applied, tmp_path):
    certutil = require("certutil")
    database = f"sql:{tmp_path}"
    _run(certutil, "-N", "-d", database, "--empty-password", check=True)
    for authority in sorted((applied.tree / "authorities").glob("*/cert.pem")):
        certificate = x509.load_pem_x509_certificate(authority.read_bytes())
        trust = "CT,C,C" if certificate.subject == certificate.issuer else ",,"
        _run(certutil, "-A", "-d", database, "-n", authority.parent.name, "-t", trust, "-a", "-i", authority)
    for leaf in _leaves(applied):
        root, served = _anchor_and_chain(applied, leaf)
        purpose = {"sslserver": "V", "sslclient": "C"}.get(_purpose(served[0]) or "")
        if purpose is None or _is_ml_dsa(root) or root.parent == leaf:
            continue
        name = str(leaf.relative_to(applied.tree))
        _run(certutil, "-A", "-d", database, "-n", name, "-t", ",,", "-a", "-i", leaf / "cert.pem", check=True)

        ran = _run(certutil, "-V", "-d", database, "-n", name, "-u", purpose, "-e")

        assert ran.stdout.strip() == "certutil: certificate is valid", (leaf, ran.stdout, ran.stderr)
