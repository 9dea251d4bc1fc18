"""Whether a certificate is for the host a client asked for (RFC 9525)."""

from __future__ import annotations

from ipaddress import ip_address

from pkiplan.model.names import GeneralName, GeneralNameKind


def host_matches(host: str, names: tuple[GeneralName, ...]) -> bool:
    """Tell whether one of the subject alternative names is a host's; the subject is never looked at (section 6.2)."""
    try:
        address = str(ip_address(host))
    except ValueError:
        return any(_dns_matches(host.lower(), str(n.value)) for n in names if n.kind is GeneralNameKind.DNS)
    return any(name.value == address for name in names if name.kind is GeneralNameKind.IP)


def a_labels(text: str) -> str:
    """Write an internationalized host in A-labels (RFC 5891, mapped by UTS 46); raise `UnicodeError` for none."""
    import idna

    return idna.encode(idna.uts46_remap(text, std3_rules=False), strict=True).decode("ascii")


def _dns_matches(host: str, presented: str) -> bool:
    """Compare label by label; a wildcard stands for exactly one label (section 6.3)."""
    if host == presented:
        return True
    first, _, rest = host.partition(".")
    return bool(first) and presented == f"*.{rest}"
