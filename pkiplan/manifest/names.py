"""The names a certificate is for (RFC 5280, 4.2.1.6), and the subtrees that name constraints speak of (4.2.1.10)."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache

from pkiplan.manifest.problems import shown
from pkiplan.manifest.subject import object_identifier
from pkiplan.manifest.values import BadValueError
from pkiplan.model.names import GeneralName, GeneralNameKind

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# RFC 1123, 2.1; labels that could be A-labels take the slow way.
_HOST = re.compile(rf"(?!.*(?:^|\.)..--)(?:{_LABEL}\.)*{_LABEL}")
_ALL_NUMERIC = re.compile(r"(?:[^.]+\.)*[0-9]+")
LONGEST_DNS_NAME = 253
_LIMITS = f"at most {LONGEST_DNS_NAME} characters, and 63 in a label"
URI_PATTERN = r"^[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+$"
EMAIL_PATTERN = r"^[^@\s]+@[^@\s]+$"
DNS_PATTERN = r"^[^\s/:@_]+$"

# Words that OpenSSL takes as orders in a cnf (facts: openssl-cnf.md, 3.2).
_MACROS = frozenset({"copy", "move"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# RFC 3986, appendix A, as far as single characters go.
_URI = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
# RFC 5321, 4.1.2 (Dot-string).
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def dns(text: str) -> GeneralName:
    """Read a DNS name, in A-labels and lower case; a wildcard may only be the whole leftmost label."""
    if len(text) <= LONGEST_DNS_NAME and _HOST.fullmatch(text) and not _ALL_NUMERIC.fullmatch(text):
        return GeneralName(GeneralNameKind.DNS, text)
    name = text
    if text.startswith("*."):
        name = text[2:]
    elif "*" in text:
        raise BadValueError(
            f"a wildcard may only be the whole leftmost label, not {shown(text)}",
            code="wildcard",
            hint="write for instance `*.example.com`",
        )
    if "*" in name:
        raise BadValueError(
            f"one wildcard at most, in the leftmost label, not {shown(text)}",
            code="wildcard",
            hint="a wildcard stands for one label: write for instance `*.apps.example.com`",
        )
    return GeneralName(GeneralNameKind.DNS, text[: len(text) - len(name)] + host(name))


def host(text: str) -> str:
    """Read the name of a host or domain; the result is in A-labels (RFC 5890) and lower case."""
    if not text:
        raise BadValueError("an empty DNS name", code="empty")
    if len(text) > 1_000:
        raise BadValueError(f"the DNS name {shown(text)} is too long", code="dns-name", hint=_LIMITS)
    if ":" in text or "/" in text:
        hint = "a URL belongs under `uri:`, an address under `ip:`; a DNS name has neither scheme nor port"
        raise BadValueError(f"{shown(text)} is no DNS name", code="dns-name", hint=hint)
    if "@" in text:
        raise BadValueError(f"{shown(text)} is no DNS name", code="dns-name", hint="a mailbox belongs under `email:`")
    if text != text.strip() or any(char.isspace() for char in text):
        raise BadValueError(f"a blank in the DNS name {shown(text)}", code="dns-name")
    if text.endswith("."):
        raise BadValueError(
            f"the DNS name {shown(text)} ends with a dot",
            code="dns-name",
            hint=f"write {shown(text.rstrip('.'))}; names in certificates are always absolute",
        )
    if text.startswith("."):
        raise BadValueError(
            f"the DNS name {shown(text)} begins with a dot", code="dns-name", hint=f"write {shown(text.lstrip('.'))}"
        )
    if not text.isascii() or "xn--" in text.lower():
        text = _a_labels(text)
    name = text.lower()
    if len(name) > LONGEST_DNS_NAME or any(len(label) > 63 for label in name.split(".")):
        raise BadValueError(
            f"the DNS name {shown(text)} is too long",
            code="dns-name",
            hint=_LIMITS,
        )
    if _is_address(name):
        raise BadValueError(
            f"{shown(text)} is an address, not a DNS name", code="dns-name", hint="write it under `ip:`"
        )
    if _ALL_NUMERIC.fullmatch(name):
        raise BadValueError(f"{shown(text)} is no DNS name: its last label is a number", code="dns-name")
    if "_" in name:
        raise BadValueError(
            f"an underscore in the DNS name {shown(text)}",
            code="dns-name",
            hint="host names have letters, digits and hyphens (RFC 1123)",
        )
    if not re.fullmatch(rf"(?:{_LABEL}\.)*{_LABEL}", name):
        hint = "labels hold letters, digits and hyphens, and neither begin nor end with a hyphen (RFC 1123)"
        raise BadValueError(f"{shown(text)} is no DNS name", code="dns-name", hint=hint)
    return name


@lru_cache(maxsize=1024)
def _a_labels(text: str) -> str:
    from pkiplan.x509.host_names import a_labels

    try:
        # UTS 46 maps case and width as registries and browsers do; IDNA 2008 then decides (RFC 5891, RFC 9549).
        return a_labels(text)
    except UnicodeError as error:
        raise BadValueError(f"{shown(text)} is no internationalized domain name: {error}", code="idna") from error


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_CANONICAL_IPV4 = re.compile(
    r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}"
)


def ip(text: str) -> GeneralName:
    """Read an IP address; a mask does not belong into a certificate's name."""
    import ipaddress

    if _CANONICAL_IPV4.fullmatch(text):
        return GeneralName(GeneralNameKind.IP, text)
    if "/" in text:
        raise BadValueError(
            f"{shown(text)} is a network, a certificate is for addresses",
            code="ip-mask",
            hint=f"write {shown(text.split('/', maxsplit=1)[0])}",
        )
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        hint = "write for instance `10.0.0.2` or `2001:db8::2`"
        if re.fullmatch(r"\[[0-9a-fA-F:.]+\]", text):
            hint = f"write {shown(text[1:-1])}, without brackets"
        elif re.search("[g-zG-Z]", text):
            hint = "a DNS name belongs under `dns:`"
        raise BadValueError(f"{shown(text)} is no IP address", code="ip-address", hint=hint) from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise BadValueError(
            f"the zone of {shown(text)} has no place in a certificate",
            code="ip-address",
            hint=f"write {shown(text.split('%', maxsplit=1)[0])}",
        )
    return GeneralName(GeneralNameKind.IP, str(address))


