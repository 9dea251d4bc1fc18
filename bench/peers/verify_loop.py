"""The bare cost of proving: for each leaf two handshakes of bare pyOpenSSL in memory, with fresh contexts."""

import contextlib
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto


def main(site):
    authorities = f"{site}/pki/authorities"
    root = load(f"{authorities}/root/cert.pem")
    issuing = load(f"{authorities}/issuing/cert.pem")
    certificates = f"{site}/pki/certificates"
    for leaf in sorted(os.listdir(certificates)):
        certificate = load(f"{certificates}/{leaf}/cert.pem")
        with open(f"{certificates}/{leaf}/key.pem", "rb") as file:
            key = load_pem_private_key(file.read(), None)
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            shake_hands(root, issuing, certificate, key, version, f"{leaf}.bench.example")


def load(path):
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


def shake_hands(root, issuing, certificate, key, version, name):
    served = SSL.Context(SSL.TLS_SERVER_METHOD)
    served.use_certificate(certificate)
    served.use_privatekey(key)
    served.add_extra_chain_cert(issuing)
    asking = SSL.Context(SSL.TLS_CLIENT_METHOD)
    asking.set_min_proto_version(version)
    asking.set_max_proto_version(version)
    asking.get_cert_store().add_cert(crypto.X509.from_cryptography(root))
    asking.set_verify(SSL.VERIFY_PEER, lambda *seen: bool(seen[-1]))
    server, client = SSL.Connection(served), SSL.Connection(asking)
    server.set_accept_state()
    client.set_connect_state()
    client.set_tlsext_host_name(name.encode())
    client.set_verify(SSL.VERIFY_PEER)
    done = set()
    while len(done) < 2:
        for this, other in ((client, server), (server, client)):
            if this not in done:
                try:
                    this.do_handshake()
                    done.add(this)
                except SSL.WantReadError:
                    pass
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(this.bio_read(1 << 16))
    client.get_peer_certificate()


main(sys.argv[1])
