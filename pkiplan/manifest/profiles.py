"""The profiles that are built in, and how a manifest's own extend them."""

from __future__ import annotations

from dataclasses import dataclass

from pkiplan.hints import did_you_mean
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence
from pkiplan.manifest.problems import Problems, circle_of, shown
from pkiplan.manifest.sources import Source, Sources
from pkiplan.model.keys import KeySpec, RsaKeySpec
from pkiplan.model.resource import Kind

ROOT, ISSUING, SERVER = "root-ca", "issuing-ca", "server"

_AUTHORITY: dict[str, object] = {
    "key": {"type": "ecdsa", "curve": "P-384"},
    "key_usage": ["key_cert_sign", "crl_sign"],
}
_LEAF: dict[str, object] = {"key": {"type": "ecdsa", "curve": "P-256"}, "days": 90}

# Why these values: docs/manifest.md, "Built-in profiles". Key usage of certificates follows from the key, see below.
BUILT_IN: dict[str, tuple[Kind, str, dict[str, object]]] = {
    "root-ca": (Kind.AUTHORITY, "an authority that signs itself", {**_AUTHORITY, "days": 3652, "crl": {"days": 180}}),
    "issuing-ca": (
        Kind.AUTHORITY,
        "an authority beneath another",
        {**_AUTHORITY, "days": 1095, "path_length": 0, "crl": {"days": 7}},
    ),
    "server": (Kind.CERTIFICATE, "a TLS server", {**_LEAF, "extended_key_usage": ["server_auth"]}),
    "client": (Kind.CERTIFICATE, "a TLS client", {**_LEAF, "extended_key_usage": ["client_auth"]}),
    "peer": (
        Kind.CERTIFICATE,
        "a TLS server that is a client, too",
        {**_LEAF, "extended_key_usage": ["server_auth", "client_auth"]},
    ),
    "ocsp-signer": (
        Kind.CERTIFICATE,
        "an OCSP responder",
        {**_LEAF, "days": 30, "extended_key_usage": ["ocsp_signing"], "ocsp_no_check": True},
    ),
    "code-signing": (Kind.CERTIFICATE, "a signer of code", {**_LEAF, "extended_key_usage": ["code_signing"]}),
    "email": (Kind.CERTIFICATE, "a mailbox (S/MIME)", {**_LEAF, "extended_key_usage": ["email_protection"]}),
    # RFC 3161, 2.3: the extended key usage must be critical, and the only one.
    "timestamping": (
        Kind.CERTIFICATE,
        "a timestamping service",
        {**_LEAF, "extended_key_usage": {"values": ["time_stamping"], "critical": True}},
    ),
}

# So many profiles may extend each other in a row; nobody means more, and each is looked into for all above it.
LONGEST_CHAIN = 100

# NSS refuses RSA servers without key_encipherment (facts: defaults.md); S/MIME encrypts with it.
_ENCIPHERING = frozenset({"server", "peer", "email"})


def default_key_usages(family: str, spec: KeySpec | None) -> tuple[str, ...]:
    """Return the key usages of a certificate by its built-in profile and the type of its key."""
    if family in _ENCIPHERING and isinstance(spec, RsaKeySpec):
        return ("digital_signature", "key_encipherment")
    return ("digital_signature",)


@dataclass(slots=True, eq=False, repr=False)
class Profile:
    """A profile: its layers from the first extension on, and the built-in one beneath (`family`; None: any)."""

    name: str
    layers: tuple[Mapping, ...]
    family: str | None


