from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pkiplan.verify import Outcome, VerifyReport, cms, timestamp_token
from tests.judges import require
from tests.verify.asking import of, unexpected, verified
from tests.verify.toy_site import KEYS, NOW, Toy, changed, pem


def site(usage: str, key: str = "ecdsa-p256", **how: object) -> Toy:
    toy = Toy()
    toy.authority("root")
    toy.authority("issuing", "authority.root")
    names = ["ann@toy.example"] if usage == "email_protection" else []
    toy.leaf("it", "authority.issuing", usages=[usage], key=key, names=names, actual=how)
    return toy


def summary(report: VerifyReport) -> dict[str, set[tuple[Outcome, str]]]:
    found: dict[str, set[tuple[Outcome, str]]] = {}
    for result in report.results:
        if result.subject == "certificate.it":
            found.setdefault(result.check, set()).add((result.outcome, result.reason.code))
    return found


@pytest.mark.parametrize("usage", ["code_signing", "email_protection"])
@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa-2048"])
def test_a_signing_certificate_signs_and_what_was_not_signed_is_refused(usage: str, key: str) -> None:
    report = verified(site(usage, key))

    assert [str(result) for result in report.unexpected] == []
    found = summary(report)
    assert found["cms-signature"] == {(Outcome.ACCEPTED, "")}
    assert found["control-cms-other-content"] == {(Outcome.REFUSED, "bad-signature")}
    assert found["purpose"] == {(Outcome.ACCEPTED, "")}
    assert found["control-purpose-wrong-purpose"] == {(Outcome.REFUSED, "wrong-purpose")}
    assert found["path"] == {(Outcome.ACCEPTED, "")}


@pytest.mark.parametrize("key", ["ed25519", "ml-dsa-65"])
def test_a_key_that_makes_no_cms_signature_is_not_run(key: str) -> None:
    report = verified(site("code_signing", key))

    assert unexpected(report) == set()
    assert summary(report)["cms-signature"] == {(Outcome.NOT_RUN, "not-supported")}


def test_a_signing_certificate_with_another_key_is_found() -> None:
    toy = site("code_signing")
    toy.keys["certificate.it"] = KEYS["ecdsa-p256"]()

    assert ("certificate.it", "cms-signature", "key-mismatch") in unexpected(verified(toy))


def test_a_signing_certificate_without_the_usage_is_found() -> None:
    toy = site("code_signing", usages=("email_protection",))

    assert ("certificate.it", "purpose", "wrong-purpose") in unexpected(verified(toy))


@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa-2048", "ed25519"])
def test_an_ocsp_signer_answers_and_strangers_do_not(key: str) -> None:
    report = verified(site("ocsp_signing", key))

    assert [str(result) for result in report.unexpected] == []
    found = summary(report)
    assert found["ocsp-response"] == {(Outcome.ACCEPTED, "")}
    assert found["control-ocsp-unrelated-authority"] == {(Outcome.REFUSED, "unknown-authority")}
    assert found["control-ocsp-wrong-purpose"] == {(Outcome.REFUSED, "wrong-purpose")}


def test_an_ocsp_signer_without_the_usage_is_found() -> None:
    toy = site("ocsp_signing", usages=("server_auth",))

    assert ("certificate.it", "ocsp-response", "wrong-purpose") in unexpected(verified(toy))


def test_an_ocsp_signer_with_another_key_is_found() -> None:
    toy = site("ocsp_signing")
    toy.keys["certificate.it"] = KEYS["ecdsa-p256"]()

    assert ("certificate.it", "ocsp-response", "key-mismatch") in unexpected(verified(toy))


@pytest.mark.parametrize("key", ["ecdsa-p256", "ecdsa-p521", "rsa-2048"])
def test_a_timestamping_certificate_stamps_and_what_was_not_stamped_is_refused(key: str) -> None:
    report = verified(site("time_stamping", key, eku_critical=True))

    assert [str(result) for result in report.unexpected] == []
    assert summary(report)["purpose"] == {(Outcome.ACCEPTED, "")}
    assert summary(report)["timestamp"] == {(Outcome.ACCEPTED, "")}
    assert summary(report)["control-timestamp-other-content"] == {(Outcome.REFUSED, "bad-signature")}


def test_a_key_that_stamps_nothing_is_not_run() -> None:
    report = verified(site("time_stamping", "ed25519", eku_critical=True))

    assert unexpected(report) == set()
    assert summary(report)["timestamp"] == {(Outcome.NOT_RUN, "not-supported")}


