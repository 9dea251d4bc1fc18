"""What a key shall be and where it lies: `key: ecdsa-p384`, or a map."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any

from pkiplan.hints import did_you_mean
from pkiplan.manifest.nodes import Mapping, Node, Plain, Templated, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.secret_references import Passphrases
from pkiplan.manifest.tables import Key, Table
from pkiplan.manifest.values import INVALID, BadValueError, Choice, Integer, Invalid, Schema, Text, wrong_type
from pkiplan.model.keys import (
    PRIVATE_FILE,
    Curve,
    EcKeySpec,
    EdKeySpec,
    ExternalKey,
    FileAttributes,
    KeyEncryption,
    KeyForm,
    KeySource,
    KeySpec,
    ManagedKey,
    MlDsaKeySpec,
    RsaKeySpec,
)

SMALLEST_RSA, LARGEST_RSA = 2048, 8192
# Below it nothing is accepted; from here to 2047 bits only with `allow: [rsa-1024]`.
SMALLEST_ALLOWED_RSA = 1024
ALLOW_SMALL_RSA = "rsa-1024"

_OWN_ALGORITHMS: dict[str, KeySpec] = {
    "ed25519": EdKeySpec("ed25519"),
    "ed448": EdKeySpec("ed448"),
    "ml-dsa-44": MlDsaKeySpec(44),
    "ml-dsa-65": MlDsaKeySpec(65),
    "ml-dsa-87": MlDsaKeySpec(87),
}
TYPES = ("rsa", "ecdsa", *_OWN_ALGORITHMS)
_CURVES = {curve.value: curve for curve in Curve}
_SHORT_CURVES = {"p256": "P-256", "p384": "P-384", "p521": "P-521"}
_CURVE_HINTS = {
    "prime256v1": "write `P-256`",
    "secp256r1": "write `P-256`",
    "secp384r1": "write `P-384`",
    "secp521r1": "write `P-521`",
    "P256": "write `P-256`",
    "P384": "write `P-384`",
    "P521": "write `P-521`",
    "p256": "write `P-256`",
    "p384": "write `P-384`",
    "p521": "write `P-521`",
    "p-256": "write `P-256`",
    "p-384": "write `P-384`",
    "p-521": "write `P-521`",
} | dict.fromkeys(
    (
        *("P-192", "P-224", "prime192v1", "secp192r1", "secp224r1", "secp256k1"),
        *("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"),
    ),
    "the curves of FIPS 186-5 that TLS knows: `P-256`, `P-384`, `P-521`",
)
_TYPE_HINTS = {
    "ec": "did you mean `ecdsa`?",
    "RSA": "did you mean `rsa`?",
    "dsa": "DSA is gone from FIPS 186-5 and from TLS 1.3; did you mean `ecdsa`?",
    "x25519": "X25519 agrees on keys, it cannot sign; did you mean `ed25519`?",
    "eddsa": "did you mean `ed25519`?",
    "ml-dsa": "did you mean `ml-dsa-65`?",
}
_FORMS = {form.value: form for form in KeyForm}

SHORT_FORMS = ("rsa", "rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", *_OWN_ALGORITHMS)


def short_form(text: str) -> dict[str, str] | None:
    """Expand the short form of a key (`ecdsa-p384`) into the entries of its map, or None."""
    match = re.fullmatch(r"rsa-([0-9]{3,5})", text)
    if match:
        return {"type": "rsa", "size": match[1]}
    match = re.fullmatch(r"ecdsa-(p256|p384|p521)", text)
    if match:
        return {"type": "ecdsa", "curve": _SHORT_CURVES[match[1]]}
    return {"type": text} if text in TYPES else None


def expanded(key: Node, mark: int) -> Node:
    """Write the short form of a key as a map; anything else stays as it is."""
    entries = short_form(str(key)) if key.__class__ is str else None
    if entries is None:
        return key
    mapping = Mapping(mark)
    for name, text in entries.items():
        mapping.put(name, Plain(text) if name == "size" else text, mark, mark)
    return mapping


def file_mode(text: str) -> int:
    """Read permission bits: octal digits as `chmod` takes them, whatever YAML makes of a leading zero."""
    if not re.fullmatch("(?:0o?)?[0-7]{3}", text):
        raise BadValueError(
            f"{shown(text)} is no file mode", code="mode", hint='write three octal digits after a zero: `"0640"`'
        )
    return int(text[-3:], 8)


# chown(2): (uid_t)-1, the largest there is, leaves the owner as it is.
_LARGEST_OWNER = 2**32 - 2


def owner_name(text: str) -> str:
    """Read the name or number of a user or group; a number is given without leading zeros, as it is observed."""
    if not re.fullmatch(r"[0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?", text):
        raise BadValueError(f"{shown(text)} is no name or number of a user or group", code="owner")
    if not text.isdecimal():
        return text
    if int(text) > _LARGEST_OWNER:
        raise BadValueError(
            f"{shown(text)} is no number of a user or group", code="owner", hint=f"the largest is {_LARGEST_OWNER}"
        )
    return str(int(text))


def path_text(text: str) -> str:
    """Read the path of a file."""
    if not text or text.endswith("/"):
        raise BadValueError(f"{shown(text)} is no path of a file", code="path")
    if any(char < " " or char == "\x7f" for char in text):
        raise BadValueError(f"a control character in the path {shown(text)}", code="path")
    return text


MODE = Text("a file mode in octal", file_mode, raw=True, pattern="^(0o?)?[0-7]{3}$")
OWNER = Text("a user by name or number", owner_name, raw=True)
GROUP = Text("a group by name or number", owner_name, raw=True)
PATH = Text("a path", path_text)

KEYS: dict[str, Key] = {
    "type": Key(
        Choice({name: name for name in TYPES}, forbidden=_TYPE_HINTS),
        "The algorithm.",
        "ecdsa",
    ),
    "size": Key(
        Integer(SMALLEST_ALLOWED_RSA, LARGEST_RSA, "bits"),
        "The size of an RSA key in bits. Fewer than 2048 must be allowed by `allow: [rsa-1024]`.",
        "4096 for authorities, 2048 for certificates",
        (2048, 3072, 4096),
    ),
    "curve": Key(
        Choice(_CURVES, forbidden=_CURVE_HINTS),
        "The curve of an ECDSA key.",
        "P-384 for authorities, P-256 for certificates",
    ),
    "passphrase": Key(
        Passphrases(),
        "Where the passphrase comes from that protects the key file. A list: the first is written, all are tried when "
        "opening. `none` says that a plain file is meant; in a list it comes first.",
        "a plain file, about which plans warn for an authority",
        ({"env": "ROOT_PASSPHRASE"},),
    ),
    "encryption": Key(
        Table(
            {"rounds": Key(Integer(10_000, 100_000_000), "Rounds of PBKDF2 with HMAC-SHA-256.", "600000", (600_000,))},
            "settings of the encryption",
        ),
        "How an encrypted key file is protected: PBES2 with AES-256-CBC, and PBKDF2 with as many rounds.",
    ),
    "form": Key(Choice(_FORMS), "How the key is laid out in its PEM file. Only `pkcs8` can be encrypted.", "pkcs8"),
    "mode": Key(MODE, "Permission bits of the key file, in octal.", '"0600"', ("0640",)),
    "owner": Key(OWNER, "Who shall own the key file, by name or number.", "whoever runs pkiplan"),
    "group": Key(GROUP, "The group of the key file, by name or number.", "the group of whoever runs pkiplan"),
    "path": Key(
        PATH,
        "Adopt the existing private key that lies there; it is read there, never generated, rewritten or moved. "
        "A relative path counts from the manifest. Needs `type`.",
        examples=("/etc/ssl/private/web.key",),
    ),
    "public_key": Key(
        PATH, "The public key (PEM), where the private key lives elsewhere. A relative path counts from the manifest."
    ),
    "csr": Key(
        PATH,
        "A certificate request (PKCS#10, PEM), where the private key lives elsewhere; only its key is taken. "
        "A relative path counts from the manifest.",
    ),
}
# A key that lies elsewhere inherits nothing: not even the type, because it is what it is.
ADOPTING = ("path", "public_key", "csr")


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """A decoded `key`, still without what only the resource knows (default sizes and modes)."""

    algorithm: str | None
    size: int | None = None
    curve: Curve | None = None
    passphrases: tuple[Any, ...] = ()
    plain_is_intended: bool = False
    rounds: int | None = None
    form: KeyForm = KeyForm.PKCS8
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    path: str | None = None
    external: str | None = None
    is_request: bool = False

    def spec(self, *, is_authority: bool) -> KeySpec | None:
        """Return the type and size of the key; None where it lies elsewhere and the manifest does not say."""
        match self.algorithm:
            case None:
                return None
            case "rsa":
                return RsaKeySpec(self.size or (4096 if is_authority else 2048))
            case "ecdsa":
                return EcKeySpec(self.curve or (Curve.P384 if is_authority else Curve.P256))
            case algorithm:
                return _OWN_ALGORITHMS[algorithm]

    def source(self, *, is_authority: bool) -> KeySource:
        """Make the key of a resource."""
        spec = self.spec(is_authority=is_authority)
        if self.external is not None:
            return ExternalKey(path=self.external, is_request=self.is_request, spec=spec)
        assert spec is not None
        attributes = PRIVATE_FILE
        if self.mode is not None or self.owner is not None or self.group is not None:
            attributes = FileAttributes(
                mode=PRIVATE_FILE.mode if self.mode is None else self.mode, owner=self.owner, group=self.group
            )
        return ManagedKey(
            spec=spec,
            path=self.path or "key.pem",
            is_adopted=self.path is not None,
            form=self.form,
            encryption=KeyEncryption() if self.rounds is None else KeyEncryption(rounds=self.rounds),
            passphrases=self.passphrases,
            plain_is_intended=self.plain_is_intended,
            attributes=attributes,
        )


def _build(fields: dict[str, Any]) -> KeyChoice:
    algorithm = fields.get("type")
    elsewhere = [name for name in ADOPTING if name in fields]
    if len(elsewhere) > 1:
        raise BadValueError(
            f"`{elsewhere[0]}` and `{elsewhere[1]}` exclude each other",
            code="conflict",
            key=elsewhere[1],
            hint="the key lies in one place; leave one of them out",
        )
    if algorithm is None and elsewhere == ["path"]:
        raise BadValueError(
            "an adopted key needs its `type`, because key usage and digest follow from it",
            code="missing-key",
            hint="write for instance `key: {type: rsa, size: 2048, path: …}`",
        )
    if algorithm is None and not elsewhere:
        algorithm = "ecdsa" if "size" not in fields else "rsa"
    for name, owner in (("size", "rsa"), ("curve", "ecdsa")):
        if name in fields and algorithm != owner:
            raise BadValueError(
                f"`{name}` belongs to a key of type `{owner}`, this one is `{algorithm or 'unknown'}`",
                code="conflict",
                key=name,
            )
    if elsewhere and elsewhere != ["path"]:
        idle = [name for name in ("passphrase", "encryption", "form", "mode", "owner", "group") if name in fields]
        if idle:
            raise BadValueError(
                f"`{idle[0]}` says nothing about a key that lives elsewhere (`{elsewhere[0]}`)",
                code="conflict",
                key=idle[0],
            )
    form = fields.get("form", KeyForm.PKCS8)
    passphrases, plain_is_intended = fields.get("passphrase", ((), False))
    if form is not KeyForm.PKCS8 and passphrases and not plain_is_intended:
        raise BadValueError(f"only the form `pkcs8` can be encrypted, not `{form.value}`", code="conflict", key="form")
    if form is KeyForm.PKCS1 and algorithm != "rsa":
        raise BadValueError("the form `pkcs1` is for RSA keys", code="conflict", hint="write `form: pkcs8`", key="form")
    if form is KeyForm.SEC1 and algorithm != "ecdsa":
        raise BadValueError(
            "the form `sec1` is for ECDSA keys", code="conflict", hint="write `form: pkcs8`", key="form"
        )
    size = fields.get("size")
    if size is not None and size % 8:
        raise BadValueError(
            f"the size of an RSA key is a multiple of 8, not {size}",
            code="out-of-range",
            hint=f"write `{size - size % 8}`",
            key="size",
        )
    mode = fields.get("mode")
    if mode is not None and mode & 0o007:
        raise BadValueError(
            f"mode {mode:04o} would give the private key to everybody",
            code="mode",
            hint='write for instance `"0640"` with a `group`',
            key="mode",
        )
    return KeyChoice(
        algorithm=algorithm,
        size=size,
        curve=fields.get("curve"),
        passphrases=passphrases,
        plain_is_intended=plain_is_intended,
        rounds=fields.get("encryption", {}).get("rounds"),
        form=form,
        mode=mode,
        owner=fields.get("owner"),
        group=fields.get("group"),
        path=fields.get("path"),
        external=fields.get("public_key") or fields.get("csr"),
        is_request="csr" in fields,
    )


_TABLE = Table(
    KEYS,
    "a key: `type`, `size`, `curve`, …",
    _build,
    expected={
        "bits": "did you mean `size`?",
        "algorithm": "did you mean `type`?",
        "password": "did you mean `passphrase`?",
    },
)


class KeyType:
    """A key in short form, or as a map."""

    wanted = "a key: a short form such as `ecdsa-p256` or `rsa-2048`, or a map such as `{type: rsa, size: 2048}`"

    def read(self, node: Node, mark: int, problems: Problems) -> KeyChoice | Invalid:
        """Read a key."""
        if node.__class__ is Templated:
            return INVALID
        if isinstance(node, Mapping):
            if self._is_wrong_size(node, problems):
                return INVALID
            read = _TABLE.read(node, mark, problems)
            return read if read is INVALID else _with_absolute_paths(read, node, problems)
        if node.__class__ is not str:
            return wrong_type(self.wanted, node, mark, problems)
        text = str(node)
        entries = expanded(node, mark)
        if isinstance(entries, Mapping):
            return self.read(entries, mark, problems)
        problems.error(
            mark,
            f"unknown key type {shown(text)}",
            code="unknown-value",
            hint=_TYPE_HINTS.get(text.lower()) or did_you_mean(text, SHORT_FORMS),
        )
        return INVALID

    def _is_wrong_size(self, node: Mapping, problems: Problems) -> bool:
        size = node.get("size")
        kind = node.get("type", "rsa")
        if size is not None and not is_null(size) and kind != "rsa" and isinstance(kind, str) and kind in TYPES:
            problems.error(
                node.value_mark("size"), f"`size` belongs to a key of type `rsa`, this one is `{kind}`", code="conflict"
            )
            return True
        if isinstance(size, str) and re.fullmatch("[1-9][0-9]{0,3}", size) and int(size) < SMALLEST_ALLOWED_RSA:
            problems.error(
                node.value_mark("size"),
                f"an RSA key of {size} bits is refused, there is no way to allow it",
                code="weak-key",
                hint=f"write `size: {SMALLEST_RSA}` or more",
            )
            return True
        return False

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        short: Schema = {
            "type": "string",
            "pattern": f"^(rsa(-[0-9]{{4}})?|ecdsa(-p(256|384|521))?|{'|'.join(_OWN_ALGORITHMS)})$|\\{{\\{{",
            "examples": list(SHORT_FORMS),
        }
        return {"anyOf": [short, _TABLE.schema()]}


def _with_absolute_paths(key: KeyChoice, node: Mapping, problems: Problems) -> KeyChoice:
    for name in ADOPTING:
        if name in node and not is_null(node[name]):
            directory = problems.sources.of(node.value_mark(name)).directory
            found = os.path.normpath(os.path.join(directory, key.path or key.external or ""))
            return replace(key, path=found) if name == "path" else replace(key, external=found)
    return key
