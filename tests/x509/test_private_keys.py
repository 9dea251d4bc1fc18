from __future__ import annotations

import base64
import contextlib
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from pkiplan.errors import KeyMaterialError, SecretError
from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, KeyEncryption, KeyForm, KeySpec, MlDsaKeySpec, RsaKeySpec
from pkiplan.x509 import der
from pkiplan.x509.key_encryption import PBES2_OID, PBKDF2_OID, SCRYPT_OID
from pkiplan.x509.keys import spki_der
from pkiplan.x509.private_keys import describe_key_pem, encode_private_key, open_private_key
from tests.judges import require
from tests.x509.test_keys import EVERY_SPEC
from tests.x509.values import EC, key_for

SECRET = b"a$b`c\"d'e f\xc3\xb6"
QUICK = KeyEncryption(rounds=1000)
RSA = RsaKeySpec(2048)

PKCS8, PKCS1, SEC1 = KeyForm.PKCS8, KeyForm.PKCS1, KeyForm.SEC1


def encoded(
    spec: KeySpec = EC, form: KeyForm = PKCS8, passphrase: bytes | None = None, encryption: KeyEncryption = QUICK
) -> bytes:
    return encode_private_key(key_for(spec), form, encryption, passphrase)


def openssl(*arguments: str, data: bytes) -> bytes:
    done = subprocess.run([require("openssl"), *arguments], input=data, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize(("spec", "form"), [*((spec, PKCS8) for spec in EVERY_SPEC), (RSA, PKCS1), (EC, SEC1)], ids=str)
def test_a_plain_key_tells_form_and_public_key(spec: KeySpec, form: KeyForm) -> None:
    facts = describe_key_pem(encoded(spec, form))

    assert (facts.form, facts.encryption) == (form, None)
    assert facts.public_key is not None
    assert spki_der(facts.public_key) == spki_der(key_for(spec).public_key())


@pytest.mark.parametrize("spec", EVERY_SPEC, ids=str)
def test_an_encrypted_key_tells_its_protection_alone(spec: KeySpec) -> None:
    data = encoded(spec, passphrase=SECRET)

    facts = describe_key_pem(data)
    assert (facts.form, facts.encryption, facts.public_key) == (PKCS8, QUICK, None)
    assert spki_der(open_private_key(data, (b"wrong", SECRET)).public_key()) == spki_der(key_for(spec).public_key())


@pytest.mark.judge("openssl")
@pytest.mark.parametrize("spec", [RSA, EC, EdKeySpec("ed25519"), EdKeySpec("ed448")], ids=str)
def test_openssl_opens_what_we_encrypt(spec: KeySpec) -> None:
    opened = openssl(
        "pkey", "-passin", f"pass:{SECRET.decode()}", data=encoded(spec, passphrase=SECRET, encryption=KeyEncryption())
    )

    assert load_pem_private_key(opened, None).public_key() == key_for(spec).public_key()


@pytest.mark.judge("openssl")
def test_openssl_sees_the_protection_of_the_decision() -> None:
    """docs/adr/0003-encrypted-key-files.md."""
    text = openssl("asn1parse", data=encoded(passphrase=SECRET, encryption=KeyEncryption())).decode()

    for line in ("PBES2", "PBKDF2", "INTEGER           :0927C0", "hmacWithSHA256", "aes-256-cbc"):
        assert line in text
    assert 600_000 == 0x0927C0


@pytest.mark.parametrize(
    "encryption",
    [
        KeyEncryption(cipher=f"aes-{bits}-cbc", kdf=f"pbkdf2-hmac-sha{digest}", rounds=rounds)
        for bits, digest, rounds in ((128, 256, 1), (192, 384, 99), (256, 512, 2048))
    ],
    ids=str,
)
def test_other_protections_can_be_declared(encryption: KeyEncryption) -> None:
    data = encoded(passphrase=SECRET, encryption=encryption)

    assert describe_key_pem(data).encryption == encryption
    assert open_private_key(data, (SECRET,)).public_key() == key_for(EC).public_key()


@pytest.mark.judge("openssl")
@pytest.mark.parametrize(
    ("arguments", "form", "encryption"),
    [
        pytest.param("pkcs8 -topk8 -v2 aes-256-cbc -iter 3000", PKCS8, KeyEncryption(rounds=3000), id="PBES2"),
        pytest.param(
            "pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA1",
            PKCS8,
            KeyEncryption(cipher="aes-128-cbc", kdf="pbkdf2-hmac-sha1", rounds=2048),
            id="PBES2 with SHA-1",
        ),
        pytest.param(
            "pkcs8 -topk8 -v2 des3", PKCS8, KeyEncryption(cipher="3des-cbc", rounds=2048), id="PBES2 with 3DES"
        ),
        pytest.param("pkcs8 -topk8 -scrypt", PKCS8, KeyEncryption(kdf="scrypt", rounds=16384), id="scrypt"),
        pytest.param(
            "pkcs8 -topk8 -v1 PBE-SHA1-3DES",
            PKCS8,
            KeyEncryption(cipher="3des-cbc", kdf="pkcs12-sha1", rounds=2048),
            id="PBES1",
        ),
        pytest.param(
            "rsa -traditional -aes256",
            PKCS1,
            KeyEncryption(cipher="aes-256-cbc", kdf="md5", rounds=1),
            id="traditional",
        ),
        pytest.param(
            "rsa -traditional -des3",
            PKCS1,
            KeyEncryption(cipher="3des-cbc", kdf="md5", rounds=1),
            id="traditional with 3DES",
        ),
    ],
)
def test_protections_that_others_wrote_are_described_and_opened(
    arguments: str, form: KeyForm, encryption: KeyEncryption
) -> None:
    data = openssl(*arguments.split(), "-passout", "pass:x", data=encoded(RSA))

    facts = describe_key_pem(data)
    assert (facts.form, facts.encryption, facts.public_key) == (form, encryption, None)
    assert open_private_key(data, (b"x",)).public_key() == key_for(RSA).public_key()


@pytest.mark.parametrize(
    ("spec", "form"), [(EC, PKCS1), (EdKeySpec("ed25519"), PKCS1), (RSA, SEC1), (MlDsaKeySpec(44), SEC1)], ids=str
)
def test_a_form_of_another_type_is_refused(spec: KeySpec, form: KeyForm) -> None:
    with pytest.raises(KeyMaterialError, match=f"has no form {form}"):
        encoded(spec, form)


@pytest.mark.parametrize(
    ("form", "passphrase", "encryption", "why"),
    [
        pytest.param(PKCS1, SECRET, QUICK, "cannot be protected well", id="PKCS#1 with a passphrase"),
        pytest.param(PKCS8, b"", QUICK, "empty passphrase", id="an empty passphrase"),
        pytest.param(PKCS8, SECRET, KeyEncryption(cipher="rot13"), "no key can be encrypted", id="an unknown cipher"),
        pytest.param(PKCS8, SECRET, KeyEncryption(kdf="md5"), "no key can be encrypted", id="an unknown function"),
        pytest.param(PKCS8, SECRET, KeyEncryption(rounds=0), "no key can be encrypted", id="no rounds"),
    ],
)
def test_a_weak_protection_is_refused(form: KeyForm, passphrase: bytes, encryption: KeyEncryption, why: str) -> None:
    with pytest.raises(KeyMaterialError, match=why):
        encoded(RSA, form, passphrase, encryption)


PEM = encoded()
CERTIFICATE_LIKE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


@pytest.mark.parametrize(
    "data",
    [
        CERTIFICATE_LIKE + PEM,
        PEM + CERTIFICATE_LIKE,
        b"text\n" + PEM,
        EC_PARAMETERS + encoded(EC, SEC1),
        PEM.replace(b"\n", b"\r\n"),
    ],
    ids=[
        "after a certificate",
        "before a certificate",
        "after text",
        "after EC parameters",
        "with line ends of Windows",
    ],
)
def test_a_key_is_found_among_other_things(data: bytes) -> None:
    assert describe_key_pem(data).public_key == key_for(EC).public_key()


def mixed_up() -> bytes:
    """An RSA key that holds the exponent of another, whose modulus is smaller: it must be below the modulus."""
    made = (rsa.generate_private_key(65537, 1024).private_numbers() for _ in range(2))
    other, one = sorted(made, key=lambda numbers: numbers.public_numbers.n)
    return pem_of(rsa.RSAPrivateNumbers(one.p, one.q, other.d, one.dmp1, one.dmq1, one.iqmp, one.public_numbers))


def pem_of(numbers: rsa.RSAPrivateNumbers) -> bytes:
    """Write an RSA key as it is, sound or not."""
    return numbers.private_key(unsafe_skip_rsa_key_validation=True).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n \n", "is empty", id="blank"),
        pytest.param(b"\x00" * 300, "no private key", id="zeroes"),
        pytest.param(CERTIFICATE_LIKE, "no private key", id="a certificate"),
        pytest.param(PEM[:-30], "cut short", id="half"),
        pytest.param(PEM + PEM, "2 private keys", id="two"),
        pytest.param(PEM.replace(b"MI", b"MA", 1), "does not parse", id="a changed letter"),
        pytest.param(b"x" * (2 << 20), "too many", id="huge"),
        pytest.param(
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "OpenSSH", id="OpenSSH"
        ),
        pytest.param(
            b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----", "no form of key", id="DSA"
        ),
        pytest.param(
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nA!A\n-----END ENCRYPTED PRIVATE KEY-----",
            "does not parse",
            id="no base64",
        ),
        pytest.param(
            x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "cannot sign",
            id="X25519",
        ),
        pytest.param(mixed_up(), "do not belong together", id="RSA numbers of two keys"),
    ],
)
def test_damage_is_said_in_words(data: bytes, why: str) -> None:
    with pytest.raises(KeyMaterialError, match=why):
        describe_key_pem(data)


