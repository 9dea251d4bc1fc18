"""What `pkiplan verify`, and the verification after an apply, say of files that are not there."""

from __future__ import annotations

import json

from tests.cli.conftest import SITE, Here

ISSUED = SITE.replace(
    "certificates:", "  issuing: {issuer: root, key: {type: ecdsa, curve: P-256, passphrase: none}}\ncertificates:"
).replace("issuer: root\n    key: ecdsa-p256", "issuer: issuing\n    key: ecdsa-p256")


def test_a_chain_file_that_is_missing_or_lags_is_told_in_the_words_of_the_plan(here: Here) -> None:
    here.write(ISSUED)
    assert here.run("apply", "--yes").status == 0
    chain = here.directory / "pki/certificates/web/chain.pem"
    right = chain.read_bytes()

    for content, words in ((None, "chain.pem is missing"), (right * 2, "chain.pem does not hold the certificates")):
        chain.resolve().unlink() if content is None else chain.resolve().write_bytes(content)
        plan, verified = here.run("plan"), here.run("verify")

        assert words in plan.out
        assert verified.status == 3
        assert f"certificate.web: chain-order (cryptography): refused: {words}" in verified.out
        assert "`pkiplan apply` mends it" in verified.out

    assert here.run("apply", "--yes").status == 0
    assert chain.read_bytes() == right


def test_what_is_blocked_and_not_there_is_not_verified_after_an_apply(here: Here) -> None:
    here.write(SITE + "  dev: {issuer: root, dns: [dev.acme.example], key: {csr: dev.csr}}\n")

    run = here.run("apply", "--yes", "--json")

    verification = json.loads(run.out.splitlines()[-1])
    assert verification["summary"]["unexpected"] == 0
    assert {result["subject"] for result in verification["results"]} == {"authority.root", "certificate.web"}
    assert "certificate.dev" in here.run("verify").out
