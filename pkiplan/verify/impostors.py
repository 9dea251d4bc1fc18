"""Throw-away authorities and what they issue: everything a control needs that the site must not sign.

All of it lives in memory and is made anew for each run. Keys are P-256 whatever the site uses, because what
is judged is the certificate's content.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from pkiplan.verify.made_once import MadeOnce
from pkiplan.verify.stacks.base import Identity
from pkiplan.verify.stacks.openssl_hooks import is_ip_address

# Valid at any time a check may move the clock to; RFC 5280, 4.1.2.5: the last date is 99991231235959Z.
_FIRST = datetime(1950, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

STAND_IN_HOST = "stand-in.pkiplan.invalid"

# Extensions that follow from who signs and what key it is; never copied.
_OWN_EXTENSIONS = (ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
# What a replica need not carry to be judged like its original, and may not parse again.
_IRRELEVANT_EXTENSIONS = (ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS,)


@dataclass(frozen=True, slots=True, eq=False)
class ThrowAway:
    """A certificate and its key, both made for one run, with the authorities above, nearest first, root last."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[ThrowAway, ...] = ()

    @property
    def root(self) -> x509.Certificate:
        """Return the certificate that a peer would trust."""
        return self.above[-1].certificate if self.above else self.certificate

    @property
    def served(self) -> tuple[x509.Certificate, ...]:
        """List the certificates as sent: its own, then those above it but for the root."""
        return (self.certificate, *(authority.certificate for authority in self.above[:-1]))

    def identity(self, name: str) -> Identity:
        """Give what a server or client presents."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(name, self.served, key)


class Impostors:
    """Makes throw-aways, each kind once."""

    def __init__(self) -> None:
        self._once = MadeOnce()

    def unrelated_root(self) -> ThrowAway:
        """Give an authority nobody in the site has heard of."""
        return self._once.get("unrelated", lambda: _root(_name("Throw-away authority of pkiplan")))

    def stand_in_server(self) -> Identity:
        """Give a server for clients that have none in the site; its authority is the unrelated root."""
        root = self.unrelated_root()

        def make() -> Identity:
            names = x509.SubjectAlternativeName([x509.DNSName(STAND_IN_HOST)])
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            leaf = _issue(_name("Stand-in server of pkiplan"), root, [(names, False), (usage, False)])
            return leaf.identity("throw-away server")

        return self._once.get("server", make)

    def mirrored_chain(self, authorities: tuple[x509.Certificate, ...]) -> tuple[ThrowAway, ...]:
        """Rebuild authorities, nearest first and root last, with the same names and extensions, and other keys."""
        if not authorities:
            return ()
        original, *rest = authorities
        above = self.mirrored_chain(tuple(rest))
        mirrored = self._once.get(("mirror", authorities), lambda: _replica(original, above or None, original.subject))
        return (mirrored, *above)

    def replica(
        self,
        original: x509.Certificate,
        above: tuple[ThrowAway, ...],
        *,
        purposes: Iterable[x509.ObjectIdentifier] | None = None,
    ) -> ThrowAway:
        """Rebuild a leaf under throw-away authorities, or by itself; `purposes` replace its extended key usages."""
        return _replica(original, above or None, original.subject, purposes)

    def issued_by_leaf(self, leaf: ThrowAway) -> ThrowAway:
        """Let a throw-away leaf issue a certificate of its own kind, as if it were an authority.

        One without a subject gets one: that an issuer has no name is another fault (RFC 5280, 4.1.2.4).
        """
        if not list(leaf.certificate.subject):
            leaf = _replica(leaf.certificate, leaf.above or None, _name("A leaf"))
        return _replica(leaf.certificate, (leaf, *leaf.above), _name("Issued by a leaf"))


def wildcard_instance(name: str) -> str:
    """Give a host that a DNS name of a certificate stands for: itself, or one instance of a wildcard."""
    return f"pkiplan-check{name[1:]}" if name.startswith("*.") else name


def wrong_host(hosts: Iterable[str]) -> str:
    """Give a host of the same kind as the first of these that is none of them."""
    known = list(hosts)
    if known and is_ip_address(known[0]):
        # RFC 5737 and RFC 3849 reserve these for documentation.
        candidates = ["192.0.2.77", "198.51.100.77", "203.0.113.77"]
        if ip_address(known[0]).version == 6:
            candidates = ["2001:db8::77:1", "2001:db8::77:2", "2001:db8::77:3"]
        taken = {ip_address(host) for host in known if is_ip_address(host)}
        return next((host for host in candidates if ip_address(host) not in taken), "127.255.255.254")
    return "wrong-name.pkiplan.invalid"


def _root(name: x509.Name) -> ThrowAway:
    return _issue(name, None, [(x509.BasicConstraints(ca=True, path_length=None), True), (_AUTHORITY_USAGE, True)])


_AUTHORITY_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _replica(
    original: x509.Certificate,
    above: tuple[ThrowAway, ...] | None,
    subject: x509.Name,
    purposes: Iterable[x509.ObjectIdentifier] | None = None,
) -> ThrowAway:
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    for extension in original.extensions:  # raises ValueError when one does not parse; the run reports it
        if extension.oid in (*_OWN_EXTENSIONS, *_IRRELEVANT_EXTENSIONS):
            continue
        if extension.oid == ExtensionOID.EXTENDED_KEY_USAGE and purposes is not None:
            continue
        extensions.append((extension.value, extension.critical))
    if purposes is not None:
        extensions.append((x509.ExtendedKeyUsage(purposes), False))
    issuer = above[0] if above else None
    return _issue(subject, issuer, extensions)


def _issue(
    subject: x509.Name, issuer: ThrowAway | None, extensions: list[tuple[x509.ExtensionType, bool]]
) -> ThrowAway:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FIRST)
        .not_valid_after(_LAST)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    certificate = builder.sign(signer, SHA256())
    return ThrowAway(certificate, key, (issuer, *issuer.above) if issuer else ())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
