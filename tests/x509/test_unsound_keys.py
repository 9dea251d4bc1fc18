"""RSA keys that anybody can factor; each is made here as its maker made it, and badkeys says so too."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import gmpy2
import pytest
from badkeys import checks
from cryptography.hazmat.primitives.asymmetric import rsa

from pkiplan.model.keys import RsaKeySpec
from pkiplan.x509.keys import generate_key
from pkiplan.x509.unsound_keys import LARGEST_ROCA_PRIME, ROCA_GENERATOR, rsa_weakness, weakness
from tests.x509.test_keys import EVERY_SPEC
from tests.x509.values import key_for

RANDOM = Random(41)
ROCA_MODULUS = math.prod(
    number for number in range(2, LARGEST_ROCA_PRIME + 1) if all(number % each for each in range(2, number))
)


def some_prime(bits: int) -> int:
    return int(gmpy2.next_prime(RANDOM.getrandbits(bits) | 0b11 << bits - 2))


def infineons_prime(bits: int) -> int:
    """As CVE-2017-15361 made them: k * M + (65537^a mod M)."""
    while True:
        factor = RANDOM.getrandbits(bits - ROCA_MODULUS.bit_length()) | 0b11 << bits - ROCA_MODULUS.bit_length() - 2
        number = factor * ROCA_MODULUS + pow(ROCA_GENERATOR, RANDOM.getrandbits(62), ROCA_MODULUS)
        if gmpy2.is_prime(number):
            return number


def close_primes(gap: int) -> int:
    first = some_prime(1024)
    return first * int(gmpy2.next_prime(first + gap))


UNSOUND = [
    pytest.param(lambda: (infineons_prime(512) * infineons_prime(512), 65537), "ROCA", "roca", id="ROCA, 1024 bits"),
    pytest.param(lambda: (infineons_prime(1024) * infineons_prime(1024), 65537), "ROCA", "roca", id="ROCA, 2048 bits"),
    pytest.param(lambda: (close_primes(2), 65537), "so close together", "fermat", id="two primes in a row"),
    # Fermat's method takes (p - q)^2 / 8n^(1/2) rounds: about ten here.
    pytest.param(lambda: (close_primes(1 << 515), 65537), "so close together", "fermat", id="primes that are close"),
    pytest.param(lambda: (some_prime(1024) ** 2, 65537), "so close together", "fermat", id="one prime twice"),
    pytest.param(
        lambda: (some_prime(1024) * 3 * 5 * 7, 65537), "small primes divide", "smallfactors", id="small factors"
    ),
    pytest.param(
        lambda: (some_prime(1024) * 8191, 65537), "small primes divide", "smallfactors", id="the largest small factor"
    ),
    pytest.param(lambda: (some_prime(1024) * some_prime(1024), 3), "exponent is 3", "rsawarnings", id="exponent 3"),
    pytest.param(
        lambda: (some_prime(1024) * some_prime(1024), 65539 + 1), "exponent is 65540", "", id="an even exponent"
    ),
]


@pytest.mark.parametrize(("made", "why", "check"), UNSOUND)
def test_a_key_that_anybody_can_factor_is_known(made: Callable[[], tuple[int, int]], why: str, check: str) -> None:
    modulus, exponent = made()

    assert why in (rsa_weakness(modulus, exponent) or "")
    if check:
        assert checks.checkrsa(modulus, exponent, checks=[check])


@pytest.mark.parametrize("size", [1024, 2048, 3072, 4096])
def test_a_key_that_we_make_is_none_of_them(size: int) -> None:
    assert weakness(key_for(RsaKeySpec(size)).public_key()) is None


@pytest.mark.parametrize("spec", [spec for spec in EVERY_SPEC if not isinstance(spec, RsaKeySpec)], ids=str)
def test_only_rsa_keys_are_known_to_be_made_so_badly(spec: object) -> None:
    assert weakness(generate_key(spec).public_key()) is None  # type: ignore[arg-type]


def test_a_logarithm_modulo_each_prime_is_not_yet_roca() -> None:
    """There has to be one logarithm for all of them; those of 19 and 37 differ by one, and both orders are even."""
    roca = pow(ROCA_GENERATOR, 5, ROCA_MODULUS)
    rest = ROCA_MODULUS // 37
    shifted = (roca + rest * (pow(ROCA_GENERATOR, 6, 37) - roca) * pow(rest, -1, 37)) % ROCA_MODULUS

    assert "ROCA" in (rsa_weakness(without_small_factors(roca), 65537) or "")
    assert rsa_weakness(without_small_factors(shifted), 65537) is None


def without_small_factors(residue: int) -> int:
    """Make a number of a key's size with this residue; most have a factor for which they are refused first."""
    while True:
        number = residue + ROCA_MODULUS * some_prime(800)
        if "small primes" not in (rsa_weakness(number, 65537) or ""):
            return number


def fermat_key() -> rsa.RSAPrivateKey:
    """A private key that OpenSSL's own check takes."""
    first = some_prime(1024)
    second = int(gmpy2.next_prime(first))
    private = pow(65537, -1, math.lcm(first - 1, second - 1))
    return rsa.RSAPrivateNumbers(
        p=second,
        q=first,
        d=private,
        dmp1=private % (second - 1),
        dmq1=private % (first - 1),
        iqmp=pow(first, -1, second),
        public_numbers=rsa.RSAPublicNumbers(65537, first * second),
    ).private_key()
