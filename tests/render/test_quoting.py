"""No text of a person's breaks out of its place: written and read back by the real openssl, byte for byte."""

from __future__ import annotations

import unicodedata

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pkiplan.errors import PkiplanError
from pkiplan.model.extensions import CertificatePolicies, CrlDistributionPoints, OtherExtension, Policy, UserNotice
from pkiplan.model.keys import EdKeySpec
from pkiplan.model.names import DistinguishedName
from pkiplan.model.resource import Resource
from pkiplan.render import render_cnf
from pkiplan.render.quoting import CnfText, CnfValueError, comment, quote
from pkiplan.x509 import der
from pkiplan.x509.extensions import encode
from pkiplan.x509.names import to_x509_name
from tests.judges import require
from tests.render.sites import (
    LEAF_EXTENSIONS,
    alternative,
    dn,
    extension,
    general,
    key_of,
    key_pem,
    leaf,
    run,
    usual_site,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("Acme, Inc. (West) [1] {2} = @x +y", "Acme, Inc. (West) [1] {2} = @x +y", id="nothing special"),
        pytest.param("", "", id="nothing at all"),
        pytest.param("räksmörgås 😀", "räksmörgås 😀", id="beyond ASCII"),
        pytest.param("a\\b\"c'd`e", "a\\\\b\\\"c\\'d\\`e", id="backslash and quotes"),
        pytest.param("$HOME ${a::b} $(c)", "\\$HOME \\${a::b} \\$(c)", id="expansion"),
        pytest.param("a#b;c", "a\\#b\\;c", id="comments"),
        pytest.param("\\n", "\\\\n", id="an escape is not one"),
    ],
)
def test_special_characters_get_a_backslash(value: str, written: str) -> None:
    assert quote(value) == written
    assert type(quote(value)) is CnfText


@pytest.mark.parametrize(
    "value", ["a\nb", "a\rb", "\0", "a\x1bb", "\x7f", "\x9b", "\u2028", "\u2029", "\udc80", " a", "a ", "\u3000a"]
)
def test_what_a_line_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(CnfValueError):
        quote(value)
    with pytest.raises(CnfValueError):
        comment(value)


@given(st.characters())
def test_every_control_character_and_separator_of_lines_is_refused_wherever_it_stands(char: str) -> None:
    is_forbidden = unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs")

    try:
        quote(f"a{char}b")
    except CnfValueError:
        assert is_forbidden
    else:
        assert not is_forbidden


# Pieces of OpenSSL's syntax, and of ours, between anything that Unicode has.
SYNTAX = [
    *("\\", '"', "'", "`", "$", "#", ";", ",", "=", "@", "+", "/", "[", "]", ":", "::", "{", "}", "(", ")", " ", "  "),
    *("\n", "\r", "\t", "\0", "\\n", "\\x00", "${subject::0.O}", "$ENV::PATH", "$(id)", ".include /etc/passwd"),
    *("[ req ]", "[certificate_extensions]", "basicConstraints = CA:TRUE", "critical,", "DER:00", "ASN1:NULL"),
    *("email:copy", "copy", "move", "issuer:copy", "DNS:evil.example", "@subject", "FORMAT:HEX,", "UTF8:", "BMP:"),
    *("{{ 7 * 7 }}", "{% raw %}", "{#", "#}", "\u202e", "\u200b", "\ufeff", "\ufffe", "é", "e\u0301", "😀", "𐍈", "א"),
    *("\x85", "\x9f", "\u2028", "\ud800"),
]
PIECES = st.one_of(st.sampled_from(SYNTAX), st.characters(), st.text(max_size=4))
ANYTHING = st.lists(PIECES, min_size=1, max_size=12).map("".join)
WRITABLE = ANYTHING.map(lambda text: "".join(filter(is_writable, text)).strip() or "x")


