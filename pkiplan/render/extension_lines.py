"""Extensions in OpenSSL's words (x509v3_config(5)), one line each and sections for what holds several values.

Lists of names always get a section of their own, because on one line a comma in a name would begin another name.
Where OpenSSL has no words for a value (a directory name beyond ASCII, the organization of a user notice), the line
gives the DER that pkiplan signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import chain
from typing import NamedTuple

from pkiplan.errors import kind_and_place
from pkiplan.model.extensions import (
    EXTENSION_OIDS,
    AccessDescription,
    AuthorityInfoAccess,
    BasicConstraints,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    Extension,
    ExtensionValue,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
)
from pkiplan.model.names import (
    ATTRIBUTE_BY_OID,
    UPN_OID,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    OtherNameValue,
)
from pkiplan.render.quoting import CnfText, CnfValueError, quote

KEY_USAGE_WORDS = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
    "encipher_only": "encipherOnly",
    "decipher_only": "decipherOnly",
}
# Only words that every OpenSSL knows; other purposes are written as numbers.
EXTENDED_KEY_USAGE_WORDS = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
ACCESS_WORDS = {"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "caIssuers"}
TLS_FEATURE_WORDS = {5: "status_request", 17: "status_request_v2"}

_NAME_WORDS = {
    GeneralNameKind.DNS: "DNS",
    GeneralNameKind.IP: "IP",
    GeneralNameKind.URI: "URI",
    GeneralNameKind.EMAIL: "email",
    GeneralNameKind.UPN: "otherName",
    GeneralNameKind.RID: "RID",
    GeneralNameKind.DIR_NAME: "dirName",
    GeneralNameKind.OTHER_NAME: "otherName",
}
# In a list of alternative names these stand for the addresses in the subject (x509v3_config(5)).
_EMAIL_MACROS = ("copy", "move")
# These types of ASN1_generate_nconf(3) take their content from a section, which the manifest cannot give.
_ASN1_SECTION_TYPES = ("SEQUENCE", "SEQ", "SET")

# Always written: OpenSSL 3.0 adds a missing subject key identifier by itself, 3.2 both, 4.0 and 1.1.1 neither. The
# issuer's name and serial would tie what an authority issued to one of its certificates, so they are never asked for.
_KEY_IDENTIFIERS = (
    ("subject_key_identifier", "subjectKeyIdentifier", "hash"),
    ("authority_key_identifier", "authorityKeyIdentifier", "keyid:always"),
)

_POSITIONS = {oid: position for position, oid in enumerate(EXTENSION_OIDS.values())}


def _place(oid: str) -> tuple[int, str]:
    """Give the position of an extension in the certificate: those we know in their order, others by OID."""
    return (_POSITIONS[oid], "") if oid in _POSITIONS else (len(_POSITIONS), oid)


class Line(NamedTuple):
    """One setting; the value is written through `quote` unless it is `CnfText`."""

    key: CnfText
    value: str


class Section(NamedTuple):
    """A section of lines; its name is never a person's."""

    name: CnfText
    lines: tuple[Line, ...]


class _NoWordsError(Exception):
    """OpenSSL has no words for this value, so it is given as DER."""


def name_lines(name: DistinguishedName) -> tuple[Line, ...]:
    """Write a distinguished name: attributes numbered, because of two alike the last would win."""
    lines: list[Line] = []
    for rdn in name.rdns:
        for position, attribute in enumerate(rdn):
            known = ATTRIBUTE_BY_OID.get(attribute.oid)
            # A plus joins an attribute to the one before it into one RDN.
            joined = "+" if position else ""
            word = known.short_name if known else attribute.oid
            if not attribute.value:
                raise CnfValueError(f"the attribute {word} of the name `{name}` is empty")
            lines.append(Line(CnfText(f"{len(lines)}.{joined}{word}"), attribute.value))
    return tuple(lines)


