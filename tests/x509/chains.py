"""Chains, good and broken, made anew for every run; each is broken in one way.

The certificates are made with `cryptography` directly, because pkiplan refuses to issue most of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pkiplan.model.keys import RsaKeySpec
from pkiplan.x509.keys import PrivateKey, generate_key

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
HOST = "www.acme.example"
SERVER, CLIENT, ANY = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)


class Verdict(StrEnum):
    """What verifiers make of a chain."""

    ACCEPTED = "accepted"
    STRICTLY_REFUSED = "refused by strict verifiers only"
    REFUSED = "refused"


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True)
class Chain:
    """A server's certificate, what it sends with it, and what the client trusts.

    `is_about_host` marks chains that only a check of the host name refuses.
    """

    title: str
    verdict: Verdict
    leaf: Made
    intermediates: tuple[Made, ...]
    roots: tuple[Made, ...]
    host: str = HOST
    is_about_host: bool = False


@cache
def ec_key(number: int) -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(size: int) -> PrivateKey:
    return generate_key(RsaKeySpec(size))


@dataclass
class Names:
    """Counts keys, so that every certificate of a chain has its own."""

    used: int = 0

    def key(self) -> PrivateKey:
        self.used += 1
        return ec_key(self.used)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


def name(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def common(text: str) -> x509.Name:
    return name((NameOID.COMMON_NAME, text))


def usage(*words: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{word: word in words for word in every})


def sans(*hosts: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general(host) for host in hosts])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def constraints(
    permitted: Sequence[x509.GeneralName] | None = None, excluded: Sequence[x509.GeneralName] | None = None
) -> x509.NameConstraints:
    return x509.NameConstraints(permitted, excluded)


def make(
    subject: str | x509.Name,
    by: Made | None = None,
    *,
    extensions: dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None],
    key: PrivateKey,
    ids: tuple[bool, bool] = (True, True),
    aki: bytes | None = None,
    issuer: x509.Name | None = None,
    starts: timedelta = -DAY,
    ends: timedelta = 30 * DAY,
    pss: bool = False,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Made:
    """Make one certificate; `ids` tells whether it carries subject and authority key identifier."""
    named = common(subject) if isinstance(subject, str) else subject
    signer = key if by is None else by.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer or (named if by is None else by.certificate.subject))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(NOW + starts)
        .not_valid_after(NOW + ends)
    )
    for entry in extensions.values():
        if entry is not None:
            builder = builder.add_extension(*entry)
    for extra in more:
        builder = builder.add_extension(*extra)
    if ids[0]:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    if ids[1] and (by is not None or aki is not None or x509.SubjectAlternativeName in extensions):
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        if aki is not None:
            identifier = x509.AuthorityKeyIdentifier(aki, None, None)
        builder = builder.add_extension(identifier, False)
    own_hash = isinstance(signer, ed25519.Ed25519PrivateKey)
    digest = None if own_hash else hashes.SHA256()
    if pss:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return Made(builder.sign(signer, digest, rsa_padding=scheme), key)
    return Made(builder.sign(signer, digest), key)


@dataclass
class Workshop:
    """Makes sound certificates, each with what is to be wrong about it."""

    names: Names = field(default_factory=Names)

    def root(
        self, title: str = "Root", *, path_length: int | None = None, drop: Sequence[type] = (), **changes: Any
    ) -> Made:
        return self._make(title, None, _authority(path_length), drop, changes)

    def authority(
        self,
        by: Made,
        title: str = "Issuing",
        *,
        path_length: int | None = None,
        drop: Sequence[type] = (),
        **changes: Any,
    ) -> Made:
        return self._make(title, by, _authority(path_length), drop, changes)

    def leaf(
        self,
        by: Made | None,
        title: str | x509.Name = HOST,
        *,
        hosts: Sequence[str] = (HOST,),
        drop: Sequence[type] = (),
        **changes: Any,
    ) -> Made:
        extensions: dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None] = {
            x509.BasicConstraints: (x509.BasicConstraints(False, None), True),
            x509.KeyUsage: (usage("digital_signature"), True),
            x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([SERVER]), False),
            x509.SubjectAlternativeName: (sans(*hosts), False),
        }
        return self._make(title, by, extensions, drop, changes)

    def _make(
        self,
        title: str | x509.Name,
        by: Made | None,
        extensions: dict[Any, Any],
        drop: Sequence[type],
        changes: dict[str, Any],
    ) -> Made:
        put = changes.pop("put", {})
        kept = {kind: entry for kind, entry in (extensions | put).items() if kind not in drop}
        return make(title, by, extensions=kept, key=changes.pop("key", None) or self.names.key(), **changes)


def _authority(path_length: int | None) -> dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None]:
    return {
        x509.BasicConstraints: (x509.BasicConstraints(True, path_length), True),
        x509.KeyUsage: (usage("key_cert_sign", "crl_sign"), True),
    }


Recipe = Callable[[Workshop], tuple[Made, Sequence[Made], Sequence[Made]]]
RECIPES: list[tuple[str, Verdict, dict[str, Any], Recipe]] = []
GOOD, STRICT, BAD = Verdict.ACCEPTED, Verdict.STRICTLY_REFUSED, Verdict.REFUSED


def chain(title: str, verdict: Verdict, **asked: Any) -> Callable[[Recipe], Recipe]:
    """Enter a recipe in the table."""

    def enter(recipe: Recipe) -> Recipe:
        RECIPES.append((title, verdict, asked, recipe))
        return recipe

    return enter


@cache
def all_chains() -> tuple[Chain, ...]:
    made = []
    for title, verdict, asked, recipe in RECIPES:
        leaf, intermediates, roots = recipe(Workshop())
        made.append(Chain(title, verdict, leaf, tuple(intermediates), tuple(roots), **asked))
    return tuple(made)


def simple(**changes: Any) -> Recipe:
    """A root and a leaf; the changes are the leaf's."""

    def recipe(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
        root = workshop.root()
        return workshop.leaf(root, **changes), (), (root,)

    return recipe


def under(leaf: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """A root, an issuing authority and a leaf; the changes are the authority's."""

    def recipe(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
        root = workshop.root()
        issuing = workshop.authority(root, **changes)
        return workshop.leaf(issuing, **(leaf or {})), (issuing,), (root,)

    return recipe


def beneath(leaf: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """A root and a leaf; the changes are the root's."""

    def recipe(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
        root = workshop.root(**changes)
        return workshop.leaf(root, **(leaf or {})), (), (root,)

    return recipe


def constrained(
    *, critical: bool = True, leaf: dict[str, Any] | None = None, permitted: Any = None, excluded: Any = None
) -> Recipe:
    return under(leaf, put={x509.NameConstraints: (constraints(permitted, excluded), critical)})


def eku(*oids: x509.ObjectIdentifier) -> dict[Any, Any]:
    return {x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage(oids), False)}


ACME, OTHER = x509.DNSName("acme.example"), x509.DNSName("other.example")
SWEDEN, NORWAY = name((NameOID.COUNTRY_NAME, "SE")), name((NameOID.COUNTRY_NAME, "NO"), (NameOID.COMMON_NAME, HOST))
POLICY = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), None)])
TEN = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))

