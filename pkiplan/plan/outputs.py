"""Whether an output says the same as the certificate it is made from. Contents are compared, never bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pkiplan.model.observed import ObservedCertificate, ObservedFile
from pkiplan.model.resource import Output
from pkiplan.plan.changes import Action, FieldChange, Finding, Reason
from pkiplan.plan.difference import SAME, Difference, Differences, differs
from pkiplan.plan.outlook import NEW_CERTIFICATE, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a format's files hold after the certificate itself, and its options where a manifest gives none."""

    chain: bool
    defaults: Mapping[str, str | int | bool] = field(default_factory=dict)


# `formats` is not to be known here: a test compares this with what each format declares of itself.
HOLDINGS: dict[str, Holding] = {
    "pem-combined": Holding(chain=True, defaults={"order": "key-first", "chain": True}),
    "pkcs12": Holding(chain=True, defaults={"compatibility": "modern"}),
    "pem-chain": Holding(chain=True),
    "der": Holding(chain=False),
}


def output_lags(output: Output, file: ObservedFile, certificate: ObservedCertificate, context: Context) -> Differences:
    """Find an output with other certificates, another key, passphrase or other options than it shall have."""
    contents = file.contents
    holding = HOLDINGS[output.format]
    wanted = {**holding.defaults, **dict(output.options)}
    other = [
        FieldChange(f"{output.path} {name}", str(value), str(wanted[name]))
        for name, value in contents.options
        # Whether there is a chain shows in the certificates; beneath a root there is none to hold.
        if name != "chain" and name in wanted and wanted[name] != value
    ]
    if contents.opened_by is not None and output.passphrases and contents.opened_by != str(output.passphrases[0]):
        other.append(FieldChange(f"{output.path} passphrase", contents.opened_by, str(output.passphrases[0])))
    if other:
        message = "; ".join(f"{change.field} {change.before} → {change.after}" for change in other)
        return differs(Action.REENCODE, Reason.FILE_CHANGED, message, *other)
    chain = context.chain if holding.chain and wanted.get("chain", True) else ()
    if chain is None:  # what it shall hold cannot be had: its authority is blocked, and says so
        return SAME
    if contents.not_checked is not None:
        # Nobody could look; but when the chain is new, what it holds is old.
        return lags(output.path, context) if NEW_CERTIFICATE in chain else SAME
    if contents.certificates != (certificate.fingerprint_sha256, *chain):
        return lags(output.path, context)
    if contents.key_spki_sha256 not in (None, certificate.spki_sha256):
        return differs(Action.REENCODE, Reason.FILE_LAGS, f"{output.path} holds another key")
    return SAME


def lags(name: str, context: Context) -> Differences:
    """Say that a file does not hold the certificates as they are, and because of whom where that is known."""
    above = context.issuer
    if above is None or above.chain is None or NEW_CERTIFICATE not in above.chain:
        return differs(Action.REENCODE, Reason.FILE_LAGS, f"{name} does not hold the certificates as they are")
    finding = Finding(Reason.FILE_LAGS, f"{name} follows: {above.chain_why}", above.chain_cause)
    return (Difference(Action.REENCODE, finding),)
