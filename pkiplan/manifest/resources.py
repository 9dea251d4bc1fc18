"""The settings of one resource, read, become a `Resource`."""

from __future__ import annotations

import operator
import os
from typing import Any

from pkiplan.manifest.keys import ALLOW_SMALL_RSA, SMALLEST_RSA, KeyChoice
from pkiplan.manifest.nodes import Mapping, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.profiles import default_key_usages
from pkiplan.manifest.settings import Settings
from pkiplan.manifest.subject import attribute_oid
from pkiplan.manifest.validities import Validities
from pkiplan.model.extensions import (
    EXTENDED_KEY_USAGES,
    EXTENSION_OIDS,
    KEY_USAGES,
    BasicConstraints,
    CrlDistributionPoints,
    Extension,
    KeyUsage,
    SubjectAltName,
)
from pkiplan.model.keys import (
    PUBLIC_FILE,
    EcKeySpec,
    ExternalKey,
    FileAttributes,
    KeySpec,
    ManagedKey,
    RsaKeySpec,
    usual_digest,
)
from pkiplan.model.names import (
    ATTRIBUTE_TYPES,
    COMMON_NAME_OID,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    NameAttribute,
)
from pkiplan.model.resource import CrlSettings, Kind, Resource
from pkiplan.model.tree import KIND_DIRECTORIES, address_of, quoted

_NAME_KEYS = tuple(kind.value for kind in GeneralNameKind)
_BEFORE_NAMES = ("key_usage", "extended_key_usage")
_AFTER_NAMES = (
    "name_constraints", "policies", "policy_constraints", "inhibit_any_policy", "crl_distribution_points", "aia", "sia",
    "tls_feature", "ocsp_no_check",
)  # fmt: skip
_FIXED = (*_BEFORE_NAMES, *_AFTER_NAMES, "path_length", "extensions")
_ABSENT = object()  # a null unsets what pkiplan would add by itself, and is not the same as nothing
# RFC 5280, 4.2.1: these should or must be critical; the others not.
_CRITICAL = frozenset({"key_usage", "name_constraints", "policy_constraints", "inhibit_any_policy"})
_SERVER_AUTH = EXTENDED_KEY_USAGES["server_auth"]
_LONGEST_COMMON_NAME = 64
_LONGEST_DIRECTORY_NAME = 255
_NOTHING: frozenset[str] = frozenset()  # one for all: each empty set is an object of 216 bytes
_CANONICAL = {attribute.oid: index for index, attribute in enumerate(ATTRIBUTE_TYPES)}


