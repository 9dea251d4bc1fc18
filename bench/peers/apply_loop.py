"""The bare cost of issuing: generate, sign, encode and write the same files in a loop, sync once, rename."""

import datetime as dt
import os
import secrets
import sys

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = dt.datetime.now(dt.UTC)
# As long as the file that pkiplan renders.
CNF = b"# as long as an openssl.cnf\n" * 60


def name_of(common_name):
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bench"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def authority(common_name):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name_of(common_name), name_of(common_name), key.public_key())
    builder = builder.serial_number(secrets.randbits(159)).not_valid_before(NOW)
    builder = builder.not_valid_after(NOW + dt.timedelta(days=900))
    certificate = builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, SHA256())
    return key, certificate


def main(directory, leaves, key_type):
    signing_key, issuer = authority("Bench Issuing")
    identifier = x509.SubjectKeyIdentifier.from_public_key(signing_key.public_key())
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    above = issuer.public_bytes(Encoding.PEM)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    os.makedirs(f"{directory}/newcerts")
    written = []
    with open(f"{directory}/index.txt", "ab") as index:
        for number in range(1, leaves + 1):
            host = f"node-{number}.bench.example"
            if key_type == "rsa-2048":
                key = rsa.generate_private_key(65537, 2048)
            else:
                key = ec.generate_private_key(ec.SECP256R1())
            public_key = key.public_key()
            serial = secrets.randbits(159)
            certificate = (
                x509.CertificateBuilder(issuer.subject, name_of(host), public_key)
                .serial_number(serial)
                .not_valid_before(NOW)
                .not_valid_after(NOW + dt.timedelta(days=90))
                .add_extension(x509.BasicConstraints(False, None), True)
                .add_extension(usage, True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
                .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
                .add_extension(authority_id, False)
                .sign(signing_key, SHA256())
            )
            pem = certificate.public_bytes(Encoding.PEM)
            leaf = f"{directory}/node-{number}"
            os.mkdir(leaf)
            for name, content, mode in (
                ("key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600),
                ("cert.pem", pem, 0o644),
                ("chain.pem", above, 0o644),
                ("fullchain.pem", pem + above, 0o644),
                ("openssl.cnf", CNF, 0o644),
            ):
                write(f"{leaf}/{name}.new", content, mode)
                written.append(f"{leaf}/{name}")
            # OpenSSL's own records of a certificate that was issued.
            write(f"{directory}/newcerts/{serial:X}.pem", pem, 0o644)
            index.write(f"V\t{NOW:%y%m%d%H%M%SZ}\t\t{serial:X}\tunknown\t/C=SE/O=Bench/CN={host}\n".encode())
    os.sync()
    for path in written:
        os.rename(f"{path}.new", path)


def write(path, content, mode):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    os.write(descriptor, content)
    os.close(descriptor)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