def uri(text: str) -> GeneralName:
    """Read an absolute URI (RFC 3986)."""
    return GeneralName(GeneralNameKind.URI, uri_text(text))


def uri_text(text: str) -> str:
    """Check an absolute URI of ASCII characters and return it."""
    if not text.isascii():
        raise BadValueError(
            f"the URI {shown(text)} holds characters beyond ASCII",
            code="uri",
            hint="percent-encode them, and write a host in A-labels (`xn--…`)",
        )
    if not _SCHEME.match(text):
        raise BadValueError(
            f"the URI {shown(text)} has no scheme", code="uri", hint="write for instance `https://example.com/`"
        )
    if not _URI.fullmatch(text):
        raise BadValueError(
            f"a character in {shown(text)} that no URI may hold", code="uri", hint="percent-encode it (RFC 3986)"
        )
    scheme, _, rest = text.partition(":")
    if not rest:
        raise BadValueError(f"the URI {shown(text)} has nothing after its scheme", code="uri")
    if (
        scheme.lower() in ("http", "https", "ldap", "ldaps", "spiffe")
        and not re.match(r"//[^/]", rest)
        and scheme.lower()[:4] != "ldap"
    ):
        raise BadValueError(f"the URI {shown(text)} names no host", code="uri")
    return text


def email(text: str) -> GeneralName:
    """Read a mailbox; its domain is stored in A-labels."""
    return GeneralName(GeneralNameKind.EMAIL, mailbox(text))


def mailbox(text: str) -> str:
    """Check a mailbox (RFC 5321) and return it, its domain in A-labels."""
    if text in _MACROS or "@" not in text:
        raise BadValueError(f"{shown(text)} is no mailbox", code="email", hint="write for instance `ops@example.com`")
    local, _, domain = text.rpartition("@")
    if not local.isascii():
        raise BadValueError(
            f"the part before the `@` of {shown(text)} holds characters beyond ASCII",
            code="email",
            hint="few clients know RFC 9598; use an ASCII mailbox",
        )
    if not _LOCAL_PART.fullmatch(local) or len(local) > 64:
        raise BadValueError(f"{shown(text)} is no mailbox", code="email", hint="write for instance `ops@example.com`")
    return f"{local}@{host(domain)}"


def upn(text: str) -> GeneralName:
    """Read a user principal name (an otherName of Microsoft's)."""
    if not text or any(not char.isprintable() for char in text) or text != text.strip():
        raise BadValueError(
            f"{shown(text)} is no user principal name", code="upn", hint="write for instance `ops@corp.example`"
        )
    return GeneralName(GeneralNameKind.UPN, text)


def rid(text: str) -> GeneralName:
    """Read a registered ID: an object identifier."""
    return GeneralName(GeneralNameKind.RID, object_identifier(text))


def dns_subtree(text: str) -> GeneralName:
    """Read a DNS subtree of a name constraint: a domain, which stands for itself and all beneath it."""
    if text.startswith("."):
        raise BadValueError(
            f"the subtree {shown(text)} begins with a dot",
            code="name-constraint",
            hint=f"write {shown(text.lstrip('.'))}: it stands for itself and all beneath it (RFC 5280, 4.2.1.10)",
        )
    if "*" in text:
        raise BadValueError(
            f"a wildcard in the subtree {shown(text)}", code="name-constraint", hint=f"write {shown(text.lstrip('*.'))}"
        )
    return GeneralName(GeneralNameKind.DNS, host(text))


def ip_subtree(text: str) -> GeneralName:
    """Read a network of a name constraint, in CIDR form."""
    import ipaddress

    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        hint = "write a network, such as `10.0.0.0/8` or `2001:db8::/32`"
        with suppress(ValueError):
            hint = f"write `{ipaddress.ip_network(text, strict=False)}`"
        raise BadValueError(f"{shown(text)} is no network: {error}", code="name-constraint", hint=hint) from error
    if isinstance(network.network_address, ipaddress.IPv6Address) and network.network_address.scope_id is not None:
        raise BadValueError(f"the zone of {shown(text)} has no place in a certificate", code="name-constraint")
    return GeneralName(GeneralNameKind.IP, str(network))


def email_subtree(text: str) -> GeneralName:
    """Read an email subtree: a mailbox, a host, or `.domain` for the hosts beneath a domain."""
    if "@" in text:
        return email(text)
    return GeneralName(GeneralNameKind.EMAIL, _host_or_domain(text))


def uri_subtree(text: str) -> GeneralName:
    """Read a URI subtree: a host, or `.domain` for the hosts beneath a domain."""
    if "/" in text or ":" in text:
        raise BadValueError(
            f"a URI constraint is a host, not {shown(text)}",
            code="name-constraint",
            hint="write `host.example`, or `.example` for all hosts beneath it",
        )
    return GeneralName(GeneralNameKind.URI, _host_or_domain(text))


def _host_or_domain(text: str) -> str:
    return "." + host(text[1:]) if text.startswith(".") else host(text)
