"""`pkiplan lint`: certificates that exist, whoever made them, beside those they are given with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.model.keys import RsaKeySpec
from pkiplan.x509 import pkilint_rules
from pkiplan.x509.lint import LINTS
from pkiplan.x509.pem_lines import pem_block
from tests.cli.conftest import Here
from tests.x509.chains import CLIENT, DAY, Made, Workshop, common, constraints, usage
from tests.x509.other_encodings import (
    RSASSA_PSS_SHA512,
    compressed,
    signed_with_old_hash,
    spelt_out,
    with_algorithm,
    written_otherwise,
)
from tests.x509.values import key_for

Files = dict[str, list[Made]]


@pytest.fixture(autouse=True)
def _without_pkilint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkilint_rules, "is_installed", lambda: False)


def write(here: Here, files: Files) -> list[str]:
    for path, made in files.items():
        pem = b"".join(b"# text is skipped\n" + each.certificate.public_bytes(Encoding.PEM) for each in made)
        (here.directory / path).write_bytes(pem)
    return list(files)


def chain(workshop: Workshop, leaf: dict[str, object] | None = None, **issuing: object) -> Files:
    root = workshop.root()
    middle = workshop.authority(root, **issuing)  # type: ignore[arg-type]
    return {"chain.pem": [workshop.leaf(middle, **(leaf or {})), middle], "root.pem": [root]}  # type: ignore[arg-type]


def sound(workshop: Workshop) -> Files:
    return chain(workshop)


def another_root(workshop: Workshop) -> Files:
    return chain(workshop) | {"root.pem": [workshop.root()]}


def forged(workshop: Workshop) -> Files:
    root = workshop.root()
    real = root.certificate.public_bytes(Encoding.DER)
    # The last octet of a certificate is its signature's.
    broken = x509.load_der_x509_certificate(real[:-1] + bytes([real[-1] ^ 1]))
    return {"root.pem": [replace(root, certificate=broken)]}


def no_authority(workshop: Workshop) -> Files:
    root = workshop.root()
    middle = workshop.leaf(root, "middle.example", hosts=("middle.example",))
    return {"chain.pem": [workshop.leaf(middle), middle], "root.pem": [root]}


def another_key_id(workshop: Workshop) -> Files:
    return chain(workshop, {"aki": b"another key"})


def expired(workshop: Workshop) -> Files:
    return chain(workshop, {"starts": -9 * DAY, "ends": -DAY})


def of_next_week(workshop: Workshop) -> Files:
    return chain(workshop, {"starts": 7 * DAY})


def outliving(workshop: Workshop) -> Files:
    return chain(workshop, {"ends": 31 * DAY})


def out_of_order(workshop: Workshop) -> Files:
    root = workshop.root()
    middle = workshop.authority(root)
    lower = workshop.authority(middle, "Lower")
    return {"chain.pem": [workshop.leaf(lower), middle, lower], "root.pem": [root]}


def beyond_constraints(workshop: Workshop) -> Files:
    return chain(workshop, put={x509.NameConstraints: (constraints(permitted=[x509.DNSName("other.example")]), True)})


def too_deep(workshop: Workshop) -> Files:
    root = workshop.root(path_length=0)
    middle = workshop.authority(root)
    return {"chain.pem": [workshop.leaf(middle), middle], "root.pem": [root]}


def for_clients(workshop: Workshop) -> Files:
    return chain(workshop, put={x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([CLIENT]), False)})


def cannot_sign(workshop: Workshop) -> Files:
    return chain(workshop, put={x509.KeyUsage: (usage("crl_sign"), True)})


def a_bundle(workshop: Workshop) -> Files:
    """Authorities in any order: a bundle of what is trusted is no chain."""
    return {"bundle.pem": [workshop.root(title) for title in ("One", "Two", "Three")]}


def rolled_over(workshop: Workshop) -> Files:
    """The new key of a root, signed with the old one (RFC 4210, 4.4)."""
    old = workshop.root()
    new = workshop.root()
    link = workshop.authority(old, key=new.key, issuer=common("Root"), title="Root")
    return {"chain.pem": [workshop.leaf(new), link], "roots.pem": [old, new]}


def of_a_curve_spelt_out(workshop: Workshop) -> Files:
    root = workshop.root()
    return {"root.pem": [replace(root, certificate=written_otherwise(root.certificate, root.key, spelt_out))]}


def of_bound_keys(workshop: Workshop) -> Files:
    """OpenSSL takes neither signature: the root's is none of RSASSA-PSS, the leaf's is over another hash."""
    root = workshop.root(key=key_for(RsaKeySpec(2048)))
    bound = written_otherwise(root.certificate, root.key, with_algorithm(RSASSA_PSS_SHA512))
    return {"root.pem": [replace(root, certificate=bound)], "leaf.pem": [workshop.leaf(root, pss=True)]}


def of_a_compressed_point(workshop: Workshop) -> Files:
    root = workshop.root()
    return {"root.pem": [replace(root, certificate=written_otherwise(root.certificate, root.key, compressed))]}


def of_an_old_root(workshop: Workshop) -> Files:
    """As many roots are: signed by itself over what can be forged today, and what it issued is sound."""
    roots = workshop.root(), workshop.root("Older", key=key_for(RsaKeySpec(2048)))
    old = [replace(root, certificate=signed_with_old_hash(root.certificate, root.key)) for root in roots]
    return {"root.pem": [old[0]], "older.pem": [old[1]], "leaf.pem": [workshop.leaf(roots[0])]}


def of_an_old_hash(workshop: Workshop) -> Files:
    root = workshop.root()
    middle = workshop.authority(root)
    return {
        "root.pem": [root],
        "middle.pem": [replace(middle, certificate=signed_with_old_hash(middle.certificate, root.key))],
    }


def rolled_over_with_an_old_hash(workshop: Workshop) -> Files:
    """It bears the name of its issuer, but another's key signed it, and whoever trusts that one checks it."""
    files = rolled_over(workshop)
    (leaf, link), (old, _) = files["chain.pem"], files["roots.pem"]
    return files | {"chain.pem": [leaf, replace(link, certificate=signed_with_old_hash(link.certificate, old.key))]}