# Sound chains

chain("a root and a leaf", GOOD)(simple())
chain("an issuing authority between", GOOD)(under())
chain("an authority of path length 0", GOOD)(under(path_length=0))
chain("a wildcard for the host", GOOD)(simple(hosts=("*.acme.example",)))
chain("an address for the host", GOOD, host="10.0.0.1")(simple(hosts=("10.0.0.1",)))
chain("an IPv6 address for the host", GOOD, host="2001:db8::1")(simple(hosts=("2001:db8::1",)))
chain("an RSA root", GOOD)(beneath(key=rsa_key(2048)))
chain("an RSA leaf", GOOD)(
    simple(key=rsa_key(2048), put={x509.KeyUsage: (usage("digital_signature", "key_encipherment"), True)})
)
chain("an RSA root that signs with PSS", GOOD)(beneath({"pss": True}, key=rsa_key(2048)))
chain("a P-384 authority", GOOD)(under(key=ec.generate_private_key(ec.SECP384R1())))
chain("an Ed25519 authority", GOOD)(under(key=ed25519.Ed25519PrivateKey.generate()))
chain("a name within the constraints", GOOD)(constrained(permitted=[ACME]))
chain("a name besides what is excluded", GOOD)(constrained(excluded=[OTHER]))
chain("a wildcard within the constraints", GOOD)(constrained(permitted=[ACME], leaf={"hosts": ("*.acme.example",)}))
chain("an address within the constraints", GOOD, host="10.0.0.1")(
    constrained(permitted=[TEN], leaf={"hosts": ("10.0.0.1",)})
)
chain("a subject within the constraints", GOOD)(
    constrained(
        permitted=[x509.DirectoryName(SWEDEN)],
        leaf={"title": name((NameOID.COUNTRY_NAME, "SE"), (NameOID.COMMON_NAME, HOST))},
    )
)
chain("a subject besides a directory name that is excluded", GOOD)(constrained(excluded=[x509.DirectoryName(SWEDEN)]))
chain("policies that an authority requires", GOOD)(
    under({"more": [(POLICY, False)]}, more=[(POLICY, False), (x509.PolicyConstraints(0, None), True)])
)
chain("an authority beneath which any policy is none", GOOD)(
    under({"more": [(POLICY, False)]}, more=[(POLICY, False), (x509.InhibitAnyPolicy(0), True)])
)
chain("name constraints that are not critical", GOOD)(constrained(critical=False, permitted=[ACME]))
chain("a leaf without key usage", GOOD)(simple(drop=[x509.KeyUsage]))
chain("a leaf without basic constraints", GOOD)(simple(drop=[x509.BasicConstraints]))
chain("a leaf for every purpose it does not name", GOOD)(simple(drop=[x509.ExtendedKeyUsage]))
chain("a leaf for server and client", GOOD)(simple(put=eku(SERVER, CLIENT)))
chain("an authority for servers", GOOD)(under(put=eku(SERVER)))
chain("an extension that nobody knows", GOOD)(simple(more=[(UNKNOWN, False)]))
chain("no subject, and names that are critical", GOOD)(
    simple(title=x509.Name([]), put={x509.SubjectAlternativeName: (sans(HOST), True)})
)
chain("a leaf without key identifier", GOOD)(simple(ids=(False, True)))
chain("a serial number of twenty octets", GOOD)(simple(serial=(1 << 159) - 1))
chain("a subject of several scripts", GOOD)(
    simple(title=name((NameOID.ORGANIZATION_NAME, "Ställe 北京 Ω"), (NameOID.COMMON_NAME, HOST)))
)


