"""The proof that `openssl.cnf` says what pkiplan signed: OpenSSL, run with it, puts the same bytes up for signature.

A throw-away issuer stands in for the real one, with the same subject bytes, key identifier and kind of key; the
serial number and the dates are the certificate's own. No key of the site is touched. OpenSSL makes two certificates:

1. By the commands that a person would run (`openssl req`, `openssl ca`), with the cnf as it is and the dates of the
   certificate, but with a throw-away key: all but the key, and the key identifier that follows from it, is the same.
2. By `openssl x509`, with the real public key and the names and extensions of the cnf, but (until OpenSSL 3.4, where
   the command knows no dates) from today: all but the dates is the same.

The first with the key of the second is, byte for byte, what is signed in the real certificate.
What OpenSSL says of its success is not believed: what it made is read back.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cryptography import x509

from pkiplan.errors import PkiplanError, system_words
from pkiplan.model.keys import MlDsaKeySpec
from pkiplan.model.resource import CNF_FILE, Resource
from pkiplan.model.site import Site
from pkiplan.render.view import ISSUED_BY
from pkiplan.verify.certificate_fields import (
    AUTHORITY_KEY_ID,
    NOT_AFTER,
    NOT_BEFORE,
    PUBLIC_KEY,
    SUBJECT_KEY_ID,
    FieldDifference,
    difference_of_bytes,
    differences,
    tbs_with,
)
from pkiplan.verify.cnf_reading import Sections, UnreadableCnfError, read_cnf, value_of
from pkiplan.verify.cnf_workshop import PROOF_CNF, DiffersError, NotProvedError, Subject, Workshop, spec_of
from pkiplan.verify.credentials import Credential, UnusableError, parse_pem
from pkiplan.verify.openssl_program import OpenSsl, UnusableProgramError, find_openssl, identify
from pkiplan.verify.reasons import CNF_DIFFERS, NOT_SUPPORTED
from pkiplan.verify.results import ACCEPTED, CheckResult, Expected, Outcome, Reason, VerifyReport, report_of
from pkiplan.x509.pss_keys import RSASSA_PSS_OID

CHECK = "openssl-cnf"
CONTROL_CHECK = "openssl-cnf-control"

# The first version that has all the options used here, the first whose `x509` takes dates, the first with ML-DSA.
OLDEST_VERSION = (1, 1, 1)
X509_DATES_VERSION = (3, 4, 0)
ML_DSA_VERSION = (3, 5, 0)

# Before it, the hash in RSASSA-PSS has no parameters where it has NULL since: both are right (RFC 4055, 2.1).
PSS_VERSION = (3, 0, 0)


class Verdict(StrEnum):
    """What came of a proof."""

    PROVED = "proved"
    DIFFERS = "differs"
    NOT_PROVED = "not proved"


@dataclass(frozen=True, slots=True, kw_only=True)
class CnfProof:
    """What came of the proof of one cnf; `why` it was not proved, `program` names the OpenSSL that was asked."""

    address: str
    verdict: Verdict
    differences: tuple[FieldDifference, ...] = ()
    why: str = ""
    program: str = ""
    seconds: float = field(default=0.0, compare=False)


def prove_cnf(
    site: Site,
    resource: Resource,
    *,
    certificate: x509.Certificate,
    issuer: x509.Certificate | None,
    text: str,
    openssl: str | None,
) -> CnfProof:
    """Prove that OpenSSL makes the certificate from the text of its cnf, or say what it makes instead.

    `issuer` is the issuer's certificate, None for a certificate that signs itself. `openssl` is the absolute path
    of the program; None where there is none.
    """
    begun = time.monotonic()
    proof = CnfProof(address=resource.address, verdict=Verdict.PROVED)
    try:
        program = _program(openssl)
        proof = replace(proof, program=program.name)
        _check_version(program, (certificate, issuer or certificate))
        _prove(Subject(site, resource, certificate, issuer, text, read_cnf(text)), program)
    except DiffersError as error:
        proof = replace(proof, verdict=Verdict.DIFFERS, differences=error.differences)
    except (NotProvedError, UnusableProgramError) as error:
        proof = replace(proof, verdict=Verdict.NOT_PROVED, why=str(error))
    except UnreadableCnfError as error:
        proof = replace(proof, verdict=Verdict.NOT_PROVED, why=f"openssl is not run with this cnf: {error}")
    except OSError as error:
        proof = replace(proof, verdict=Verdict.NOT_PROVED, why=f"no place for the proof: {system_words(error)}")
    return replace(proof, seconds=time.monotonic() - begun)


def prove_site(
    site: Site,
    *,
    load: Callable[[Resource], Credential],
    cnf_texts: Callable[[Resource], str],
    openssl: str | None = None,
) -> VerifyReport:
    """Prove every cnf of a site, and that a cnf that says something else is found out."""
    begun = time.monotonic()
    openssl = openssl or find_openssl()
    certificates = _Certificates(site, load)

    def prove(resource: Resource, addition: str = "") -> CnfProof:
        try:
            return prove_cnf(
                site,
                resource,
                certificate=certificates.of(resource),
                issuer=certificates.of_issuer(resource),
                text=cnf_texts(resource) + addition,
                openssl=openssl,
            )
        except (PkiplanError, UnusableError) as error:
            return CnfProof(address=resource.address, verdict=Verdict.NOT_PROVED, why=str(error).partition("\n")[0])

    resources = list(site)
    # The work is done by OpenSSL, in a process of its own.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        proofs = list(pool.map(prove, resources))
    results = [proof_result(proof) for proof in proofs]
    for resource, proof in zip(resources, proofs, strict=True):
        if proof.verdict is Verdict.PROVED:
            spoiled = prove(resource, _spoiling(cnf_texts(resource), resource))
            results.append(
                replace(
                    proof_result(spoiled),
                    check=CONTROL_CHECK,
                    target="with another extension",
                    expected=Expected.REFUSED,
                    expected_reason=CNF_DIFFERS,
                )
            )
            break
    programs = sorted({proof.program for proof in proofs if proof.program})
    return report_of(results, stacks=tuple(("openssl", name) for name in programs), seconds=time.monotonic() - begun)


class _Certificates:
    """The certificates of a site, each read once."""

    def __init__(self, site: Site, load: Callable[[Resource], Credential]) -> None:
        self._site = site
        self._load = load
        self._known: dict[str, x509.Certificate] = {}

    def of(self, resource: Resource) -> x509.Certificate:
        """Return a resource's certificate."""
        # Two threads may read the same one at first; either will do.
        if resource.address not in self._known:
            parsed = parse_pem(self._load(resource).certificate_pem, "its certificate")
            if not parsed:
                raise PkiplanError.of(f"the certificate of {resource.address} is empty")
            self._known[resource.address] = parsed[0]
        return self._known[resource.address]

    def of_issuer(self, resource: Resource) -> x509.Certificate | None:
        """Return the certificate of a resource's issuer, or None where it signs itself."""
        issuer = self._site.issuer_of(resource)
        return None if issuer is None else self.of(issuer)


