"""Values that several views are tested with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pkiplan.diagnostics import Diagnostic, Place
from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    BasicConstraints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    KeyUsage,
    NameConstraints,
    SubjectAltName,
)
from pkiplan.model.keys import Curve, EcKeySpec, RsaKeySpec
from pkiplan.model.names import COMMON_NAME_OID, DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.observed import FileFacts, ObservedCertificate, UnmanagedFile
from pkiplan.model.resource import Kind
from pkiplan.plan.changes import Action, Change, FieldChange, Finding, KeyStep, Plan, Reason

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ROOT_REKEYED = Finding(Reason.KEY_TYPE_CHANGED, "key rsa 2048 → rsa 4096")


def serial() -> FieldChange:
    return FieldChange("serial", "5f0a301cb92fb4e0819e8664a65f9b6636faebda", None, after_unknown=True)


CREATE_WEB = Change(
    address="certificate.web",
    kind=Kind.CERTIFICATE,
    action=Action.CREATE,
    place=Place("site.yaml", 40, 3),
    findings=(Finding(Reason.MISSING, "the certificate is missing"),),
    fields=(
        FieldChange("subject", None, "C=SE, O=Acme, CN=www.acme.example"),
        FieldChange("dns", None, "acme.example, www.acme.example"),
        FieldChange("key", None, "ecdsa P-256"),
    ),
    key=KeyStep.GENERATE,
    signs=True,
    files=("chain.pem", "fullchain.pem", "openssl.cnf"),
)
RENEW_OPS = Change(
    address="certificate.ops",
    kind=Kind.CERTIFICATE,
    action=Action.RENEW,
    place=Place("site.yaml", 46, 3),
    findings=(Finding(Reason.RENEWAL_DUE, "12 days left, renews at 30 days"),),
    fields=(FieldChange("not_after", "2026-12-06T12:00:00Z", "2027-03-06T12:00:00Z"), serial()),
    key=KeyStep.GENERATE,
    signs=True,
    files=("fullchain.pem",),
)
REKEY_ROOT = Change(
    address="authority.root",
    kind=Kind.AUTHORITY,
    action=Action.REKEY,
    place=Place("site.yaml", 12, 3),
    findings=(ROOT_REKEYED,),
    fields=(FieldChange("key", "rsa 2048", "rsa 4096"), serial()),
    key=KeyStep.GENERATE,
    signs=True,
    files=("openssl.cnf",),
    permission="--allow authority.root",
    beneath=214,
    reissued_beneath=214,
)
MODIFY_ISSUING = Change(
    address="authority.issuing",
    kind=Kind.AUTHORITY,
    action=Action.MODIFY,
    place=Place("site.yaml", 20, 3),
    findings=(Finding(Reason.ISSUER_REKEYED, "issuer authority.root is re-keyed", "authority.root"),),
    fields=(serial(),),
    signs=True,
    beneath=213,
    reissued_beneath=213,
)
BLOCKED_OLD = Change(
    address="certificate.old",
    kind=Kind.CERTIFICATE,
    action=Action.BLOCKED,
    place=Place("site.yaml", 60, 3),
    findings=(Finding(Reason.UNREADABLE, "the key pki/certificates/old/key.pem cannot be read: permission denied"),),
    is_fault=True,
    way_out="make it readable, or `--replace certificate.old --rekey`",
)
REENCODE_OPS = Change(
    address="certificate.ops",
    kind=Kind.CERTIFICATE,
    action=Action.REENCODE,
    findings=(
        Finding(Reason.FILE_LAGS, "chain.pem follows: authority.issuing is modified", "authority.issuing"),
        Finding(Reason.FILE_LAGS, "fullchain.pem follows: authority.issuing is modified", "authority.issuing"),
    ),
    files=("chain.pem", "fullchain.pem"),
)
REMOVE_GONE = Change(
    address="certificate.gone",
    kind=Kind.CERTIFICATE,
    action=Action.REMOVE,
    findings=(Finding(Reason.UNDECLARED, "no longer declared"),),
)


def node(number: int) -> Change:
    return Change(
        address=f'certificate.node["a{number}"]',
        kind=Kind.CERTIFICATE,
        action=Action.MODIFY,
        place=Place("site.yaml", 32, 3),
        findings=(Finding(Reason.ISSUER_REKEYED, "issuer authority.issuing is modified", "authority.issuing"),),
        fields=(serial(),),
        signs=True,
        files=("chain.pem", "fullchain.pem"),
    )


def plan_of(*changes: Change, kept: int = 3, **more: object) -> Plan:
    return Plan(site="acme", made_at=NOW, changes=changes, kept=kept, **more)  # type: ignore[arg-type]


NOT_ALLOWED = Diagnostic(
    summary="authority.root would be given a new key; 214 of 214 beneath it are issued anew",
    code="not-allowed",
    hint="allow it with `--allow authority.root`",
)
UNMANAGED = (
    UnmanagedFile(path="certificates/old-web/cert.pem", description="certificate CN=old"),
    UnmanagedFile(path="notes.txt", description="file"),
)


def name(common_name: str) -> DistinguishedName:
    return DistinguishedName(((NameAttribute("2.5.4.10", "Acme"),), (NameAttribute(COMMON_NAME_OID, common_name),)))


def extension(word: str, value: ExtensionValue, *, critical: bool = False) -> Extension:
    return Extension(EXTENSION_OIDS[word], critical, value)


FACTS = FileFacts(sha256="00" * 32, mode=0o644, uid=0, gid=0, owner="root", group="root")


def certificate(
    common_name: str, issuer: str, *extensions: Extension, days: int = 90, started: int = 10, number: int = 1
) -> ObservedCertificate:
    before = NOW - timedelta(days=started)
    return ObservedCertificate(
        file=FACTS,
        fingerprint_sha256=f"{number:02x}" * 32,
        subject=name(common_name),
        issuer=name(issuer),
        subject_der=common_name.encode(),
        issuer_der=issuer.encode(),
        serial=0x5F0A301C + number,
        not_before=before,
        not_after=before + timedelta(days=days) - timedelta(seconds=1),
        spki_sha256="aa" * 32,
        key_spec=EcKeySpec(Curve.P256) if extensions else RsaKeySpec(4096),
        signature_digest="sha256",
        extensions=extensions,
        subject_key_id=bytes([number]) * 20,
        authority_key_id=bytes([number + 1]) * 20,
        key_id_of_key=bytes([number]) * 20,
        key_id_when_signed=bytes([number]) * 20,
    )


WEB = certificate(
    "www.acme.example",
    "Acme Issuing",
    extension("basic_constraints", BasicConstraints(is_authority=False), critical=True),
    extension("key_usage", KeyUsage(("digital_signature", "key_encipherment")), critical=True),
    extension("extended_key_usage", ExtendedKeyUsage(("1.3.6.1.5.5.7.3.1", "1.2.3.4"))),
    extension(
        "subject_alt_name",
        SubjectAltName(
            (GeneralName(GeneralNameKind.DNS, "www.acme.example"), GeneralName(GeneralNameKind.IP, "10.0.0.2"))
        ),
    ),
)
ISSUING = certificate(
    "Acme Issuing",
    "Acme Root",
    extension("basic_constraints", BasicConstraints(is_authority=True, path_length=0), critical=True),
    extension("key_usage", KeyUsage(("key_cert_sign", "crl_sign")), critical=True),
    extension(
        "name_constraints",
        NameConstraints(permitted=(GeneralName(GeneralNameKind.DNS, "acme.example"),)),
        critical=True,
    ),
    days=1095,
    number=2,
)
ROOT = certificate("Acme Root", "Acme Root", days=3652, started=4000, number=3)
