"""What verification gets of each certificate: the files as they would be served, and a way to the key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509

from pkiplan.errors import PkiplanError
from pkiplan.model.keys import ExternalKey
from pkiplan.model.observed import Missing, Unreadable
from pkiplan.model.resource import CHAIN_FILE, Resource
from pkiplan.verify.reasons import KEY_NOT_HERE, KEY_NOT_OPENED, UNUSABLE_CERTIFICATE, UNUSABLE_KEY
from pkiplan.verify.results import Reason
from pkiplan.verify.stacks.base import Identity
from pkiplan.verify.stacks.kinds import is_short_rsa
from pkiplan.x509.parse import load_pem_certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One certificate of the site as it lies on disk.

    `served_pem` is what a server sends: the certificate and the authorities between it and its root
    (`fullchain.pem`). `anchor_pem` is the one certificate that a peer trusts: the root's, or its own when it
    is self-signed. `chain_file` is `chain.pem`, None where none is to be. `load_key` gives the private key as plain
    PEM, and raises PkiplanError when it cannot (offline, or encrypted and no passphrase given).
    """

    resource: Resource
    certificate_pem: bytes
    served_pem: bytes
    anchor_pem: bytes
    chain_file: bytes | Missing | Unreadable | None = None
    load_key: Callable[[], bytes] = field(repr=False)

    @property
    def address(self) -> str:
        """Return the address of the resource."""
        return self.resource.address


class NotRunError(Exception):
    """A check cannot be run; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class UnusableError(Exception):
    """What a credential holds cannot be used at all; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


# Parsed once for all the certificates below one root or authority.
ParsedPem = dict[bytes, tuple[x509.Certificate, ...]]


class Subject:
    """A credential in use: parsed once, its key loaded at most once."""

    def __init__(self, credential: Credential, authorities: tuple[Resource, ...], parsed: ParsedPem) -> None:
        self.resource = credential.resource
        self.authorities = authorities
        self._known = parsed
        self._credential = credential
        self._identity: Identity | None = None
        self._why_no_key: Reason | None = None
        self.certificate = _only(parse_pem(credential.certificate_pem, "its certificate"), "its certificate")
        # Mostly the served chain is the certificate's own bytes and then those of its authorities.
        own, rest = credential.certificate_pem, credential.served_pem
        if rest.startswith(own) and rest != own:
            above = rest[len(own) :]
            self.served = (self.certificate, *_parsed(parsed, above, "its chain"))
        else:
            self.served = (self.certificate,) if rest == own else parse_pem(rest, "its chain")
        self.anchor = _only(_parsed(parsed, credential.anchor_pem, "its trust anchor"), "its trust anchor")

    @property
    def address(self) -> str:
        """Return the address of the resource."""
        return self.resource.address

    def chain_file(self) -> tuple[x509.Certificate, ...] | Missing | Unreadable | None:
        """Parse the file of the chain without the certificate; raises UnusableError where it is damaged."""
        held = self._credential.chain_file
        return _parsed(self._known, held, CHAIN_FILE) if isinstance(held, bytes) else held

    @property
    def identity(self) -> Identity:
        """Give what a server or client presents; raises NotRunError when the key cannot be had."""
        # Not functools.cached_property: until Python 3.12 its lock is one for all instances.
        if self._identity is None:
            self._identity = self._make_identity()
        return self._identity

    @property
    def has_key(self) -> bool:
        """Tell whether the private key can be had; a damaged one counts, since whoever uses it finds that."""
        try:
            return bool(self.identity.key_pem)
        except NotRunError:
            return False
        except UnusableError:
            return True

    def _make_identity(self) -> Identity:
        if self._why_no_key is not None:
            raise NotRunError(self._why_no_key)
        try:
            return Identity(self.address, self.served, self._load_key())
        except NotRunError as error:
            self._why_no_key = error.reason
            raise

    def _load_key(self) -> bytes:
        if isinstance(self.resource.key, ExternalKey):
            raise NotRunError(Reason(KEY_NOT_HERE, "only the public half of its key is here"))
        try:
            return self._credential.load_key()
        except PkiplanError as error:
            # Whoever would serve it cannot either; what may not be read or opened here may do well elsewhere.
            if any(problem.code in ("damaged", "key-missing") for problem in error.diagnostics):
                raise UnusableError(Reason(UNUSABLE_KEY, first_line(error))) from error
            raise NotRunError(Reason(KEY_NOT_OPENED, first_line(error))) from error

    @property
    def allows_weak_keys(self) -> bool:
        """Tell whether the manifest allows a short RSA key here, and one really is short."""
        if not any("rsa-1024" in resource.allow for resource in (self.resource, *self.authorities)):
            return False
        return any(map(is_short_rsa, (self.certificate, *self.served, self.anchor)))


def first_line(error: PkiplanError) -> str:
    """Take the first line of an error as a reason's text."""
    return str(error).partition("\n")[0]


def parse_pem(data: bytes, what: str) -> tuple[x509.Certificate, ...]:
    """Parse certificates; raises UnusableError that names what was damaged."""
    try:
        return load_pem_certificates(data)
    except PkiplanError as error:
        raise UnusableError(Reason(UNUSABLE_CERTIFICATE, f"{what}: {first_line(error)}")) from error


def _parsed(known: ParsedPem, data: bytes, what: str) -> tuple[x509.Certificate, ...]:
    # Two threads may parse the same text at first; either result will do.
    if data not in known:
        known[data] = parse_pem(data, what)
    return known[data]


def _only(certificates: tuple[x509.Certificate, ...], what: str) -> x509.Certificate:
    if not certificates:
        raise UnusableError(Reason(UNUSABLE_CERTIFICATE, f"{what} is empty"))
    return certificates[0]
