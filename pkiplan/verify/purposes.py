"""What a certificate is declared to be for, as the probes ask."""

from __future__ import annotations

from pkiplan.model.extensions import EXTENDED_KEY_USAGES
from pkiplan.model.names import GeneralNameKind
from pkiplan.model.resource import Resource
from pkiplan.verify.impostors import wildcard_instance


def serves_tls(resource: Resource) -> bool:
    """Tell whether a TLS server could use the certificate: by its usages, and because it has a host name."""
    return not resource.is_authority and _allows(resource, "server_auth") and bool(host_names(resource))


def is_server_without_name(resource: Resource) -> bool:
    """Tell whether the certificate is said to be a server's, but names no host a client could ask for."""
    declared = EXTENDED_KEY_USAGES["server_auth"] in resource.extended_key_usages
    return not resource.is_authority and declared and not host_names(resource)


def is_tls_client(resource: Resource) -> bool:
    """Tell whether a TLS client could use the certificate."""
    return not resource.is_authority and _allows(resource, "client_auth")


def is_for(resource: Resource, usage: str) -> bool:
    """Tell whether the certificate names this extended key usage."""
    return not resource.is_authority and EXTENDED_KEY_USAGES[usage] in resource.extended_key_usages


def host_names(resource: Resource) -> tuple[str, ...]:
    """List the hosts a client would ask for: each DNS name, an instance of each wildcard, each IP address."""
    names = [str(name.value) for name in resource.names if name.kind is GeneralNameKind.DNS]
    plain = [name for name in names if not name.startswith("*.")]
    instances = [wildcard_instance(name) for name in names if name.startswith("*.")]
    addresses = [str(name.value) for name in resource.names if name.kind is GeneralNameKind.IP]
    return tuple(dict.fromkeys([*plain, *instances, *addresses]))


def _allows(resource: Resource, usage: str) -> bool:
    usages = resource.extended_key_usages
    return not usages or EXTENDED_KEY_USAGES[usage] in usages or EXTENDED_KEY_USAGES["any"] in usages
