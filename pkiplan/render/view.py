"""What the templates of `openssl.cnf` may use: the words of one resource, and the commands to use them with.

Built from the declared site alone, never from what is on disk, so the text of a cnf says whether the manifest
changed and nothing else.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pkiplan.model.keys import Curve, EcKeySpec, ExternalKey, KeySource, ManagedKey, RsaKeySpec
from pkiplan.model.names import ATTRIBUTE_TYPES, COMMON_NAME_OID
from pkiplan.model.resource import CERTIFICATE_FILE, CNF_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.model.tree import (
    CRL_NUMBER_FILE,
    INDEX_FILE,
    NEW_CERTIFICATES_DIRECTORY,
    SERIAL_FILE,
)
from pkiplan.model.validity import INCLUSIVE_SECOND
from pkiplan.render.extension_lines import ExtensionWriter, Line, Section, name_lines
from pkiplan.render.quoting import CnfText, CnfValueError, comment

CERTIFICATE_EXTENSIONS = "certificate_extensions"
# How this resource's certificate is signed by its issuer, and how an authority signs what has no cnf of its own.
ISSUED_BY = "issued_by"
AUTHORITY = "authority"
ISSUED_EXTENSIONS = "issued_extensions"

DAY = timedelta(days=1)
# CRLs of a root and of any other authority when the manifest says nothing: facts/defaults.md, BR 4.9.7.
ROOT_CRL_DAYS = 180
CRL_DAYS = 7
PSS_OPTIONS = " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"


class Signing(NamedTuple):
    """A section by which `openssl ca` signs; paths are relative to the cnf's own directory."""

    name: CnfText
    extensions: CnfText
    database: str
    new_certs_dir: str
    serial: str
    crlnumber: str
    certificate: str
    private_key: str | None
    default_md: CnfText
    dates: tuple[Line, ...]
    default_crl_days: int | None


def view(site: Site, resource: Resource, problems: list[str]) -> Mapping[str, Any]:
    """Gather what the templates may use; what cannot be written is added to the problems."""
    writer = ExtensionWriter(problems)
    extensions = writer.lines(resource.extensions)
    # Parts are shared by both lists, so the request refers to those of the certificate.
    request = ExtensionWriter([]).lines(resource.extensions, with_key_identifiers=False)
    issuer = site.issuer_of(resource)
    return {
        "address": _comment(resource.address, problems),
        "commands": tuple(_comment(command, problems) for command in _commands(site, resource)),
        "notes": tuple(_comment(note, problems) for note in _notes(site, resource)),
        "is_self_issued": resource.is_self_issued,
        "request_digest": _request_digest(resource),
        "subject": _subject(resource, problems),
        "extensions": Section(CnfText(CERTIFICATE_EXTENSIONS), extensions),
        "request_extensions": request,
        "issued_by": None if issuer is None else _issued_by(site, resource, issuer),
        "authority": _authority(site, resource) if resource.is_authority else None,
        "issued_extensions": _issued_extensions(resource, writer) if resource.is_authority else (),
        "sections": tuple(writer.sections),
        "policy": _policy(resource),
    }


# Every attribute is optional: what may be in a name is pkiplan's to check, and `match` would compare bytes. Attributes
# that OpenSSL has no name for cannot stand here; `preserve` keeps them.
_POLICY = {attribute.oid: Line(CnfText(attribute.short_name), CnfText("optional")) for attribute in ATTRIBUTE_TYPES}


def _policy(resource: Resource) -> tuple[Line, ...]:
    """List the attributes that may be in a name: an authority's signs any, a certificate's is for its own."""
    if resource.is_authority:
        return tuple(_POLICY.values())
    occurring = {attribute.oid for attribute in resource.subject.attributes} or {COMMON_NAME_OID}
    return tuple(line for oid, line in _POLICY.items() if oid in occurring)


def _subject(resource: Resource, problems: list[str]) -> tuple[Line, ...]:
    try:
        return name_lines(resource.subject)
    except CnfValueError as error:
        problems.append(str(error))
        return ()


def _comment(value: str, problems: list[str]) -> CnfText:
    try:
        return comment(value)
    except CnfValueError as error:
        problems.append(str(error))
        return CnfText("")