@chain("two authorities between", GOOD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root(path_length=2)
    upper = workshop.authority(root, "Upper", path_length=1)
    lower = workshop.authority(upper, "Lower", path_length=0)
    return workshop.leaf(lower), (lower, upper), (root,)


@chain("authorities in the wrong order, and one too many", GOOD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root()
    upper = workshop.authority(root, "Upper")
    lower = workshop.authority(upper, "Lower")
    foreign = workshop.authority(workshop.root("Foreign"), "Nobody")
    return workshop.leaf(lower), (upper, foreign, lower), (root,)


@chain("two roots of one name, one of them the right one", GOOD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    impostor, root = workshop.root(), workshop.root()
    return workshop.leaf(root), (), (impostor, root)


@chain("a self-signed leaf that is trusted", GOOD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    leaf = workshop.leaf(None)
    return leaf, (), (leaf,)


# What only strict verifiers refuse (facts of OpenSSL's -x509_strict and of cryptography)

chain("a root whose basic constraints are not critical", STRICT)(
    beneath(put={x509.BasicConstraints: (x509.BasicConstraints(True, None), False)})
)
chain("a root without key usage", STRICT)(beneath(drop=[x509.KeyUsage]))
chain("a root without key identifier", STRICT)(beneath(ids=(False, True)))
chain("an authority without key identifier", STRICT)(under(ids=(False, True)))
chain("a leaf that does not name its issuer's key", STRICT)(simple(ids=(True, False)))
chain("an authority that does not name its issuer's key", STRICT)(under(ids=(True, False)))
chain("no subject, and names that are not critical", STRICT)(simple(title=x509.Name([])))
chain("a subject, and names that are critical", STRICT)(simple(put={x509.SubjectAlternativeName: (sans(HOST), True)}))
chain("a leaf that is an authority", STRICT)(
    simple(put={x509.BasicConstraints: (x509.BasicConstraints(True, None), True)})
)
chain("a leaf that cannot sign a handshake", STRICT)(simple(put={x509.KeyUsage: (usage("key_agreement"), True)}))

# Broken chains

chain("an expired leaf", BAD)(simple(starts=-9 * DAY, ends=-DAY))
# Not tomorrow: NSS allows a day for clocks that differ.
chain("a leaf of next week", BAD)(simple(starts=7 * DAY))
chain("an expired authority", BAD)(under(starts=-9 * DAY, ends=-DAY))
chain("an authority of next week", BAD)(under(starts=7 * DAY))
chain("an expired root", BAD)(beneath(starts=-9 * DAY, ends=-DAY))
chain("another host", BAD, host="other.example", is_about_host=True)(simple())
chain("a wildcard for one label only", BAD, host="a.b.acme.example", is_about_host=True)(
    simple(hosts=("*.acme.example",))
)
chain("a wildcard that is not the domain itself", BAD, host="acme.example", is_about_host=True)(
    simple(hosts=("*.acme.example",))
)
chain("another address", BAD, host="10.0.0.2", is_about_host=True)(simple(hosts=("10.0.0.1",)))
chain("a host in the common name alone", BAD, is_about_host=True)(simple(drop=[x509.SubjectAlternativeName]))
chain("a leaf for clients", BAD)(simple(put=eku(CLIENT)))
chain("an authority for clients", BAD)(under(put=eku(CLIENT)))
chain("an authority that says it is none", BAD)(
    under(put={x509.BasicConstraints: (x509.BasicConstraints(False, None), True)})
)
chain("an authority without basic constraints", BAD)(under(drop=[x509.BasicConstraints]))
chain("an authority that may not sign certificates", BAD)(under(put={x509.KeyUsage: (usage("crl_sign"), True)}))
chain("a name outside of the constraints", BAD)(constrained(permitted=[OTHER]))
chain("an excluded name", BAD)(constrained(excluded=[ACME]))
chain("an address outside of the constraints", BAD, host="192.0.2.1")(
    constrained(permitted=[TEN], leaf={"hosts": ("192.0.2.1",)})
)
chain("an excluded address", BAD, host="10.0.0.1")(constrained(excluded=[TEN], leaf={"hosts": ("10.0.0.1",)}))
chain("a subject outside of the constraints", BAD)(
    constrained(permitted=[x509.DirectoryName(SWEDEN)], leaf={"title": NORWAY})
)
chain("a root's constraints", BAD)(beneath(put={x509.NameConstraints: (constraints([OTHER]), True)}))
chain("a critical extension that nobody knows", BAD)(simple(more=[(UNKNOWN, True)]))
chain("a critical extension of an authority that nobody knows", BAD)(under(more=[(UNKNOWN, True)]))
chain("a leaf that names another key of its issuer", BAD)(simple(aki=b"another key of its own"))
chain("an RSA leaf of 1024 bits", BAD)(
    simple(key=rsa_key(1024), put={x509.KeyUsage: (usage("digital_signature", "key_encipherment"), True)})
)
chain("an RSA authority of 1024 bits", BAD)(under(key=rsa_key(1024)))


@chain("one authority too many for the root", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root(path_length=0)
    issuing = workshop.authority(root)
    return workshop.leaf(issuing), (issuing,), (root,)


@chain("one authority too many further down", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root()
    upper = workshop.authority(root, "Upper", path_length=0)
    lower = workshop.authority(upper, "Lower")
    return workshop.leaf(lower), (lower, upper), (root,)


@chain("the constraints of the authority above the issuer", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root()
    upper = workshop.authority(root, "Upper", put={x509.NameConstraints: (constraints([OTHER]), True)})
    lower = workshop.authority(upper, "Lower")
    return workshop.leaf(lower), (lower, upper), (root,)


@chain("a foreign root of the same name", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root, foreign = workshop.root(), workshop.root()
    return workshop.leaf(root), (), (foreign,)


@chain("a foreign root of another name", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    return workshop.leaf(workshop.root()), (), (workshop.root("Foreign"),)


@chain("a foreign key beneath the right key identifier", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root, foreign = workshop.root(), workshop.root()
    own_id = x509.SubjectKeyIdentifier.from_public_key(root.key.public_key())
    return workshop.leaf(foreign, aki=own_id.digest), (), (root,)


@chain("an issuer that is missing", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root()
    return workshop.leaf(workshop.authority(root)), (), (root,)


@chain("an issuer of another name", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root()
    return workshop.leaf(root, issuer=common("Somebody")), (), (root,)


@chain("a leaf that signs a leaf", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    root = workshop.root()
    first = workshop.leaf(root, "other.example", hosts=("other.example",))
    return workshop.leaf(first), (first,), (root,)


@chain("a self-signed leaf that nobody trusts", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    return workshop.leaf(None), (), (workshop.root(),)


@chain("a self-signed leaf that has expired", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    leaf = workshop.leaf(None, starts=-9 * DAY, ends=-DAY)
    return leaf, (), (leaf,)


@chain("a self-signed leaf for another host", BAD, host="other.example", is_about_host=True)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    leaf = workshop.leaf(None)
    return leaf, (), (leaf,)


@chain("a changed octet in the signature", BAD)
def _(workshop: Workshop) -> tuple[Made, Sequence[Made], Sequence[Made]]:
    from cryptography.hazmat.primitives.serialization import Encoding

    root = workshop.root(key=rsa_key(2048))
    leaf = workshop.leaf(root)
    encoded = bytearray(leaf.certificate.public_bytes(Encoding.DER))
    encoded[-9] ^= 1
    return Made(x509.load_der_x509_certificate(bytes(encoded)), leaf.key), (), (root,)
