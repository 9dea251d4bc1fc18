"""The bare cost of looking: parse the manifest to libyaml's events, then read, load and check every leaf in a loop."""

import os
import sys

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.serialization import load_pem_private_key

FILES = ("cert.pem", "key.pem", "chain.pem", "fullchain.pem", "openssl.cnf")


def main(site: str) -> None:
    with open(f"{site}/site.yaml", "rb") as file:
        for _ in yaml.parse(file, Loader=yaml.CLoader):
            pass
    with open(f"{site}/pki/authorities/issuing/cert.pem", "rb") as file:
        issuer = x509.load_pem_x509_certificate(file.read()).public_key()
    for directory in leaves(f"{site}/pki/certificates"):
        contents = {}
        for name in FILES:
            with open(f"{directory}/{name}", "rb") as file:
                contents[name] = file.read()
        certificate = x509.load_pem_x509_certificate(contents["cert.pem"])
        key = load_pem_private_key(contents["key.pem"], None)
        if certificate.public_key() != key.public_key():
            sys.exit(f"{directory}: not its key")
        digest = certificate.signature_hash_algorithm
        issuer.verify(certificate.signature, certificate.tbs_certificate_bytes, ECDSA(digest))


def leaves(directory: str):
    """Give the directories of leaves; those of a `for_each` lie one deeper."""
    for entry in sorted(os.listdir(directory)):
        path = f"{directory}/{entry}"
        if os.path.exists(f"{path}/cert.pem"):
            yield path
        else:
            yield from leaves(path)


main(sys.argv[1])
