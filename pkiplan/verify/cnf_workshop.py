"""A throw-away directory laid out like a site, with a throw-away issuer, in which OpenSSL works."""

from __future__ import annotations

import os
import posixpath
import shlex
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pkiplan.model.keys import EcKeySpec, ExternalKey, KeySpec, OtherKey, RsaKeySpec
from pkiplan.model.resource import CNF_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import (
    CRL_NUMBER_FILE,
    INDEX_ATTRIBUTES_FILE,
    INDEX_FILE,
    NEW_CERTIFICATES_DIRECTORY,
    SERIAL_FILE,
)
from pkiplan.render.ca_database import attributes_text, number_text
from pkiplan.verify.certificate_fields import FieldDifference
from pkiplan.verify.cnf_reading import Sections, check_harmless, leads_inside
from pkiplan.verify.openssl_program import OpenSsl, run
from pkiplan.x509 import der
from pkiplan.x509.issue import Issuer
from pkiplan.x509.keys import PrivateKey, generate_key, key_spec
from pkiplan.x509.pem_lines import pem_block

# What an RSA signature says of its key is nothing of its size, and small keys are made sooner.
_THROW_AWAY_RSA = RsaKeySpec(2048)

PROOF_CNF = "proof.cnf"
# Gives a self-signed certificate its dates and number, which `openssl req -x509` cannot (dates only from 3.4).
PROOF_CNF_TEXT = """\
[ ca ]
default_ca = dates
preserve = yes
[ dates ]
database = proof/index.txt
new_certs_dir = proof/newcerts
serial = proof/serial
default_md = default
unique_subject = no
policy = any
[ any ]
CN = optional
"""


class NotProvedError(Exception):
    """The proof cannot be made here; the message says why."""


class DiffersError(Exception):
    """OpenSSL does not make the same of the cnf."""

    def __init__(self, *found: FieldDifference) -> None:
        super().__init__(*found)
        self.differences = found


def spec_of(certificate: x509.Certificate) -> KeySpec:
    """Describe a certificate's key, if one like it can be made."""
    try:
        spec = key_spec(certificate.public_key())
    except (UnsupportedAlgorithm, ValueError):
        raise NotProvedError("the certificate's key is of a kind that cannot be made here") from None
    if isinstance(spec, OtherKey):
        raise NotProvedError(f"a throw-away key of kind {spec} cannot be made")
    return spec


class Subject(NamedTuple):
    """What is proved of what; an issuer of None means that the certificate signs itself."""

    site: Site
    resource: Resource
    certificate: x509.Certificate
    issuer: x509.Certificate | None
    text: str
    sections: Sections


class StandIn(NamedTuple):
    """A throw-away issuer."""

    key: PrivateKey
    certificate: x509.Certificate


@lru_cache(maxsize=16)
def _throw_away_key(spec: KeySpec) -> PrivateKey:
    return generate_key(_THROW_AWAY_RSA if isinstance(spec, RsaKeySpec) else spec)


def _stand_in(certificate: x509.Certificate) -> StandIn:
    """Make an issuer that differs from the real one in nothing that gets into what it issues."""
    real = Issuer.of(certificate)
    key = _throw_away_key(spec_of(certificate))
    name = x509.Name.from_bytes(real.subject_der)
    if name.public_bytes() != real.subject_der:
        raise NotProvedError("the issuer's name is encoded in a way that a throw-away issuer cannot repeat")
    # Its validity is looked at by nobody.
    moment = certificate.not_valid_before_utc
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, moment, certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(real.key_id), critical=False)
    )
    is_hashed = isinstance(spec_of(certificate), RsaKeySpec | EcKeySpec)
    return StandIn(key, builder.sign(key, hashes.SHA256() if is_hashed else None))


