"""`verify:`, the acceptance tests of a manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from itertools import islice
from typing import Any

from pkiplan.hints import did_you_mean
from pkiplan.manifest.durations import moment
from pkiplan.manifest.names import dns, host, ip
from pkiplan.manifest.nodes import Mapping, Node, Sequence, is_null
from pkiplan.manifest.problems import Problems, shown
from pkiplan.manifest.references import address, short_name
from pkiplan.manifest.secret_references import is_none_word
from pkiplan.manifest.tables import Key, Table
from pkiplan.manifest.values import BadValueError, Choice, Invalid, Listed, Text
from pkiplan.model.names import GeneralNameKind
from pkiplan.model.resource import Kind, Resource
from pkiplan.model.site import VerifyRule

# What pkiplan/verify/live/starttls.py speaks; a test compares the two.
STARTTLS = ("smtp", "imap", "postgres", "ldap")
_VERSIONS = {"1.2": "1.2", "1.3": "1.3"}
_OLD_VERSIONS = dict.fromkeys(("1.0", "1.1"), "TLS 1.0 and 1.1 must not be spoken any more (RFC 8996)")
_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/\s]+)):([0-9]{1,5})")


def _endpoint(text: str) -> str:
    match = _ENDPOINT.fullmatch(text)
    if match is None or not 1 <= int(match[3]) <= 65535:
        raise BadValueError(
            f"{shown(text)} is no endpoint",
            code="endpoint",
            hint="write `host:port`, such as `127.0.0.1:8443` or `[::1]:8443`",
        )
    if match[1]:
        ip(match[1])
    elif re.fullmatch(r"[0-9.]+", match[2]):
        ip(match[2])
    else:
        host(match[2].replace("_", "-"))
    return text


def host_name(text: str) -> str:
    """Read the name that a client asks for, as certificates hold it; raises `BadValueError`."""
    if text.startswith("*."):
        raise BadValueError(
            f"{shown(text)} is no host that a client can ask for",
            code="host-name",
            hint=f"name one of those it stands for, such as `www{text[1:]}`",
        )
    try:
        return str(ip(text).value)
    except BadValueError:
        return str(dns(text).value)


# What a client of TLS can ask for (RFC 9525, 6.1).
_ASKED_FOR = (GeneralNameKind.DNS, GeneralNameKind.IP)

KEYS: dict[str, Key] = {
    "server": Key(Text("the id of a certificate", raw=True), "The certificate that the server presents."),
    "client": Key(
        Text("the id of a certificate, or `none`", raw=True),
        "The certificate that the client presents; `none` for none.",
        "none is presented",
    ),
    "expect": Key(Choice({"accepted": True, "refused": False}), "What must come of it.", "accepted"),
    "connect": Key(
        Text("an endpoint `host:port`", _endpoint),
        "A live endpoint, which must serve exactly what the site says.",
        examples=("127.0.0.1:8443",),
    ),
    "starttls": Key(
        Choice({name: name for name in STARTTLS}), "The protocol that is spoken before TLS starts; with `connect`."
    ),
    "host_name": Key(
        Text("a DNS name or IP address", host_name),
        "The name that the client asks for.",
        "each name of the server in turn",
    ),
    "versions": Key(
        Listed(Choice(_VERSIONS, raw=True, forbidden=_OLD_VERSIONS), of="versions"), "TLS versions.", "both", (["1.3"],)
    ),
    "at": Key(
        Text("a date and time by RFC 3339", moment),
        "The moment at which both sides believe to be.",
        "now",
        ("2027-01-01T00:00:00Z",),
    ),
}
TABLE = Table(
    KEYS,
    "a rule: `server`, `client`, `expect`, `connect`, …",
    expected={
        "host": "did you mean `connect` or `host_name`?",
        "result": "did you mean `expect`?",
        "version": "did you mean `versions`?",
    },
)


Resources = Dictionary[str, Resource]


def read_rules(rules: Sequence, resources: Resources, problems: Problems) -> tuple[VerifyRule, ...]:
    """Read the rules of a manifest, in their order."""
    # Which certificates there are is only known when all of them could be made.
    known = resources if not problems.errors else None
    read = [_rule(node, mark, known, problems) for node, mark in zip(rules, rules.marks, strict=True)]
    return tuple(rule for rule in read if rule is not None)


def _rule(node: Node, mark: int, known: Resources | None, problems: Problems) -> VerifyRule | None:
    before = problems.errors
    fields: Any = TABLE.read(node, mark, problems)
    if isinstance(fields, Invalid) or not isinstance(node, Mapping):
        return None
    server = _certificate(node, "server", known, problems)
    client = None
    if "client" in node and not is_none_word(node["client"]):
        client = _certificate(node, "client", known, problems)
    if "server" not in fields and "connect" not in fields:
        problems.error(mark, "a rule names a `server` or an endpoint to `connect` to", code="missing-key")
    if "connect" in fields and server is None and client is None:
        problems.error(
            node.value_mark("connect"),
            "`connect` alone says nothing about the endpoint",
            code="missing-key",
            hint="name the `server` whose certificate it must serve",
        )
    served = known.get(server) if known is not None and server is not None else None
    if served is not None and not {"host_name", "connect"} & fields.keys() and not _is_asked_for(served):
        problems.error(
            node.value_mark("server"),
            f"`{server}` has no DNS name and no IP address that a client could ask for",
            code="server-without-names",
            hint="name one under `host_name`, or give the certificate a name",
        )
    if "starttls" in fields and "connect" not in fields:
        problems.error(node.value_mark("starttls"), "`starttls` goes with `connect`", code="conflict")
    if "at" in fields and "connect" in fields:
        problems.error(
            node.value_mark("at"), "a live endpoint has its own clock: `at` does not go with `connect`", code="conflict"
        )
    if problems.errors > before:
        return None
    return VerifyRule(
        expect_accepted=fields.get("expect", True),
        server=server,
        client=client,
        connect=fields.get("connect"),
        starttls=fields.get("starttls"),
        host_name=fields.get("host_name"),
        versions=tuple(sorted(set(fields.get("versions", ())))),
        at=fields.get("at"),
        place=problems.sources.place(mark),
    )


def _is_asked_for(server: Resource) -> bool:
    return any(name.kind in _ASKED_FOR for name in server.names)


def _certificate(node: Mapping, key: str, known: Resources | None, problems: Problems) -> str | None:
    if key not in node or is_null(node[key]):
        return None
    text = str(node[key])
    found = address(Kind.CERTIFICATE, text) or text
    if known is not None and found not in known:
        names = [short_name(name) for name in islice(known, 5_000) if name.startswith("certificate.")]
        hint = did_you_mean(text, names)
        problems.error(
            node.value_mark(key), f"unknown certificate {shown(text)}", code="unknown-certificate", hint=hint
        )
    return found
