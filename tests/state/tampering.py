"""What a hostile user, or a careless one, does to a certificate in a site's tree."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type

# Another certificate of the same kind, with which something is swapped.
LIKE = "3"


@dataclass(frozen=True)
class Leaf:
    """One certificate of a site as files; what is written to it is written into its generation."""

    tree: Path
    name: str

    @property
    def directory(self) -> Path:
        return self.tree / "certificates" / "node" / self.name

    def at(self, name: str) -> Path:
        return (self.directory / name).resolve()

    def like(self) -> Leaf:
        return Leaf(self.tree, LIKE)

    def edit(self, name: str, change: Callable[[bytes], bytes]) -> None:
        before = self.at(name).read_bytes()
        after = change(before)
        assert after != before
        self.at(name).write_bytes(after)

    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.at("cert.pem").read_bytes())[0]

    def authority(self, name: str, file: str) -> bytes:
        return (self.tree / "authorities" / name / file).read_bytes()

    def signer(self, authority: str = "issuing") -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.authority(authority, "key.pem"), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def write(self, certificate: bytes) -> None:
        """Write the certificate, and the full chain as it should be."""
        self.at("cert.pem").write_bytes(certificate)
        self.at("fullchain.pem").write_bytes(certificate + self.at("chain.pem").read_bytes())


Tampering = Callable[[Leaf], None]


def swapped(*names: str) -> Tampering:
    def tamper(leaf: Leaf) -> None:
        for name in names:
            mine, other = leaf.at(name), leaf.like().at(name)
            content = mine.read_bytes()
            mine.write_bytes(other.read_bytes())
            other.write_bytes(content)

    return tamper


def edited(name: str, change: Callable[[bytes], bytes]) -> Tampering:
    return lambda leaf: leaf.edit(name, change)


def in_bytes(old: bytes, new: bytes, *, signs: bool = True) -> Tampering:
    """Replace bytes of what is signed, and sign it again or leave the signature."""

    def tamper(leaf: Leaf) -> None:
        found = leaf.certificate()
        mine = leaf.name.encode()
        was, becomes = old.replace(b"%", mine), new.replace(b"%", mine)
        part = found.tbs_certificate_bytes.replace(was, becomes)
        assert part != found.tbs_certificate_bytes
        signature = leaf.signer().sign(part, ec.ECDSA(hashes.SHA256())) if signs else found.signature
        leaf.write(as_pem(sequence(part, ECDSA_SHA256, encoded(0x03, b"\0" + signature))))

    return tamper


def outside(rebuilt: Callable[[bytes, bytes], bytes]) -> Tampering:
    """Put the certificate together otherwise of what is signed and its signature."""

    def tamper(leaf: Leaf) -> None:
        found = leaf.certificate()
        leaf.write(as_pem(rebuilt(found.tbs_certificate_bytes, found.signature)))

    return tamper


Extensions = list[tuple[x509.ExtensionType, bool]]


def issued(
    *,
    extensions: Callable[[Extensions], Extensions] = list,
    subject: Callable[[x509.Name], x509.Name] = lambda name: name,
    serial: int | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    by: str = "issuing",
    is_own_key: bool = False,
    digest: hashes.SHA256 | hashes.SHA384 = hashes.SHA256(),  # noqa: B008 - a constant
    is_new_key: bool = False,
) -> Tampering:
    """Issue the certificate again, with something else in it."""

    def tamper(leaf: Leaf) -> None:
        found = leaf.certificate()
        key = ec.generate_private_key(ec.SECP256R1())
        name = subject(found.subject)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name if is_own_key else found.issuer)
            .public_key(key.public_key() if is_new_key or is_own_key else found.public_key())
            .serial_number(found.serial_number if serial is None else serial)
            .not_valid_before(start or found.not_valid_before_utc)
            .not_valid_after(end or found.not_valid_after_utc)
        )
        for value, critical in extensions([(one.value, one.critical) for one in found.extensions]):
            builder = builder.add_extension(value, critical)
        made = builder.sign(key if is_own_key else leaf.signer(by), digest)
        leaf.write(made.public_bytes(serialization.Encoding.PEM))

    return tamper


def encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    return encoded(0x30, b"".join(parts))


ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def as_pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def in_strings_of(name: x509.Name, kind: _ASN1Type) -> x509.Name:
    return x509.Name([x509.NameAttribute(one.oid, one.value, kind) for one in name])


def with_names(*names: x509.GeneralName, critical: bool = False) -> Callable[[Extensions], Extensions]:
    def change(extensions: Extensions) -> Extensions:
        return [
            (x509.SubjectAlternativeName(names), critical) if isinstance(value, x509.SubjectAlternativeName) else
            (value, is_critical)
            for value, is_critical in extensions
        ]  # fmt: skip

    return change


def with_names_reversed(extensions: Extensions) -> Extensions:
    return [
        (x509.SubjectAlternativeName(reversed(list(value))), critical)
        if isinstance(value, x509.SubjectAlternativeName)
        else (value, critical)
        for value, critical in extensions
    ]


def without(kind: type[x509.ExtensionType]) -> Callable[[Extensions], Extensions]:
    return lambda extensions: [one for one in extensions if not isinstance(one[0], kind)]


def link_key_to_another(leaf: Leaf) -> None:
    (leaf.directory / "key.pem").unlink()
    (leaf.directory / "key.pem").symlink_to(f"../{LIKE}/..data/key.pem")


def link_to_another_generation(leaf: Leaf) -> None:
    (leaf.directory / "..data").unlink()
    (leaf.directory / "..data").symlink_to(f"../{LIKE}/{os.readlink(leaf.like().directory / '..data')}")


def put_file_for_link(leaf: Leaf) -> None:
    content = leaf.like().at("cert.pem").read_bytes()
    (leaf.directory / "cert.pem").unlink()
    (leaf.directory / "cert.pem").write_bytes(content)


def swap_directories(leaf: Leaf) -> None:
    mine, other, aside = leaf.directory, leaf.like().directory, leaf.directory.with_name("aside")
    mine.rename(aside)
    other.rename(mine)
    aside.rename(other)


def leave_no_newline(leaf: Leaf) -> None:
    leaf.write(leaf.at("cert.pem").read_bytes().rstrip(b"\n"))


def give_key_away(leaf: Leaf) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(leaf.at("key.pem"), -1, 12)


def shorten_full_chain(leaf: Leaf) -> None:
    """Leave of the full chain no more than the certificate."""
    leaf.at("fullchain.pem").write_bytes(leaf.at("cert.pem").read_bytes())


def give_chain_of_another(leaf: Leaf) -> None:
    chain = leaf.authority("other", "cert.pem") + leaf.authority("root", "cert.pem")
    leaf.at("chain.pem").write_bytes(chain)
    leaf.at("fullchain.pem").write_bytes(leaf.at("cert.pem").read_bytes() + chain)


def edited_chain(change: Callable[[bytes], bytes]) -> Tampering:
    def tamper(leaf: Leaf) -> None:
        leaf.edit("chain.pem", change)
        leaf.write(leaf.at("cert.pem").read_bytes())

    return tamper


def edited_certificate(change: Callable[[bytes], bytes]) -> Tampering:
    return lambda leaf: leaf.write(change(leaf.at("cert.pem").read_bytes()))


def in_reverse(content: bytes) -> bytes:
    certificates = x509.load_pem_x509_certificates(content)
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in reversed(certificates))


def of_mode(name: str, mode: int) -> Tampering:
    return lambda leaf: leaf.at(name).chmod(mode)
