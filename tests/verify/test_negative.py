"""The verifier itself on trial: each thing broken on purpose, and found by its name (facts/reliability.md, P17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.errors import PkiplanError
from tests.verify.asking import of, unexpected, verified
from tests.verify.toy_site import Toy, changed, key_pem, p256, pem, usual_site


def chain(toy: Toy, *ids: str) -> bytes:
    return pem(*(toy.certificates[address] for address in ids))


WEB, ISSUING, ROOT, NODE = "certificate.web", "authority.issuing", "authority.root", "certificate.node"


def reordered(toy: Toy) -> None:
    toy.authority("middle", ISSUING)
    toy.leaf("deep", "authority.middle", names=["deep.toy.example"])
    changed(toy, "certificate.deep", served_pem=chain(toy, "certificate.deep", ISSUING, "authority.middle"))


def issuer_first(toy: Toy) -> None:
    changed(toy, WEB, served_pem=chain(toy, ISSUING, WEB))


def root_served(toy: Toy) -> None:
    changed(toy, WEB, served_pem=chain(toy, WEB, ISSUING, ROOT))


def stranger_in_chain(toy: Toy) -> None:
    toy.authority("stranger")
    changed(toy, WEB, served_pem=chain(toy, WEB, ISSUING, "authority.stranger"))


def served_twice(toy: Toy) -> None:
    changed(toy, WEB, served_pem=chain(toy, WEB, ISSUING, ISSUING))


def without_intermediate(toy: Toy) -> None:
    changed(toy, WEB, served_pem=chain(toy, WEB))


def other_leaf_served(toy: Toy) -> None:
    changed(toy, WEB, served_pem=chain(toy, NODE, ISSUING))


def wrong_key(toy: Toy) -> None:
    toy.keys[WEB] = p256()


def damaged_key(toy: Toy) -> None:
    changed(toy, WEB, load_key=lambda: key_pem(p256()).replace(b"M", b"!"))


def key_gone(toy: Toy) -> None:
    def load_key() -> bytes:
        raise PkiplanError.of("key.pem: there is no such key file", code="key-missing")

    changed(toy, WEB, load_key=load_key)


def damaged_certificate(toy: Toy) -> None:
    changed(toy, WEB, certificate_pem=b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")


def empty_chain(toy: Toy) -> None:
    changed(toy, WEB, served_pem=b"")


def other_root_trusted(toy: Toy) -> None:
    toy.authority("other")
    changed(toy, WEB, anchor_pem=chain(toy, "authority.other"))


def reissue(toy: Toy, id_: str, **actual: object) -> None:
    """Issue the certificate anew, otherwise than it is declared."""
    address = f"certificate.{id_}"
    resource = toy.resources[address]
    usages = ("server_auth",) if id_ == "web" else ("client_auth",)
    names = ["www.toy.example"] if id_ == "web" else []
    toy.leaf(id_, ISSUING, usages=usages, names=names, actual=actual)
    toy.resources[address] = replace(toy.resources[address], profile=resource.profile)


def wrong_usage_on_server(toy: Toy) -> None:
    reissue(toy, "web", usages=("client_auth",))


def wrong_usage_on_client(toy: Toy) -> None:
    reissue(toy, "ops", usages=("server_auth",))


def name_missing(toy: Toy) -> None:
    reissue(toy, "web", names=("elsewhere.toy.example",))


def expired(toy: Toy) -> None:
    reissue(toy, "web", days=(-30, -1))


def not_yet_valid(toy: Toy) -> None:
    reissue(toy, "web", days=(2, 30))


def leaf_is_authority(toy: Toy) -> None:
    reissue(toy, "web", is_authority=True)


def without_key_identifiers(toy: Toy) -> None:
    reissue(toy, "web", without=(x509.AuthorityKeyIdentifier,))


def another_signer(toy: Toy) -> None:
    toy.authority("stranger")
    reissue(toy, "web", signed_by="authority.stranger")


def with_extension(toy: Toy, address: str, value: x509.ExtensionType) -> None:
    """Issue the same certificate once more, with one critical extension besides."""
    was = toy.certificates[address]
    issuer = toy.resources[address].issuer
    assert issuer is not None
    builder = x509.CertificateBuilder(
        was.issuer, was.subject, was.public_key(), was.serial_number, was.not_valid_before_utc, was.not_valid_after_utc
    )
    for extension in was.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    toy.certificates[address] = builder.add_extension(value, critical=True).sign(toy.keys[issuer], SHA256())


def unknown_extension(toy: Toy) -> None:
    with_extension(toy, WEB, x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"))


def constrained_issuer(toy: Toy) -> None:
    del toy.resources[NODE]
    with_extension(toy, ISSUING, x509.NameConstraints([x509.DNSName("elsewhere.example")], None))


def altered_signature(toy: Toy) -> None:
    encoded = bytearray(toy.certificates[WEB].public_bytes(Encoding.DER))
    encoded[-1] ^= 1
    toy.certificates[WEB] = x509.load_der_x509_certificate(bytes(encoded))


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        pytest.param(reordered, {("certificate.deep", "chain-order", "chain-order")}, id="chain in the wrong order"),
        pytest.param(issuer_first, {(WEB, "chain-order", "chain-order")}, id="issuer before the certificate"),
        pytest.param(root_served, {(WEB, "chain-order", "chain-order")}, id="root in the chain"),
        pytest.param(stranger_in_chain, {(WEB, "chain-order", "chain-order")}, id="stranger in the chain"),
        pytest.param(served_twice, {(WEB, "chain-order", "chain-order")}, id="certificate twice in the chain"),
        pytest.param(without_intermediate, {(WEB, "server", "unknown-authority")}, id="intermediate missing"),
        pytest.param(other_leaf_served, {(WEB, "chain-order", "chain-order")}, id="another leaf served"),
        pytest.param(wrong_key, {(WEB, "server", "key-mismatch")}, id="key of another certificate"),
        pytest.param(damaged_key, {(WEB, "server", "unusable-key")}, id="damaged key"),
        pytest.param(key_gone, {(WEB, "server", "unusable-key")}, id="a key that is gone"),
        pytest.param(damaged_certificate, {(WEB, "credential", "unusable-certificate")}, id="damaged certificate"),
        pytest.param(empty_chain, {(WEB, "credential", "unusable-certificate")}, id="empty chain file"),
        pytest.param(other_root_trusted, {(WEB, "server", "unknown-authority")}, id="another root"),
        pytest.param(wrong_usage_on_server, {(WEB, "server", "wrong-purpose")}, id="server without server usage"),
        pytest.param(
            wrong_usage_on_client, {("certificate.ops", "client", "wrong-purpose")}, id="client without client usage"
        ),
        pytest.param(name_missing, {(WEB, "server", "wrong-name")}, id="a declared name is not in the certificate"),
        pytest.param(expired, {(WEB, "server", "expired")}, id="expired"),
        pytest.param(not_yet_valid, {(WEB, "server", "not-yet-valid")}, id="not yet valid"),
        pytest.param(
            leaf_is_authority,
            {(WEB, "control-server-leaf-as-authority", "path-too-long")},
            id="the leaf is an authority",
        ),
        pytest.param(without_key_identifiers, {(WEB, "server", "breaks-rfc5280")}, id="no authority key identifier"),
        pytest.param(
            unknown_extension, {(WEB, "server", "unknown-critical-extension")}, id="unknown critical extension"
        ),
        pytest.param(constrained_issuer, {(WEB, "server", "name-not-permitted")}, id="a name the issuer may not give"),
        pytest.param(altered_signature, {(WEB, "server", "bad-signature")}, id="altered after signing"),
        pytest.param(another_signer, {(WEB, "server", "unknown-authority")}, id="signed by somebody else"),
    ],
)
def test_what_is_broken_is_found_by_name(break_it: Callable[[Toy], None], found: set[tuple[str, str, str]]) -> None:
    toy = usual_site()
    break_it(toy)

    report = verified(toy)

    assert found <= unexpected(report)
    assert {subject for subject, _, _ in unexpected(report)} == {subject for subject, _, _ in found}


def test_a_broken_authority_shows_in_everything_beneath() -> None:
    toy = usual_site()
    toy.authority("issuing", ROOT, path_length=0, actual={"is_authority": False})
    for id_, usages, names in (("web", ["server_auth"], ["www.toy.example"]), ("ops", ["client_auth"], [])):
        toy.leaf(id_, ISSUING, usages=usages, names=names)
    del toy.resources[NODE]

    report = verified(toy)

    assert (WEB, "server", "not-an-authority") in unexpected(report)
    assert ("certificate.ops", "client", "not-an-authority") in unexpected(report)


def test_a_lax_root_is_found_by_strictness_alone() -> None:
    toy = Toy()
    toy.authority("root", actual={"constraints_critical": False})
    toy.leaf("web", "authority.root", names=["www.toy.example"])

    report = verified(toy)

    assert (WEB, "server", "breaks-rfc5280") in unexpected(report)
    assert {r.strict for r in of(report, WEB, "server") if not r.as_expected} == {True}


def test_an_issuer_beneath_too_short_a_path_is_found() -> None:
    toy = Toy()
    toy.authority("root", path_length=0)
    toy.authority("issuing", "authority.root")
    toy.leaf("web", ISSUING, names=["www.toy.example"])

    assert (WEB, "server", "path-too-long") in unexpected(verified(toy))


def test_a_server_without_any_name_is_not_run_and_says_why() -> None:
    toy = usual_site()
    toy.leaf("nameless", ISSUING)

    report = verified(toy)

    assert unexpected(report) == set()
    assert [r.reason.code for r in of(report, "certificate.nameless", "server")] == ["no-name"]