def resources(text: st.SearchStrategy[str]) -> st.SearchStrategy[Resource]:
    """Make certificates with text wherever a person's text may stand."""
    # RFC 5280, appendix A.1: ub-common-name and its like; OpenSSL holds to them.
    short = text.map(lambda value: value[:64].strip() or "x")
    ascii_text = text.map(lambda value: "".join(filter(str.isascii, value)).strip() or "x")
    attributes = st.tuples(st.sampled_from(["O", "OU", "CN", "1.3.6.1.4.1.99999.7"]), short)
    rdns = st.lists(attributes, min_size=1, max_size=2, unique=True)
    subjects = st.lists(rdns, min_size=1, max_size=4).map(lambda rdns: dn(*rdns))
    names = st.one_of(
        st.builds(general, st.just("upn"), text),
        st.builds(general, st.sampled_from(["uri", "dns"]), ascii_text),
        st.builds(general, st.just("dir_name"), subjects),
    )
    return st.builds(
        lambda subject, names, notice, uri, own: leaf(
            spec=EdKeySpec("ed25519"),
            subject=subject,
            extensions=(
                *LEAF_EXTENSIONS,
                alternative(*names),
                extension(
                    "policies", CertificatePolicies((Policy("1.2.3.4", cps=(uri,), notices=(UserNotice(notice),)),))
                ),
                extension("crl_distribution_points", CrlDistributionPoints((uri,))),
                extension("1.2.3.5", OtherExtension("1.2.3.5", utf8_string(own), f"UTF8String:{own}")),
            ),
        ),
        subject=subjects,
        names=st.lists(names, min_size=1, max_size=4),
        notice=text,
        uri=ascii_text,
        own=text,
    )


def utf8_string(text: str) -> bytes:
    return der.encode(der.UTF8_STRING, text.encode("utf-8", "surrogatepass"))


def is_writable(text: str) -> bool:
    return text == text.strip() and not any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in text)


def texts_of(resource: Resource) -> list[str]:
    texts = [attribute.value for attribute in resource.subject.attributes]
    for name in resource.names:
        value = name.value
        texts += [a.value for a in value.attributes] if isinstance(value, DistinguishedName) else [str(value)]
    for other in resource.extensions:
        match other.value:
            case CertificatePolicies(policies):
                texts += [notice.text or "" for policy in policies for notice in policy.notices]
            case CrlDistributionPoints(uris):
                texts += uris
    return texts


PROPERTY = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))


@pytest.mark.judge("openssl")
@PROPERTY
@given(resource=resources(WRITABLE))
def test_any_text_comes_back_from_openssl_exactly(resource: Resource, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = render_cnf(usual_site(resource), resource)

    made = made_request(text, resource, tmp_path_factory)

    assert_says_the_same(made, resource)


@pytest.mark.judge("openssl")
@PROPERTY
@given(resource=resources(ANYTHING))
def test_text_that_cannot_come_back_is_refused(resource: Resource, tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        text = render_cnf(usual_site(resource), resource)
    except PkiplanError:
        assert not all(map(is_writable, texts_of(resource)))
        return

    # An extension with a text that cannot be quoted may still be given as DER, for another reason.
    assert all(is_writable(attribute.value) for attribute in resource.subject.attributes)
    assert_says_the_same(made_request(text, resource, tmp_path_factory), resource)


def assert_says_the_same(made: x509.CertificateSigningRequest, resource: Resource) -> None:
    assert made.subject.public_bytes() == to_x509_name(resource.subject).public_bytes()
    encoded = {e.oid.dotted_string: (e.critical, e.value.public_bytes()) for e in made.extensions}
    assert encoded == {e.oid: (e.critical, encode(e.value).public_bytes()) for e in resource.extensions}


def made_request(
    text: str, resource: Resource, tmp_path_factory: pytest.TempPathFactory
) -> x509.CertificateSigningRequest:
    """Let openssl make a request with the cnf as it is."""
    directory = tmp_path_factory.getbasetemp() / "requests"
    directory.mkdir(exist_ok=True)
    (directory / "key.pem").write_bytes(key_pem(key_of(resource)))
    (directory / "openssl.cnf").write_text(text, encoding="utf-8")
    arguments = ("req", "-new", "-config", "openssl.cnf", "-key", "key.pem", "-outform", "DER")
    done = run(require("openssl"), *arguments, cwd=directory)
    return x509.load_der_x509_csr(done.stdout)


@pytest.mark.judge("openssl")
def test_the_environment_does_not_show_through(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = leaf(subject=dn(("CN", "$ENV::PATH ${ENV::PATH} $(PATH) $PATH")))

    made = made_request(render_cnf(usual_site(resource), resource), resource, tmp_path_factory)

    assert made.subject.rfc4514_string() == "CN=$ENV::PATH ${ENV::PATH} $(PATH) $PATH"
    assert made.public_bytes(Encoding.DER)