@dataclass
class ExtensionWriter:
    """Writes extensions into lines, and collects the sections those refer to and what cannot be written."""

    problems: list[str]
    sections: list[Section] = field(default_factory=list)
    _directory_names: int = 0

    def lines(self, extensions: Iterable[Extension], *, with_key_identifiers: bool = True) -> tuple[Line, ...]:
        """Write extensions in the order of the certificate, and the two key identifiers in their places."""
        placed = [(_place(e.oid), self._line(e)) for e in extensions]
        if with_key_identifiers:
            for name, key, value in _KEY_IDENTIFIERS:
                placed.append((_place(EXTENSION_OIDS[name]), Line(CnfText(key), CnfText(value))))
        return tuple(line for _, line in sorted(placed, key=lambda pair: pair[0]))

    def section(self, name: str, lines: Iterable[Line]) -> CnfText:
        """Add a section, before those that its lines add, and return the words that refer to it."""
        position = len(self.sections)
        made = Section(CnfText(name), tuple(lines))
        self.sections.insert(position, made)
        return CnfText(f"@{name}")

    def _line(self, extension: Extension) -> Line:
        kept = len(self.sections)
        try:
            key, value = self._words(extension.value)
        except _NoWordsError:
            del self.sections[kept:]
            key, value = self._as_der(extension)
        except CnfValueError as error:
            self.problems.append(str(error))
            key = value = CnfText("")
        return Line(key, CnfText(f"critical,{value}") if extension.critical else value)

    def _as_der(self, extension: Extension) -> tuple[CnfText, CnfText]:
        try:
            return CnfText(extension.oid), _der(extension.value)
        except CnfValueError as error:
            self.problems.append(str(error))
            return CnfText(""), CnfText("")

    def _words(self, value: ExtensionValue) -> tuple[CnfText, CnfText]:
        match value:
            case BasicConstraints(is_authority, path_length):
                length = "" if path_length is None else f",pathlen:{path_length}"
                return _pair("basicConstraints", f"CA:{'TRUE' if is_authority else 'FALSE'}{length}")
            case KeyUsage(usages):
                return _pair("keyUsage", _listed(KEY_USAGE_WORDS[usage] for usage in usages))
            case ExtendedKeyUsage(oids):
                return _pair("extendedKeyUsage", _listed(EXTENDED_KEY_USAGE_WORDS.get(oid, oid) for oid in oids))
            case SubjectAltName(names):
                return _pair("subjectAltName", self.section("subject_alt_name", self._alternative_names(names)))
            case NameConstraints(permitted, excluded):
                if not permitted and not excluded:
                    raise _NoWordsError
                lines = chain(self._names(permitted, "permitted;"), self._names(excluded, "excluded;"))
                return _pair("nameConstraints", self.section("name_constraints", lines))
            case CertificatePolicies(policies):
                return _pair("certificatePolicies", _listed(map(self._policy, range(1, len(policies) + 1), policies)))
            case PolicyConstraints(explicit, mapping):
                limits = (("requireExplicitPolicy", explicit), ("inhibitPolicyMapping", mapping))
                return _pair(
                    "policyConstraints", _listed(f"{word}:{limit}" for word, limit in limits if limit is not None)
                )
            case InhibitAnyPolicy(skip_certs):
                return _pair("inhibitAnyPolicy", str(skip_certs))
            case CrlDistributionPoints(uris):
                return _pair("crlDistributionPoints", self.distribution_points("crl_distribution_points", uris))
            case AuthorityInfoAccess(descriptions):
                return _pair("authorityInfoAccess", self._access("authority_info_access", descriptions))
            case SubjectInfoAccess(descriptions):
                return _pair("subjectInfoAccess", self._access("subject_info_access", descriptions))
            case TlsFeature(features):
                return _pair("tlsfeature", _listed(TLS_FEATURE_WORDS.get(number, str(number)) for number in features))
            case OcspNoCheck():
                return _pair("noCheck", "ignored")
            case OtherExtension(oid, _, asn1):
                return CnfText(oid), _generated(asn1)

    def _alternative_names(self, names: tuple[GeneralName, ...]) -> Iterator[Line]:
        if not names:
            raise _NoWordsError
        for name in names:
            if name.kind is GeneralNameKind.EMAIL and name.value in _EMAIL_MACROS:
                raise CnfValueError(f"the address `{name.value}` is a word of OpenSSL's with a meaning of its own")
        yield from self._names(names, "")

    def _names(self, names: Iterable[GeneralName], prefix: str) -> Iterator[Line]:
        counts: dict[str, int] = {}
        for name in names:
            word = _NAME_WORDS[name.kind]
            counts[word] = counts.get(word, 0) + 1
            yield Line(CnfText(f"{prefix}{word}.{counts[word]}"), self._general_name(name))

    def _general_name(self, name: GeneralName) -> str:
        match name.kind, name.value:
            case GeneralNameKind.IP, str(text) if "/" in text:
                network = ip_network(text)
                return CnfText(f"{network.network_address.exploded}/{network.netmask.exploded}")
            case GeneralNameKind.UPN, str(text):
                return _other_name(UPN_OID, text)
            case GeneralNameKind.OTHER_NAME, OtherNameValue(type_id, der):
                return _other_name(type_id, _utf8_string(der))
            case GeneralNameKind.DIR_NAME, DistinguishedName() as directory_name:
                # OpenSSL reads these as Latin-1, whatever `utf8` says: v3_san.c, do_dirname.
                if not all(attribute.value.isascii() for attribute in directory_name.attributes):
                    raise _NoWordsError
                self._directory_names += 1
                return CnfText(self.section(f"directory_name_{self._directory_names}", name_lines(directory_name))[1:])
            case _, str(text):
                return text
        raise _NoWordsError

    def _policy(self, number: int, policy: Policy) -> str:
        if not policy.cps and not policy.notices:
            return policy.oid
        return self.section(f"policy_{number}", self._policy_lines(number, policy))

    def _policy_lines(self, number: int, policy: Policy) -> Iterator[Line]:
        yield Line(CnfText("policyIdentifier"), CnfText(policy.oid))
        for i, uri in enumerate(policy.cps, 1):
            yield Line(CnfText(f"CPS.{i}"), uri)
        for i, notice in enumerate(policy.notices, 1):
            # OpenSSL writes the organization of a notice as VisibleString, pkiplan as UTF8String (RFC 5280, 4.2.1.4).
            if notice.text is None or notice.organization is not None or notice.numbers:
                raise _NoWordsError
            text = Line(CnfText("explicitText"), CnfText(f"UTF8:{quote(notice.text)}"))
            yield Line(CnfText(f"userNotice.{i}"), self.section(f"notice_{number}_{i}", [text]))

    def distribution_points(self, section: str, uris: Iterable[str]) -> CnfText:
        """Write where CRLs lie, one distribution point a URI."""
        lines = [Line(CnfText(f"URI.{i}"), uri) for i, uri in enumerate(uris, 1)]
        if not lines:
            raise _NoWordsError
        return self.section(section, lines)

    def _access(self, section: str, descriptions: Iterable[AccessDescription]) -> CnfText:
        lines = []
        for i, description in enumerate(descriptions, 1):
            word = ACCESS_WORDS.get(description.method, description.method)
            lines.append(Line(CnfText(f"{word};URI.{i}"), description.uri))
        if not lines:
            raise _NoWordsError
        return self.section(section, lines)