def _spoiling(text: str, resource: Resource) -> str:
    """Return what, added to a cnf, makes it say something else: of two sections with a name OpenSSL makes one."""
    return f"\n[ {_extension_section(read_cnf(text), resource)} ]\nnsComment = not declared\n"


def proof_result(proof: CnfProof) -> CheckResult:
    """Give a proof the shape of every other result of verification."""
    outcome, reason = Outcome.ACCEPTED, ACCEPTED
    if proof.verdict is Verdict.DIFFERS:
        outcome, reason = Outcome.REFUSED, Reason(CNF_DIFFERS, "; ".join(map(str, proof.differences)))
    elif proof.verdict is Verdict.NOT_PROVED:
        outcome, reason = Outcome.NOT_RUN, Reason(NOT_SUPPORTED, f"not proved: {proof.why}")
    return CheckResult(
        check=CHECK,
        subject=proof.address,
        stack=proof.program or "openssl",
        expected=Expected.ACCEPTED,
        outcome=outcome,
        reason=reason,
        seconds=proof.seconds,
    )


def _program(path: str | None) -> OpenSsl:
    if path is None:
        raise NotProvedError("there is no openssl program here")
    return identify(path)


def _check_version(program: OpenSsl, certificates: tuple[x509.Certificate, ...]) -> None:
    if program.version < OLDEST_VERSION:
        raise NotProvedError(f"{program.name} is older than 1.1.1")
    for certificate in certificates:
        spec = spec_of(certificate)
        if isinstance(spec, MlDsaKeySpec) and program.version < ML_DSA_VERSION:
            raise NotProvedError(f"{program.name} does not know {spec}, which came with 3.5")
    if _is_pss(certificates[0]) and program.version < PSS_VERSION:
        raise NotProvedError(f"{program.name} encodes RSASSA-PSS otherwise than 3.0 and later, and means the same")


def _prove(subject: Subject, program: OpenSsl) -> None:
    # mkdtemp makes it for its owner alone.
    with tempfile.TemporaryDirectory(prefix="pkiplan-proof-") as root:
        workshop = Workshop(root, subject, program)
        empty = " -subj /" if subject.resource.subject.is_empty else ""
        workshop.make(f"req -new -config {CNF_FILE} -key throw-away.pem{empty} -out request.pem", "request.pem")
        if subject.issuer is None:
            _make_as_a_person_would(subject, workshop, empty)
            dated = _made_with_dates(subject, workshop)
        else:
            dated = _issued_with_dates(subject, workshop)
        keyed = _made_with_key(subject, workshop, program)
        whole = tbs_with(dated, keyed, (PUBLIC_KEY, SUBJECT_KEY_ID, AUTHORITY_KEY_ID))
        if whole != subject.certificate.tbs_certificate_bytes:
            # All the fields are equal, and the whole is not: something between them, such as an explicit default.
            raise DiffersError(difference_of_bytes(subject.certificate.tbs_certificate_bytes, whole))


