"""Whether the files derived from a certificate say the same as it: chain, fullchain, cnf and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pkiplan.model.keys import FileAttributes, ManagedKey
from pkiplan.model.observed import Found, Missing, ObservedCertificate, ObservedFile, ObservedResource, Unreadable
from pkiplan.model.resource import CERTIFICATE_FILE, CNF_FILE, FULLCHAIN_FILE, Output, Resource
from pkiplan.plan.attributes import attribute_differences
from pkiplan.plan.certificate import is_adopted
from pkiplan.plan.changes import Action, Reason
from pkiplan.plan.difference import SAME, Differences, differs
from pkiplan.plan.outlook import Context
from pkiplan.plan.outputs import lags, output_lags


def _no_older_texts(_address: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CnfTexts:
    """The digests of what each resource's `openssl.cnf` may say, by address.

    `older` are asked for only where the file does not say what it would today: what an older version wrote for the same
    manifest is right, too, until something else writes it anew.
    """

    today: Mapping[str, str] = field(default_factory=dict)
    older: Callable[[str], Iterable[str]] = _no_older_texts

    def hold(self, address: str, sha256: str) -> bool:
        """Tell whether a file with this digest is right; what nobody rendered cannot be wrong."""
        wanted = self.today.get(address)
        return wanted in (None, sha256) or sha256 in self.older(address)


def files_of(resource: Resource, context: Context) -> tuple[str, ...]:
    """List the files that are written when the certificate is signed: derived files and outputs, sorted."""
    return tuple(sorted((*context.derived_files, *(output.path for output in resource.outputs))))


def file_attributes(resource: Resource, name: str) -> FileAttributes:
    """Return the mode and owner a file of a resource shall have: key and outputs have their own, others share one."""
    if isinstance(resource.key, ManagedKey) and name == resource.key.path:
        return resource.key.attributes
    return next((output.attributes for output in resource.outputs if output.path == name), resource.attributes)


def compare_certificate_file(resource: Resource, found: ObservedCertificate) -> Differences:
    """Find a certificate's file of another mode or owner, or with more than the certificate in it."""
    if is_adopted(resource):
        return SAME
    differences = attribute_differences(CERTIFICATE_FILE, found.file, resource.attributes)
    if found.certificates_in_file == 1:
        return differences
    message = f"{CERTIFICATE_FILE} holds {found.certificates_in_file} certificates"
    return (*differences, *differs(Action.REENCODE, Reason.FILE_CHANGED, message))


def compare_files(
    resource: Resource,
    found: ObservedResource,
    certificate: ObservedCertificate,
    context: Context,
    cnf: CnfTexts,
) -> list[tuple[str, Differences]]:
    """List the derived files and outputs that have to be written again though the certificate stays, and why."""
    answers = [
        (name, _compare_derived(name, resource, found, certificate, context, cnf)) for name in context.derived_files
    ]
    answers += [(output.path, _compare_output(output, found, certificate, context)) for output in resource.outputs]
    return [answer for answer in answers if answer[1]]


def _compare_derived(
    name: str,
    resource: Resource,
    found: ObservedResource,
    certificate: ObservedCertificate,
    context: Context,
    cnf: CnfTexts,
) -> Differences:
    observation = found.files.get(name)
    if not isinstance(observation, Found):
        return _absent(name, observation)
    file = observation.value
    is_cnf = name == CNF_FILE
    lag = _cnf_lags(resource, file, cnf) if is_cnf else _chain_lags(name, file, certificate, context)
    attributes = attribute_differences(name, file.file, resource.attributes)
    return (*lag, *attributes) if lag or attributes else SAME


def _absent(name: str, observation: Missing | Unreadable | None) -> Differences:
    if isinstance(observation, Unreadable):
        reason = Reason.DAMAGED if observation.is_damaged else Reason.UNREADABLE
        return differs(Action.REENCODE, reason, f"{name}: {observation.why}")
    return differs(Action.REENCODE, Reason.FILE_MISSING, f"{name} is missing")


def _cnf_lags(resource: Resource, file: ObservedFile, cnf: CnfTexts) -> Differences:
    if cnf.hold(resource.address, file.file.sha256):
        return SAME
    return differs(Action.REENCODE, Reason.FILE_CHANGED, f"{CNF_FILE} does not say what the manifest says")


def _chain_lags(name: str, file: ObservedFile, certificate: ObservedCertificate, context: Context) -> Differences:
    """Find a chain that is not the one a server shall send (RFC 8446, 4.4.2: own certificate first, no root)."""
    chain = context.chain
    if chain is None:  # what it shall hold cannot be had: its authority is blocked, and says so
        return SAME
    held = file.contents.certificates
    own = (certificate.fingerprint_sha256,) if name == FULLCHAIN_FILE else ()
    return SAME if held == own + chain else lags(name, context)


def _compare_output(
    output: Output, found: ObservedResource, certificate: ObservedCertificate, context: Context
) -> Differences:
    observation = found.files.get(output.path)
    if not isinstance(observation, Found):
        return _absent(output.path, observation)
    lag = output_lags(output, observation.value, certificate, context)
    return (*lag, *attribute_differences(output.path, observation.value.file, output.attributes))