class ResourceMaker:
    """Makes resources; pieces that many of them share are made once."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._extensions: dict[tuple[Any, ...], tuple[Any, tuple[Extension, ...], tuple[Extension, ...]]] = {}
        self._keys: dict[tuple[KeyChoice, bool], Any] = {}
        self._validities = Validities(problems)
        self._last_names: tuple[list[Any], tuple[GeneralName, ...]] = ([], ())

    def make(
        self,
        kind: Kind,
        resource_id: str,
        element: str | None,
        settings: Settings,
        issuer: Resource | None,
        *,
        is_self_signed: bool = False,
    ) -> Resource | None:
        """Make a resource, or report why there can be none."""
        fields = settings.fields
        is_authority = kind is Kind.AUTHORITY
        before = self._problems.errors
        choice: KeyChoice = fields.get("key") or KeyChoice("ecdsa")
        key = self._keys.get((choice, is_authority))
        if key is None:
            key = self._keys[choice, is_authority] = choice.source(is_authority=is_authority)
        spec: KeySpec | None = key.spec
        self._check_key(key, settings, is_self_issued=issuer is None)
        names = self._names(fields)
        subject = self._subject(kind, element or resource_id, settings, is_self_signed=is_self_signed)
        self._check_subject(subject, names, settings, is_authority=is_authority, is_self_issued=issuer is None)
        extensions = self._all_extensions(settings, kind, spec, issuer, names, subject)
        validity = self._validities.read(settings, is_self_issued=issuer is None)
        digest, rsa_pss = self._signature(settings, spec if issuer is None else issuer.key.spec)
        directory = self._directory(kind, resource_id, element, settings)
        cert_path = fields.get("cert_path")
        if self._problems.errors > before or validity is None or settings.invalid:
            return None
        crl = fields.get("crl") or {}
        lint = fields.get("lint") or {}
        return Resource(
            address=address_of(kind, resource_id, element),
            kind=kind,
            id=resource_id,
            element=element,
            place=self._problems.sources.quick_place(settings.mark, len(resource_id)),
            profile=settings.base.profile.name,
            issuer=None if issuer is None else issuer.address,
            subject=subject,
            extensions=extensions,
            digest=digest,
            rsa_pss=rsa_pss,
            key=key,
            validity=validity,
            renew_before=fields.get("renew_before"),
            reuse_key=fields.get("reuse_key") or False,
            protect=fields.get("protect") or False,
            crl=CrlSettings(url=crl.get("url"), days=crl.get("days", 180 if issuer is None else 7))
            if is_authority
            else None,
            outputs=fields.get("outputs") or (),
            directory=directory,
            cert_path=self._absolute(cert_path, settings) if cert_path else None,
            attributes=_attributes(fields),
            allow=fields.get("allow") or _NOTHING,
            lint_disabled=lint.get("disable") or _NOTHING,
        )

    def _names(self, fields: dict[str, Any]) -> tuple[GeneralName, ...]:
        """Collect the names; elements of `for_each` that have them in common share the result."""
        given = [fields.get(kind) for kind in _NAME_KEYS]
        if len(given) != len(self._last_names[0]) or any(map(operator.is_not, given, self._last_names[0])):
            self._last_names = given, _names(given)
        return self._last_names[1]

    def check(self, kind: Kind, settings: Settings) -> None:
        """Report what is wrong with a resource whose issuer is not known, as far as that can be told."""
        choice: KeyChoice = settings.fields.get("key") or KeyChoice("ecdsa")
        self._check_key(choice.source(is_authority=kind is Kind.AUTHORITY), settings, is_self_issued=False)
        self._validities.read(settings, is_self_issued=False)

    def _error(self, mark: int, summary: str, *, code: str, hint: str = "", at_key: bool = False) -> None:
        self._problems.error(mark, summary, code=code, hint=hint, at_key=at_key)

    def _absolute(self, path: str, settings: Settings) -> str:
        directory = self._problems.sources.of(settings.mark_of("cert_path")).directory
        return os.path.normpath(os.path.join(directory, path))

    def _check_key(self, key: ManagedKey | ExternalKey, settings: Settings, *, is_self_issued: bool) -> None:
        spec = key.spec
        allowed: frozenset[str] = settings.fields.get("allow") or frozenset()
        if "allow" in settings.invalid:
            return
        if isinstance(spec, RsaKeySpec) and spec.size < SMALLEST_RSA and ALLOW_SMALL_RSA not in allowed:
            self._error(
                settings.mark_within("key", "size", "type"),
                f"an RSA key of {spec.size} bits is too weak: {SMALLEST_RSA} at least",
                code="weak-key",
                hint=f"if an old peer needs it, allow it with the line `allow: [{ALLOW_SMALL_RSA}]`",
            )
        if isinstance(key, ExternalKey) and is_self_issued:
            self._error(
                settings.mark_of("key"),
                "what signs itself needs its private key here",
                code="conflict",
                hint="give it an `issuer:`, or a `key:` of its own",
            )

    def _subject(self, kind: Kind, name: str, settings: Settings, *, is_self_signed: bool) -> DistinguishedName:
        """Complete the subject: authorities and what is no server are called by their id unless they say otherwise.

        A self-signed certificate is its own issuer, and an issuer has a name (RFC 5280, 4.1.2.4).
        """
        subject: DistinguishedName = settings.fields.get("subject") or DistinguishedName()
        if not is_self_signed and kind is Kind.CERTIFICATE and self._is_server(settings):
            return subject
        node = settings.node_of("subject")
        if isinstance(node, Mapping):
            if any(attribute_oid(key) == COMMON_NAME_OID for key in node):
                return subject
        elif node is not None and not is_null(node):
            return subject  # text is the whole name
        default = name
        if is_self_signed:
            first = settings.fields.get("dns") or settings.fields.get("ip") or ()
            default = str(first[0].value) if first else default
        if len(default) > _LONGEST_COMMON_NAME:
            return subject
        attributes = [*subject.rdns, (NameAttribute(COMMON_NAME_OID, default),)]
        attributes.sort(key=lambda rdn: _CANONICAL.get(rdn[0].oid, len(_CANONICAL)))
        return DistinguishedName(tuple(attributes))

    def _is_server(self, settings: Settings) -> bool:
        purposes = settings.fields.get("extended_key_usage")
        return purposes is not None and _SERVER_AUTH in purposes[0].oids

    def _check_subject(
        self,
        subject: DistinguishedName,
        names: tuple[GeneralName, ...],
        settings: Settings,
        *,
        is_authority: bool,
        is_self_issued: bool,
    ) -> None:
        if not settings.invalid.isdisjoint(("subject", "extended_key_usage", "profile", *_NAME_KEYS)):
            return  # what is missing may be what could not be read
        if subject.is_empty and (is_authority or is_self_issued):
            what = "an authority" if is_authority else "a self-signed certificate"
            self._error(
                settings.mark_of("subject"),
                f"{what} needs a subject (RFC 5280, 4.1.2.4)",
                code="no-subject",
                hint="write for instance `subject: {common_name: …}`",
            )
            return
        if is_authority or not self._is_server(settings):
            if subject.is_empty and not names:
                self._error(
                    settings.mark,
                    "neither a subject nor names",
                    code="no-names",
                    at_key=True,
                    hint="write `subject: {common_name: …}`, `dns:`, `email:` or `uri:`",
                )
            return
        hosts = [name for name in names if name.kind in (GeneralNameKind.DNS, GeneralNameKind.IP)]
        if not hosts:
            self._error(
                settings.mark,
                "no names on a server certificate: clients look at DNS names and IP addresses only",
                code="no-names",
                at_key=True,
                hint="add `dns: [www.example.com]` or `ip: [10.0.0.2]`; a client's certificate has `profile: client`",
            )
            return
        common_name = subject.common_name
        if common_name is not None and not _is_among(common_name, hosts):
            listed_names = ", ".join(f"`{name.value}`" for name in hosts[:5])
            self._error(
                settings.mark_within("subject", "common_name", "CN", COMMON_NAME_OID),
                f"the common name {shown(common_name)} is not among the names of the server",
                code="common-name",
                hint=f"add it under `dns:`, or leave it out; names: {listed_names}",
            )

    def _all_extensions(
        self,
        settings: Settings,
        kind: Kind,
        spec: KeySpec | None,
        issuer: Resource | None,
        names: tuple[GeneralName, ...],
        subject: DistinguishedName,
    ) -> tuple[Extension, ...]:
        fields = settings.fields
        # By identity: values that came from one place are one object, and the cache keeps them alive.
        values = (*[fields.get(name, _ABSENT) for name in _FIXED], issuer, settings.base)
        key = (kind, spec, *map(id, values))
        known = self._extensions.get(key)
        if known is None:
            before, after = self._fixed_extensions(settings, kind, spec, issuer)
            known = self._extensions[key] = (values, before, after)
        _, before, after = known
        if not names:
            return before + after
        san = Extension(EXTENSION_OIDS["subject_alt_name"], subject.is_empty, SubjectAltName(names))
        return (*before, san, *after)

    def _fixed_extensions(
        self, settings: Settings, kind: Kind, spec: KeySpec | None, issuer: Resource | None
    ) -> tuple[tuple[Extension, ...], tuple[Extension, ...]]:
        """Make the extensions that do not depend on the names; before and after these in `EXTENSION_OIDS`."""
        fields = settings.fields
        is_authority = kind is Kind.AUTHORITY
        constraints = BasicConstraints(is_authority, fields.get("path_length") if is_authority else None)
        before = [Extension(EXTENSION_OIDS["basic_constraints"], True, constraints)]
        usage = fields.get("key_usage")
        if usage is None and "key_usage" not in fields:
            words = default_key_usages(settings.base.family, spec)
            usage = (KeyUsage(tuple(word for word in KEY_USAGES if word in words)), None)
        if usage is not None and usage[0].usages:
            before.append(_extension("key_usage", usage))
        purposes = fields.get("extended_key_usage")
        if purposes is not None and purposes[0].oids:
            before.append(_extension("extended_key_usage", purposes))
        after: list[Extension] = []
        for name in _AFTER_NAMES:
            value = fields.get(name)
            if name == "crl_distribution_points" and name not in fields:
                value = _default_distribution_points(issuer, fields)
            if value is None or value[0] is None or _is_empty(value[0]):
                continue
            after.append(_extension(name, value))
        after.extend(Extension(oid, critical, other) for oid, other, critical in fields.get("extensions") or ())
        return tuple(before), tuple(after)

    def _signature(self, settings: Settings, signer: KeySpec | None) -> tuple[str | None, bool]:
        """Choose the hash by the key that signs; a layer that many share may ask for more than its algorithm has."""
        digest, rsa_pss = settings.fields.get("digest"), bool(settings.fields.get("rsa_pss"))
        if "key" in settings.invalid:
            return None, False
        if rsa_pss and not isinstance(signer, RsaKeySpec):
            if settings.is_own("rsa_pss"):
                self._error(
                    settings.mark_of("rsa_pss"),
                    f"RSASSA-PSS is for RSA keys, the issuer's is {signer}",
                    code="conflict",
                )
            rsa_pss = False
        match signer:
            case RsaKeySpec() | EcKeySpec():
                return digest or usual_digest(signer), rsa_pss
        if digest is not None and settings.is_own("digest"):
            self._error(
                settings.mark_of("digest"),
                f"a signature with {signer} brings its own hash",
                code="conflict",
                hint="leave `digest` out",
            )
        return None, False

    def _directory(self, kind: Kind, resource_id: str, element: str | None, settings: Settings) -> str:
        directory: str | None = settings.fields.get("dir")
        if directory is not None:
            return directory
        directory = f"{KIND_DIRECTORIES[kind]}/{quoted(resource_id)}"
        if element is None:
            return directory
        name = quoted(element)
        if len(name) > _LONGEST_DIRECTORY_NAME:
            self._error(
                settings.mark,
                f"the directory of {shown(element)} would have too long a name",
                code="too-long",
                hint="give it a `dir:`",
                at_key=True,
            )
        return f"{directory}/{name}"


def _extension(name: str, value: tuple[Any, bool | None]) -> Extension:
    content, critical = value
    return Extension(EXTENSION_OIDS[name], name in _CRITICAL if critical is None else critical, content)


def _default_distribution_points(issuer: Resource | None, fields: dict[str, Any]) -> tuple[Any, None] | None:
    """Name the issuer's CRL, but not for who answers for revocation itself (CA/Browser Forum BR 7.1.2.8)."""
    no_check = fields.get("ocsp_no_check")
    if issuer is None or issuer.crl is None or issuer.crl.url is None or (no_check and no_check[0]):
        return None
    return CrlDistributionPoints((issuer.crl.url,)), None


