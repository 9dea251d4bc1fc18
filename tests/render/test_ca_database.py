"""OpenSSL's CA database: what we write is what OpenSSL writes, what it wrote we read."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pkiplan.model.names import ATTRIBUTE_TYPES, DistinguishedName, NameAttribute
from pkiplan.model.resource import Resource
from pkiplan.render.ca_database import (
    attributes_text,
    index_line,
    is_begun_line,
    number_text,
    parse_index,
    parse_number,
    serial_digits,
    subject_text,
    unreadable_lines,
)
from pkiplan.x509.names import from_x509_name
from tests.judges import require
from tests.render.sites import authority, dn, lay_out, leaf, run, usual_site
from tests.render.test_by_hand import AUTHORITIES, CERTIFICATES, made_by_hand

END = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
ACME = dn(("C", "SE"), ("O", "Acme"), ("CN", "www"))


@pytest.mark.parametrize(
    ("serial", "not_after", "subject", "line"),
    [
        pytest.param(
            0x0A1B2C, END, ACME, "V\t271231235959Z\t\t0A1B2C\tunknown\t/C=SE/O=Acme/CN=www\n", id="a certificate"
        ),
        pytest.param(
            0xABC, END, ACME, "V\t271231235959Z\t\t0ABC\tunknown\t/C=SE/O=Acme/CN=www\n", id="an odd number of digits"
        ),
        pytest.param(
            1,
            datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
            ACME,
            "V\t491231235959Z\t\t01\tunknown\t/C=SE/O=Acme/CN=www\n",
            id="the last second of UTCTime",
        ),
        pytest.param(
            1,
            datetime(2050, 1, 1, tzinfo=UTC),
            ACME,
            "V\t20500101000000Z\t\t01\tunknown\t/C=SE/O=Acme/CN=www\n",
            id="the first second of GeneralizedTime",
        ),
        pytest.param(0x0F, END, dn(), "V\t271231235959Z\t\t0F\tunknown\t0F\n", id="an empty subject is its number"),
        pytest.param(
            1,
            END,
            dn(("O", "A/B+C\\D"), [("CN", "ü"), ("OU", "x=y")], ("1.2.3.4", "z")),
            "V\t271231235959Z\t\t01\tunknown\t/O=A\\/B\\+C\\D/CN=\\xC3\\xBC+OU=x=y/1.2.3.4=z\n",
            id="separators, bytes beyond ASCII, several in one, an OID",
        ),
    ],
)
def test_a_line_is_the_one_that_openssl_writes(
    serial: int, not_after: datetime, subject: DistinguishedName, line: str
) -> None:
    assert index_line(serial=serial, not_after=not_after, subject=subject) == line


def test_what_others_wrote_is_read_as_far_as_it_goes() -> None:
    text = (
        "# a comment of somebody's\n"
        "V\t271231235959Z\t\t0A\tunknown\t/CN=a\n"
        "\n"
        "R\t500101000000Z\t261124041500Z,keyCompromise\t0b\tunknown\t/CN=b\r\n"
        "E\tnever\t\tFFFF\tfile.pem\t/CN=\udce5\n"
        "V\t20500101000000Z\t\t0C\tunknown\t/CN=c\n"
        "V\t271231235959Z\t\tnot a number\tunknown\t/CN=d\n"
        "V\ttoo few\tfields\n"
        "V\t271231235959Z\t\t0D\tunknown\t/CN=without a line end"
    )

    entries = parse_index(text)

    assert [(e.status, e.serial, e.subject) for e in entries] == [
        ("V", 0x0A, "/CN=a"),
        ("R", 0x0B, "/CN=b"),
        ("E", 0xFFFF, "/CN=\udce5"),
        ("V", 0x0C, "/CN=c"),
        ("V", 0x0D, "/CN=without a line end"),
    ]
    assert entries[1].revocation == "261124041500Z,keyCompromise"
    assert [e.not_after.year if e.not_after else None for e in entries] == [2027, 1950, None, 2050, 2027]


def test_attributes_allow_renewals_and_keep_what_else_is_there() -> None:
    assert attributes_text() == "unique_subject = no\n"
    assert attributes_text("unique_subject = yes\nother=1\n\n") == "unique_subject = no\nother=1\n"
    assert attributes_text(attributes_text("x = y")) == attributes_text("x = y")


@pytest.mark.parametrize("text", ["", "\n", "0x10", "-1", "1_0", "G", "1 2", "٣"])
def test_what_is_no_number_is_not_read(text: str) -> None:
    assert parse_number(text) is None


@given(st.integers(0, (1 << 160) - 1))
def test_a_number_comes_back(number: int) -> None:
    assert parse_number(number_text(number)) == number
    assert len(serial_digits(number)) % 2 == 0
    assert re.fullmatch(r"[0-9A-F]+", serial_digits(number))


# UTCTime and GeneralizedTime both, and leap days.
FIRST, LAST = datetime(1950, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
MOMENTS = st.one_of(
    st.integers(0, int((LAST - FIRST).total_seconds())).map(lambda seconds: FIRST + timedelta(seconds=seconds)),
    st.sampled_from([FIRST, LAST, datetime(2050, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)]),
    st.sampled_from([datetime(2048, 2, 29, tzinfo=UTC), datetime(2400, 2, 29, tzinfo=UTC)]),
)
NAMES = st.lists(
    st.lists(
        st.builds(NameAttribute, st.sampled_from([a.oid for a in ATTRIBUTE_TYPES] + ["1.2.3.4"]), st.text()),
        min_size=1,
        max_size=2,
    ).map(tuple),
    max_size=4,
).map(lambda rdns: DistinguishedName(tuple(rdns)))


@given(st.lists(st.tuples(st.integers(1, (1 << 159) - 1), MOMENTS, NAMES), max_size=5))
def test_every_line_comes_back(certificates: list[tuple[int, datetime, DistinguishedName]]) -> None:
    lines = [index_line(serial=serial, not_after=end, subject=subject) for serial, end, subject in certificates]

    entries = parse_index("".join(lines))

    assert "".join(lines).isascii()
    assert [(e.serial, e.not_after, e.subject) for e in entries] == [
        (serial, end, subject_text(subject) or serial_digits(serial)) for serial, end, subject in certificates
    ]


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("resource", [row for row in (*CERTIFICATES, *AUTHORITIES) if row.values[0].issuer])
def test_openssl_writes_the_same_line(resource: Resource, tmp_path: Path) -> None:
    tree = lay_out(usual_site(resource, base=str(tmp_path)))
    issuer = tree.site.issuer_of(resource)
    assert issuer is not None
    index = tree.directory(issuer) / "index.txt"
    before = index.read_text()

    made = made_by_hand(require("openssl"), tree, resource)

    subject = from_x509_name(x509.Name.from_bytes(made.subject.public_bytes()))
    line = index_line(serial=made.serial_number, not_after=made.not_valid_after_utc, subject=in_order(made, subject))
    assert index.read_text() == before + line
    assert parse_index(line)[0].not_after == made.not_valid_after_utc


def in_order(certificate: x509.Certificate, name: DistinguishedName) -> DistinguishedName:
    """Put the attributes of each RDN into the order of the encoding, in which OpenSSL writes them."""
    encoded = certificate.subject.public_bytes()

    def position(attribute: NameAttribute) -> int:
        return encoded.index(attribute.value.encode())

    return DistinguishedName(tuple(rdn if len(rdn) == 1 else tuple(sorted(rdn, key=position)) for rdn in name.rdns))


@pytest.mark.judge("openssl")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    certificates=st.lists(
        st.tuples(st.integers(1 << 64, (1 << 159) - 1), MOMENTS, NAMES),
        min_size=1,
        max_size=5,
        unique_by=lambda c: c[0],
    )
)
def test_openssl_reads_every_line(
    certificates: list[tuple[int, datetime, DistinguishedName]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    openssl = require("openssl")
    root = authority("root")
    tree = lay_out(usual_site(base=str(tmp_path_factory.mktemp("tree"))))
    directory = tree.directory(root)
    index = directory / "index.txt"
    written = index.read_text()
    for serial, end, subject in certificates:
        written += index_line(serial=serial, not_after=end, subject=subject)
    index.write_text(written)

    for serial, _, _ in certificates:
        assert status(openssl, directory, serial) == "Valid (V)"
    run(openssl, "ca", "-config", "openssl.cnf", "-updatedb", cwd=directory)

    now = datetime.now(UTC)
    after = {entry.serial: entry for entry in parse_index(index.read_text())}
    assert len(after) == len(certificates) + 1
    for serial, end, subject in certificates:
        assert after[serial].subject == (subject_text(subject) or serial_digits(serial))
        # A second's grace, for the clock goes on meanwhile.
        if abs(end - now) > timedelta(minutes=1):
            assert after[serial].status == ("E" if end < now else "V")


def status(openssl: str, directory: Path, serial: int) -> str:
    done = subprocess.run(
        [openssl, "ca", "-config", "openssl.cnf", "-status", serial_digits(serial)],
        cwd=directory,
        capture_output=True,
        text=True,
        env={"OPENSSL_CONF": "/dev/null"},
    )
    return (done.stdout + done.stderr).strip().rpartition("=")[2]


@pytest.mark.judge("openssl")
def test_a_certificate_of_pkiplans_is_revoked_by_hand(tmp_path: Path) -> None:
    """The line that pkiplan wrote is the one that OpenSSL finds."""
    openssl = require("openssl")
    web = leaf()
    tree = lay_out(usual_site(web, base=str(tmp_path)))
    directory = tree.directory(tree.site.resources["authority.issuing"])

    run(openssl, "ca", "-config", "openssl.cnf", "-revoke", "../../certificates/web/cert.pem", cwd=directory)

    (entry,) = parse_index((directory / "index.txt").read_text())
    assert entry.status == "R"
    assert entry.serial == tree.certificate(web).serial_number


def test_every_beginning_of_a_line_is_known_for_one_and_nothing_else_is() -> None:
    line = index_line(serial=0xAB12, not_after=datetime(2051, 1, 1, tzinfo=UTC), subject=DistinguishedName(())).strip()

    assert all(is_begun_line(line[:size]) for size in range(len(line) + 1))
    assert is_begun_line(line[:20] + "\0" * 40)
    assert not any(map(is_begun_line, ("garbage", "# a note", "R\t", "V garbage", "V\tsoon", f"{line}\tmore", "\tV")))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        pytest.param("", [], id="an empty file"),
        pytest.param("# a comment\n\nV\t1Z\t\tAB\tunknown\t/CN=x\n", [], id="comments and empty lines"),
        pytest.param("V\t1Z\t\tAB\tunknown\t/CN=a\\\tb\n", [], id="a tab within a field"),
        pytest.param("garbage\nV\t1Z\t\tAB\tunknown\t/CN=x\nmore", [1, 3], id="a line without fields"),
        pytest.param("V\t1Z\t\tXY\tunknown\t/CN=x", [1], id="no serial number"),
    ],
)
def test_lines_for_which_openssl_refuses_the_file(text: str, numbers: list[int]) -> None:
    assert [number for number, _ in unreadable_lines(text)] == numbers