ROWS: list[tuple[Callable[[Workshop], Files], dict[str, list[str]]]] = [
    (sound, {}),
    (a_bundle, {}),
    (rolled_over, {}),
    (another_root, {"signature": ["chain.pem, certificate 2 of 2"]}),
    (of_a_compressed_point, {}),
    (of_bound_keys, {"signature-fits-bond": ["root.pem", "leaf.pem"]}),
    (of_an_old_root, {"weak-digest-of-anchor": ["root.pem", "older.pem"]}),
    (of_an_old_hash, {"weak-digest": ["middle.pem"]}),
    (rolled_over_with_an_old_hash, {"weak-digest": ["chain.pem, certificate 2 of 2"]}),
    (of_a_curve_spelt_out, {"named-curve": ["root.pem"]}),
    (forged, {"signature": ["root.pem"]}),
    (no_authority, {"issuer-is-an-authority": ["chain.pem, certificate 1 of 2"]}),
    (another_key_id, {"issuer-key-identifier": ["chain.pem, certificate 1 of 2"]}),
    (expired, {"within-validity": ["chain.pem, certificate 1 of 2"]}),
    (of_next_week, {"within-validity": ["chain.pem, certificate 1 of 2"]}),
    (outliving, {"outlives-issuer": ["chain.pem, certificate 1 of 2"]}),
    (out_of_order, {"chain-order": ["chain.pem, certificate 2 of 3", "chain.pem, certificate 3 of 3"]}),
    (beyond_constraints, {"names-within-constraints": ["chain.pem, certificate 1 of 2"]}),
    (too_deep, {"path-length": ["chain.pem, certificate 2 of 2", "chain.pem, certificate 1 of 2"]}),
    (for_clients, {"extended-key-usage-chain": ["chain.pem, certificate 1 of 2"]}),
    (
        cannot_sign,
        {
            "authority-key-usage": ["chain.pem, certificate 2 of 2"],
            "issuer-is-an-authority": ["chain.pem, certificate 1 of 2"],
        },
    ),
]


@pytest.mark.parametrize(("recipe", "expected"), [pytest.param(*row, id=row[0].__name__) for row in ROWS])
def test_what_is_wrong_with_a_chain_is_found_where_it_is(
    recipe: Callable[[Workshop], Files], expected: dict[str, list[str]], here: Here
) -> None:
    ran = here.run("lint", "--json", *write(here, recipe(Workshop())))

    document = json.loads(ran.out)
    found: dict[str, set[str]] = {}
    for diagnostic in document["diagnostics"]:
        found.setdefault(diagnostic["code"], set()).add(diagnostic["summary"].partition(": ")[0])
    assert found == {code: set(places) for code, places in expected.items()}
    assert ran.status == (1 if any(LINTS[code].severity.value == "error" for code in expected) else 0)
    assert document["valid"] is (ran.status == 0)


def test_findings_name_rule_place_and_way_out(here: Here) -> None:
    ran = here.run("lint", *write(here, another_key_id(Workshop())))

    assert ran.status == 1
    assert ran.err == ""
    assert ran.out == (
        "error[issuer-key-identifier]: chain.pem, certificate 1 of 2: the authority key identifier is not that of its"
        " issuer\n"
        " --> chain.pem:2:1\n"
        "  = hint: RFC 5280, 4.2.1.1; `--disable issuer-key-identifier` silences this\n"
        "\n"
        "Lint: 3 certificates, 1 error.\n"
    )


def test_a_rule_can_be_left_out(here: Here) -> None:
    ran = here.run("lint", "--disable", "issuer-key-identifier", *write(here, another_key_id(Workshop())))

    assert (ran.status, ran.out) == (0, "Lint: 3 certificates, nothing to complain about.\n")


