"""Every key of the language: what it may hold, what it means, what holds without it.

The manifest is decoded by these tables, and the JSON Schema and the key reference are made of them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pkiplan.hints import did_you_mean
from pkiplan.manifest import durations
from pkiplan.manifest.extensions_decoding import (
    AIA,
    CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    INHIBIT_ANY_POLICY,
    KEY_USAGE,
    OCSP_NO_CHECK,
    POLICIES,
    POLICY_CONSTRAINTS,
    SIA,
    TLS_FEATURE,
    OtherExtensions,
)
from pkiplan.manifest.general_names import GENERAL_NAMES, NAME_CONSTRAINTS
from pkiplan.manifest.keys import ALLOW_SMALL_RSA, GROUP, MODE, OWNER, PATH, KeyType
from pkiplan.manifest.names import uri_text
from pkiplan.manifest.nodes import Mapping, Node, Plain, Sequence
from pkiplan.manifest.outputs import Outputs
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.subject import Subject
from pkiplan.manifest.tables import Key, Table
from pkiplan.manifest.values import (
    INVALID,
    BadValueError,
    Boolean,
    Choice,
    Integer,
    Invalid,
    Listed,
    Schema,
    Text,
    wrong_type,
)

_FORBIDDEN_DIGESTS = dict.fromkeys(
    ("sha1", "SHA1", "sha-1", "md5", "MD5"), "signatures with it can be forged; write `sha256`"
) | {"sha-256": "write `sha256`", "SHA256": "write `sha256`", "sha-384": "write `sha384`", "sha-512": "write `sha512`"}


class _Anything:
    """Any map; the parts of a manifest that have a reader of their own elsewhere."""

    wanted = "a map"

    def read(self, node: Node, mark: int, problems: Problems) -> Any:  # noqa: ARG002
        return node

    def schema(self) -> Schema:
        return {"type": "object"}


def _directory(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or ".." in parts or "." in parts or "" in parts:
        raise BadValueError(
            f"{shown(text)} is no directory beneath the site's",
            code="unsafe-path",
            hint="write a relative path without `..`, such as `edge/web`",
        )
    if any(char < " " or "\x7f" <= char <= "\x9f" or char == "\\" for char in text):
        raise BadValueError(f"a control character or backslash in the path {shown(text)}", code="unsafe-path")
    if any(part.startswith("..") for part in parts):
        raise BadValueError(f"{shown(text)}: names that begin with two dots are pkiplan's own", code="unsafe-path")
    if parts[0].casefold() in (".pkiplan", "archive"):
        raise BadValueError(f"`{parts[0]}` is pkiplan's own directory", code="unsafe-path")
    return text


def _backdate(text: str) -> timedelta:
    backdate = durations.duration(text)
    if backdate > timedelta(days=7):
        raise BadValueError(f"expected at most seven days, not {shown(text)}", code="out-of-range")
    return backdate


def _lint_id(text: str) -> str:
    from pkiplan.x509.lint import LINTS, PKILINT_PREFIX

    if text not in LINTS and not text.startswith(PKILINT_PREFIX):
        raise BadValueError(f"unknown rule {shown(text)}", code="unknown-value", hint=did_you_mean(text, LINTS))
    return text


LINT = Table(
    {
        "disable": Key(
            Listed(Text("the id of a rule", _lint_id), frozenset, of="rule ids"),
            "Rules of `pkiplan lint` to silence, by id.",
        )
    },
    "lint settings",
    expected={"ignore": "did you mean `disable`?"},
)
CRL = Table(
    {
        "url": Key(
            Text("a URI", uri_text),
            "Where the CRL will lie; written into every certificate that the authority issues.",
            examples=("http://pki.example.com/issuing.crl",),
        ),
        "days": Key(Integer(1, 3650), "How long one CRL is valid.", "7, of a root 180"),
    },
    "CRL settings: `url`, `days`",
)

# What a resource, a profile and `defaults` can say.
SETTINGS: dict[str, Key] = {
    "subject": Key(
        Subject(),
        "The subject's distinguished name: a map of attributes, written in canonical order, or text by RFC 4514.",
        examples=({"common_name": "Acme Root", "organization": "Acme"}, "CN=web,O=Acme,C=SE"),
        merges=True,
    ),
    "key": Key(
        KeyType(),
        "The key: a short form, or a map.",
        "`ecdsa-p384` for authorities, `ecdsa-p256` for certificates",
        ("ecdsa-p384", {"type": "rsa", "size": 4096}),
        merges=True,
    ),
    "days": Key(
        Integer(1, durations.LONGEST_DAYS, "days"),
        "How long the certificate is valid: N × 86,400 seconds less one.",
        "a root 3652, an issuing authority 1095, a certificate 90, an OCSP signer 30",
        (90,),
    ),
    "lifetime": Key(
        Text(
            "a lifetime such as `90d`, `12h`, `1y`, or `until-issuer`",
            durations.lifetime,
            number_hint="write `{}d` for days",
            pattern=r"^([0-9]+[smhdwy])+$|^until-issuer$",
        ),
        "How long the certificate is valid, less one second, or `until-issuer`. A year is 365 days.",
        examples=("12h", "90d", "10y", "until-issuer"),
    ),
    "not_before": Key(
        Text("a date and time by RFC 3339", durations.moment, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        "The moment from which the certificate is valid (RFC 3339).",
        "now, less `backdate`",
        ("2027-01-01T00:00:00Z",),
    ),
    "not_after": Key(
        Text("a date and time by RFC 3339", durations.moment, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        "The last moment at which the certificate is valid (RFC 3339).",
        examples=("2028-12-31T23:59:59Z",),
    ),
    "backdate": Key(
        Text("a duration", _backdate, number_hint="write `{}m` for minutes", pattern=durations.DURATION_PATTERN),
        "How far before now a certificate begins, for clocks that lag; never before its issuer's own start.",
        "5m",
        ("5m", "1h"),
    ),
    "renew_before": Key(
        Text(
            "a duration such as `30d`, or a share such as `1/3`",
            durations.renew_before,
            number_hint="write `{}d` for days",
            pattern=r"^([0-9]+[smhdwy])+$|^[0-9]+/[0-9]+$",
        ),
        "How long before its end the certificate is renewed: a duration, or a share of its life.",
        "1/3, and 1/2 of a life under ten days",
        ("30d", "1/3"),
    ),
    "reuse_key": Key(Boolean(), "Whether renewing keeps the key. Authorities always keep theirs.", "false", kinds="c"),
    "digest": Key(
        Choice({name: name for name in ("sha256", "sha384", "sha512")}, forbidden=_FORBIDDEN_DIGESTS),
        "The hash that the certificate is signed with; for issuers whose algorithm brings its own it cannot be chosen.",
        "by the issuer's key: sha256 for RSA and P-256, sha384 for P-384, sha512 for P-521",
    ),
    "rsa_pss": Key(Boolean(), "Whether an RSA issuer signs with RSASSA-PSS.", "false"),
    "path_length": Key(
        Integer(0, 255),
        "How many authorities may follow below this one (RFC 5280, 4.2.1.9).",
        "none for a root, 0 for an issuing authority",
        (0, 1),
        kinds="a",
    ),
    **GENERAL_NAMES,
    "key_usage": Key(
        KEY_USAGE,
        "What the key may do (RFC 5280, 4.2.1.3), critical.",
        "by the profile and the type of the key",
        (["digital_signature"],),
    ),
    "extended_key_usage": Key(
        EXTENDED_KEY_USAGE,
        "What the certificate is for, by word or OID (RFC 5280, 4.2.1.12).",
        "by the profile",
        (["server_auth", "client_auth"],),
    ),
    "name_constraints": Key(
        NAME_CONSTRAINTS,
        "The subtrees that names below an authority must, and must not, fall in (RFC 5280, 4.2.1.10), critical.",
        examples=({"permitted": {"dns": ["acme.example"]}},),
        kinds="a",
        merges=True,
    ),
    "policies": Key(
        POLICIES,
        "The policies under which the certificate is issued (RFC 5280, 4.2.1.4), with CPS and notices.",
        examples=(["1.3.6.1.4.1.99999.1"],),
    ),
    "policy_constraints": Key(
        POLICY_CONSTRAINTS,
        "Requirements on the policies below an authority (RFC 5280, 4.2.1.11), critical.",
        kinds="a",
        merges=True,
    ),
    "inhibit_any_policy": Key(
        INHIBIT_ANY_POLICY,
        "After how many certificates anyPolicy no longer counts (RFC 5280, 4.2.1.14), critical.",
        kinds="a",
    ),
    "crl_distribution_points": Key(
        CRL_DISTRIBUTION_POINTS,
        "Where the issuer's CRL lies.",
        "`crl.url` of the issuer; `[]` for none",
        (["http://pki.example.com/issuing.crl"],),
    ),
    "aia": Key(
        AIA,
        "How to reach the issuer's OCSP responder and certificate (RFC 5280, 4.2.2.1).",
        examples=({"ocsp": ["http://ocsp.example.com"]},),
        merges=True,
    ),
    "sia": Key(SIA, "How to reach what the subject offers (RFC 5280, 4.2.2.2).", merges=True),
    "tls_feature": Key(
        TLS_FEATURE,
        "TLS features that the server must use (RFC 7633); `status_request` is known as must-staple.",
        examples=(["status_request"],),
    ),
    "ocsp_no_check": Key(
        OCSP_NO_CHECK,
        "Whether the certificate of an OCSP responder is itself not checked for revocation (RFC 6960, 4.2.2.2.1).",
        "true in the profile `ocsp-signer`",
    ),
    "extensions": Key(
        OtherExtensions(),
        "Any other extension, by OID.",
        examples=({"1.3.6.1.4.1.99999.7": {"asn1": "UTF8String:hello"}},),
        merges=True,
    ),
    "crl": Key(CRL, "The CRL of an authority.", kinds="a", merges=True),
    "outputs": Key(
        Outputs(),
        "Further files made from the certificate and its key.",
        examples=([{"format": "pkcs12", "path": "web.p12", "passphrase": {"env": "P12_PASSPHRASE"}}],),
        kinds="c",
    ),
    "protect": Key(
        Boolean(),
        "Whether the resource is never re-keyed until this is changed, and not replaced unless it is named.",
        "false",
    ),
    "mode": Key(MODE, "Permission bits of the certificate's files, in octal.", '"0644"', ("0640",)),
    "owner": Key(OWNER, "Who shall own the certificate's files, by name or number."),
    "group": Key(GROUP, "The group of the certificate's files, by name or number."),
    "allow": Key(
        Listed(Choice({ALLOW_SMALL_RSA: ALLOW_SMALL_RSA}), frozenset, of="exceptions"),
        "Exceptions that the manifest grants: `rsa-1024` allows RSA keys of 1024 to 2047 bits.",
        examples=(["rsa-1024"],),
    ),
    "lint": Key(
        LINT, "Which rules of `pkiplan lint` are silenced.", examples=({"disable": ["unusual-key"]},), merges=True
    ),
}

# What only one resource can say of itself.
DIRECTORY = Text("a path beneath the site's directory", _directory, pattern=r"^(?!/)(?!.*\.\.)[^\\]+$")
OWN: dict[str, Key] = {
    "dir": Key(
        DIRECTORY, "Where the resource lies, beneath the site's directory.", "`authorities/ID` or `certificates/ID`"
    ),
    "cert_path": Key(
        PATH,
        "Adopt the existing certificate that lies there. A relative path counts from the manifest.",
        examples=("/etc/ssl/certs/web.pem",),
    ),
}

EITHER_LIFETIME = ("days", "lifetime", "not_after")


def of_kind(kind: str) -> dict[str, Key]:
    """Return the settings for authorities (`a`) or certificates (`c`)."""
    return {name: key for name, key in SETTINGS.items() if kind in key.kinds}


class _Version:
    """The version of the language."""

    wanted = "the version of the language: `1`"

    def read(self, node: Node, mark: int, problems: Problems) -> int | Invalid:
        if node.__class__ is Plain and node == "1":
            return 1
        if isinstance(node, Mapping | Sequence):
            return wrong_type(self.wanted, node, mark, problems)
        problems.error(
            mark,
            f"version {shown(str(node))} of the language is not known",
            code="version",
            hint="this pkiplan reads `version: 1`",
        )
        return INVALID

    def schema(self) -> Schema:
        return {"enum": [1]}


def _site_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}", text) or text != text.strip():
        raise BadValueError(
            f"{shown(text)} is no name of a site",
            code="id",
            hint="at most 64 letters, digits, dots, hyphens, underscores and blanks",
        )
    return text


def _site_path(text: str) -> str:
    if not text or any(char < " " or "\x7f" <= char <= "\x9f" for char in text):
        raise BadValueError(f"{shown(text)} is no path of a directory", code="path")
    return text


SITE: dict[str, Key] = {
    "version": Key(_Version(), "The version of the language. Included files may leave it out.", examples=(1,)),
    "site": Key(
        Text("the name of the site", _site_name, raw=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$"),
        "The name of the site.",
        "`pki`",
        ("acme",),
    ),
    "directory": Key(
        Text("the path of a directory", _site_path),
        "Where the tree of keys and certificates lies, relative to this file. Outside of the manifest's directory it "
        "needs `--allow-outside`.",
        "`pki`",
    ),
    "include": Key(
        Listed(Text("a path or pattern"), of="paths"),
        "More manifests, by path or pattern relative to this file.",
        examples=(["teams/*.yaml"],),
    ),
    "vars": Key(
        _Anything(),
        "Variables for templates. A template in a variable may speak of the others.",
        examples=({"domain": "acme.example"},),
    ),
    "vars_files": Key(
        Listed(Text("a path"), of="paths"),
        "YAML files with more variables; they win over `vars`, the later over the earlier.",
        examples=(["hosts.yaml"],),
    ),
    "defaults": Key(_Anything(), "Settings for every authority and certificate."),
    "profiles": Key(_Anything(), "Named settings for many resources."),
    "authorities": Key(_Anything(), "Certification authorities by id."),
    "certificates": Key(_Anything(), "Certificates by id."),
    "verify": Key(_Anything(), "Acceptance tests, beside those every certificate gets without asking."),
    "verify_before_switch": Key(
        Boolean(), "Whether new certificates are verified before they replace the old ones.", "false"
    ),
    "templates": Key(
        Text("the path of a directory", _site_path),
        "A directory whose templates override those of `openssl.cnf`, relative to this file.",
    ),
}
SITE_HINTS = {
    "cas": "did you mean `authorities`?",
    "ca": "did you mean `authorities`?",
    "certs": "did you mean `certificates`?",
    "variables": "did you mean `vars`?",
    "includes": "did you mean `include`?",
    "name": "did you mean `site`?",
}
