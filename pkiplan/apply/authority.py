"""The files of an authority: its certificate, `openssl.cnf` and outputs; its CA database is `ca_database`'s."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.x509 import Certificate

from pkiplan.apply.certificate import certificate_write, cnf_write, output_write
from pkiplan.apply.file_writes import FileWrite
from pkiplan.apply.work import Work
from pkiplan.errors import PkiplanError
from pkiplan.model.resource import CNF_FILE, Resource
from pkiplan.plan.changes import Change


def file_writes(work: Work, resource: Resource, change: Change, certificate: Certificate) -> Iterator[FileWrite]:
    """Give what a change writes of an authority, one file after another; private keys are not among it."""
    if change.signs or change.rewrites_certificate:
        yield certificate_write(resource, certificate)
    outputs = {output.path: output for output in resource.outputs}
    for name in change.files:
        if name in outputs:
            yield output_write(work, resource, outputs[name], certificate)
        elif name == CNF_FILE:
            yield cnf_write(work, resource)
        else:
            raise PkiplanError.of(f"{resource.address}: no file `{name}` is declared", code="unknown-file")