def test_it_can_be_asked_for_another_time(here: Here) -> None:
    ran = here.run("lint", "--at", "+40d", *write(here, sound(Workshop())))

    assert (ran.status, ran.out.count("[within-validity]")) == (0, 3)


def test_der_is_read_too(here: Here) -> None:
    root = Workshop().root()
    (here.directory / "root.der").write_bytes(root.certificate.public_bytes(Encoding.DER))

    assert here.run("lint", "root.der").out == "Lint: 1 certificate, nothing to complain about.\n"
    assert "authority" in here.run("show", "root.der").out


def test_openssls_own_form_is_read_too(here: Here) -> None:
    root, other = Workshop().root(), Workshop().root("Other")
    # What OpenSSL appends: CertAux ::= SEQUENCE { trust, reject [0], alias, keyid, other [1] }, all optional.
    content = root.certificate.public_bytes(Encoding.DER) + bytes.fromhex("300c300a06082b06010505070301")
    trusted = pem_block(b"TRUSTED CERTIFICATE", content)
    lines = trusted.count(b"\n")
    (here.directory / "roots.pem").write_bytes(trusted + other.certificate.public_bytes(Encoding.PEM))

    linted = here.run("lint", "roots.pem", "--at", "+4000d")

    assert (linted.status, linted.out.count("[within-validity]")) == (0, 2)
    assert " --> roots.pem:1:1\n" in linted.out
    assert f" --> roots.pem:{lines + 1}:1\n" in linted.out
    pem = root.certificate.public_bytes(Encoding.PEM).decode()
    assert here.run("show", "roots.pem", "--pem").out.startswith(pem)


@pytest.mark.parametrize("body", [b"AAAA", b"!", b"", b"MIIB"])
def test_openssls_own_form_may_be_damaged_too(body: bytes, here: Here) -> None:
    block = b"-----BEGIN TRUSTED CERTIFICATE-----\n%b\n-----END TRUSTED CERTIFICATE-----\n" % body
    (here.directory / "root.pem").write_bytes(b"# text\n" + block)

    ran = here.run("lint", "root.pem")

    assert ran.status == 1
    assert "root.pem: a certificate does not parse\n --> root.pem:2:1\n" in ran.out


def test_a_hint_of_a_file_speaks_of_no_manifest(here: Here) -> None:
    workshop = Workshop()
    weak = workshop.leaf(workshop.root(), key=key_for(RsaKeySpec(1024)), starts=-900 * DAY, ends=900 * DAY)

    ran = here.run("lint", *write(here, {"weak.pem": [weak]}))

    assert "  = hint: NIST SP 800-131A rev. 2; `--disable weak-key` silences this\n" in ran.out
    assert "  = hint: Apple HT210176; `--disable server-lifetime` silences this\n" in ran.out


def test_what_cannot_be_read_is_told_with_its_place_and_the_rest_is_linted(here: Here) -> None:
    files = write(here, sound(Workshop()))
    text = (here.directory / "chain.pem").read_text()
    first_line = text.splitlines()[2]
    (here.directory / "chain.pem").write_text(text.replace(first_line, "A" * len(first_line), 1))
    (here.directory / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (here.directory / "cut.der").write_bytes(b"\x30\x82\x01\x00\x30")

    ran = here.run("lint", "nowhere.pem", "key.pem", "cut.der", ".", *files)

    assert ran.status == 1
    for line in (
        "error[unreadable]: nowhere.pem: cannot be read: no such file or directory\n",
        "error[damaged]: key.pem: holds no certificate in PEM form\n",
        "error[damaged]: cut.der: the certificate does not parse\n --> cut.der:1:1\n",
        "error[unreadable]: .: cannot be read: is a directory\n",
        "error[damaged]: chain.pem: a certificate does not parse\n --> chain.pem:2:1\n",
    ):
        assert line in ran.out
    assert ran.out.endswith("Lint: 2 certificates, 5 errors.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((), "nothing to lint", id="no file"),
        pytest.param(("--rules", "x.pem"), "`--rules` takes no files", id="rules and files"),
        pytest.param(
            ("--disable", "chain-oder", "x.pem"), "hint: did you mean `chain-order`?", id="a rule that there is not"
        ),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, here: Here) -> None:
    ran = here.run("lint", *arguments)

    assert (ran.status, ran.out) == (1, "")
    assert message in ran.err


def test_the_rules_can_be_looked_up(here: Here) -> None:
    text = here.run("lint", "--rules").out
    document = json.loads(here.run("lint", "--rules", "--json").out)

    assert [line.split()[0] for line in text.splitlines()] == list(LINTS)
    assert [rule["id"] for rule in document["rules"]] == list(LINTS)
    assert all(rule["citation"] and rule["text"] for rule in document["rules"])