class Workshop:
    """The directory of one proof; everything that OpenSSL reads and writes lies in it."""

    def __init__(self, root: str, subject: Subject, program: OpenSsl) -> None:
        site, resource = subject.site, subject.resource
        self._root = root
        self._program = program
        self._subject = subject
        # Files that were adopted may lie in the site but outside of its tree.
        self._base = site.base if _is_beneath(site.directory, site.base) else site.directory
        self._here = posixpath.relpath(posixpath.join(site.directory, resource.directory), self._base)
        check_harmless(subject.sections, self._here)
        self._stand_in = _stand_in(subject.issuer or subject.certificate)
        self._directory = posixpath.join(root, self._here)
        self._key = _throw_away_key(spec_of(subject.certificate))
        self._lay_out()

    def _lay_out(self) -> None:
        self._write(CNF_FILE, self._subject.text.encode("utf-8", "surrogateescape"))
        self._write("throw-away.pem", _key_pem(self._key))
        # As the certificate encodes it, which is the key's business (a compressed point, say) and no cnf's.
        parts = der.certificate_parts(self._subject.certificate.public_bytes(Encoding.DER))
        self._write("public.pem", pem_block(b"PUBLIC KEY", parts.subject_public_key_info))
        self._write("issuer.pem", self._stand_in.certificate.public_bytes(Encoding.PEM))
        self._write("issuer-key.pem", _key_pem(self._stand_in.key))
        self._write(PROOF_CNF, PROOF_CNF_TEXT.encode())
        self._lay_out_database(posixpath.join(self._directory, "proof"))
        issuer = self._subject.site.issuer_of(self._subject.resource)
        if issuer is not None:
            self._lay_out_issuer(issuer)

    def _lay_out_issuer(self, issuer: Resource) -> None:
        site = self._subject.site
        self._lay_out_database(self._inside(posixpath.join(site.directory, issuer.directory)) or "")
        files = {site.certificate_path(issuer): self._stand_in.certificate.public_bytes(Encoding.PEM)}
        if not isinstance(issuer.key, ExternalKey):
            files[site.path(issuer, issuer.key.path)] = _key_pem(self._stand_in.key)
        for path, content in files.items():
            if inside := self._inside(path):
                self._write(inside, content)

    def _lay_out_database(self, directory: str) -> None:
        os.makedirs(posixpath.join(directory, NEW_CERTIFICATES_DIRECTORY), exist_ok=True)
        serial = number_text(self._subject.certificate.serial_number)
        for name, text in (
            (INDEX_FILE, ""),
            (INDEX_ATTRIBUTES_FILE, attributes_text()),
            (SERIAL_FILE, serial),
            (CRL_NUMBER_FILE, number_text(1)),
        ):
            self._write(posixpath.join(directory, name), text.encode())

    def _inside(self, path: str) -> str | None:
        """Return where a file of the site lies in the workshop; None for one outside of the site."""
        if not _is_beneath(path, self._base):
            return None
        return posixpath.normpath(posixpath.join(self._root, posixpath.relpath(path, self._base)))

    def _write(self, name: str, content: bytes) -> None:
        path = posixpath.join(self._directory, name)
        os.makedirs(posixpath.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def make(self, command: str, made: str) -> bytes:
        """Run a command of OpenSSL's and return the file it made; what it did not make is a difference."""
        arguments = shlex.split(command)
        status, said = run(self._program.path, arguments, directory=self._directory)
        try:
            with open(posixpath.join(self._directory, made), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            content = b""
        if not content:
            raise DiffersError(
                FieldDifference(f"openssl {arguments[0]}", made, _complaint(said) or f"exit status {status}")
            )
        return content

    def certificate(self, command: str, made: str) -> x509.Certificate:
        """Run a command and return the certificate it made."""
        content = self.make(command, made)
        try:
            return x509.load_pem_x509_certificate(content)
        except ValueError:
            raise DiffersError(
                FieldDifference(f"openssl {command.split(maxsplit=1)[0]}", "a certificate", "something else")
            ) from None

    def overrides(self, section: str) -> str:
        """Name the throw-away issuer where the cnf's own words for it do not lead into the workshop."""
        options = []
        for key, option, stand_in in (
            ("certificate", "-cert", "issuer.pem"),
            ("private_key", "-keyfile", "issuer-key.pem"),
        ):
            if not leads_inside(self._subject.sections, section, key, self._here):
                options.append(f" {option} {stand_in}")
        return "".join(options)


def _is_beneath(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _complaint(said: str) -> str:
    """Take from everything OpenSSL said the line that says what is wrong."""
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    return next((line for line in lines if "rror" in line and not line.startswith("Using")), lines[-1] if lines else "")