def test_a_timestamping_certificate_with_another_key_is_found() -> None:
    toy = site("time_stamping", eku_critical=True)
    toy.keys["certificate.it"] = KEYS["ecdsa-p256"]()

    assert ("certificate.it", "timestamp", "key-mismatch") in unexpected(verified(toy))


def test_a_token_is_of_one_content_and_one_certificate() -> None:
    toy = site("time_stamping", eku_critical=True)
    certificate, key = toy.certificates["certificate.it"], toy.keys["certificate.it"]
    toy.leaf("other", "authority.issuing", usages=["time_stamping"])
    same_key = x509.load_der_x509_certificate(
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
        .sign(toy.keys["authority.issuing"], SHA256())
        .public_bytes(Encoding.DER)
    )
    token = timestamp_token.make(b"content", certificate, key, NOW)

    timestamp_token.check(token, b"content", certificate)
    for content, by, why in (
        (b"contents", certificate, "stamps something else"),
        (b"content", toy.certificates["certificate.other"], "not by the certificate's key"),
        (b"content", same_key, "does not name its signer's certificate"),
    ):
        with pytest.raises(cms.CmsError, match=why):
            timestamp_token.check(token, content, by)
    for cut in (0, 1, 40, len(token) - 1):
        with pytest.raises(cms.CmsError):
            timestamp_token.check(token[:cut], b"content", certificate)
    for forged in (token.replace(NOW.strftime("%Y%m%d%H%M%SZ").encode(), b"20000101000000Z"),):
        with pytest.raises(cms.CmsError, match="not what was signed"):
            timestamp_token.check(forged, b"content", certificate)


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa-2048"])
def test_openssl_takes_our_tokens(key: str, tmp_path: Path) -> None:
    openssl = require("openssl")
    toy = site("time_stamping", key, eku_critical=True)
    token = timestamp_token.make(b"content", toy.certificates["certificate.it"], toy.keys["certificate.it"], NOW)
    root, *above = (toy.certificates[f"authority.{name}"] for name in ("root", "issuing"))
    for name, content in {"token": token, "data": b"content", "root": pem(root), "above": pem(*above)}.items():
        (tmp_path / name).write_bytes(content)

    argv = [openssl, "ts", "-verify", "-token_in", "-in", "token", "-data", "data", "-CAfile", "root"]
    judged = subprocess.run([*argv, "-untrusted", "above"], cwd=tmp_path, capture_output=True, text=True)

    assert (judged.returncode, judged.stdout) == (0, "Verification: OK\n"), judged.stderr


def test_a_timestamping_usage_that_is_not_critical_is_found() -> None:
    """RFC 3161, 2.3: the extension must be critical."""
    assert ("certificate.it", "purpose", "wrong-purpose") in unexpected(verified(site("time_stamping")))


def test_an_authority_with_nothing_beneath_is_still_checked() -> None:
    toy = Toy()
    toy.authority("root")
    toy.authority("issuing", "authority.root", actual={"signed_by": None})

    report = verified(toy)

    assert {r.outcome for r in of(report, "authority.root", "path")} == {Outcome.ACCEPTED}
    assert ("authority.issuing", "path", "unknown-authority") in unexpected(report)


def test_a_cms_signature_is_over_all_of_the_content() -> None:
    toy = site("code_signing")
    certificate: x509.Certificate = toy.certificates["certificate.it"]
    signature = cms.sign(b"content", certificate, toy.keys["certificate.it"])

    cms.check(signature, b"content", certificate)
    with pytest.raises(cms.CmsError, match="not what was signed"):
        cms.check(signature, b"contents", certificate)
    with pytest.raises(cms.CmsError, match="not by the certificate's key"):
        cms.check(signature, b"content", toy.certificates["authority.root"])
    for cut in (0, 1, 40, len(signature) - 1):
        with pytest.raises(cms.CmsError):
            cms.check(signature[:cut], b"content", certificate)


def test_an_authority_beneath_others_needs_only_its_own_certificate() -> None:
    toy = Toy()
    toy.authority("root")
    toy.authority("middle", "authority.root")
    toy.authority("issuing", "authority.middle")
    changed(toy, "authority.issuing", served_pem=pem(toy.certificates["authority.issuing"]))

    assert [str(result) for result in verified(toy).unexpected] == []