def _request_digest(resource: Resource) -> CnfText | None:
    """Name the hash of what the resource's own key signs; None leaves it to the key."""
    if resource.is_self_issued:
        return None if resource.digest is None else CnfText(resource.digest)
    return _digest_of(resource.key)


def _digest_of(key: KeySource) -> CnfText | None:
    """Name the hash that suits a key (RFC 5758, 3.2), or None where its algorithm brings its own."""
    match None if isinstance(key, ExternalKey) else key.spec:
        case RsaKeySpec() | EcKeySpec(Curve.P256):
            return CnfText("sha256")
        case EcKeySpec(Curve.P384):
            return CnfText("sha384")
        case EcKeySpec():
            return CnfText("sha512")
    return None


def _issued_by(site: Site, resource: Resource, issuer: Resource) -> Signing:
    return _signing(
        site,
        resource,
        issuer,
        name=ISSUED_BY,
        extensions=CERTIFICATE_EXTENSIONS,
        digest=resource.digest,
        dates=_dates(site, resource),
    )


def _authority(site: Site, resource: Resource) -> Signing:
    default_crl_days = ROOT_CRL_DAYS if resource.is_self_issued else CRL_DAYS
    return _signing(
        site,
        resource,
        resource,
        name=AUTHORITY,
        extensions=ISSUED_EXTENSIONS,
        digest=_request_digest(resource),
        dates=(Line(CnfText("default_days"), CnfText("90")),),
        default_crl_days=default_crl_days if resource.crl is None else resource.crl.days,
    )


def _signing(
    site: Site,
    resource: Resource,
    signer: Resource,
    *,
    name: str,
    extensions: str,
    digest: str | None,
    dates: tuple[Line, ...],
    default_crl_days: int | None = None,
) -> Signing:
    directory = posixpath.relpath(f"/{signer.directory}", f"/{resource.directory}")
    prefix = "" if directory == "." else f"{directory}/"
    return Signing(
        name=CnfText(name),
        extensions=CnfText(extensions),
        database=prefix + INDEX_FILE,
        new_certs_dir=prefix + NEW_CERTIFICATES_DIRECTORY,
        serial=prefix + SERIAL_FILE,
        crlnumber=prefix + CRL_NUMBER_FILE,
        certificate=_path(site, resource, prefix, signer.cert_path or CERTIFICATE_FILE),
        private_key=None if isinstance(signer.key, ExternalKey) else _path(site, resource, prefix, signer.key.path),
        # OpenSSL takes `default` where the algorithm brings its own hash.
        default_md=CnfText(digest or "default"),
        dates=dates,
        default_crl_days=default_crl_days,
    )


def _issued_extensions(resource: Resource, writer: ExtensionWriter) -> tuple[Line, ...]:
    """List what an authority puts into a certificate for which no cnf was made: a leaf that can only sign."""
    lines = [
        Line(CnfText("basicConstraints"), CnfText("critical,CA:FALSE")),
        Line(CnfText("keyUsage"), CnfText("critical,digitalSignature")),
        Line(CnfText("subjectKeyIdentifier"), CnfText("hash")),
        Line(CnfText("authorityKeyIdentifier"), CnfText("keyid:always")),
    ]
    if resource.crl is not None and resource.crl.url is not None:
        points = writer.distribution_points("issued_crl_distribution_points", [resource.crl.url])
        lines.append(Line(CnfText("crlDistributionPoints"), points))
    return tuple(lines)


def _path(site: Site, resource: Resource, prefix: str, name: str) -> str:
    """Write the path of a file as seen from a resource's directory; absolute only if it lies outside of the site."""
    if not name.startswith("/"):
        return prefix + name
    target = posixpath.normpath(name)
    here = posixpath.normpath(f"{site.directory}/{resource.directory}")
    for root in (site.directory, site.base):
        if _is_beneath(target, root) and _is_beneath(here, root):
            return posixpath.relpath(target, here)
    return target


def _is_beneath(path: str, root: str) -> bool:
    root = posixpath.normpath(root)
    return path == root or path.startswith(root.rstrip("/") + "/")


def _dates(site: Site, resource: Resource) -> tuple[Line, ...]:
    """Say how long a certificate lives: dates where the manifest gives them, else days from the signing."""
    validity = resource.validity
    lines = []
    if validity.not_before is not None:
        lines.append(Line(CnfText("default_startdate"), CnfText(_moment(validity.not_before))))
    end = _declared_end(resource)
    if end is not None:
        lines.append(Line(CnfText("default_enddate"), CnfText(_moment(end))))
    else:
        lines.append(Line(CnfText("default_days"), CnfText(str(_days(site, resource)))))
    return tuple(lines)


