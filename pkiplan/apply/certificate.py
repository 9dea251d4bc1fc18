"""The files of a certificate: itself, its chain, its `openssl.cnf` and its outputs, as `FileWrite` values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from cryptography.x509 import Certificate

from pkiplan.apply.file_writes import FileWrite
from pkiplan.apply.work import Work
from pkiplan.errors import PkiplanError
from pkiplan.model.resource import CERTIFICATE_FILE, CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, Output, Resource
from pkiplan.plan.changes import Change
from pkiplan.x509.encoded import certificate_pem


def file_writes(work: Work, resource: Resource, change: Change, certificate: Certificate) -> Iterator[FileWrite]:
    """Give what a change writes of a certificate, one file after another; private keys are not among it."""
    if change.signs or change.rewrites_certificate:
        yield certificate_write(resource, certificate)
    outputs = {output.path: output for output in resource.outputs}
    for name in change.files:
        if name in outputs:
            yield output_write(work, resource, outputs[name], certificate)
        elif name == CNF_FILE:
            yield cnf_write(work, resource)
        elif name in (CHAIN_FILE, FULLCHAIN_FILE):
            above = _served_chain(work, resource)
            yield _pem_write(resource, name, above if name == CHAIN_FILE else (certificate, *above))
        else:
            raise PkiplanError.of(f"{resource.address}: no file `{name}` is declared", code="unknown-file")


def certificate_write(resource: Resource, certificate: Certificate) -> FileWrite:
    """Give the file of the certificate itself."""
    return _pem_write(resource, resource.cert_path or CERTIFICATE_FILE, (certificate,))


def cnf_write(work: Work, resource: Resource) -> FileWrite:
    """Give the resource's `openssl.cnf`."""
    content = work.cnf_text(resource).encode()
    return FileWrite(name=CNF_FILE, content=content, attributes=resource.attributes, place=resource.place)


def output_write(work: Work, resource: Resource, output: Output, certificate: Certificate) -> FileWrite:
    """Encode an output with the certificate, its chain and, where the format holds it, its key."""
    from pkiplan.formats import FORMATS
    from pkiplan.formats.base import OutputMaterial

    output_format = FORMATS[output.format]
    material = OutputMaterial(
        certificate=certificate,
        chain=_served_chain(work, resource),
        key=work.key_to_export(resource) if output_format.needs_key else None,
        name=resource.element or resource.id,
    )
    passphrase, options = work.first_secret(output.passphrases), dict(output.options)
    content = output_format.encode(material, passphrase, options)
    _read_back(work, resource, output, content, certificate, () if passphrase is None else (passphrase,))
    return FileWrite(name=output.path, content=content, attributes=output.attributes, place=output.place)


def _read_back(
    work: Work,
    resource: Resource,
    output: Output,
    content: bytes,
    certificate: Certificate,
    passphrases: tuple[bytes, ...],
) -> None:
    """Make sure that an output holds this certificate and its key before anybody gets it, and remember that it does."""
    from cryptography.hazmat.primitives.hashes import SHA256

    from pkiplan.formats import FORMATS
    from pkiplan.x509.keys import spki_sha256

    contents = FORMATS[output.format].read(content, passphrases, dict(output.options))
    own = certificate.fingerprint(SHA256()).hex()
    holds_own = own in contents.certificates or not FORMATS[output.format].needs_key
    if not holds_own or contents.key_spki_sha256 not in (None, spki_sha256(certificate.public_key())):
        raise PkiplanError.of(f"{resource.address}: {output.path} does not hold what was put into it", code="read-back")
    if output.passphrases:
        contents = replace(contents, opened_by=str(output.passphrases[0]))
    work.memory.remember_output(hashlib.sha256(content).hexdigest(), output.format, output.options, contents)


def _served_chain(work: Work, resource: Resource) -> tuple[Certificate, ...]:
    return tuple([work.certificate_of(authority) for authority in work.site.served_chain_of(resource)])


def _pem_write(resource: Resource, name: str, certificates: tuple[Certificate, ...]) -> FileWrite:
    content = b"".join(map(certificate_pem, certificates))
    return FileWrite(name=name, content=content, attributes=resource.attributes, place=resource.place)