class Profiles:
    """All profiles of a site, resolved along `extends`."""

    def __init__(self, own: Mapping, problems: Problems) -> None:
        self.own = own
        self._problems = problems
        self._built_in: dict[str, Mapping] = {}
        self._resolved: dict[str, Profile | None] = {}

    @property
    def names(self) -> list[str]:
        """List every profile that can be named."""
        return [*self.own, *BUILT_IN]

    def built_in(self, name: str) -> Mapping:
        """Return the settings of a built-in profile as a map like any other."""
        if name not in self._built_in:
            self._built_in[name] = _as_node(name, BUILT_IN[name][2], self._problems.sources)
        return self._built_in[name]

    def find(self, name: str) -> Profile | None:
        """Return a profile by name, or None when there is none, or its own chain is broken (which is reported)."""
        if name not in self._resolved:
            self._resolved[name] = self._resolve(name)
        return self._resolved[name]

    def _resolve(self, name: str) -> Profile | None:
        """Follow `extends` to what is known already, and remember all that lies on the way."""
        chain: dict[str, None] = {}
        current: str | None = name
        while current is not None and self._is_open(current, chain):
            chain[current] = None
            current = self._extends(current)
        lower: Profile | None
        if current is None:
            lower = Profile("", (), None)
        elif current in BUILT_IN:
            lower = Profile(current, (), current)
        else:
            lower = self._resolved.get(current)
            if current in chain:
                links = [*chain]
                self._report_circle(links[links.index(current) :])
        for link in reversed(chain):
            lower = self._resolved[link] = self._refined(link, lower)
        return lower

    def _is_open(self, name: str, chain: dict[str, None]) -> bool:
        return name in self.own and not (name in BUILT_IN or name in self._resolved or name in chain)

    def _extends(self, name: str) -> str | None:
        settings = self.own[name]
        extends = settings.get("extends") if isinstance(settings, Mapping) else None
        return str(extends) if extends.__class__ is str else None

    def _refined(self, name: str, lower: Profile | None) -> Profile | None:
        settings = self.own[name]
        if lower is None:
            return None
        if len(lower.layers) == LONGEST_CHAIN:
            self._problems.error(
                self.own.key_mark(name),
                f"`{name}` extends more than {LONGEST_CHAIN - 1} profiles in a row",
                code="profile-chain",
                at_key=True,
                hint="write what they have in common in one profile",
            )
            return None
        layers = (*lower.layers, settings) if isinstance(settings, Mapping) else lower.layers
        return Profile(name, layers, lower.family)

    def _report_circle(self, circle: list[str]) -> None:
        first = circle.index(min(circle))
        names = [*circle[first:], *circle[:first]]
        self._problems.error(
            self.own.key_mark(names[0]),
            f"profiles extend each other in a circle: {circle_of(names)}",
            code="profile-cycle",
            at_key=True,
            hint="take `extends` out of one of them",
        )

    def check(self) -> None:
        """Report names that cannot be, and `extends` that lead nowhere."""
        for name, settings, key_mark, _ in self.own.entries():
            if name in BUILT_IN:
                self._problems.error(
                    key_mark,
                    f"`{name}` is built in",
                    code="built-in-profile",
                    at_key=True,
                    hint=f"choose another name and write `extends: {name}`",
                )
            if not isinstance(settings, Mapping):
                continue
            extends = settings.get("extends")
            if (
                isinstance(extends, str)
                and extends.__class__ is str
                and extends not in self.own
                and extends not in BUILT_IN
            ):
                self._problems.error(
                    settings.value_mark("extends"),
                    f"unknown profile {shown(str(extends))}",
                    code="unknown-profile",
                    hint=did_you_mean(str(extends), self.names),
                )
            self.find(name)


def _as_node(name: str, settings: dict[str, object], sources: Sources) -> Mapping:
    source = Source(f"built-in profile {name}", "")
    number = sources.add(source)
    mark = number << 48

    def node(value: object) -> Node:
        if isinstance(value, dict):
            mapping = Mapping(mark)
            for key, element in value.items():
                mapping.put(key, node(element), mark, mark)
            return mapping
        if isinstance(value, list):
            sequence = Sequence(mark)
            for element in value:
                sequence.put(node(element), mark)
            return sequence
        if isinstance(value, bool):
            return Plain("true" if value else "false")
        return Plain(value) if isinstance(value, int) else str(value)

    found = node(settings)
    assert isinstance(found, Mapping)
    source.documents.append(found)
    return found