def _issued_with_dates(subject: Subject, workshop: Workshop) -> x509.Certificate:
    """Issue the certificate as a person would."""
    section = _signing_section(subject.sections, subject.resource)
    made = workshop.certificate(
        f"ca -config {CNF_FILE} -name {shlex.quote(section)} -batch -notext{_dates(subject.certificate)}"
        f"{workshop.overrides(section)}{_pss_options(subject.certificate)} -in request.pem -out issued.pem",
        "issued.pem",
    )
    return _compared(subject.certificate, made, ignoring=(PUBLIC_KEY, SUBJECT_KEY_ID))


def _make_as_a_person_would(subject: Subject, workshop: Workshop, empty: str) -> None:
    """Make the self-signed certificate as a person would; its dates are those of today."""
    made = workshop.certificate(
        f"req -x509 -config {CNF_FILE} -key throw-away.pem{empty} -days 30{_pss_options(subject.certificate)}"
        f" -set_serial {subject.certificate.serial_number} -out self-signed.pem",
        "self-signed.pem",
    )
    ignoring = (PUBLIC_KEY, SUBJECT_KEY_ID, AUTHORITY_KEY_ID, NOT_BEFORE, NOT_AFTER)
    _compared(subject.certificate, made, ignoring=ignoring)


def _made_with_dates(subject: Subject, workshop: Workshop) -> x509.Certificate:
    """Make the self-signed certificate with its dates."""
    made = workshop.certificate(
        f"ca -config {PROOF_CNF} -batch -notext -selfsign -keyfile throw-away.pem{_dates(subject.certificate)}"
        f"{_digest_option(subject.certificate, '-md ')}{_pss_options(subject.certificate)}"
        f"{_extension_options(subject)} -in request.pem -out dated.pem",
        "dated.pem",
    )
    return _compared(subject.certificate, made, ignoring=(PUBLIC_KEY, SUBJECT_KEY_ID, AUTHORITY_KEY_ID))


def _made_with_key(subject: Subject, workshop: Workshop, program: OpenSsl) -> x509.Certificate:
    """Make the certificate with the real public key, whose private half this command does not ask for."""
    certificate = subject.certificate
    knows_dates = program.version >= X509_DATES_VERSION
    dates = _dates(certificate, ("-not_before", "-not_after")) if knows_dates else " -days 30"
    made = workshop.certificate(
        "x509 -req -in request.pem -force_pubkey public.pem -CA issuer.pem -CAkey issuer-key.pem"
        f" -set_serial {certificate.serial_number}{dates}{_digest_option(certificate, '-')}{_pss_options(certificate)}"
        f"{_extension_options(subject)} -out keyed.pem",
        "keyed.pem",
    )
    return _compared(certificate, made, ignoring=() if knows_dates else (NOT_BEFORE, NOT_AFTER))


def _compared(declared: x509.Certificate, made: x509.Certificate, *, ignoring: tuple[str, ...]) -> x509.Certificate:
    if found := differences(declared, made, ignoring=ignoring):
        raise DiffersError(*found)
    return made


def _signing_section(sections: Sections, resource: Resource) -> str:
    # An authority's default section is for what it signs itself.
    return ISSUED_BY if resource.is_authority else _required(sections, "ca", "default_ca")


def _extension_section(sections: Sections, resource: Resource) -> str:
    signing = "req" if resource.is_self_issued else _signing_section(sections, resource)
    return _required(sections, signing, "x509_extensions")


def _required(sections: Sections, section: str, key: str) -> str:
    value = value_of(sections, section, key)
    if value is None:
        raise DiffersError(FieldDifference(f"[{section}] {key}", "a section", None))
    return value


def _extension_options(subject: Subject) -> str:
    section = _extension_section(subject.sections, subject.resource)
    return f" -extfile {CNF_FILE} -extensions {shlex.quote(section)}"


def _dates(certificate: x509.Certificate, options: tuple[str, str] = ("-startdate", "-enddate")) -> str:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f" {options[0]} {start.year:04}{start:%m%d%H%M%S}Z {options[1]} {end.year:04}{end:%m%d%H%M%S}Z"


def _digest_option(certificate: x509.Certificate, option: str) -> str:
    digest = certificate.signature_hash_algorithm
    return "" if digest is None else f" {option}{digest.name}"


def _pss_options(certificate: x509.Certificate) -> str:
    return " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest" if _is_pss(certificate) else ""


def _is_pss(certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid.dotted_string == RSASSA_PSS_OID