def _is_empty(value: object) -> bool:
    return isinstance(value, CrlDistributionPoints) and not value.uris


def _attributes(fields: dict[str, Any]) -> FileAttributes:
    mode, owner, group = fields.get("mode"), fields.get("owner"), fields.get("group")
    if mode is None and owner is None and group is None:
        return PUBLIC_FILE
    return FileAttributes(mode=PUBLIC_FILE.mode if mode is None else mode, owner=owner, group=group)


def _names(by_kind: list[Any]) -> tuple[GeneralName, ...]:
    """Collect the names of a certificate: by kind, within a kind by value, each once (`GeneralName.sort_key`)."""
    names: list[GeneralName] = []
    for given in by_kind:
        if not given:
            continue
        if len(given) == 1:
            names.append(given[0])
        else:
            by_text = {str(name.value): name for name in given}
            names.extend(by_text[text] for text in sorted(by_text))
    return tuple(names)


def _is_among(common_name: str, hosts: list[GeneralName]) -> bool:
    """Tell whether a common name is one of the names; in Unicode it is one when its A-labels are."""
    lower = common_name.lower()
    if any(lower == name.value for name in hosts):
        return True
    if common_name.isascii():
        return False
    from pkiplan.manifest.names import dns
    from pkiplan.manifest.values import BadValueError

    try:
        return dns(common_name) in hosts
    except BadValueError:
        return False
