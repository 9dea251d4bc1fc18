"""A whole site: what its manifests declare, decoded and resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pkiplan.diagnostics import Place
from pkiplan.model.resource import CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRule:
    """One acceptance test the manifest asks for, beside those every certificate gets.

    `server` and `client` are addresses; a `client` of None means none is presented. `connect` is a live
    endpoint `host:port`. `versions` are TLS versions (`1.2`, `1.3`), empty for both. `host_name` of None
    means every name of the server.
    """

    expect_accepted: bool = True
    server: str | None = None
    client: str | None = None
    connect: str | None = None
    starttls: str | None = None
    host_name: str | None = None
    versions: tuple[str, ...] = ()
    at: datetime | None = None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The desired PKI: resources by address, issuers before what they issue, else by address.

    `directory` is the absolute path of the tree; `base` the absolute directory of the first manifest.
    `templates` is the absolute path of a directory that overrides templates of `openssl.cnf`, or None.
    `outside` are the absolute paths the manifest names that lie outside of `base`; they need consent
    (`--allow-outside`) before anything is read there.
    """

    name: str
    base: str
    directory: str
    resources: Mapping[str, Resource]
    verify: tuple[VerifyRule, ...] = ()
    verify_before_switch: bool = False
    outside: tuple[str, ...] = ()
    templates: str | None = None
    place: Place | None = field(default=None, compare=False)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources.values())

    def issuer_of(self, resource: Resource) -> Resource | None:
        """Return the authority that issues a resource, or None for a self-issued one."""
        return None if resource.issuer is None else self.resources[resource.issuer]

    def chain_of(self, resource: Resource) -> tuple[Resource, ...]:
        """List the authorities above a resource, nearest first, up to and with the root."""
        chain: list[Resource] = []
        above = self.issuer_of(resource)
        while above is not None:
            chain.append(above)
            above = self.issuer_of(above)
        return tuple(chain)

    def served_chain_of(self, resource: Resource) -> tuple[Resource, ...]:
        """List the authorities whose certificates a server sends after its own: all but the root."""
        return tuple([authority for authority in self.chain_of(resource) if not authority.is_self_issued])

    def issued_by(self, address: str) -> tuple[Resource, ...]:
        """List what an authority issues itself, in site order."""
        return tuple(resource for resource in self if resource.issuer == address)

    def path(self, resource: Resource, name: str) -> str:
        """Return the absolute path of a file of a resource; an absolute name stays as it is."""
        return name if name.startswith("/") else f"{self.directory}/{resource.directory}/{name}"

    def derived_files(self, resource: Resource) -> tuple[str, ...]:
        """List the files made from certificates: chain, fullchain and cnf; outputs are not among them.

        An authority has only its cnf. A certificate issued by a root itself has no `chain.pem`, because a root is
        never served (RFC 8446, 4.4.2); its `fullchain.pem` is the certificate.
        """
        if resource.is_authority:
            return (CNF_FILE,)
        issuer = self.issuer_of(resource)
        if issuer is not None and not issuer.is_self_issued:
            return (CHAIN_FILE, FULLCHAIN_FILE, CNF_FILE)
        return (FULLCHAIN_FILE, CNF_FILE)

    def certificate_path(self, resource: Resource) -> str:
        """Return the absolute path of a resource's certificate."""
        return self.path(resource, resource.certificate_file)