def _pair(key: str, value: str) -> tuple[CnfText, CnfText]:
    return CnfText(key), CnfText(value)


def _listed(words: Iterable[str]) -> str:
    text = ",".join(words)
    if not text:
        raise _NoWordsError
    return text


def _other_name(oid: str, text: str) -> CnfText:
    if not text:
        raise _NoWordsError
    return CnfText(f"{oid};FORMAT:UTF8,UTF8:{quote(text)}")


def _utf8_string(der: bytes) -> str:
    from pkiplan.x509.der import UTF8_STRING, single

    try:
        return single(der).expect(UTF8_STRING).content.decode()
    except ValueError:
        raise _NoWordsError from None


def _generated(asn1: str | None) -> CnfText:
    # UTF8: without FORMAT: reads Latin-1, so only ASCII says the same everywhere.
    if not asn1 or not asn1.isascii():
        raise _NoWordsError
    if any(part.split(":")[0].strip().upper() in _ASN1_SECTION_TYPES for part in asn1.split(",")):
        raise _NoWordsError
    try:
        return CnfText(f"ASN1:{quote(asn1)}")
    except CnfValueError:
        raise _NoWordsError from None


def _der(value: ExtensionValue) -> CnfText:
    if isinstance(value, OtherExtension):
        return CnfText(f"DER:{value.der.hex()}")
    from pkiplan.x509.extensions import encode

    try:
        return CnfText(f"DER:{encode(value).public_bytes().hex()}")
    except ValueError as error:
        raise CnfValueError(f"cannot be encoded: {kind_and_place(error)}") from None