def of_no_primes() -> bytes:
    """An RSA key whose numbers belong together, but one of whose factors is none."""
    made = rsa.generate_private_key(65537, 1024).private_numbers()
    p, q, exponent = 3 * made.p, made.q, 65537
    d = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    return pem_of(rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public))


def test_only_a_key_that_signs_is_asked_whether_its_factors_are_prime() -> None:
    with pytest.raises(KeyMaterialError, match="does not parse"):
        open_private_key(of_no_primes(), ())
    with pytest.raises(KeyMaterialError, match="do not belong together"):
        open_private_key(mixed_up(), (), to_sign=False)

    assert isinstance(open_private_key(of_no_primes(), (), to_sign=False), rsa.RSAPrivateKey)


@pytest.mark.parametrize(
    ("derivation", "why"),
    [
        pytest.param(
            (PBKDF2_OID, der.encode(der.OCTET_STRING, b"salt"), der.encode_integer(1 << 31)),
            "2147483648 rounds",
            id="rounds",
        ),
        pytest.param(
            (SCRYPT_OID, der.encode(der.OCTET_STRING, b"salt"), *(der.encode_integer(n) for n in (1 << 30, 8, 1))),
            "memory",
            id="memory",
        ),
    ],
)
def test_a_file_that_asks_for_endless_work_is_refused(derivation: tuple[str, bytes, bytes], why: str) -> None:
    oid, *parameters = derivation
    kdf = der.encode(der.SEQUENCE, der.encode_oid(oid), der.encode(der.SEQUENCE, *parameters))
    scheme = der.encode(
        der.SEQUENCE, der.encode_oid("2.16.840.1.101.3.4.1.42"), der.encode(der.OCTET_STRING, b"x" * 16)
    )
    algorithm = der.encode(der.SEQUENCE, der.encode_oid(PBES2_OID), der.encode(der.SEQUENCE, kdf, scheme))
    body = base64.encodebytes(der.encode(der.SEQUENCE, algorithm, der.encode(der.OCTET_STRING, b"x" * 32)))

    with pytest.raises(KeyMaterialError, match=why):
        describe_key_pem(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"-----END ENCRYPTED PRIVATE KEY-----\n")


def test_nothing_of_a_key_shows_when_it_does_not_open() -> None:
    data = encoded(passphrase=SECRET)
    with pytest.raises(SecretError, match="the passphrase does not open the key") as caught:
        open_private_key(data, (b"wrong",))

    assert caught.value.__context__ is None
    assert "wrong" not in repr(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_changed_file_leads_to_a_traceback(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([PEM, encoded(EC, SEC1), encoded(passphrase=SECRET)])))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(KeyMaterialError):
        describe_key_pem(bytes(content))


def test_a_curve_has_its_own_form() -> None:
    assert b"BEGIN EC PRIVATE KEY" in encoded(EcKeySpec(Curve.P384), SEC1)