def _declared_end(resource: Resource) -> datetime | None:
    validity = resource.validity
    if validity.not_after is not None:
        return validity.not_after
    # OpenSSL counts days from now, whatever the start (openssl#29363), so a declared start makes a declared end.
    if validity.not_before is not None and validity.lifetime is not None:
        return validity.not_before + validity.lifetime
    return None


def _days(site: Site, resource: Resource) -> int:
    """Count the days, begun ones too; a certificate that ends with its issuer takes the issuer's."""
    for declared in (resource, *site.chain_of(resource)):
        if declared.validity.lifetime is not None:
            return max(1, -(-(declared.validity.lifetime + INCLUSIVE_SECOND) // DAY))
    return 1


def _moment(moment: datetime) -> str:
    # strftime leaves out the zeros of years before 1000.
    return f"{moment.year:04}{moment:%m%d%H%M%S}Z"


def _commands(site: Site, resource: Resource) -> list[str]:
    """Write the commands by which a person does what pkiplan does, to be run in the resource's directory."""
    name = posixpath.basename(resource.directory)
    key = "KEY" if isinstance(resource.key, ExternalKey) else _path(site, resource, "", resource.key.path)
    config = f"-config {CNF_FILE} "
    subject = " -subj /" if resource.subject.is_empty else ""
    signer = (site.issuer_of(resource) or resource).key
    is_pss = resource.rsa_pss and isinstance(signer, ManagedKey) and isinstance(signer.spec, RsaKeySpec)
    # openssl.cnf has no word for it.
    pss = PSS_OPTIONS if is_pss else ""

    def file(ending: str) -> str:
        return shlex.quote(f"{name}.{ending}")

    if resource.is_self_issued:
        options = f"{_self_signed_dates(site, resource)}{subject}{pss}"
        commands = [f"openssl req -x509 {config}-key {shlex.quote(key)} {options} -out {file('pem')}"]
    else:
        section = f"-name {ISSUED_BY} " if resource.is_authority else ""
        commands = [
            f"openssl req -new {config}-key {shlex.quote(key)}{subject} -out {file('csr')}",
            f"openssl ca {config}{section}-notext -in {file('csr')} -out {file('pem')}{pss}",
        ]
    if resource.is_authority:
        commands.append(f"openssl ca {config}-notext -in REQUEST -out CERTIFICATE")
        commands.append(f"openssl ca {config}-gencrl -out {file('crl')}")
    return commands


def _self_signed_dates(site: Site, resource: Resource) -> str:
    start, end = resource.validity.not_before, _declared_end(resource)
    if end is None:
        return f"-days {_days(site, resource)}"
    return f"{f'-not_before {_moment(start)} ' if start else ''}-not_after {_moment(end)}"


def _notes(site: Site, resource: Resource) -> list[str]:
    """Say what a person must know to run the commands."""
    notes = []
    issuer = site.issuer_of(resource)
    if resource.subject.is_empty:
        notes.append("The subject is empty, which OpenSSL takes from no file: hence -subj /")
    if isinstance(resource.key, ExternalKey):
        notes.append("The private key is not here: KEY stands for it, and who holds it makes the request.")
    elif resource.key.is_encrypted:
        notes.append("The key is encrypted: OpenSSL asks for its passphrase, or takes it by -passin.")
    if issuer is None:
        pass
    elif isinstance(issuer.key, ExternalKey):
        notes.append("The issuer's private key is not here: openssl ca needs -keyfile.")
    elif issuer.key.is_encrypted:
        notes.append("The issuer's key is encrypted: openssl ca asks for its passphrase, or takes it by -passin.")
    if resource.is_self_issued and _declared_end(resource) is not None:
        notes.append("-not_before and -not_after came with OpenSSL 3.4; before it, use -days.")
    if resource.validity.ends_with_issuer:
        notes.append("It shall end when its issuer ends: give openssl ca that date by -enddate.")
    elif (resource.validity.lifetime or DAY) + INCLUSIVE_SECOND < DAY:
        notes.append("It shall live less than a day, which default_days cannot say: give -enddate.")
    return notes
