"""What `render_cnf` promises: the same text for the same site, every problem with its place, nothing unquoted."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import CertificatePolicies, OtherExtension, Policy, UserNotice
from pkiplan.model.keys import EdKeySpec, ExternalKey
from pkiplan.model.names import UPN_OID
from pkiplan.model.resource import Resource
from pkiplan.render import cnf_digest, render_cnf
from pkiplan.render.cnf import PIECE
from pkiplan.render.quoting import quote
from tests.judges import require
from tests.render.sites import (
    LEAF_EXTENSIONS,
    PLACE,
    alternative,
    authority,
    dn,
    extension,
    general,
    lay_out,
    leaf,
    usual_site,
)
from tests.render.test_by_hand import AUTHORITIES, CERTIFICATES, fields, made_by_hand

GOLDEN = Path(__file__).parent / "golden"

EVERYTHING = {str(row.id): row.values[0] for row in (*CERTIFICATES, *AUTHORITIES)}

GOLDEN_CASES = {
    "root": authority("root"),
    "server": leaf(),
    "self-signed": leaf(issuer=None),
    "empty-subject": EVERYTHING["an empty subject"],
    "names": EVERYTHING["every kind of name"],
    "names-without-words": EVERYTHING["names that OpenSSL has no words for"],
    "leaf-extensions": EVERYTHING["every extension of a leaf"],
    "authority-extensions": EVERYTHING["every extension of an authority"],
    "hostile-subject": EVERYTHING["OpenSSL's own syntax in the subject"],
    "request-from-elsewhere": leaf(key=ExternalKey(path="web.csr", is_request=True)),
}


def rendered(resource: Resource) -> str:
    return render_cnf(usual_site(resource), resource)


@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_the_text_is_the_one_that_was_reviewed(case: str) -> None:
    path = GOLDEN / f"{case}.cnf"

    text = rendered(GOLDEN_CASES[case])

    if os.environ.get("PKIPLAN_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(GOLDEN_CASES)


@pytest.mark.parametrize("resource", [*CERTIFICATES, *AUTHORITIES])
def test_the_text_depends_on_the_site_and_not_on_where_it_lies(resource: Resource) -> None:
    here = render_cnf(usual_site(resource), resource)
    there = render_cnf(usual_site(resource, base="/home/else/where"), resource)

    assert here == there
    assert "/srv/acme" not in here


@pytest.mark.parametrize("resource", [*CERTIFICATES, *AUTHORITIES])
def test_no_section_and_no_setting_is_there_twice(resource: Resource) -> None:
    seen: set[tuple[str, str]] = set()
    section = ""
    for line in rendered(resource).split("\n"):
        if line.startswith("["):
            section, setting = line, ""
        elif line and not line.startswith("#"):
            setting = line.split(" = ")[0]
        else:
            continue
        assert (section, setting) not in seen
        seen.add((section, setting))


def test_digest_is_of_the_bytes_in_the_file() -> None:
    assert cnf_digest("å\n") == hashlib.sha256(b"\xc3\xa5\n").hexdigest()


def test_all_problems_are_told_at_once_and_with_their_place() -> None:
    resource = leaf(
        subject=dn(("O", "a\nb"), ("CN", " x")),
        extensions=(
            *LEAF_EXTENSIONS,
            alternative(general("uri", "http://x/\x7f"), general("email", "copy")),
            extension("policies", CertificatePolicies((Policy("1.2.3", notices=(UserNotice("a\u2028b"),)),))),
        ),
    )

    with pytest.raises(PkiplanError) as caught:
        rendered(resource)

    assert [
        d.summary.removeprefix("certificate.web cannot be written into openssl.cnf: ") for d in caught.value.diagnostics
    ] == [
        "the address `copy` is a word of OpenSSL's with a meaning of its own",
        "'a\\u2028b' holds '\\u2028', a control character",
        "'a\\nb' holds '\\n', a control character",
        "' x' begins or ends with a blank",
    ]
    assert {d.place for d in caught.value.diagnostics} == {PLACE}
    assert {d.code for d in caught.value.diagnostics} == {"cnf-value"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a\nsubjectAltName = DNS:evil.example", id="a line end would begin a setting"),
        pytest.param("a\r[ req ]", id="a carriage return"),
        pytest.param("a\0b", id="NUL would cut the value off"),
        pytest.param("a\tb", id="a tab"),
        pytest.param("a\x85b", id="a line end of Unicode's"),
        pytest.param("a\u2028b", id="a line separator"),
        pytest.param("a\ud800b", id="a lone surrogate"),
        pytest.param(" a", id="a leading blank"),
        pytest.param("a\u00a0", id="a trailing blank that does not look like one"),
        pytest.param("", id="nothing at all"),
    ],
)
def test_a_value_that_cannot_be_written_is_refused(value: str) -> None:
    with pytest.raises(PkiplanError):
        rendered(leaf(subject=dn(("O", value))))


def test_an_address_cannot_draw_the_next_line_into_its_comment() -> None:
    with pytest.raises(PkiplanError, match="ends in a backslash"):
        rendered(replace(leaf(), address="certificate.x\\"))


def test_what_cannot_be_encoded_at_all_is_a_problem_and_no_crash() -> None:
    policies = CertificatePolicies((Policy("not.an.oid", notices=(UserNotice("x", "Acme", (1,)),)),))
    resource = leaf(extensions=(*LEAF_EXTENSIONS, extension("policies", policies)))

    with pytest.raises(PkiplanError, match="cannot be written"):
        rendered(resource)


def test_der_is_written_as_it_is() -> None:
    own = extension("1.2.3.4", OtherExtension("1.2.3.4", b"\x0c\x01a"), critical=True)

    assert "\n1.2.3.4 = critical,DER:0c0161\n" in rendered(leaf(extensions=(own,)))


def as_older_openssl_reads(text: str) -> list[bytes]:
    """Read lines as conf_def.c did until 1.1.1, and in LibreSSL does: in pieces, each of which may end a line."""
    lines, buffer, rest = [], b"", text.encode()
    while rest:
        end = rest.find(b"\n")
        piece = rest[:PIECE] if end < 0 or end >= PIECE else rest[: end + 1]
        rest = rest[len(piece) :]
        goes_on = not piece.endswith(b"\n")
        buffer += piece.rstrip(b"\r\n")
        if buffer.endswith(b"\\") and not buffer.endswith(b"\\\\"):
            buffer, goes_on = buffer[:-1], True
        if not goes_on:
            lines.append(buffer)
            buffer = b""
    return lines


LONG = [
    "$",
    "a$",
    "aa$",
    "a$$$",
    "\\",
    "a\\",
    "å$",
    "aaaaaaa'",
    "\\\\$",
    "\\" * 90 + "b$" * 200,
    "a" * 501 + "$",
    "a" * 502 + "$",
]


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("unit", LONG)
def test_a_long_value_is_read_whole_by_every_openssl(unit: str, tmp_path: Path) -> None:
    value = unit * (4000 // len(unit))
    resource = leaf(extensions=(alternative(general("upn", value)),), spec=EdKeySpec("ed25519"))
    text = rendered(resource)
    line = f"otherName.1 = {UPN_OID};FORMAT:UTF8,UTF8:{quote(value)}"
    tree = lay_out(usual_site(resource, base=str(tmp_path)))

    made = made_by_hand(require("openssl"), tree, resource)

    assert line.encode() in as_older_openssl_reads(text)
    assert fields(made) == fields(tree.certificate(resource))


def test_the_older_reader_would_have_lost_something() -> None:
    """The control of the test above."""
    line = f"URI.1 = {quote('a$$$' * 1000)}\n"

    assert as_older_openssl_reads(line) != [line.rstrip().encode()]


def test_thousands_are_rendered_in_seconds() -> None:
    site = usual_site(*(leaf(f"n{number}") for number in range(1000)))
    render_cnf(site, site.resources["certificate.n1"])
    before = time.process_time()

    for resource in site:
        render_cnf(site, resource)

    # 0.3 s on a laptop; the margin is for slow machines.
    assert time.process_time() - before < 3
