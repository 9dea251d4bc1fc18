"""Where things lie beneath a site's directory, and which names are pkiplan's or OpenSSL's own.

* `authorities/root/`: plain files
* `certificates/web/cert.pem`: a link to `..data/cert.pem`
* `certificates/web/..data`: a link to the current generation, `..20270301T120000Z-6f0c2a1b` beside it
* `archive/certificate/web/<UTC>-<serial>/`: what was replaced
* `.pkiplan/`: the lock, and the journal of a running apply
"""

from __future__ import annotations

import re

from pkiplan.model.resource import Kind

# Kubernetes' secret volumes use the same name: https://kubernetes.io/docs/concepts/configuration/secret/
DATA_LINK = "..data"
# Generations, and files of an authority that wait for their switch, start so; nobody else's files do.
STAGED_PREFIX = ".."
_GENERATION = re.compile(r"\.\.\d{8}T\d{6}Z-[0-9a-f]{8}(?:-[0-9a-z]+)?")

CONTROL_DIRECTORY = ".pkiplan"
LOCK_FILE = "lock"
LOCK_HOLDER_FILE = "lock.json"
JOURNAL_FILE = "journal"
JOURNAL_FORMAT = 1

ARCHIVE_DIRECTORY = "archive"
KIND_DIRECTORIES: dict[Kind, str] = {Kind.AUTHORITY: "authorities", Kind.CERTIFICATE: "certificates"}

# OpenSSL's CA database (openssl-ca(1), FILES). It is kept for people; it is never drift and never unmanaged.
INDEX_FILE = "index.txt"
INDEX_ATTRIBUTES_FILE = "index.txt.attr"
SERIAL_FILE = "serial"
CRL_NUMBER_FILE = "crlnumber"
NEW_CERTIFICATES_DIRECTORY = "newcerts"

# A certificate or key larger than this is not one: facts/reliability.md, row 43.
LARGEST_PEM = 1024 * 1024
# A million certificates' lines.
LARGEST_INDEX = 256 * 1024 * 1024

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+-")


def is_generation(name: str) -> bool:
    """Tell whether a name is one that pkiplan gives to generations."""
    return _GENERATION.fullmatch(name) is not None


def is_database_file(name: str) -> bool:
    """Tell whether a name in an authority's directory belongs to OpenSSL's CA database or its backups."""
    if name.endswith((".old", ".new")):
        name = name[:-4]
    return name in (
        INDEX_FILE,
        INDEX_ATTRIBUTES_FILE,
        SERIAL_FILE,
        CRL_NUMBER_FILE,
        NEW_CERTIFICATES_DIRECTORY,
        # `openssl ca` names its backups index.txt.attr.old, but also index.txt.old.attr in some versions.
        f"{INDEX_FILE}.old.attr",
    )


def quoted(text: str) -> str:
    """Write an id as the name of one directory: other bytes, and a leading dot, as %XX."""
    encoded = "".join(
        char if char in _PLAIN else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded


def unquoted(name: str) -> str | None:
    """Read the id from the name of a directory, or return None when pkiplan would not have written it so."""
    raw = bytearray()
    position = 0
    while position < len(name):
        if name[position] == "%":
            try:
                raw.append(int(name[position + 1 : position + 3], 16))
            except ValueError:
                return None
            position += 3
        else:
            raw += name[position].encode("utf-8", "surrogateescape")
            position += 1
    text = raw.decode("utf-8", "surrogateescape")
    return text if text and quoted(text) == name else None


def address_of(kind: Kind, resource_id: str, element: str | None = None) -> str:
    """Write an address: `authority.root`, `certificate.node["a1"]`."""
    if element is None:
        return f"{kind.value}.{resource_id}"
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'{kind.value}.{resource_id}["{escaped}"]'


def archive_path(kind: Kind, resource_id: str, element: str | None) -> str:
    """Return the directory, relative to the site's, that keeps what was replaced of a resource."""
    parts = [ARCHIVE_DIRECTORY, kind.value, quoted(resource_id)]
    if element is not None:
        parts.append(quoted(element))
    return "/".join(parts)
